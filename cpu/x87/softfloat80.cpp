// Unpacking, rounding, and the five basic operations.
#include "cpu/x87/softfloat80.h"

#include <bit>

#include "base/bits.h"

namespace xlat::x87 {

Unpacked unpack(const F80& v) {
  Unpacked u;
  u.sign = v.sign_exp >> 15;
  const i32 field = v.sign_exp & 0x7fff;
  u.significand = v.mantissa;
  u.exponent = field - kBias;
  const bool integer_bit = v.mantissa >> 63;
  if (field == 0) {
    if (v.mantissa == 0) return u;
    const int shift = std::countl_zero(v.mantissa);
    u.kind = Unpacked::kFinite;
    u.denormal = true;
    u.exponent = kMinExponent - shift;
    u.significand <<= shift;
  } else if (!integer_bit) {
    u.kind = Unpacked::kUnsupported;
  } else if (field != 0x7fff) {
    u.kind = Unpacked::kFinite;
  } else if (v.mantissa << 1 == 0) {
    u.kind = Unpacked::kInfinity;
  } else {
    u.kind = bit(v.mantissa, 62) ? Unpacked::kQuiet : Unpacked::kSignalling;
  }
  return u;
}

namespace {

// The binary interchange formats: `fraction_bits` stored, exponent field of `exponent_bits`.
Unpacked unpack_binary(u64 v, unsigned fraction_bits, unsigned exponent_bits) {
  Unpacked u;
  u.sign = bit(v, fraction_bits + exponent_bits);
  const u64 fraction = bits(v, 0, fraction_bits);
  const i32 field = static_cast<i32>(bits(v, fraction_bits, exponent_bits));
  const i32 top = static_cast<i32>(mask(exponent_bits)), bias = top >> 1;
  u.significand = u64{1} << 63 | fraction << (63 - fraction_bits);
  if (field == top) {
    u.exponent = kMaxExponent + 1;
    u.kind = fraction == 0                      ? Unpacked::kInfinity
             : bit(fraction, fraction_bits - 1) ? Unpacked::kQuiet
                                                : Unpacked::kSignalling;
  } else if (field != 0) {
    u.kind = Unpacked::kFinite;
    u.exponent = field - bias;
  } else if (fraction != 0) {
    u.kind = Unpacked::kFinite;
    u.denormal = true;
    u.significand = fraction << (63 - fraction_bits);
    const int shift = std::countl_zero(u.significand);
    u.significand <<= shift;
    u.exponent = 1 - bias - shift;
  } else {
    u.significand = 0;
  }
  return u;
}

}  // namespace

Unpacked unpack_f32(u32 v) { return unpack_binary(v, 23, 8); }
Unpacked unpack_f64(u64 v) { return unpack_binary(v, 52, 11); }

Unpacked unpack_integer(i64 v) {
  Unpacked u;
  if (v == 0) return u;
  u.kind = Unpacked::kFinite;
  u.sign = v < 0;
  u.significand = u.sign ? 0 - static_cast<u64>(v) : static_cast<u64>(v);
  const int shift = std::countl_zero(u.significand);
  u.significand <<= shift;
  u.exponent = 63 - shift;
  return u;
}

F80 pack_exact(const Unpacked& u) {
  switch (u.kind) {
    case Unpacked::kZero: return make_zero(u.sign);
    case Unpacked::kInfinity: return make_infinity(u.sign);
    case Unpacked::kFinite:
      if (u.exponent < kMinExponent) {
        return {u.significand >> (kMinExponent - u.exponent), static_cast<u16>(u.sign << 15)};
      }
      return make_f80(u.sign, u.exponent, u.significand);
    default: return {u.significand, static_cast<u16>(u.sign << 15 | 0x7fff)};
  }
}

RoundedBits round_bits(u64 hi, u64 lo, unsigned drop, unsigned rounding, bool sign) {
  bool half = false, rest = false;
  if (drop == 0) {
    half = lo >> 63;
    rest = lo << 1 != 0;
  } else {
    half = bit(hi, drop - 1);
    rest = bits(hi, 0, drop - 1) != 0 || lo != 0;
  }
  RoundedBits r{hi & ~mask(drop), false, half || rest, false};
  switch (rounding) {
    case kNearest: r.up = half && (rest || bit(hi, drop)); break;
    case kDown: r.up = sign && r.inexact; break;
    case kUp: r.up = !sign && r.inexact; break;
    default: break;
  }
  if (r.up) {
    r.bits += u64{1} << drop;
    if (r.bits == 0) {
      r.bits = u64{1} << 63;
      r.carry = true;
    }
  }
  return r;
}

F80 round_pack(FloatContext& ctx, bool sign, i32 exponent, u64 hi, u64 lo, unsigned precision) {
  const unsigned drop = 64 - precision, rounding = ctx.rounding();
  RoundedBits r = round_bits(hi, lo, drop, rounding, sign);
  i32 e = exponent + r.carry;
  if (e > kMaxExponent) {
    ctx.flags |= kSwOe;
    if (ctx.masked(kSwOe)) {
      ctx.flags |= kSwPe;
      ctx.c1 = rounding == kNearest || rounding == (sign ? kDown : kUp);
      return ctx.c1 ? make_infinity(sign) : make_f80(sign, kMaxExponent, ~mask(drop));
    }
    e -= kWrap;
    if (e > kMaxExponent) {
      ctx.flags |= kSwPe;
      ctx.c1 = true;
      return make_infinity(sign);
    }
  } else if (e < kMinExponent) {
    if (ctx.masked(kSwUe)) {
      const u128 wide = shift_right_jam(u128{hi} << 64 | lo, static_cast<unsigned>(kMinExponent - exponent));
      r = round_bits(static_cast<u64>(wide >> 64), static_cast<u64>(wide), drop, rounding, sign);
      ctx.c1 = r.up;
      if (r.inexact) ctx.flags |= kSwUe | kSwPe;
      return {r.bits, static_cast<u16>(sign << 15 | (r.bits >> 63))};
    }
    ctx.flags |= kSwUe;
    e += kWrap;
    if (e < kMinExponent) {
      ctx.flags |= kSwPe;
      return make_zero(sign);
    }
  }
  ctx.c1 = r.up;
  if (r.inexact) ctx.flags |= kSwPe;
  return make_f80(sign, e, r.bits);
}

F80 invalid(FloatContext& ctx) {
  ctx.flags |= kSwIe;
  return kIndefinite;
}

F80 propagate_nan(FloatContext& ctx, const Unpacked& a) {
  if (a.kind == Unpacked::kUnsupported) return invalid(ctx);
  if (a.kind == Unpacked::kSignalling) ctx.flags |= kSwIe;
  F80 r = pack_exact(a);
  r.mantissa |= u64{1} << 62;
  return r;
}

F80 propagate_nan(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  if (a.kind == Unpacked::kUnsupported || b.kind == Unpacked::kUnsupported) return invalid(ctx);
  if (a.kind == Unpacked::kSignalling || b.kind == Unpacked::kSignalling) ctx.flags |= kSwIe;
  const Unpacked* chosen = &a;
  if (!a.nan()) {
    chosen = &b;
  } else if (b.nan()) {
    if (a.kind != b.kind) {
      chosen = a.kind == Unpacked::kQuiet ? &a : &b;
    } else if (a.significand != b.significand) {
      chosen = a.significand > b.significand ? &a : &b;
    } else {
      chosen = a.sign ? &b : &a;
    }
  }
  F80 r = pack_exact(*chosen);
  r.mantissa |= u64{1} << 62;
  return r;
}

namespace {

void note_denormals(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  if (a.denormal || b.denormal) ctx.flags |= kSwDe;
}

// Magnitudes added, with the sign of `a`.
F80 add_magnitudes(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  const Unpacked& big = a.exponent >= b.exponent ? a : b;
  const Unpacked& small = a.exponent >= b.exponent ? b : a;
  u128 sum = (u128{big.significand} << 63) +
             shift_right_jam(u128{small.significand} << 63, static_cast<unsigned>(big.exponent - small.exponent));
  i32 exponent = big.exponent + 1;
  if (!(sum >> 127)) {
    sum <<= 1;
    --exponent;
  }
  return round_pack(ctx, a.sign, exponent, static_cast<u64>(sum >> 64), static_cast<u64>(sum), ctx.precision());
}

// |a| - |b|, negated if `sign`.
F80 subtract_magnitudes(FloatContext& ctx, const Unpacked& a, const Unpacked& b, bool sign) {
  const bool less = a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
  const Unpacked& big = less ? b : a;
  const Unpacked& small = less ? a : b;
  if (a.exponent == b.exponent && a.significand == b.significand) return make_zero(ctx.rounding() == kDown);
  u128 difference =
      (u128{big.significand} << 63) -
      shift_right_jam(u128{small.significand} << 63, static_cast<unsigned>(big.exponent - small.exponent));
  const u64 high = static_cast<u64>(difference >> 64);
  const int shift = high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(difference));
  difference <<= shift;
  return round_pack(ctx, sign != less, big.exponent + 1 - shift, static_cast<u64>(difference >> 64),
                    static_cast<u64>(difference), ctx.precision());
}

F80 round_operand(FloatContext& ctx, const Unpacked& a) {
  return round_pack(ctx, a.sign, a.exponent, a.significand, 0, ctx.precision());
}

F80 add_signed(FloatContext& ctx, const Unpacked& a, Unpacked b, bool negate) {
  if (needs_propagation(a) || needs_propagation(b)) return propagate_nan(ctx, a, b);
  b.sign ^= negate;
  if (a.infinite() && b.infinite() && a.sign != b.sign) return invalid(ctx);
  note_denormals(ctx, a, b);
  if (a.infinite() || b.infinite()) return make_infinity(a.infinite() ? a.sign : b.sign);
  if (a.zero() && b.zero()) return make_zero(a.sign == b.sign ? a.sign : ctx.rounding() == kDown);
  if (a.zero()) return round_operand(ctx, b);
  if (b.zero()) return round_operand(ctx, a);
  return a.sign == b.sign ? add_magnitudes(ctx, a, b) : subtract_magnitudes(ctx, a, b, a.sign);
}

}  // namespace

