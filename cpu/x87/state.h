// The x87 register file. SDM vol. 1, 8.1.
#pragma once

#include <array>

#include "base/archive.h"
#include "base/types.h"

namespace xlat {

// An 80-bit register as it lies in memory: significand, then sign and exponent.
struct F80 {
  u64 mantissa = 0;
  u16 sign_exp = 0;
  bool operator==(const F80&) const = default;
};

struct FpuState {
  std::array<F80, 8> regs{};  // physical registers R0..R7; ST(i) is regs[(top + i) & 7]; MMi is regs[i].mantissa
  u16 control = 0x037f;
  u16 status = 0;      // with TOP in bits 13:11
  u16 tag = 0xffff;    // two bits a physical register: empty if 3; FSTENV works out valid, zero, special
  u16 opcode = 0;      // FOP: 11 bits
  u32 ip = 0, dp = 0;  // offsets of the last instruction and operand
  u16 cs = 0, ds = 0;  // their selectors
  u32 mxcsr = 0x1f80;  // held for FXSAVE only; there is no SSE

  bool operator==(const FpuState&) const = default;

  unsigned top() const { return (status >> 11) & 7; }
  void set_top(unsigned t) { status = static_cast<u16>((status & ~0x3800) | (t & 7) << 11); }

  void serialize(Archive& ar) {
    for (F80& r : regs) ar(r.mantissa)(r.sign_exp);
    ar(control)(status)(tag)(opcode)(ip)(dp)(cs)(ds)(mxcsr);
  }
};

}  // namespace xlat
