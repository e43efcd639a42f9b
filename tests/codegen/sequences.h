// The guest sequences of these tests, and the machines they run on.
#pragma once

#include <string>
#include <vector>

#include "tests/support/bare_cpu.h"

namespace xlat::test {

enum class Mode { kFlat, kFs, kBounded, kReal };

struct Sequence {
  const char* name;
  Mode mode;
  const char* bytes;
};
inline constexpr Sequence kSequences[] = {
#include "sequences.inc"
};

inline constexpr u32 kCode = 0x1000;

inline std::vector<u8> from_hex(const std::string& text) {
  std::vector<u8> bytes;
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits += c;
    if (digits.size() == 2) {
      bytes.push_back(static_cast<u8>(std::stoul(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return bytes;
}

// Puts a sequence into a machine that is about to run it.
template <class Machine>
void set_up(Machine& machine, const Sequence& sequence) {
  if (sequence.mode == Mode::kReal) {
    machine.real16(kCode >> 4, 0, 0xfffe);
  } else {
    machine.flat32(kCode, 0x80000);
  }
  // Base 10000h; without granularity the limit is FFFFh.
  if (sequence.mode == Mode::kFs) machine.cpu.s.seg[kFs].load(24, {0x0000ffff, 0x00cf9301});
  if (sequence.mode == Mode::kBounded) machine.cpu.s.seg[kDs].load(24, {0x0000ffff, 0x00409301});
  machine.put(kCode, from_hex(sequence.bytes));
}

}  // namespace xlat::test