F80 add(FloatContext& ctx, const Unpacked& a, const Unpacked& b) { return add_signed(ctx, a, b, false); }
F80 subtract(FloatContext& ctx, const Unpacked& a, const Unpacked& b) { return add_signed(ctx, a, b, true); }

F80 multiply(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  if (needs_propagation(a) || needs_propagation(b)) return propagate_nan(ctx, a, b);
  if ((a.infinite() && b.zero()) || (a.zero() && b.infinite())) return invalid(ctx);
  note_denormals(ctx, a, b);
  const bool sign = a.sign != b.sign;
  if (a.infinite() || b.infinite()) return make_infinity(sign);
  if (a.zero() || b.zero()) return make_zero(sign);
  u128 product = u128{a.significand} * b.significand;
  i32 exponent = a.exponent + b.exponent + 1;
  if (!(product >> 127)) {
    product <<= 1;
    --exponent;
  }
  return round_pack(ctx, sign, exponent, static_cast<u64>(product >> 64), static_cast<u64>(product), ctx.precision());
}

F80 divide(FloatContext& ctx, const Unpacked& a, const Unpacked& b) {
  if (needs_propagation(a) || needs_propagation(b)) return propagate_nan(ctx, a, b);
  if ((a.infinite() && b.infinite()) || (a.zero() && b.zero())) return invalid(ctx);
  const bool sign = a.sign != b.sign;
  if (b.zero() && !a.infinite()) {
    ctx.flags |= kSwZe;
    return make_infinity(sign);
  }
  note_denormals(ctx, a, b);
  if (a.infinite()) return make_infinity(sign);
  if (a.zero() || b.infinite()) return make_zero(sign);
  const bool less = a.significand < b.significand;
  const u128 numerator = u128{a.significand} << (less ? 64 : 63);
  const u64 quotient = static_cast<u64>(numerator / b.significand);
  const u128 rest = numerator % b.significand << 64;
  const u64 low = static_cast<u64>(rest / b.significand) | (rest % b.significand != 0);
  return round_pack(ctx, sign, a.exponent - b.exponent - less, quotient, low, ctx.precision());
}

