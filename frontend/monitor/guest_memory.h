// Guest memory for people and programs that look at it from outside: by linear or physical address, disturbing nothing.
#pragma once

#include <span>

#include "machine/machine.h"

namespace xlat {

// Bytes at an address, page by page; returns how many could be had before the first page that is not mapped. Devices'
// registers are read as the guest would.
std::size_t peek(Pc& pc, u64 address, bool physical, std::span<u8> to);
// The same to write, in all PCs of the machine. What is neither RAM nor a device does not count as written.
std::size_t poke(Machine& machine, u64 address, bool physical, std::span<const u8> from);

}  // namespace xlat
