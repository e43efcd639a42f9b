// Exceptions as values. SDM vol. 3, chapter 6.
#pragma once

#include "base/types.h"

namespace xlat {

enum Vector : u8 {
  kDE = 0,
  kDB = 1,
  kNMI = 2,
  kBP = 3,
  kOF = 4,
  kBR = 5,
  kUD = 6,
  kNM = 7,
  kDF = 8,
  kTS = 10,
  kNP = 11,
  kSS = 12,
  kGP = 13,
  kPF = 14,
  kMF = 16,
  kAC = 17,
  kMC = 18,
  kFreeze = 0xff,  // no exception: see Cpu::freeze
};

// Exceptions that push an error code (SDM vol. 3, table 6-1).
constexpr bool has_error_code(u8 vector) { return vector == kDF || (vector >= kTS && vector <= kPF) || vector == kAC; }

struct Fault {
  u8 vector = 0;
  u32 code = 0;
};

}  // namespace xlat
