// A port whose written bytes come out on the host: 0xE9 as in Bochs, 0x402 for SeaBIOS' messages.
#pragma once

#include <functional>

#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Reads give `readback`: how a guest finds it.
class DebugCon : public Device, public IoHandler {
 public:
  DebugCon(PortBus& ports, u16 port, std::function<void(u8)> output, u8 readback = 0xe9)
      : output_(std::move(output)), readback_(readback), range_(ports, port, 1, *this) {}

  std::string_view name() const override { return "debugcon"; }
  void reset() override {}
  void serialize(Archive&) override {}

  u32 read(u64, unsigned) override { return readback_; }
  void write(u64, unsigned, u32 value) override {
    if (output_) output_(static_cast<u8>(value));
  }

 private:
  std::function<void(u8)> output_;
  u8 readback_;
  PortRange range_;
};

}  // namespace xlat
