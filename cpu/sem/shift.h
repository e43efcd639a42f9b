// Shifts, rotates, bit tests and scans. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"

namespace xlat::sem {

// The count operand modulo 32.
template <Emitter E>
auto shift_count(E& e, const Insn& i, unsigned k) {
  const Width<8> w8;
  return e.and_(w8, e.read(i, k, w8), e.imm(31));
}

template <Emitter E>
void shift(E& e, const Insn& i, auto w, FlagKind kind, auto op) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), n = shift_count(e, i, 1);
  const auto r = op(a, n);
  e.put(w, dst, r);
  e.shift_flags(kind, w, a, n, r);
}

template <Emitter E>
void shl(E& e, const Insn& i, auto w) {
  shift(e, i, w, FlagKind::kShl, [&](auto a, auto n) { return e.shl(w, a, n); });
}
template <Emitter E>
void shr(E& e, const Insn& i, auto w) {
  shift(e, i, w, FlagKind::kShr, [&](auto a, auto n) { return e.shr(w, a, n); });
}
template <Emitter E>
void sar(E& e, const Insn& i, auto w) {
  shift(e, i, w, FlagKind::kSar, [&](auto a, auto n) { return e.sar(w, a, n); });
}

// CF = `cf`, OF = `of` (0 or 1 each), if the count is not zero.
template <Emitter E>
void rotate_flags(E& e, auto count, auto cf, auto of) {
  e.when(e.ne(count, e.imm(0)),
         [&] { e.set_flags(kCf | kOf, e.or_(Width<32>{}, cf, e.select(of, e.imm(kOf), e.imm(0)))); });
}

template <Emitter E>
auto bit_of(E& e, auto value, unsigned n) {
  return e.and_(Width<64>{}, e.shr(Width<64>{}, value, e.imm(n)), e.imm(1));
}

template <Emitter E>
void rol(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), n = shift_count(e, i, 1);
  const auto by = e.and_(Width<8>{}, n, e.imm(w.bits - 1));
  const auto r = e.or_(w, e.shl(w, a, by), e.shr(w, a, e.sub(Width<8>{}, e.imm(w.bits), by)));
  e.put(w, dst, r);
  const auto cf = bit_of(e, r, 0);
  rotate_flags(e, n, cf, e.xor_(w, cf, bit_of(e, r, w.bits - 1)));
}

template <Emitter E>
void ror(E& e, const Insn& i, auto w) {
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), n = shift_count(e, i, 1);
  const auto by = e.and_(Width<8>{}, n, e.imm(w.bits - 1));
  const auto r = e.or_(w, e.shr(w, a, by), e.shl(w, a, e.sub(Width<8>{}, e.imm(w.bits), by)));
  e.put(w, dst, r);
  const auto cf = bit_of(e, r, w.bits - 1);
  rotate_flags(e, n, cf, e.xor_(w, cf, bit_of(e, r, w.bits - 2)));
}

// RCL and RCR turn a number of w + 1 bits: CF on top of the operand.
template <Emitter E>
auto rotate_through_carry(E& e, auto w, auto x, auto left) {
  const Width<64> w64;
  const auto right = e.sub(Width<8>{}, e.imm(w.bits + 1), left);
  const auto turned = e.or_(w64, e.shl(w64, x, left), e.shr(w64, x, right));
  return e.and_(w64, turned, e.imm(mask(w.bits + 1)));
}

template <Emitter E>
void rcl(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), n = shift_count(e, i, 1);
  const auto by = e.urem(Width<8>{}, n, e.imm(w.bits + 1));
  const auto x = e.or_(w64, a, e.shl(w64, e.flag(kCf), e.imm(w.bits)));
  const auto turned = rotate_through_carry(e, w, x, by);
  const auto r = e.trunc(w, turned);
  e.put(w, dst, r);
  const auto cf = bit_of(e, turned, w.bits);
  rotate_flags(e, n, cf, e.xor_(w, cf, bit_of(e, r, w.bits - 1)));
}

template <Emitter E>
void rcr(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), n = shift_count(e, i, 1);
  const auto by = e.urem(Width<8>{}, n, e.imm(w.bits + 1));
  const auto x = e.or_(w64, a, e.shl(w64, e.flag(kCf), e.imm(w.bits)));
  const auto left = e.sub(Width<8>{}, e.imm(w.bits + 1), by);
  const auto turned = rotate_through_carry(e, w, x, left);
  const auto r = e.trunc(w, turned);
  e.put(w, dst, r);
  rotate_flags(e, n, bit_of(e, turned, w.bits), e.xor_(w, bit_of(e, r, w.bits - 1), bit_of(e, r, w.bits - 2)));
}

