// Addition, logic, multiplication, division, decimal adjustment. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"

namespace xlat::sem {

// destination = op(destination, source), with the flags of `kind`.
template <Emitter E>
void binary(E& e, const Insn& i, auto w, FlagKind kind, auto op) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), b = e.read(i, 1, w);
  const auto r = op(a, b);
  e.put(w, dst, r);
  e.flags(kind, w, a, b, r);
}

template <Emitter E>
void add(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kAdd, [&](auto a, auto b) { return e.add(w, a, b); });
}
template <Emitter E>
void adc(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kAdd, [&](auto a, auto b) { return e.add_carry(w, a, b, e.flag(kCf)); });
}
template <Emitter E>
void sub(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kSub, [&](auto a, auto b) { return e.sub(w, a, b); });
}
template <Emitter E>
void sbb(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kSub, [&](auto a, auto b) { return e.sub_borrow(w, a, b, e.flag(kCf)); });
}
template <Emitter E>
void and_(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kLogic, [&](auto a, auto b) { return e.and_(w, a, b); });
}
template <Emitter E>
void or_(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kLogic, [&](auto a, auto b) { return e.or_(w, a, b); });
}
template <Emitter E>
void xor_(E& e, const Insn& i, auto w) {
  binary(e, i, w, FlagKind::kLogic, [&](auto a, auto b) { return e.xor_(w, a, b); });
}

template <Emitter E>
void cmp(E& e, const Insn& i, auto w) {
  const auto a = e.read(i, 0, w), b = e.read(i, 1, w);
  e.flags(FlagKind::kSub, w, a, b, e.sub(w, a, b));
}

template <Emitter E>
void test(E& e, const Insn& i, auto w) {
  const auto r = e.and_(w, e.read(i, 0, w), e.read(i, 1, w));
  e.flags(FlagKind::kLogic, w, r, r, r);
}

template <Emitter E>
void inc(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), one = e.imm(1), r = e.add(w, a, one);
  e.put(w, dst, r);
  e.flags(FlagKind::kInc, w, a, one, r);
}

template <Emitter E>
void dec(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), one = e.imm(1), r = e.sub(w, a, one);
  e.put(w, dst, r);
  e.flags(FlagKind::kDec, w, a, one, r);
}

template <Emitter E>
void neg(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), zero = e.imm(0), r = e.sub(w, zero, a);
  e.put(w, dst, r);
  e.flags(FlagKind::kSub, w, zero, a, r);
}

template <Emitter E>
void not_(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  e.put(w, dst, e.not_(w, e.get(w, dst)));
}

// The double-width product's place: AX for bytes, else EDX:EAX at the operand size.
template <Emitter E>
void set_product(E& e, auto w, auto product) {
  if constexpr (w.bits == 8) {
    e.set_reg(Width<16>{}, kEax, product);
  } else {
    e.set_reg(w, kEax, e.trunc(w, product));
    e.set_reg(w, kEdx, e.trunc(w, e.shr(Width<64>{}, product, e.imm(w.bits))));
  }
}

// CF = OF = `on`; the other arithmetic flags are undefined and kept.
template <Emitter E>
void set_carry_overflow(E& e, auto on) {
  e.set_flags(kCf | kOf, e.select(on, e.imm(kCf | kOf), e.imm(0)));
}

template <Emitter E>
void mul(E& e, const Insn& i, auto w) {
  const auto product = e.mul(Width<64>{}, e.reg(w, kEax), e.read(i, 0, w));
  set_product(e, w, product);
  set_carry_overflow(e, e.ne(e.shr(Width<64>{}, product, e.imm(w.bits)), e.imm(0)));
}

// Signed product at twice the width, in 64 bits.
template <Emitter E>
auto signed_product(E& e, auto w, auto a, auto b) {
  const Width<64> w64;
  return e.mul(w64, e.sext(w, w64, a), e.sext(w, w64, b));
}

template <Emitter E>
void imul1(E& e, const Insn& i, auto w) {
  const auto product = signed_product(e, w, e.reg(w, kEax), e.read(i, 0, w));
  set_product(e, w, e.trunc(Width<2 * w.bits>{}, product));
  set_carry_overflow(e, e.ne(e.sext(w, Width<64>{}, e.trunc(w, product)), product));
}

template <Emitter E>
void imul2(E& e, const Insn& i, auto w) {
  const auto product = signed_product(e, w, e.read(i, 0, w), e.read(i, 1, w));
  e.write(i, 0, w, e.trunc(w, product));
  set_carry_overflow(e, e.ne(e.sext(w, Width<64>{}, e.trunc(w, product)), product));
}

template <Emitter E>
void imul3(E& e, const Insn& i, auto w) {
  const auto product = signed_product(e, w, e.read(i, 1, w), e.read(i, 2, w));
  e.write(i, 0, w, e.trunc(w, product));
  set_carry_overflow(e, e.ne(e.sext(w, Width<64>{}, e.trunc(w, product)), product));
}

// The double-width dividend, zero-extended to 64 bits.
template <Emitter E>
auto dividend(E& e, auto w) {
  const Width<64> w64;
  if constexpr (w.bits == 8) {
    return e.reg(Width<16>{}, kEax);
  } else {
    return e.or_(w64, e.reg(w, kEax), e.shl(w64, e.reg(w, kEdx), e.imm(w.bits)));
  }
}

template <Emitter E>
void set_quotient(E& e, auto w, auto quotient, auto remainder) {
  e.set_reg(w, kEax, e.trunc(w, quotient));
  if constexpr (w.bits == 8) {
    e.set_reg(w, 4, e.trunc(w, remainder));  // AH
  } else {
    e.set_reg(w, kEdx, e.trunc(w, remainder));
  }
}

