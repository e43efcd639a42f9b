// 80-bit numbers to and from the other formats.
#include <bit>

#include "base/bits.h"
#include "cpu/x87/softfloat80.h"

namespace xlat::x87 {

namespace {

// To a binary format of `precision` bits (with the hidden one); unmasked overflow and underflow leave nothing to store.
u64 to_binary(FloatContext& ctx, const Unpacked& a, unsigned precision, i32 max_exponent, unsigned exponent_bits) {
  const unsigned fraction_bits = precision - 1, drop = 64 - precision, rounding = ctx.rounding();
  const u64 sign = u64{a.sign} << (fraction_bits + exponent_bits);
  const u64 infinity = sign | mask(exponent_bits) << fraction_bits;
  const i32 min_exponent = 1 - max_exponent;
  if (a.zero()) return sign;
  if (a.infinite()) return infinity;
  if (needs_propagation(a)) {
    const F80 nan = propagate_nan(ctx, a);
    return u64{nan.sign_exp >> 15 != 0} << (fraction_bits + exponent_bits) | mask(exponent_bits) << fraction_bits |
           bits(nan.mantissa >> drop, 0, fraction_bits);
  }
  RoundedBits r = round_bits(a.significand, 0, drop, rounding, a.sign);
  const i32 exponent = a.exponent + r.carry;
  if (exponent > max_exponent) {
    ctx.flags |= kSwOe;
    if (!ctx.masked(kSwOe)) return 0;
    ctx.flags |= kSwPe;
    ctx.c1 = rounding == kNearest || rounding == (a.sign ? kDown : kUp);
    return ctx.c1 ? infinity : infinity - 1;
  }
  if (exponent < min_exponent) {
    if (!ctx.masked(kSwUe)) {
      ctx.flags |= kSwUe;
      return 0;
    }
    const u128 wide = shift_right_jam(u128{a.significand} << 64, static_cast<unsigned>(min_exponent - a.exponent));
    r = round_bits(static_cast<u64>(wide >> 64), static_cast<u64>(wide), drop, rounding, a.sign);
    ctx.c1 = r.up;
    if (r.inexact) ctx.flags |= kSwUe | kSwPe;
    return sign | r.bits >> drop;  // a carry into the exponent field makes the smallest normal number
  }
  ctx.c1 = r.up;
  if (r.inexact) ctx.flags |= kSwPe;
  return sign | static_cast<u64>(exponent + max_exponent) << fraction_bits | bits(r.bits >> drop, 0, fraction_bits);
}

// |a| rounded to an integer of at most 64 bits; false if it does not fit.
bool integer_magnitude(FloatContext& ctx, const Unpacked& a, u64& magnitude, bool& inexact, bool& up) {
  magnitude = 0;
  inexact = up = false;
  if (a.zero()) return true;
  if (a.kind != Unpacked::kFinite || a.exponent > 63) return false;
  // The integer part in the high half, the fraction in the low.
  const u128 wide = shift_right_jam(u128{a.significand} << 64, static_cast<unsigned>(63 - a.exponent));
  const RoundedBits r = round_bits(static_cast<u64>(wide >> 64), static_cast<u64>(wide), 0, ctx.rounding(), a.sign);
  if (r.carry) return false;
  magnitude = r.bits;
  inexact = r.inexact;
  up = r.up;
  return true;
}

}  // namespace

u32 to_f32(FloatContext& ctx, const Unpacked& a) { return static_cast<u32>(to_binary(ctx, a, 24, 127, 8)); }
u64 to_f64(FloatContext& ctx, const Unpacked& a) { return to_binary(ctx, a, 53, 1023, 11); }

F80 load_real(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.denormal) ctx.flags |= kSwDe;
  return pack_exact(a);
}

u64 to_integer(FloatContext& ctx, const Unpacked& a, unsigned width) {
  u64 magnitude = 0;
  bool inexact = false, up = false;
  const u64 limit = u64{1} << (width - 1);
  if (!integer_magnitude(ctx, a, magnitude, inexact, up) || magnitude > (a.sign ? limit : limit - 1)) {
    ctx.flags |= kSwIe;
    return limit;
  }
  ctx.c1 = up;
  if (inexact) ctx.flags |= kSwPe;
  return (a.sign ? 0 - magnitude : magnitude) & mask(width);
}

F80 to_bcd(FloatContext& ctx, const Unpacked& a) {
  u64 magnitude = 0;
  bool inexact = false, up = false;
  if (!integer_magnitude(ctx, a, magnitude, inexact, up) || magnitude > 999'999'999'999'999'999) {
    ctx.flags |= kSwIe;
    return {0xc000000000000000, 0xffff};
  }
  ctx.c1 = up;
  if (inexact) ctx.flags |= kSwPe;
  F80 r{0, static_cast<u16>(a.sign << 15)};
  for (unsigned n = 0; n < 18; ++n, magnitude /= 10) {
    const u64 digit = magnitude % 10;
    if (n < 16) {
      r.mantissa |= digit << (4 * n);
    } else {
      r.sign_exp |= static_cast<u16>(digit << (4 * (n - 16)));
    }
  }
  return r;
}

