// The arithmetic flags: the one place where they are computed. SDM vol. 1, 3.4.3.1.
#pragma once

#include <bit>

#include "base/bits.h"
#include "cpu/registers.h"

namespace xlat {

// How the last flag-setting instruction made its flags from a (first operand), b (second operand) and r (result).
// Add and Sub hold for ADC and SBB as well: carries are read off a, b and r.
enum class FlagKind : u8 {
  kNone,  // the flags are in the EFLAGS image
  kAdd,
  kSub,
  kLogic,  // CF = OF = AF = 0
  kInc,    // as Add with b = 1, CF unchanged
  kDec,    // as Sub with b = 1, CF unchanged
  kShl,    // b: the count, 1..31 (not masked to the width further)
  kShr,
  kSar,
  kPacked,  // the flags are in the packed form of translated code
};

constexpr bool is_shift(FlagKind kind) {
  return kind == FlagKind::kShl || kind == FlagKind::kShr || kind == FlagKind::kSar;
}
// Those that leave CF alone.
constexpr bool is_step(FlagKind kind) { return kind == FlagKind::kInc || kind == FlagKind::kDec; }

// Arithmetic flags as x86 hosts give them by LAHF (high byte) and SETO (low byte).
constexpr u16 pack_flags(u32 eflags) {
  return static_cast<u16>((eflags & (kCf | kPf | kAf | kZf | kSf)) << 8 | ((eflags & kOf) ? 1 : 0));
}
constexpr u32 unpack_flags(u16 packed) {
  return (u32{packed} >> 8 & (kCf | kPf | kAf | kZf | kSf)) | ((packed & 1) ? u32{kOf} : 0);
}

// CF after an operation of `kind` at `w` bits; a, b, r are zero-extended.
constexpr bool carry_of(FlagKind kind, unsigned w, u64 a, u64 b, u64 r) {
  switch (kind) {
    case FlagKind::kAdd: return bit((a & b) | ((a | b) & ~r), w - 1);
    case FlagKind::kSub: return bit((~a & b) | ((~a | b) & r), w - 1);
    case FlagKind::kShl: return b <= w && bit(a, static_cast<unsigned>(w - b));
    case FlagKind::kShr: return b <= w && bit(a, static_cast<unsigned>(b - 1));
    case FlagKind::kSar: return bit(a, static_cast<unsigned>(b <= w ? b - 1 : w - 1));
    default: return false;
  }
}

constexpr bool overflow_of(FlagKind kind, unsigned w, u64 a, u64 b, u64 r) {
  switch (kind) {
    case FlagKind::kAdd:
    case FlagKind::kInc: return bit((a ^ r) & (b ^ r), w - 1);
    case FlagKind::kSub:
    case FlagKind::kDec: return bit((a ^ b) & (a ^ r), w - 1);
    case FlagKind::kShl: return bit(r, w - 1) != carry_of(kind, w, a, b, r);  // defined for a count of 1
    case FlagKind::kShr: return bit(r << 1 ^ r, w - 1);                       // likewise: the operand's top bit
    default: return false;
  }
}

constexpr bool parity_of(u64 r) { return !(std::popcount(static_cast<u8>(r)) & 1); }

// All the flags the operation sets, as EFLAGS bits. kInc and kDec leave CF out: the caller keeps it.
constexpr u32 flags_of(FlagKind kind, unsigned w, u64 a, u64 b, u64 r) {
  u32 flags = 0;
  if (carry_of(kind, w, a, b, r)) flags |= kCf;
  if (parity_of(r)) flags |= kPf;
  if (kind == FlagKind::kAdd || kind == FlagKind::kSub || kind == FlagKind::kInc || kind == FlagKind::kDec) {
    flags |= static_cast<u32>(a ^ b ^ r) & kAf;
  }
  if (r == 0) flags |= kZf;
  if (bit(r, w - 1)) flags |= kSf;
  if (overflow_of(kind, w, a, b, r)) flags |= kOf;
  return flags;
}

constexpr u32 flags_set_by(FlagKind kind) { return is_step(kind) ? kArithFlags & ~u32{kCf} : u32{kArithFlags}; }

// EFLAGS with the arithmetic part perhaps still to be worked out.
class LazyFlags {
 public:
  // Records an operation; nothing is computed yet.
  void record(FlagKind kind, unsigned w, u64 a, u64 b, u64 r) {
    if (is_step(kind)) {
      if (!is_step(kind_)) image_ = (image_ & ~u32{kCf}) | (cf() ? kCf : 0);
    }
    kind_ = kind;
    w_ = static_cast<u8>(w);
    a_ = a;
    b_ = b;
    r_ = r;
  }

