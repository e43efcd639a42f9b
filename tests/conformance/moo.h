// Reader of the MOO format: single-instruction cases captured from hardware.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace xlat::conformance {

// Registers in the order of the format's bit mask.
enum Reg16 : unsigned { kAx, kBx, kCx, kDx, kCs, kSs, kDs, kEs, kSp, kBp, kSi, kDi, kIp, kFlags, kRegs };

struct Ram {
  u32 address;
  u8 value;
};

struct Side {
  std::array<std::optional<u16>, kRegs> regs;
  std::vector<Ram> ram;
};

struct Case {
  u32 index = 0;
  std::string name;
  std::vector<u8> bytes;
  Side initial, final;
  std::optional<u8> exception;  // vector
  u32 pushed_flags = 0;         // where that exception put FLAGS
  std::string hash;             // as hexadecimal digits, empty if there is none
};

// Reads a gzip-compressed file. A malformed one is an error that says where.
Result<std::vector<Case>> read_moo(const std::string& path);

}  // namespace xlat::conformance
