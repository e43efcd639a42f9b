// QEMU's isa-debug-exit: a guest ends the emulator with an exit status.
#pragma once

#include <functional>

#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// A write of v anywhere in [iobase, iobase + iosize) asks for exit status (v << 1) | 1; reads give 0.
class IsaDebugExit : public Device, public IoHandler {
 public:
  IsaDebugExit(PortBus& ports, u16 iobase, unsigned iosize, std::function<void(u32)> exit)
      : exit_(std::move(exit)), range_(ports, iobase, iosize, *this, kWidthsAll) {}

  std::string_view name() const override { return "isa-debug-exit"; }
  void reset() override {}
  void serialize(Archive&) override {}

  u32 read(u64, unsigned) override { return 0; }
  void write(u64, unsigned, u32 value) override {
    if (exit_) exit_(value << 1 | 1);
  }

 private:
  std::function<void(u32)> exit_;
  PortRange range_;
};

}  // namespace xlat
