// The 64 KiB I/O port space.
#pragma once

#include <vector>

#include "mmu/io_handler.h"

namespace xlat {

// Ports nobody answers read as all ones and ignore writes, as on an ISA bus with pull-ups.
class PortBus {
 public:
  PortBus() : owner_(65536, 0) {}

  // `handler` answers at ports [first, first + count), seen by it as offsets 0..count-1. A later mapping hides an
  // earlier one. The handler must outlive the mapping.
  void map(u16 first, unsigned count, IoHandler& handler, u8 widths = kWidth1);
  // Removes every mapping of `handler`; handlers it hid answer again.
  void unmap(IoHandler& handler);

  // Whether somebody answers at one of [first, first + count).
  bool taken(u16 first, unsigned count) const;
  // Who answers where: runs of ports with the same owner, in order, for `info mtree`.
  struct Run {
    u16 first, last;
    const IoHandler* handler;
  };
  std::vector<Run> runs() const;

  // `width` in bytes: 1, 2 or 4. An access that the owner of its first port does not take whole is split, low half
  // first. Ports wrap at 64 KiB.
  u32 read(u16 port, unsigned width);
  void write(u16 port, unsigned width, u32 value);

 private:
  struct Mapping {
    IoHandler* handler;
    u16 first;
    unsigned count;
    u8 widths;
    u64 order;  // later mappings hide earlier ones
  };
  // The mapping that takes an access of `width` at `port` whole, or null.
  const Mapping* whole(u16 port, unsigned width) const;

  std::vector<u16> owner_;  // index + 1 into mappings_, 0 for nobody
  std::vector<Mapping> mappings_;
  u64 next_order_ = 0;
};

}  // namespace xlat
