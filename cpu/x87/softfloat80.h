// Arithmetic on the x87's 80-bit format in integers alone, so that every host gives the same bits. Rounding, flags and
// responses are those of SDM vol. 1, 8.4 and 8.5.
#pragma once

#include "cpu/x87/state.h"

namespace xlat::x87 {

using u128 = unsigned __int128;

// Exceptions, at their places in the status and control words.
inline constexpr u16 kSwIe = 1 << 0, kSwDe = 1 << 1, kSwZe = 1 << 2, kSwOe = 1 << 3, kSwUe = 1 << 4, kSwPe = 1 << 5,
                     kSwSf = 1 << 6;
inline constexpr u16 kBefore = kSwIe | kSwDe | kSwZe;  // found before the operation: unmasked, they stop it

enum Rounding : unsigned { kNearest, kDown, kUp, kChop };

// One operation: how it rounds, and what it reports.
struct FloatContext {
  u16 control = 0x037f;
  u16 flags = 0;
  bool c1 = false;  // the last rounding went away from zero

  unsigned rounding() const { return (control >> 10) & 3; }
  // Bits of significand by precision control; the reserved setting rounds like the widest.
  unsigned precision() const {
    switch ((control >> 8) & 3) {
      case 0: return 24;
      case 2: return 53;
      default: return 64;
    }
  }
  bool masked(u16 exception) const { return (control & exception) != 0; }
  u16 unmasked_flags() const { return static_cast<u16>(flags & ~control & 0x3f); }
};

// A number taken apart: (-1)^sign * significand / 2^63 * 2^exponent, with bit 63 of the significand set.
struct Unpacked {
  enum Kind : u8 { kZero, kFinite, kInfinity, kQuiet, kSignalling, kUnsupported };
  Kind kind = kZero;
  bool sign = false;
  bool denormal = false;
  i32 exponent = 0;
  u64 significand = 0;

  bool nan() const { return kind == kQuiet || kind == kSignalling; }
  bool zero() const { return kind == kZero; }
  bool infinite() const { return kind == kInfinity; }
};

inline constexpr i32 kBias = 16383, kMinExponent = -16382, kMaxExponent = 16383, kWrap = 24576;
inline constexpr F80 kIndefinite = {0xc000000000000000, 0xffff};
constexpr F80 make_zero(bool sign) { return {0, static_cast<u16>(sign << 15)}; }
constexpr F80 make_infinity(bool sign) { return {u64{1} << 63, static_cast<u16>(sign << 15 | 0x7fff)}; }
constexpr F80 make_f80(bool sign, i32 exponent, u64 significand) {
  return {significand, static_cast<u16>(sign << 15 | (exponent + kBias))};
}

Unpacked unpack(const F80& value);
Unpacked unpack_f32(u32 bits);
Unpacked unpack_f64(u64 bits);
Unpacked unpack_integer(i64 value);
F80 pack_exact(const Unpacked& value);  // of an unpacked F80, unchanged but for pseudo-denormals

// Rounds hi:lo (bit 63 of hi set) at exponent to `precision` bits, with overflow and underflow.
F80 round_pack(FloatContext& ctx, bool sign, i32 exponent, u64 hi, u64 lo, unsigned precision = 64);

struct RoundedBits {
  u64 bits;
  bool carry;  // out of bit 63; `bits` is then 1 << 63
  bool inexact, up;
};
// Rounds hi:lo to a multiple of 2^drop of hi; drop is 0..63.
RoundedBits round_bits(u64 hi, u64 lo, unsigned drop, unsigned rounding, bool sign);

// Shifts right, keeping in the lowest bit whether ones fell out.
constexpr u128 shift_right_jam(u128 v, unsigned n) {
  if (n == 0) return v;
  if (n >= 128) return v != 0;
  return v >> n | u128{(v << (128 - n)) != 0};
}

// The result where an operand is a NaN or unsupported. SDM vol. 1, table 4-7.
F80 propagate_nan(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
F80 propagate_nan(FloatContext& ctx, const Unpacked& a);
inline bool needs_propagation(const Unpacked& a) { return a.kind >= Unpacked::kQuiet; }
F80 invalid(FloatContext& ctx);

F80 add(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
F80 subtract(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
F80 multiply(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
F80 divide(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
F80 square_root(FloatContext& ctx, const Unpacked& a);

enum class Order { kLess, kEqual, kGreater, kUnordered };
// `quiet`: only signalling NaNs are invalid.
Order compare(FloatContext& ctx, const Unpacked& a, const Unpacked& b, bool quiet);

// To memory formats; bits of the result. Integers and BCD give the indefinite value where the number does not fit.
u32 to_f32(FloatContext& ctx, const Unpacked& a);
u64 to_f64(FloatContext& ctx, const Unpacked& a);
u64 to_integer(FloatContext& ctx, const Unpacked& a, unsigned bits);
F80 to_bcd(FloatContext& ctx, const Unpacked& a);  // ten bytes in F80's layout
F80 from_bcd(const F80& packed);
// A 32- or 64-bit real in a register: signalling NaNs are made quiet.
F80 load_real(FloatContext& ctx, const Unpacked& a);

F80 round_to_integer(FloatContext& ctx, const Unpacked& a);
F80 scale(FloatContext& ctx, const Unpacked& a, const Unpacked& b);
// The exponent as a number, and the significand at exponent 0 in `significand`.
F80 extract(FloatContext& ctx, const Unpacked& a, F80& significand);

struct Remainder {
  F80 value;
  bool partial = false;
  unsigned quotient = 0;  // its low three bits
};
// `nearest`: FPREM1's quotient, else FPREM's.
Remainder remainder(FloatContext& ctx, const Unpacked& a, const Unpacked& b, bool nearest);

}  // namespace xlat::x87