// SHLD, SHRD: at 16 bits a count above 16 is undefined; the operands are then followed by zeros.
template <Emitter E>
void shld(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), b = e.read(i, 1, w), n = shift_count(e, i, 2);
  const auto x = e.or_(w64, e.shl(w64, a, e.imm(w.bits)), b);
  const auto r = e.trunc(w, e.shr(w64, e.shl(w64, x, n), e.imm(w.bits)));
  e.put(w, dst, r);
  e.shift_flags(FlagKind::kShl, w, a, n, r);
}

template <Emitter E>
void shrd(E& e, const Insn& i, auto w) {
  const Width<64> w64;
  const auto dst = e.place(i, 0, w);
  const auto a = e.get(w, dst), b = e.read(i, 1, w), n = shift_count(e, i, 2);
  const auto x = e.or_(w64, e.shl(w64, b, e.imm(w.bits)), a);
  const auto r = e.trunc(w, e.shr(w64, x, n));
  e.put(w, dst, r);
  e.shift_flags(FlagKind::kShr, w, a, n, r);
}

// The effective address of the word that bit `index` (signed, at the operand size) of a memory bit string lies in.
template <Emitter E>
auto bit_string_address(E& e, const Insn& i, auto w, auto index) {
  const Width<32> w32;
  const unsigned log2 = w.bits == 16 ? 4 : 5;
  const auto words = e.sar(w32, e.sext(w, w32, index), e.imm(log2));
  const auto bytes = e.shl(w32, words, e.imm(log2 - 3));
  return e.address_add(i, e.ea(i), i.asize == 2 ? e.trunc(Width<16>{}, bytes) : bytes);
}

enum class BitOp { kTest, kSet, kReset, kComplement };

template <BitOp op, Emitter E>
void bit_operation(E& e, const Insn& i, auto w) {
  const auto index = e.read(i, 1, w);
  const auto n = e.and_(w, index, e.imm(w.bits - 1));
  const bool string = i.op[0].kind == Operand::kMem && i.op[1].kind == Operand::kReg;
  if constexpr (op == BitOp::kTest) {
    const auto a = string ? e.load(w, i.seg, bit_string_address(e, i, w, index)) : e.read(i, 0, w);
    e.set_flags(kCf, e.and_(w, e.shr(w, a, n), e.imm(1)));
  } else {
    const auto dst = string ? e.memory_place(w, i.seg, bit_string_address(e, i, w, index)) : e.place(i, 0, w);
    const auto a = e.get(w, dst), one = e.shl(w, e.imm(1), n);
    if constexpr (op == BitOp::kSet) e.put(w, dst, e.or_(w, a, one));
    if constexpr (op == BitOp::kReset) e.put(w, dst, e.and_(w, a, e.not_(w, one)));
    if constexpr (op == BitOp::kComplement) e.put(w, dst, e.xor_(w, a, one));
    e.set_flags(kCf, e.and_(w, e.shr(w, a, n), e.imm(1)));
  }
}

template <Emitter E>
void bt(E& e, const Insn& i, auto w) {
  bit_operation<BitOp::kTest>(e, i, w);
}
template <Emitter E>
void bts(E& e, const Insn& i, auto w) {
  bit_operation<BitOp::kSet>(e, i, w);
}
template <Emitter E>
void btr(E& e, const Insn& i, auto w) {
  bit_operation<BitOp::kReset>(e, i, w);
}
template <Emitter E>
void btc(E& e, const Insn& i, auto w) {
  bit_operation<BitOp::kComplement>(e, i, w);
}

// BSF and BSR of zero: ZF = 1 and the destination stays, as processors do and AMD documents.
template <Emitter E>
void bit_scan(E& e, const Insn& i, auto w, auto source, auto found) {
  const auto zero = e.eq(source, e.imm(0));
  e.when(e.ne(source, e.imm(0)), [&] { e.write(i, 0, w, found); });
  e.set_flags(kZf, e.select(zero, e.imm(kZf), e.imm(0)));
}

template <Emitter E>
void bsf(E& e, const Insn& i, auto w) {
  const auto source = e.read(i, 1, w);
  bit_scan(e, i, w, source, e.bit_scan_forward(source));
}

template <Emitter E>
void bsr(E& e, const Insn& i, auto w) {
  const auto source = e.read(i, 1, w);
  bit_scan(e, i, w, source, e.bit_scan_reverse(source));
}

}  // namespace xlat::sem
