// Random 32-bit user-mode programs whose results are architecturally defined.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "native.h"

namespace xlat::test {

// What an instruction does to the arithmetic flags; the x87's condition codes count as flags 16 bits further up.
struct Effect {
  u32 sets = 0;       // defined after
  u32 undefines = 0;  // undefined after
  u32 uses = 0;       // read: must be defined before
};

// An instruction with what it needs before and after it. A program stays meaningful if any unit is left out.
struct Unit {
  std::vector<std::vector<u8>> insns;
  Effect effect;
  bool jumps = false;  // jumps within itself: no instruction can be left out
};

struct Program {
  UserState start;
  std::vector<u8> data;
  std::vector<Unit> units;

  std::vector<u8> code() const;
  // Flags that mean something at the end; nothing if the program looks at an undefined one.
  std::optional<u32> defined_flags() const;
};

inline constexpr u32 kX87Codes = 0x47000000;  // C0 to C3 of the status word as flags

// The same seed gives the same program.
Program make_random_program(u32 seed, unsigned units);

// Name of the semantic function of one instruction of 32-bit code.
std::string name_of(const std::vector<u8>& insn);

}  // namespace xlat::test
