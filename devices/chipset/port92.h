// Port 0x92, the fast A20 gate and reset of the PS/2 (PIIX3 data sheet 2.5.9).
#pragma once

#include <functional>

#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

class Port92 : public Device, public IoHandler {
 public:
  explicit Port92(PortBus& ports) : range_(ports, 0x92, 1, *this) {}
  void on_a20(std::function<void(bool)> hook) { a20_ = std::move(hook); }
  void on_reset_request(std::function<void()> hook) { reset_request_ = std::move(hook); }

  std::string_view name() const override { return "port92"; }
  void reset() override { value_ = 0; }
  void serialize(Archive& ar) override {
    ar.section("port92", 1);
    ar.range(value_, u8{0}, u8{3});
  }

  u32 read(u64, unsigned) override { return value_; }
  void write(u64, unsigned, u32 value) override {
    const bool reset_edge = (value & 1) && !(value_ & 1);
    value_ = value & 3;
    if (a20_) a20_(value & 2);
    if (reset_edge && reset_request_) reset_request_();
  }

 private:
  std::function<void(bool)> a20_;
  std::function<void()> reset_request_;
  u8 value_ = 0;
  PortRange range_;
};

}  // namespace xlat
