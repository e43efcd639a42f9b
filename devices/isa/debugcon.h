// A port whose written bytes come out on the host: 0xE9 as in Bochs, 0x402 for SeaBIOS' messages.
#pragma once

#include <functional>

#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Reads give 0xE9 whatever the port: how a guest finds it.
class DebugCon : public Device, public IoHandler {
 public:
  DebugCon(PortBus& ports, u16 port, std::function<void(u8)> output)
      : output_(std::move(output)), range_(ports, port, 1, *this) {}

  std::string_view name() const override { return "debugcon"; }
  void reset() override {}
  void serialize(Archive&) override {}

  u32 read(u64, unsigned) override { return 0xe9; }
  void write(u64, unsigned, u32 value) override {
    if (output_) output_(static_cast<u8>(value));
  }

 private:
  std::function<void(u8)> output_;
  PortRange range_;
};

}  // namespace xlat
