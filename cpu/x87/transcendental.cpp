// Argument reduction and power series on numbers of 128 bits.
#include "cpu/x87/transcendental.h"

#include "cpu/x87/wide.h"

namespace xlat::x87 {

namespace {

constexpr Wide kPi = {false, 1, make_u128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)};
constexpr Wide kHalfPi = {false, 0, kPi.significand};
constexpr Wide kLn2 = {false, -1, make_u128(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
constexpr Wide kLog2E = {false, 0, make_u128(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e89)};
// atan(k / 8), fixed point.
constexpr u128 kArctangents[9] = {
    0,
    make_u128(0x07f56ea6ab0bdb71, 0x9644bcc4f9f44478),
    make_u128(0x0fadbafc96406eb1, 0x56dc79ef5f7a217e),
    make_u128(0x16f61941e4def08e, 0x715464245b9fc890),
    make_u128(0x1dac670561bb4f68, 0xadfc88bd978751a0),
    make_u128(0x23c01757bdfd67e6, 0xd720d78599710dd2),
    make_u128(0x292f1f464d3dc249, 0x066a1fca915f6b28),
    make_u128(0x2e014f8af08c679c, 0xf2cb69548429110f),
    make_u128(0x3243f6a8885a308d, 0x313198a2e0370734),
};

// Reported as inexact even where it is not: the processor does not look.
F80 round_wide(FloatContext& ctx, const Wide& a, bool exact = false) {
  ctx.flags |= a.exponent < kMinExponent && exact ? kSwPe | kSwUe : kSwPe;
  return round_pack(ctx, a.sign, a.exponent, static_cast<u64>(a.significand >> 64),
                    static_cast<u64>(a.significand) | !exact);
}

u128 fixed_square(const Wide& a) {
  const i32 shift = -2 * a.exponent;
  return shift >= 128 ? 0 : multiply_high(a.significand, a.significand) >> shift;
}

// 1 - x2/((first)(first + 1)) * (1 - ...): sin(x)/x with first = 2, cos(x) with first = 1. Never quite one.
u128 trigonometric_series(u128 x2, unsigned first) {
  u128 p = kOne;
  for (unsigned k = 12; k-- > 0;) {
    const unsigned n = first + 2 * k;
    p = kOne - fixed_multiply(x2, p) / (n * (n + 1));
  }
  return p == kOne ? p - 1 : p;
}

// a = quadrant * pi/2 + rest with |rest| <= pi/4, where pi has the x87's 66 bits. SDM vol. 1, 8.3.8.
struct Reduced {
  Wide rest;
  unsigned quadrant = 0;
};
Reduced reduce(const Unpacked& a) {
  constexpr u128 kHalfPi66 = make_u128(3, 0x243f6a8885a308d3);  // times 2^-65
  Reduced r{wide_from(a)};
  if (a.exponent < -1) return r;
  const u128 value = u128{a.significand} << (a.exponent + 2);
  u128 rest = value % kHalfPi66;
  r.quadrant = static_cast<unsigned>(value / kHalfPi66) & 3;
  const bool over = rest > kHalfPi66 / 2;
  if (over) {
    rest = kHalfPi66 - rest;
    r.quadrant = (r.quadrant + 1) & 3;
  }
  if (a.sign) r.quadrant = (0 - r.quadrant) & 3;
  r.rest = wide(a.sign != over, 127 - 65, rest);
  return r;
}

Wide sine_of(const Wide& x) { return multiply(x, wide_from_fixed(false, trigonometric_series(fixed_square(x), 2))); }
Wide cosine_of(const Wide& x) { return wide_from_fixed(false, trigonometric_series(fixed_square(x), 1)); }

// sin of a + quadrant * pi/2.
Wide sine_in(const Reduced& r, unsigned quadrant) {
  const Wide v = quadrant & 1 ? cosine_of(r.rest) : sine_of(r.rest);
  return quadrant & 2 ? v.negated() : v;
}

F80 sine_or_cosine(FloatContext& ctx, const Unpacked& a, bool cosine) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.infinite()) return invalid(ctx);
  if (a.zero()) return cosine ? make_f80(false, 0, u64{1} << 63) : make_zero(a.sign);
  if (a.denormal) ctx.flags |= kSwDe;
  const Reduced r = reduce(a);
  return round_wide(ctx, sine_in(r, (r.quadrant + cosine) & 3));
}

// x - x^3/3 + x^5/5 ... divided by x, for |x| up to 1/8.
u128 arctangent_series(u128 x2) {
  u128 p = 0;
  for (unsigned k = 16; k-- > 0;) p = kOne / (2 * k + 1) - fixed_multiply(x2, p);
  return p == kOne ? p - 1 : p;
}

// Of 0 < x <= 1.
Wide arctangent_of(const Wide& x) {
  const u128 fixed = fixed_from(x);
  const unsigned k = static_cast<unsigned>((fixed + (kOne >> 4)) >> 123);  // x is closest to k / 8
  if (k == 0) return multiply(x, wide_from_fixed(false, arctangent_series(fixed_square(x))));
  const u128 nearest = u128{k} << 123;
  const bool below = fixed < nearest;
  const Wide t = divide(wide_from_fixed(below, below ? nearest - fixed : fixed - nearest),
                        wide_from_fixed(false, kOne + (fixed >> 3) * k));
  const Wide rest = t.zero() ? t : multiply(t, wide_from_fixed(false, arctangent_series(fixed_square(t))));
  return add(wide_from_fixed(false, kArctangents[k]), rest);
}

F80 angle(FloatContext& ctx, bool sign, Wide v) {
  v.sign = sign;
  return round_wide(ctx, v);
}

// ln((1 + s) / (1 - s)) = 2s (1 + s^2/3 + s^4/5 ...), times log2 e.
Wide log2_by_ratio(const Wide& s) {
  const u128 s2 = fixed_square(s);
  u128 p = 0;
  for (unsigned k = 24; k-- > 0;) p = kOne / (2 * k + 1) + fixed_multiply(s2, p);
  Wide r = multiply(multiply(s, wide_from_fixed(false, p)), kLog2E);
  ++r.exponent;
  return r;
}

// log2 of x > 0; `exact` where x is a power of two.
Wide log2_of(const Unpacked& x, bool& exact) {
  constexpr u64 kSqrt2 = 0xb504f333f9de6484;
  const u128 one = u128{1} << 63, m = x.significand;
  exact = m == one;
  if (exact) return wide_from_integer(x.exponent);
  // With m above sqrt(2), m/2: ratio (m - 2) / (m + 2).
  const bool above = m > kSqrt2;
  const u128 unit = above ? one << 1 : one;
  const Wide s = divide(wide(above, 127, above ? unit - m : m - unit), wide(false, 127, m + unit));
  return add(wide_from_integer(x.exponent + above), log2_by_ratio(s));
}

Unpacked unpack_one() { return unpack_integer(1); }

}  // namespace