template <Emitter E>
void div(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto divisor = e.read(i, 0, w);
  e.raise_if(e.eq(divisor, e.imm(0)), kDE);
  const auto n = dividend(e, w);
  const auto quotient = e.udiv(w64, n, divisor);
  e.raise_if(e.ne(e.shr(w64, quotient, e.imm(w.bits)), e.imm(0)), kDE);
  set_quotient(e, w, quotient, e.urem(w64, n, divisor));
}

template <Emitter E>
void idiv(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto divisor = e.sext(w, w64, e.read(i, 0, w));
  e.raise_if(e.eq(divisor, e.imm(0)), kDE);
  const auto n = e.sext(Width<2 * w.bits>{}, w64, dividend(e, w));
  const auto quotient = e.sdiv(w64, n, divisor);
  e.raise_if(e.ne(e.sext(w, w64, e.trunc(w, quotient)), quotient), kDE);
  set_quotient(e, w, quotient, e.srem(w64, n, divisor));
}

// CBW, CWDE.
template <Emitter E>
void cbw(E& e, const Insn&, auto w) {
  const Width<w.bits / 2> half;
  e.set_reg(w, kEax, e.sext(half, w, e.reg(half, kEax)));
}

// CWD, CDQ.
template <Emitter E>
void cwd(E& e, const Insn&, auto w) {
  e.set_reg(w, kEdx, e.sar(w, e.reg(w, kEax), e.imm(w.bits - 1)));
}

// ---- Decimal ----

// SF, ZF, PF from `r`, OF = 0, CF and AF as given (values 0 or 1).
template <Emitter E>
void set_decimal_flags(E& e, auto r, auto cf, auto af) {
  const Width<8> w8;
  e.flags(FlagKind::kLogic, w8, r, r, r);
  const Width<32> w32;
  e.set_flags(kCf | kAf, e.or_(w32, cf, e.select(af, e.imm(kAf), e.imm(0))));
}

// AF, or the low digit of `al` is above 9.
template <Emitter E>
auto low_digit_adjusts(E& e, auto al) {
  const Width<8> w8;
  return e.or_(w8, e.ult(e.imm(9), e.and_(w8, al, e.imm(15))), e.flag(kAf));
}

template <Emitter E>
void daa(E& e, const Insn&, auto) {
  const Width<8> w8;
  const auto al = e.reg(w8, kEax);
  const auto low = low_digit_adjusts(e, al);
  const auto high = e.or_(w8, e.ult(e.imm(0x99), al), e.flag(kCf));
  const auto r = e.add(w8, e.add(w8, al, e.select(low, e.imm(6), e.imm(0))), e.select(high, e.imm(0x60), e.imm(0)));
  e.set_reg(w8, kEax, r);
  set_decimal_flags(e, r, high, low);
}

template <Emitter E>
void das(E& e, const Insn&, auto) {
  const Width<8> w8;
  const auto al = e.reg(w8, kEax), cf = e.flag(kCf);
  const auto low = low_digit_adjusts(e, al);
  const auto high = e.or_(w8, e.ult(e.imm(0x99), al), cf);
  const auto borrow = e.and_(w8, low, e.or_(w8, cf, e.ult(al, e.imm(6))));
  const auto r = e.sub(w8, e.sub(w8, al, e.select(low, e.imm(6), e.imm(0))), e.select(high, e.imm(0x60), e.imm(0)));
  e.set_reg(w8, kEax, r);
  set_decimal_flags(e, r, e.or_(w8, high, borrow), low);
}

template <Emitter E>
void aaa(E& e, const Insn&, auto) {
  const Width<16> w16;
  const auto ax = e.reg(w16, kEax);
  const auto adjust = low_digit_adjusts(e, e.trunc(Width<8>{}, ax));
  const auto sum = e.add(w16, ax, e.select(adjust, e.imm(0x106), e.imm(0)));
  const auto r = e.and_(w16, sum, e.imm(0xff0f));
  e.set_reg(w16, kEax, r);
  set_decimal_flags(e, e.trunc(Width<8>{}, r), adjust, adjust);
}

template <Emitter E>
void aas(E& e, const Insn&, auto) {
  const Width<16> w16;
  const auto ax = e.reg(w16, kEax);
  const auto adjust = low_digit_adjusts(e, e.trunc(Width<8>{}, ax));
  const auto difference = e.sub(w16, ax, e.select(adjust, e.imm(0x106), e.imm(0)));
  const auto r = e.and_(w16, difference, e.imm(0xff0f));
  e.set_reg(w16, kEax, r);
  set_decimal_flags(e, e.trunc(Width<8>{}, r), adjust, adjust);
}

template <Emitter E>
void aam(E& e, const Insn& i, auto) {
  const Width<8> w8;
  if (i.imm == 0) return e.raise(kDE, 0);
  const auto al = e.reg(w8, kEax), base = e.imm(i.imm);
  const auto digit = e.urem(w8, al, base);
  e.set_reg(w8, 4, e.udiv(w8, al, base));
  e.set_reg(w8, kEax, digit);
  e.flags(FlagKind::kLogic, w8, digit, digit, digit);
}

template <Emitter E>
void aad(E& e, const Insn& i, auto) {
  const Width<8> w8;
  const auto r = e.add(w8, e.reg(w8, kEax), e.mul(w8, e.reg(w8, 4), e.imm(i.imm)));
  e.set_reg(Width<16>{}, kEax, r);
  e.flags(FlagKind::kLogic, w8, r, r, r);
}

// SALC, undocumented: AL = CF ? FFh : 0.
template <Emitter E>
void salc(E& e, const Insn&, auto) {
  e.set_reg(Width<8>{}, kEax, e.select(e.flag(kCf), e.imm(0xff), e.imm(0)));
}

}  // namespace xlat::sem
