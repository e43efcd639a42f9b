// Roland MPU-401 in UART mode, as the Sound Blaster 16 has it: a port for MIDI with nothing plugged in.
#pragma once

#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

class Mpu401 final : public IoHandler {
 public:
  // Data at `base`, status and commands behind it. `interrupt` follows whether there is a byte to be read.
  Mpu401(PortBus& ports, u16 base, std::function<void(bool)> interrupt)
      : interrupt_(std::move(interrupt)), base_(base), range_(ports, base, 2, *this) {}

  void reset() {
    uart_ = waiting_ = false;
    interrupt_(false);
  }
  void serialize(Archive& ar) { ar(uart_)(waiting_); }

  u32 read(u64 port, unsigned) override {
    // Bit 7: nothing to read; bit 6 would be: not ready for a write.
    if (port != base_) return waiting_ ? 0x3f : 0xbf;
    waiting_ = false;
    interrupt_(false);
    return kAck;
  }
  void write(u64 port, unsigned, u32 value) override {
    if (port == base_) return;  // a MIDI byte, and nobody listens
    const bool leaves_uart = uart_ && value == kResetCommand;
    if (uart_ && !leaves_uart) return;
    uart_ = value == kUartCommand;
    if (leaves_uart) return;  // without an acknowledge
    waiting_ = true;
    interrupt_(true);
  }

 private:
  static constexpr u8 kAck = 0xfe, kResetCommand = 0xff, kUartCommand = 0x3f;

  std::function<void(bool)> interrupt_;
  u16 base_;
  bool uart_ = false, waiting_ = false;
  PortRange range_;
};

}  // namespace xlat
