// Moves, exchanges, conditional moves, flag bits. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

template <Emitter E>
void mov(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.read(i, 1, w));
}

template <Emitter E>
void nop(E&, const Insn&, auto) {}

template <Emitter E>
void xchg(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), b = e.read(i, 1, w);
  e.put(w, dst, b);
  e.write(i, 1, w, a);
}

template <Emitter E>
void lea(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.trunc(w, e.ea(i)));
}

// To memory always 16 bits; to a register zero-extended.
template <Emitter E>
void mov_from_seg(E& e, const Insn& i, auto w) {
  const auto value = e.selector(i.op[1].reg);
  if (i.op[0].kind == Operand::kReg) {
    e.write(i, 0, w, value);
  } else {
    e.write(i, 0, Width<16>{}, value);
  }
}

template <Emitter E>
void mov_to_seg(E& e, const Insn& i, auto w) {
  e.call(Helper::load_segment, i, e.read(i, 1, w));
}

// LES, LDS, LSS, LFS, LGS.
template <Emitter E>
void load_far(E& e, const Insn& i, auto w) {
  const auto at = e.ea(i);
  const auto offset = e.load(w, i.seg, at);
  const auto selector = e.load(Width<16>{}, i.seg, e.address_add(i, at, e.imm(w.bytes)));
  e.call(Helper::load_segment, i, selector);
  e.write(i, 1, w, offset);
}

template <Emitter E>
void sahf(E& e, const Insn&, auto) {
  e.set_flags(kCf | kPf | kAf | kZf | kSf, e.reg(Width<8>{}, 4));
}

template <Emitter E>
void lahf(E& e, const Insn& i, auto) {
  const Width<32> w32;
  const auto low = e.and_(w32, e.call(Helper::eflags, i), e.imm(kCf | kPf | kAf | kZf | kSf));
  e.set_reg(Width<8>{}, 4, e.or_(w32, low, e.imm(kFlagsFixed1)));
}

template <Emitter E>
void xlat(E& e, const Insn& i, auto) {
  const Width<8> w8;
  const auto at = e.address_add(i, e.address_reg(i, kEbx), e.reg(w8, kEax));
  e.set_reg(w8, kEax, e.load(w8, i.seg, at));
}

template <Emitter E>
void cmc(E& e, const Insn&, auto) {
  e.set_flags(kCf, e.xor_(Width<32>{}, e.flag(kCf), e.imm(1)));
}
template <Emitter E>
void clc(E& e, const Insn&, auto) {
  e.set_flags(kCf, e.imm(0));
}
template <Emitter E>
void stc(E& e, const Insn&, auto) {
  e.set_flags(kCf, e.imm(kCf));
}
template <Emitter E>
void cld(E& e, const Insn&, auto) {
  e.set_flags(kDf, e.imm(0));
}
template <Emitter E>
void std_(E& e, const Insn&, auto) {
  e.set_flags(kDf, e.imm(kDf));
}

// The source is read, and may fault, whatever the condition; a 32-bit register is written whatever it is.
template <Emitter E>
void cmov(E& e, const Insn& i, auto w) {
  const auto source = e.read(i, 1, w);
  e.write(i, 0, w, e.select(e.condition(i.cc()), source, e.read(i, 0, w)));
}

template <Emitter E>
void setcc(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.condition(i.cc()));
}

// The destination is written in either case.
template <Emitter E>
void cmpxchg(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), accumulator = e.reg(w, kEax), source = e.read(i, 1, w);
  const auto equal = e.eq(a, accumulator);
  e.put(w, dst, e.select(equal, source, a));
  e.when(e.ne(a, accumulator), [&] { e.set_reg(w, kEax, a); });
  e.flags(FlagKind::kSub, w, accumulator, a, e.sub(w, accumulator, a));
}

template <Emitter E>
void cmpxchg8b(E& e, const Insn& i, auto w) {
  const Width<32> w32;
  const auto join = [&](unsigned high, unsigned low) {
    return e.or_(w, e.reg(w32, low), e.shl(w, e.reg(w32, high), e.imm(32)));
  };
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), wanted = join(kEdx, kEax), source = join(kEcx, kEbx);
  const auto equal = e.eq(a, wanted);
  e.put(w, dst, e.select(equal, source, a));
  e.when(e.ne(a, wanted), [&] {
    e.set_reg(w32, kEax, e.trunc(w32, a));
    e.set_reg(w32, kEdx, e.shr(w, a, e.imm(32)));
  });
  e.set_flags(kZf, e.select(equal, e.imm(kZf), e.imm(0)));
}

template <Emitter E>
void xadd(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), b = e.read(i, 1, w);
  const auto r = e.add(w, a, b);
  // With memory the store comes first, as only it can fault; with one register twice the sum stays.
  if (i.op[0].kind == Operand::kMem) e.put(w, dst, r);
  e.write(i, 1, w, a);
  if (i.op[0].kind != Operand::kMem) e.put(w, dst, r);
  e.flags(FlagKind::kAdd, w, a, b, r);
}

template <Emitter E>
void movzx_b(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.read(i, 1, Width<8>{}));
}
template <Emitter E>
void movzx_w(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.read(i, 1, Width<16>{}));
}
template <Emitter E>
void movsx_b(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.sext(Width<8>{}, w, e.read(i, 1, Width<8>{})));
}
template <Emitter E>
void movsx_w(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.trunc(w, e.sext(Width<16>{}, Width<32>{}, e.read(i, 1, Width<16>{}))));
}

// At 16 bits undefined; processors give zero.
template <Emitter E>
void bswap(E& e, const Insn& i, auto w) {
  if constexpr (w.bits == 16) {
    e.write(i, 0, w, e.imm(0));
  } else {
    e.write(i, 0, w, e.bswap(w, e.read(i, 0, w)));
  }
}

}  // namespace xlat::sem
