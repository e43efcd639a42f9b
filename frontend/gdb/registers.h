// The processor's registers as GDB numbers them, and their description for it.
#pragma once

#include <array>
#include <span>
#include <string>

#include "machine/pc.h"

namespace xlat {

// Numbers, names and sizes are those of qemu-system-i386, so that scripts work; behind them come a few of our own.
// EIP and ESP are shown as linear addresses: with CS.base and SS.base added (docs/adr/0013-gdb-real-mode.md).
class GdbRegisters {
 public:
  static constexpr unsigned kMostBytes = 10;
  using Value = std::array<u8, kMostBytes>;

  // One more than the highest number; numbers in between may be free.
  static unsigned end();
  // 0: there is no such register.
  static unsigned bytes(unsigned number);
  static Value read(const Cpu& cpu, unsigned number);
  // False if the processor does not take the value; then it has kept the old one.
  static bool write(Cpu& cpu, unsigned number, const Value& value);
  // The linear address of the next instruction.
  static constexpr unsigned kEip = 8;

  // target.xml. The architecture is i8086 where `bits` is 16.
  static std::string description(unsigned bits);
};

}  // namespace xlat
