// Lets a chip that answers at scattered ports see port numbers instead of offsets.
#pragma once

#include "mmu/port_bus.h"

namespace xlat {

// Maps [first, first + count) for as long as it lives; `chip` gets the port number as its offset.
class PortRange : public IoHandler {
 public:
  PortRange(PortBus& ports, u16 first, unsigned count, IoHandler& chip, u8 widths = kWidth1)
      : ports_(ports), chip_(chip), first_(first) {
    ports_.map(first, count, *this, widths);
  }
  ~PortRange() override { ports_.unmap(*this); }
  PortRange(const PortRange&) = delete;
  PortRange& operator=(const PortRange&) = delete;

  const IoHandler& chip() const { return chip_; }

  u32 read(u64 offset, unsigned width) override { return chip_.read(first_ + offset, width); }
  void write(u64 offset, unsigned width, u32 value) override { chip_.write(first_ + offset, width, value); }

 private:
  PortBus& ports_;
  IoHandler& chip_;
  u64 first_;
};

}  // namespace xlat
