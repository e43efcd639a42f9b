// A PC's parallel printer port with a printer on it that takes every byte: data, status and control registers.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// The standard parallel port of the AT (IBM Personal Computer AT Technical Reference, parallel printer adapter; IEEE
// 1284, compatibility mode). Three ports from `base`. The printer is selected and has paper; it takes the byte on the
// data lines when STROBE# falls, is busy until it has acknowledged, and asks for an interrupt then, if that is on.
class ParallelPort final : public Device, public IoHandler {
 public:
  static constexpr u64 kAckNs = 500;  // a fast printer

  ParallelPort(PortBus& ports, u16 base, Clock& clock, IrqLine irq, std::function<void(u8)> output);

  std::string_view name() const override { return "lpt"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  void acknowledged();
  void set_interrupt(bool on);
  u8 status() const;

  u16 base_;
  IrqLine irq_;
  std::function<void(u8)> output_;
  Clock& clock_;
  u8 data_ = 0xff;
  u8 control_ = 0;
  bool interrupt_ = false;
  bool initialised_ = false;  // INIT# was low once
  Timer ack_;                 // pending: the byte was taken, and ACK# is low
  PortRange range_;
};

}  // namespace xlat
