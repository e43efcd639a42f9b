// The 16550A serial port: FIFOs, modem lines, loopback; bytes take their time on the wire.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/char_channel.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

enum class UartTiming : u8 {
  kBaudRate,  // a character takes as long as on a line of the programmed speed
  kInstant,   // it leaves at once; the registers behave the same
};

// Data sheet: National Semiconductor PC16550D. Eight ports from `base`. All eight bits of a character go through
// whatever length LCR says, which at first is five: the other end is a file or a program, and boot sectors send before
// they set it.
class Uart16550 : public Device, public IoHandler, public CharDevice {
 public:
  static constexpr unsigned kFifo = 16;

  // Modem input lines, as MSR bits 7:4 show them.
  enum ModemLines : u8 { kCts = 0x10, kDsr = 0x20, kRi = 0x40, kDcd = 0x80 };

  Uart16550(PortBus& ports, u16 base, Clock& clock, IrqLine irq, std::function<void(u8)> output,
            UartTiming timing = UartTiming::kBaudRate);

  // How many bytes receive() takes now without an overrun.
  unsigned can_receive() const override;
  void receive(u8 value) override;
  void receive_break();
  // Called when can_receive() has grown.
  void on_can_receive(std::function<void()> hook) { room_ = std::move(hook); }
  // Called when DTR or RTS may have changed.
  void on_modem_control(std::function<void()> hook) { modem_control_ = std::move(hook); }
  // Levels of CTS, DSR, RI, DCD; after power-on CTS, DSR and DCD are on.
  void set_modem_lines(u8 lines);
  u16 base() const { return base_; }
  // MCR as the other end sees it: bit 0 DTR, bit 1 RTS.
  u8 modem_control() const { return mcr_ & 0x10 ? 0 : mcr_ & 3; }

  std::string_view name() const override { return name_; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  // A received character and its LSR error bits.
  struct Received {
    u8 value = 0, errors = 0;
  };
  bool fifo_enabled() const { return fcr_ & 1; }
  unsigned rx_capacity() const { return fifo_enabled() ? kFifo : 1; }
  unsigned rx_trigger() const;
  u64 character_ns() const;
  void push(Received c);
  u8 pop();
  void start_transmitter();
  void transmitted();
  void send(u8 value);
  void write_fcr(u8 value);
  void write_mcr(u8 value);
  void modem_inputs(u8 lines);
  u8 lsr() const;
  // IIR bits 3:0.
  u8 interrupt() const;
  void update();

  std::string name_;
  u16 base_;
  Clock& clock_;
  IrqLine irq_;
  std::function<void(u8)> output_;
  std::function<void()> room_, modem_control_;
  UartTiming timing_;

  u8 ier_ = 0, fcr_ = 0, lcr_ = 0, mcr_ = 0, scr_ = 0;
  u8 line_errors_ = 0;  // LSR bits 4:1 not read yet
  u8 msr_ = 0;
  u8 modem_lines_ = kCts | kDsr | kDcd;
  u16 divisor_ = 12;
  bool thre_pending_ = false, timeout_pending_ = false;
  Received rx_[kFifo];
  unsigned rx_size_ = 0;
  u8 tx_[kFifo] = {};
  unsigned tx_size_ = 0;
  bool shifting_ = false;  // the transmitter shift register is busy with `shift_`
  u8 shift_ = 0;
  Timer tx_timer_, rx_timeout_;
  PortRange range_;
};

}  // namespace xlat