F80 sine(FloatContext& ctx, const Unpacked& a) { return sine_or_cosine(ctx, a, false); }
F80 cosine(FloatContext& ctx, const Unpacked& a) { return sine_or_cosine(ctx, a, true); }

F80 tangent(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.infinite()) return invalid(ctx);
  if (a.zero()) return make_zero(a.sign);
  if (a.denormal) ctx.flags |= kSwDe;
  const Reduced r = reduce(a);
  return round_wide(ctx, divide(sine_in(r, r.quadrant), sine_in(r, (r.quadrant + 1) & 3)));
}

// SDM vol. 2, table 3-30.
F80 arctangent(FloatContext& ctx, const Unpacked& y, const Unpacked& x) {
  if (needs_propagation(y) || needs_propagation(x)) return propagate_nan(ctx, y, x);
  if (y.denormal || x.denormal) ctx.flags |= kSwDe;
  if (y.infinite()) {
    if (!x.infinite()) return angle(ctx, y.sign, kHalfPi);
    Wide eighth = kHalfPi;
    --eighth.exponent;
    return angle(ctx, y.sign, x.sign ? add(kHalfPi, eighth) : eighth);
  }
  if (y.zero() || x.infinite()) return x.sign ? angle(ctx, y.sign, kPi) : make_zero(y.sign);
  if (x.zero()) return angle(ctx, y.sign, kHalfPi);
  Wide opposite = wide_from(y), adjacent = wide_from(x);
  opposite.sign = adjacent.sign = false;
  const bool steep = y.exponent != x.exponent ? y.exponent > x.exponent : y.significand > x.significand;
  Wide v = arctangent_of(steep ? divide(adjacent, opposite) : divide(opposite, adjacent));
  if (steep) v = add(kHalfPi, v.negated());
  if (x.sign) v = add(kPi, v.negated());
  return angle(ctx, y.sign, v);
}

