// MMX operations on 64-bit values of 8-, 16- and 32-bit elements. SDM vol. 1, chapter 9.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/bits.h"
#include "cpu/helpers.h"
#include "cpu/x87/unit.h"

namespace xlat::helper {

namespace {

template <class T>
T element(u64 v, unsigned n) {
  return static_cast<T>(v >> (8 * sizeof(T) * n));
}
template <class T>
u64 placed(T v, unsigned n) {
  return u64{static_cast<std::make_unsigned_t<T>>(v)} << (8 * sizeof(T) * n);
}
template <class T>
T saturate(i32 v) {
  return static_cast<T>(std::clamp<i32>(v, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

// fn on each pair of elements.
template <class T, class Fn>
u64 each(u64 a, u64 b, Fn fn) {
  u64 r = 0;
  for (unsigned n = 0; n < 8 / sizeof(T); ++n)
    r |= placed<T>(static_cast<T>(fn(element<T>(a, n), element<T>(b, n))), n);
  return r;
}

// Elements of a and b in turn, from element `first` on.
template <class T>
u64 interleave(u64 a, u64 b, unsigned first) {
  u64 r = 0;
  for (unsigned n = 0; n < 4 / sizeof(T); ++n) {
    r |= placed<T>(element<T>(a, first + n), 2 * n) | placed<T>(element<T>(b, first + n), 2 * n + 1);
  }
  return r;
}

// Elements From of a, then of b, narrowed to To with saturation.
template <class From, class To>
u64 narrow(u64 a, u64 b) {
  u64 r = 0;
  constexpr unsigned kHalf = 8 / sizeof(From);
  for (unsigned n = 0; n < kHalf; ++n) {
    r |= placed<To>(saturate<To>(element<From>(a, n)), n) | placed<To>(saturate<To>(element<From>(b, n)), kHalf + n);
  }
  return r;
}

template <class T>
u64 shift_left(u64 a, u64 count) {
  constexpr unsigned kBits = 8 * sizeof(T);
  if (count >= kBits) return 0;
  return each<T>(a, 0, [=](T x, T) { return static_cast<u64>(x) << count; });
}
template <class T>
u64 shift_right(u64 a, u64 count) {
  constexpr unsigned kBits = 8 * sizeof(T);
  if (count >= kBits) {
    if (!std::is_signed_v<T>) return 0;
    count = kBits - 1;
  }
  return each<T>(a, 0, [=](T x, T) { return x >> count; });
}

u64 multiply_add(u64 a, u64 b) {
  u64 r = 0;
  for (unsigned n = 0; n < 2; ++n) {
    const u32 low = static_cast<u32>(i32{element<i16>(a, 2 * n)} * element<i16>(b, 2 * n));
    const u32 high = static_cast<u32>(i32{element<i16>(a, 2 * n + 1)} * element<i16>(b, 2 * n + 1));
    r |= placed<u32>(low + high, n);
  }
  return r;
}

// Writing an MMX register sets its exponent to ones. SDM vol. 1, 9.5.1.
template <class Fn>
u64 operation(Cpu& c, const Insn& i, u64 a, Fn fn) {
  FpuState& f = c.s.fpu;
  const u64 source = i.op[1].kind == Operand::kMm ? f.regs[i.op[1].reg & 7].mantissa : a;
  F80& destination = f.regs[i.op[0].reg & 7];
  mmx_enter(c, i, 0, 0);
  destination = {fn(destination.mantissa, source), 0xffff};
  return 0;
}

}  // namespace

u64 mmx_value(Cpu& c, const Insn& i, u64, u64) { return c.s.fpu.regs[i.op[1].reg & 7].mantissa; }

#define MMX(name, expression)                                                                   \
  u64 name(Cpu& c, const Insn& i, u64 a, u64) {                                                 \
    return operation(c, i, a, [](u64 d, [[maybe_unused]] u64 s) -> u64 { return expression; }); \
  }
#define MMX_EACH(name, type, expression) MMX(name, each<type>(d, s, [](type x, type y) { return expression; }))

MMX(movq, ((void)d, s))
MMX(pand, d& s)
MMX(pandn, ~d& s)
MMX(por, d | s)
MMX(pxor, d ^ s)
MMX(punpcklbw, interleave<u8>(d, s, 0))
MMX(punpcklwd, interleave<u16>(d, s, 0))
MMX(punpckldq, interleave<u32>(d, s, 0))
MMX(punpckhbw, interleave<u8>(d, s, 4))
MMX(punpckhwd, interleave<u16>(d, s, 2))
MMX(punpckhdq, interleave<u32>(d, s, 1))
MMX(packsswb, (narrow<i16, i8>(d, s)))
MMX(packssdw, (narrow<i32, i16>(d, s)))
MMX(packuswb, (narrow<i16, u8>(d, s)))
MMX(psrlw, shift_right<u16>(d, s))
MMX(psrld, shift_right<u32>(d, s))
MMX(psrlq, shift_right<u64>(d, s))
MMX(psraw, shift_right<i16>(d, s))
MMX(psrad, shift_right<i32>(d, s))
MMX(psllw, shift_left<u16>(d, s))
MMX(pslld, shift_left<u32>(d, s))
MMX(psllq, shift_left<u64>(d, s))
MMX(pmaddwd, multiply_add(d, s))
MMX_EACH(pmullw, i16, i32{x} * y)
MMX_EACH(pmulhw, i16, (i32{x} * y) >> 16)
MMX_EACH(pcmpeqb, u8, x == y ? 0xff : 0)
MMX_EACH(pcmpeqw, u16, x == y ? 0xffff : 0)
MMX_EACH(pcmpeqd, u32, x == y ? 0xffffffffu : 0u)
MMX_EACH(pcmpgtb, i8, x > y ? -1 : 0)
MMX_EACH(pcmpgtw, i16, x > y ? -1 : 0)
MMX_EACH(pcmpgtd, i32, x > y ? -1 : 0)
MMX_EACH(paddb, u8, x + y)
MMX_EACH(paddw, u16, x + y)
MMX_EACH(paddd, u32, x + y)
MMX_EACH(paddsb, i8, saturate<i8>(x + y))
MMX_EACH(paddsw, i16, saturate<i16>(x + y))
MMX_EACH(paddusb, u8, saturate<u8>(x + y))
MMX_EACH(paddusw, u16, saturate<u16>(x + y))
MMX_EACH(psubb, u8, x - y)
MMX_EACH(psubw, u16, x - y)
MMX_EACH(psubd, u32, x - y)
MMX_EACH(psubsb, i8, saturate<i8>(x - y))
MMX_EACH(psubsw, i16, saturate<i16>(x - y))
MMX_EACH(psubusb, u8, saturate<u8>(x - y))
MMX_EACH(psubusw, u16, saturate<u16>(x - y))

#undef MMX
#undef MMX_EACH

}  // namespace xlat::helper
