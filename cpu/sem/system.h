// System instructions: nearly all are helpers on Cpu. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

template <Emitter E>
void in(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.call(Helper::in, i, e.read(i, 1, Width<16>{})));
}
template <Emitter E>
void out(E& e, const Insn& i, auto w) {
  e.call(Helper::out, i, e.read(i, 0, Width<16>{}), e.read(i, 1, w));
}

template <Emitter E>
void bound(E& e, const Insn& i, auto w) {
  const auto index = e.read(i, 0, w), at = e.ea(i);
  const auto lower = e.load(w, i.seg, at);
  const auto upper = e.load(w, i.seg, e.address_add(i, at, e.imm(w.bytes)));
  e.raise_if(e.or_(w, e.slt(w, index, lower), e.slt(w, upper, index)), kBR);
}

// Memory is written only when the RPL changes.
template <Emitter E>
void arpl(E& e, const Insn& i, auto w) {
  e.call(Helper::need_protected_mode, i);
  const auto a = e.read(i, 0, w), b = e.read(i, 1, w);
  const auto rpl_a = e.and_(w, a, e.imm(3)), rpl_b = e.and_(w, b, e.imm(3));
  const auto raise = e.ult(rpl_a, rpl_b);
  e.when(raise, [&] { e.write(i, 0, w, e.or_(w, e.and_(w, a, e.imm(0xfffc)), rpl_b)); });
  e.set_flags(kZf, e.select(raise, e.imm(kZf), e.imm(0)));
}

template <Emitter E>
void ud(E& e, const Insn&, auto) {
  e.raise(kUD, 0);
}

// Results that go to a register at the operand size but to memory as 16 bits.
template <Emitter E>
void store_word(E& e, const Insn& i, auto w, auto value) {
  if (i.op[0].kind == Operand::kReg) {
    e.write(i, 0, w, e.trunc(w, value));
  } else {
    e.write(i, 0, Width<16>{}, e.trunc(Width<16>{}, value));
  }
}

template <Emitter E>
void sldt(E& e, const Insn& i, auto w) {
  store_word(e, i, w, e.call(Helper::sldt, i));
}
template <Emitter E>
void str(E& e, const Insn& i, auto w) {
  store_word(e, i, w, e.call(Helper::str, i));
}
template <Emitter E>
void smsw(E& e, const Insn& i, auto w) {
  store_word(e, i, w, e.call(Helper::smsw, i));
}

template <Emitter E>
void lldt(E& e, const Insn& i, auto w) {
  e.call(Helper::need_protected_mode, i);
  e.call(Helper::lldt, i, e.read(i, 0, w));
}
template <Emitter E>
void ltr(E& e, const Insn& i, auto w) {
  e.call(Helper::need_protected_mode, i);
  e.call(Helper::ltr, i, e.read(i, 0, w));
}
template <Emitter E>
void verr(E& e, const Insn& i, auto w) {
  e.call(Helper::need_protected_mode, i);
  e.call(Helper::verify, i, e.read(i, 0, w), e.imm(0));
}
template <Emitter E>
void verw(E& e, const Insn& i, auto w) {
  e.call(Helper::need_protected_mode, i);
  e.call(Helper::verify, i, e.read(i, 0, w), e.imm(1));
}

// LAR and LSL: bit 32 of the helper's answer says that the selector was good.
template <Emitter E>
void load_from_descriptor(E& e, const Insn& i, auto w, Helper ask) {
  const Width<64> w64;
  e.call(Helper::need_protected_mode, i);
  const auto answer = e.call(ask, i, e.read(i, 1, Width<16>{}));
  const auto good = e.shr(w64, answer, e.imm(32));
  e.when(good, [&] { e.write(i, 0, w, e.trunc(w, answer)); });
  e.set_flags(kZf, e.select(good, e.imm(kZf), e.imm(0)));
}
template <Emitter E>
void lar(E& e, const Insn& i, auto w) {
  load_from_descriptor(e, i, w, Helper::lar);
}
template <Emitter E>
void lsl(E& e, const Insn& i, auto w) {
  load_from_descriptor(e, i, w, Helper::lsl);
}

template <Emitter E>
void sgdt(E& e, const Insn& i, auto) {
  e.call(Helper::sgdt, i, e.ea(i));
}
template <Emitter E>
void sidt(E& e, const Insn& i, auto) {
  e.call(Helper::sidt, i, e.ea(i));
}
template <Emitter E>
void lgdt(E& e, const Insn& i, auto) {
  e.call(Helper::lgdt, i, e.ea(i));
}
template <Emitter E>
void lidt(E& e, const Insn& i, auto) {
  e.call(Helper::lidt, i, e.ea(i));
}
template <Emitter E>
void invlpg(E& e, const Insn& i, auto) {
  e.call(Helper::invlpg, i, e.ea(i));
}
template <Emitter E>
void lmsw(E& e, const Insn& i, auto w) {
  e.call(Helper::lmsw, i, e.read(i, 0, w));
}

template <Emitter E>
void mov_from_cr(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.call(Helper::read_cr, i));
}
template <Emitter E>
void mov_to_cr(E& e, const Insn& i, auto w) {
  e.call(Helper::write_cr, i, e.read(i, 1, w));
}
template <Emitter E>
void mov_from_dr(E& e, const Insn& i, auto w) {
  e.write(i, 0, w, e.call(Helper::read_dr, i));
}
template <Emitter E>
void mov_to_dr(E& e, const Insn& i, auto w) {
  e.call(Helper::write_dr, i, e.read(i, 1, w));
}

template <Emitter E>
void clts(E& e, const Insn& i, auto) {
  e.call(Helper::clts, i);
}
template <Emitter E>
void invd(E& e, const Insn& i, auto) {
  e.call(Helper::need_cpl0, i);
}
template <Emitter E>
void wbinvd(E& e, const Insn& i, auto) {
  e.call(Helper::need_cpl0, i);
}
template <Emitter E>
void hlt(E& e, const Insn& i, auto) {
  e.call(Helper::hlt, i);
}
template <Emitter E>
void cli(E& e, const Insn& i, auto) {
  e.call(Helper::cli, i);
}
template <Emitter E>
void sti(E& e, const Insn& i, auto) {
  e.call(Helper::sti, i);
}
template <Emitter E>
void cpuid(E& e, const Insn& i, auto) {
  e.call(Helper::cpuid, i);
}
template <Emitter E>
void rdtsc(E& e, const Insn& i, auto) {
  const Width<32> w32;
  const auto tsc = e.call(Helper::rdtsc, i);
  e.set_reg(w32, kEax, e.trunc(w32, tsc));
  e.set_reg(w32, kEdx, e.shr(Width<64>{}, tsc, e.imm(32)));
}
template <Emitter E>
void rdpmc(E& e, const Insn& i, auto) {
  e.call(Helper::rdpmc, i);
}
template <Emitter E>
void rdmsr(E& e, const Insn& i, auto) {
  e.call(Helper::rdmsr, i);
}
template <Emitter E>
void wrmsr(E& e, const Insn& i, auto) {
  e.call(Helper::wrmsr, i);
}

}  // namespace xlat::sem