namespace {

// The integer root of `square`, at least 2^126, and what is left over. The root of the high half comes bit by bit, the
// other half of it by a division (Zimmermann, Karatsuba Square Root).
u64 square_root_of(u128 square, u128& rest) {
  u64 left = static_cast<u64>(square >> 64), high = 0;
  const u64 low = static_cast<u64>(square);
  for (int n = 31; n >= 0; --n) {
    const u64 step = (high << (n + 1)) + (u64{1} << (2 * n));
    if (step <= left) {
      left -= step;
      high |= u64{1} << n;
    }
  }
  const u128 numerator = u128{left} << 32 | low >> 32;
  const u128 quotient = numerator / (2 * high);
  u128 root = (u128{high} << 32) + quotient;
  rest = (numerator % (2 * high) << 32) + (low & 0xffffffff);
  const u128 correction = quotient * quotient;
  if (rest < correction) {
    rest += 2 * root - 1;
    --root;
  }
  rest -= correction;
  return static_cast<u64>(root);
}

}  // namespace

F80 square_root(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  if (a.zero()) return make_zero(a.sign);
  if (a.sign) return invalid(ctx);
  if (a.denormal) ctx.flags |= kSwDe;
  if (a.infinite()) return make_infinity(false);
  const bool odd = a.exponent & 1;
  const u128 square = u128{a.significand} << (odd ? 64 : 63);
  u128 rest = 0;
  const u64 root = square_root_of(square, rest);
  // Halfway between two roots is never exact: the rest tells which side of it.
  const u64 low = rest == 0 ? 0 : rest > root ? u64{3} << 62 : u64{1} << 62;
  return round_pack(ctx, false, (a.exponent - odd) / 2, root, low, ctx.precision());
}

Order compare(FloatContext& ctx, const Unpacked& a, const Unpacked& b, bool quiet) {
  if (needs_propagation(a) || needs_propagation(b)) {
    const bool unusual = a.kind > Unpacked::kQuiet || b.kind > Unpacked::kQuiet;
    if (!quiet || unusual) ctx.flags |= kSwIe;
    return Order::kUnordered;
  }
  note_denormals(ctx, a, b);
  if (a.zero() && b.zero()) return Order::kEqual;
  if (a.zero()) return b.sign ? Order::kGreater : Order::kLess;
  if (b.zero()) return a.sign ? Order::kLess : Order::kGreater;
  if (a.sign != b.sign) return a.sign ? Order::kLess : Order::kGreater;
  if (a.exponent == b.exponent && a.significand == b.significand) return Order::kEqual;
  const bool less = a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
  return less != a.sign ? Order::kLess : Order::kGreater;
}

}  // namespace xlat::x87