// Beyond +-1 the result is undefined: the operand.
F80 exponential(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.infinite()) return a.sign ? make_f80(true, 0, u64{1} << 63) : make_infinity(false);
  if (a.zero()) return make_zero(a.sign);
  if (a.denormal) ctx.flags |= kSwDe;
  if (a.exponent >= 0) {
    const bool minus_one = a.exponent == 0 && a.significand << 1 == 0 && a.sign;
    return minus_one ? make_f80(true, -1, u64{1} << 63) : pack_exact(a);
  }
  const Wide t = multiply(wide_from(a), kLn2);
  const u128 fixed = fixed_from(t);
  // 1 + t/2 (1 + t/3 (1 + ...))
  u128 p = kOne;
  for (unsigned k = 26; k >= 2; --k) {
    const u128 term = fixed_multiply(fixed, p) / k;
    p = a.sign ? kOne - term : kOne + term;
  }
  return round_wide(ctx, multiply(t, wide_from_fixed(false, p)));
}

// SDM vol. 2, table 3-58.
F80 logarithm(FloatContext& ctx, const Unpacked& y, const Unpacked& x) {
  if (needs_propagation(y) || needs_propagation(x)) return propagate_nan(ctx, y, x);
  if (x.sign && !x.zero()) return invalid(ctx);
  if (x.zero()) {
    if (y.zero()) return invalid(ctx);
    if (!y.infinite()) ctx.flags |= kSwZe;
    if (y.infinite() && y.denormal) ctx.flags |= kSwDe;
    return make_infinity(!y.sign);
  }
  const bool one = x.kind == Unpacked::kFinite && x.exponent == 0 && x.significand << 1 == 0;
  if ((x.infinite() && y.zero()) || (one && y.infinite())) return invalid(ctx);
  if (y.denormal || x.denormal) ctx.flags |= kSwDe;
  const bool negative = x.exponent < 0 && !x.infinite();
  if (x.infinite() || y.infinite()) return make_infinity(y.sign != negative);
  if (y.zero() || one) return make_zero(y.sign != negative);
  bool exact = false;
  const Wide log = log2_of(x, exact);
  return round_wide(ctx, multiply(wide_from(y), log), exact);
}

// SDM vol. 2, table 3-59; x below about -0.3 or above 0.4 is undefined, and here 1 + x is rounded first.
F80 logarithm_plus_one(FloatContext& ctx, const Unpacked& y, const Unpacked& x) {
  if (needs_propagation(y) || needs_propagation(x)) return propagate_nan(ctx, y, x);
  if (x.infinite() && x.sign) return invalid(ctx);
  if ((x.infinite() && y.zero()) || (x.zero() && y.infinite())) return invalid(ctx);
  if (y.denormal || x.denormal) ctx.flags |= kSwDe;
  if (x.infinite() || y.infinite()) return make_infinity(y.sign != x.sign);
  if (x.zero() || y.zero()) return make_zero(y.sign != x.sign);
  if (x.exponent >= -1) {
    FloatContext nearest;
    return logarithm(ctx, y, unpack(add(nearest, unpack_one(), x)));
  }
  // ln(1 + x) = ln((1 + s) / (1 - s)) with s = x / (x + 2).
  const Wide w = wide_from(x);
  const Wide s = divide(w, add(w, wide_from_integer(2)));
  return round_wide(ctx, multiply(wide_from(y), log2_by_ratio(s)));
}

}  // namespace xlat::x87