  u32 get() const {
    if (kind_ == FlagKind::kNone) return image_;
    if (kind_ == FlagKind::kPacked) return (image_ & ~kArithFlags) | unpack_flags(packed_);
    const u32 own = flags_set_by(kind_);
    return (image_ & ~own) | (flags_of(kind_, w_, a_, b_, r_) & own);
  }
  void set(u32 value) {
    image_ = value;
    kind_ = FlagKind::kNone;
  }
  // Replaces the flags in `which` by those of `value`.
  void set_some(u32 which, u32 value) {
    if (kind_ != FlagKind::kNone && (which & kArithFlags) != kArithFlags) settle();
    if (which & kArithFlags) kind_ = FlagKind::kNone;
    image_ = (image_ & ~which) | (value & which);
  }
  void settle() { set(get()); }

  // System flags (everything but the arithmetic ones) are always in the image.
  u32 image() const { return image_; }
  void set_system(u32 which, u32 value) { image_ = (image_ & ~which) | (value & which); }

  bool cf() const {
    if (kind_ == FlagKind::kNone || is_step(kind_)) return image_ & kCf;
    if (kind_ == FlagKind::kPacked) return packed_ >> 8 & kCf;
    return carry_of(kind_, w_, a_, b_, r_);
  }
  bool zf() const { return in_image() ? (stored() & kZf) != 0 : r_ == 0; }
  bool sf() const { return in_image() ? (stored() & kSf) != 0 : bit(r_, w_ - 1u); }
  bool pf() const { return in_image() ? (stored() & kPf) != 0 : parity_of(r_); }
  bool of() const { return in_image() ? (stored() & kOf) != 0 : overflow_of(kind_, w_, a_, b_, r_); }

  // Condition `cc` in the encoding of Jcc, SETcc, CMOVcc.
  bool holds(unsigned cc) const {
    bool yes = false;
    switch ((cc >> 1) & 7) {
      case 0: yes = of(); break;
      case 1: yes = cf(); break;
      case 2: yes = zf(); break;
      case 3: yes = cf() || zf(); break;
      case 4: yes = sf(); break;
      case 5: yes = pf(); break;
      case 6: yes = sf() != of(); break;
      case 7: yes = zf() || sf() != of(); break;
    }
    return yes != static_cast<bool>(cc & 1);
  }

  // Brings the arithmetic flags into the packed form, where translated code reads and writes them.
  void pack() {
    if (kind_ == FlagKind::kPacked) return;
    packed_ = pack_flags(get());
    kind_ = FlagKind::kPacked;
  }
  // The same EFLAGS, however they are kept.
  bool operator==(const LazyFlags& other) const { return get() == other.get(); }
  u16& packed() { return packed_; }
  u64& recorded_a() { return a_; }
  u64& recorded_b() { return b_; }
  u64& recorded_result() { return r_; }
  u32& system_image() { return image_; }

 private:
  bool in_image() const { return kind_ == FlagKind::kNone || kind_ == FlagKind::kPacked; }
  u32 stored() const { return kind_ == FlagKind::kPacked ? unpack_flags(packed_) : image_; }

  u32 image_ = kFlagsFixed1;
  u16 packed_ = 0;
  FlagKind kind_ = FlagKind::kNone;
  u8 w_ = 32;
  u64 a_ = 0, b_ = 0, r_ = 0;
};

}  // namespace xlat
