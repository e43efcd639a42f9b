// Random straight-line 32-bit user-mode programs whose results are architecturally defined.
#pragma once

#include <random>
#include <vector>

#include "base/types.h"

namespace xlat::test {

struct RandomProgram {
  std::vector<u8> code;
  u32 defined_flags = 0;  // arithmetic flags that mean something at the end
};

// `data` is the linear address of a data area of at least 8 KiB: operands lie in its first 256 bytes, saved flags at
// 0x400, string operations work within 0x800..0xfff, ESP must start at data + 0x1800. EDI must start at `data`.
// The same seed gives the same program.
RandomProgram make_random_program(u32 seed, u32 data, unsigned instructions);

}  // namespace xlat::test
