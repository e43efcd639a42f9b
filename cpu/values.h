// What the value operations (cpu/value_ops.inc) mean, in numbers zero-extended from `w` bits: for engines that compute
// them and for folding constants.
#pragma once

#include <bit>

#include "base/bits.h"

namespace xlat::value {

constexpr u64 add(unsigned w, u64 a, u64 b) { return (a + b) & mask(w); }
constexpr u64 sub(unsigned w, u64 a, u64 b) { return (a - b) & mask(w); }
constexpr u64 add_carry(unsigned w, u64 a, u64 b, u64 c) { return (a + b + c) & mask(w); }
constexpr u64 sub_borrow(unsigned w, u64 a, u64 b, u64 c) { return (a - b - c) & mask(w); }
constexpr u64 mul(unsigned w, u64 a, u64 b) { return (a * b) & mask(w); }

// By zero: 0. Signed division truncates; the quotient that does not fit wraps.
constexpr u64 udiv(unsigned w, u64 a, u64 b) { return b == 0 ? 0 : (a / b) & mask(w); }
constexpr u64 urem(unsigned w, u64 a, u64 b) { return b == 0 ? 0 : (a % b) & mask(w); }
constexpr u64 sdiv(unsigned w, u64 a, u64 b) {
  const i64 n = sign_extend(a, w), d = sign_extend(b, w);
  if (d == 0) return 0;
  return (d == -1 ? 0 - static_cast<u64>(n) : static_cast<u64>(n / d)) & mask(w);
}
constexpr u64 srem(unsigned w, u64 a, u64 b) {
  const i64 n = sign_extend(a, w), d = sign_extend(b, w);
  return d == 0 || d == -1 ? 0 : static_cast<u64>(n % d) & mask(w);
}

// By the width or more: zero, or the sign.
constexpr u64 shl(unsigned w, u64 a, u64 n) { return n >= w ? 0 : (a << n) & mask(w); }
constexpr u64 shr(unsigned w, u64 a, u64 n) { return n >= w ? 0 : a >> n; }
constexpr u64 sar(unsigned w, u64 a, u64 n) {
  return static_cast<u64>(sign_extend(a, w) >> (n >= w ? w - 1 : n)) & mask(w);
}

constexpr u64 and_(unsigned, u64 a, u64 b) { return a & b; }
constexpr u64 or_(unsigned, u64 a, u64 b) { return a | b; }
constexpr u64 xor_(unsigned, u64 a, u64 b) { return a ^ b; }
constexpr u64 not_(unsigned w, u64 a) { return ~a & mask(w); }
constexpr u64 trunc(unsigned w, u64 a) { return a & mask(w); }
constexpr u64 sext(unsigned from, unsigned to, u64 a) { return static_cast<u64>(sign_extend(a, from)) & mask(to); }
constexpr u64 eq(u64 a, u64 b) { return a == b; }
constexpr u64 ne(u64 a, u64 b) { return a != b; }
constexpr u64 ult(u64 a, u64 b) { return a < b; }
constexpr u64 slt(unsigned w, u64 a, u64 b) { return sign_extend(a, w) < sign_extend(b, w); }

constexpr u64 select(u64 c, u64 a, u64 b) { return c ? a : b; }

constexpr u64 bswap(unsigned w, u64 a) {
  return w == 32 ? __builtin_bswap32(static_cast<u32>(a)) : __builtin_bswap64(a);
}
// Of zero: 0.
constexpr u64 bit_scan_forward(u64 a) { return a == 0 ? 0 : static_cast<u64>(std::countr_zero(a)); }
constexpr u64 bit_scan_reverse(u64 a) { return a == 0 ? 0 : 63 - static_cast<u64>(std::countl_zero(a)); }

}  // namespace xlat::value
