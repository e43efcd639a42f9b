// Numbers of 128 significant bits, on which the transcendental functions are computed. Results are truncated.
#pragma once

#include <bit>

#include "cpu/x87/softfloat80.h"

namespace xlat::x87 {

constexpr u128 make_u128(u64 high, u64 low) { return u128{high} << 64 | low; }
constexpr int leading_zeros(u128 v) {
  const u64 high = static_cast<u64>(v >> 64);
  return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(v));
}

// (a * b) >> 128, low by two at most.
constexpr u128 multiply_high(u128 a, u128 b) {
  const u64 a1 = static_cast<u64>(a >> 64), a0 = static_cast<u64>(a), b1 = static_cast<u64>(b >> 64),
            b0 = static_cast<u64>(b);
  const u128 middle1 = u128{a1} * b0, middle0 = u128{a0} * b1, low = u128{a0} * b0 >> 64;
  const u128 carry = (low + static_cast<u64>(middle1) + static_cast<u64>(middle0)) >> 64;
  return u128{a1} * b1 + (middle1 >> 64) + (middle0 >> 64) + carry;
}

// Fixed point with 126 bits after the point: numbers below four.
inline constexpr u128 kOne = u128{1} << 126;
constexpr u128 fixed_multiply(u128 a, u128 b) { return multiply_high(a, b) << 2; }

// (-1)^sign * significand / 2^127 * 2^exponent; bit 127 of the significand is set unless the number is zero.
struct Wide {
  bool sign = false;
  i32 exponent = 0;
  u128 significand = 0;

  bool zero() const { return significand == 0; }
  Wide negated() const { return {!sign, exponent, significand}; }
};

constexpr Wide wide(bool sign, i32 exponent, u128 significand) {
  if (significand == 0) return {sign, 0, 0};
  const int shift = leading_zeros(significand);
  return {sign, exponent - shift, significand << shift};
}
constexpr Wide wide_from_fixed(bool sign, u128 fixed) { return wide(sign, 1, fixed); }
inline Wide wide_from(const Unpacked& u) { return {u.sign, u.exponent, u128{u.significand} << 64}; }
inline Wide wide_from_integer(i32 n) { return wide(n < 0, 127, static_cast<u128>(n < 0 ? -i64{n} : i64{n})); }

// The magnitude of a number below four in fixed point.
constexpr u128 fixed_from(const Wide& a) {
  const i32 shift = 1 - a.exponent;
  return shift >= 128 ? 0 : a.significand >> shift;
}

constexpr Wide multiply(const Wide& a, const Wide& b) {
  return wide(a.sign != b.sign, a.exponent + b.exponent + 1, multiply_high(a.significand, b.significand));
}

inline Wide divide(const Wide& a, const Wide& b) {
  if (a.zero()) return {a.sign != b.sign, 0, 0};
  u128 rest = a.significand, quotient = 0;
  bool carry = false;
  // One bit of the quotient each time; the first may be zero.
  for (int n = 0; n < 127; ++n) {
    quotient <<= 1;
    if (carry || rest >= b.significand) {
      rest -= b.significand;
      quotient |= 1;
    }
    carry = rest >> 127;
    rest <<= 1;
  }
  return wide(a.sign != b.sign, a.exponent - b.exponent + 1, quotient);
}

inline Wide add(const Wide& a, const Wide& b) {
  if (a.zero()) return b;
  if (b.zero()) return a;
  const bool swap = a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
  const Wide& big = swap ? b : a;
  const Wide& small = swap ? a : b;
  const i32 distance = big.exponent - small.exponent;
  const u128 x = big.significand >> 1, y = distance >= 127 ? 0 : small.significand >> 1 >> distance;
  return wide(big.sign, big.exponent + 1, big.sign == small.sign ? x + y : x - y);
}

}  // namespace xlat::x87