// Digits above nine are undefined; they count for what they are.
F80 from_bcd(const F80& packed) {
  u64 magnitude = 0;
  for (int n = 17; n >= 0; --n) {
    const u64 digit = n >= 16 ? bits(packed.sign_exp, 4 * (n - 16), 4) : bits(packed.mantissa, 4 * n, 4);
    magnitude = magnitude * 10 + digit;
  }
  Unpacked u = unpack_integer(static_cast<i64>(magnitude));
  u.sign = packed.sign_exp >> 15;
  return pack_exact(u);
}

F80 round_to_integer(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.denormal) ctx.flags |= kSwDe;
  if (a.kind != Unpacked::kFinite || a.exponent >= 63) return pack_exact(a);
  u64 magnitude = 0;
  bool inexact = false, up = false;
  integer_magnitude(ctx, a, magnitude, inexact, up);
  ctx.c1 = up;
  if (inexact) ctx.flags |= kSwPe;
  if (magnitude == 0) return make_zero(a.sign);
  const int shift = std::countl_zero(magnitude);
  return make_f80(a.sign, 63 - shift, magnitude << shift);
}

F80 scale(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  if (needs_propagation(a) || needs_propagation(b)) return propagate_nan(ctx, a, b);
  if (b.infinite() && ((a.infinite() && b.sign) || (a.zero() && !b.sign))) return invalid(ctx);
  if (a.denormal || b.denormal) ctx.flags |= kSwDe;
  if (a.infinite() || a.zero()) return pack_exact(a);
  if (b.infinite()) return b.sign ? make_zero(a.sign) : make_infinity(a.sign);
  // Anything past 16 bits is far out of range either way.
  i32 by = 0;
  if (!b.zero() && b.exponent >= 0) {
    by = b.exponent > 16 ? 1 << 17 : static_cast<i32>(b.significand >> (63 - b.exponent));
    if (b.sign) by = -by;
  }
  return round_pack(ctx, a.sign, a.exponent + by, a.significand, 0);
}

F80 extract(FloatContext& ctx, const Unpacked& a, F80& significand) {
  if (needs_propagation(a)) return significand = propagate_nan(ctx, a);
  if (a.denormal) ctx.flags |= kSwDe;
  if (a.zero()) {
    ctx.flags |= kSwZe;
    significand = make_zero(a.sign);
    return make_infinity(true);
  }
  if (a.infinite()) {
    significand = make_infinity(a.sign);
    return make_infinity(false);
  }
  significand = make_f80(a.sign, 0, a.significand);
  return pack_exact(unpack_integer(a.exponent));
}

Remainder remainder(FloatContext& ctx, const Unpacked& a, const Unpacked& b, bool nearest) {
  Remainder result;
  if (needs_propagation(a) || needs_propagation(b)) {
    result.value = propagate_nan(ctx, a, b);
    return result;
  }
  if (a.infinite() || b.zero()) {
    result.value = invalid(ctx);
    return result;
  }
  if (a.denormal || b.denormal) ctx.flags |= kSwDe;
  if (a.zero()) {
    result.value = make_zero(a.sign);
    return result;
  }
  const i32 distance = a.exponent - b.exponent;
  if (b.infinite() || distance < -1 || (distance == -1 && !nearest)) {
    result.value = round_pack(ctx, a.sign, a.exponent, a.significand, 0);
    return result;
  }
  bool sign = a.sign;
  i32 exponent = b.exponent;
  u128 rest = 0;
  if (distance == -1) {
    exponent = a.exponent;
    rest = a.significand;
    if (a.significand > b.significand) {
      rest = (u128{b.significand} << 1) - a.significand;
      sign = !sign;
      result.quotient = 1;
    }
  } else {
    // Too far apart for one step: take off between 32 and 63 bits of the quotient. SDM vol. 2, FPREM.
    i32 step = distance;
    if (distance >= 64) {
      step = 32 + (distance & 31);
      exponent += distance - step;
      result.partial = true;
    }
    const u128 dividend = u128{a.significand} << step;
    u128 quotient = dividend / b.significand;
    rest = dividend % b.significand;
    if (nearest && !result.partial) {
      const u128 twice = rest << 1;
      if (twice > b.significand || (twice == b.significand && (quotient & 1))) {
        ++quotient;
        rest = b.significand - rest;
        sign = !sign;
      }
    }
    result.quotient = result.partial ? 0 : static_cast<unsigned>(quotient & 7);
  }
  if (rest == 0) {
    result.value = make_zero(a.sign);
    return result;
  }
  const u64 high = static_cast<u64>(rest >> 64);
  const int shift = high != 0 ? std::countl_zero(high) - 64 : std::countl_zero(static_cast<u64>(rest));
  const u64 significand = static_cast<u64>(shift < 0 ? rest >> -shift : rest << shift);
  result.value = round_pack(ctx, sign, exponent - shift, significand, 0);
  return result;
}

}  // namespace xlat::x87
