// One iteration of each string instruction; REP is the engine's. SDM vol. 2, MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

// Moves ESI or EDI by one element, up or down as DF says.
template <Emitter E>
void advance(E& e, const Insn& i, unsigned reg, auto w) {
  const u64 down = (0 - u64{w.bytes}) & (i.asize == 2 ? 0xffff : 0xffffffff);
  const auto step = e.select(e.flag(kDf), e.imm(down), e.imm(w.bytes));
  e.set_address_reg(i, reg, e.address_add(i, e.address_reg(i, reg), step));
}

template <Emitter E>
void movs(E& e, const Insn& i, auto w) {
  const auto value = e.load(w, i.seg, e.address_reg(i, kEsi));
  e.store(w, kEs, e.address_reg(i, kEdi), value);
  advance(e, i, kEsi, w);
  advance(e, i, kEdi, w);
}

template <Emitter E>
void stos(E& e, const Insn& i, auto w) {
  e.store(w, kEs, e.address_reg(i, kEdi), e.reg(w, kEax));
  advance(e, i, kEdi, w);
}

template <Emitter E>
void lods(E& e, const Insn& i, auto w) {
  const auto value = e.load(w, i.seg, e.address_reg(i, kEsi));
  e.set_reg(w, kEax, value);
  advance(e, i, kEsi, w);
}

template <Emitter E>
void cmps(E& e, const Insn& i, auto w) {
  const auto a = e.load(w, i.seg, e.address_reg(i, kEsi));
  const auto b = e.load(w, kEs, e.address_reg(i, kEdi));
  advance(e, i, kEsi, w);
  advance(e, i, kEdi, w);
  e.flags(FlagKind::kSub, w, a, b, e.sub(w, a, b));
}

template <Emitter E>
void scas(E& e, const Insn& i, auto w) {
  const auto a = e.reg(w, kEax);
  const auto b = e.load(w, kEs, e.address_reg(i, kEdi));
  advance(e, i, kEdi, w);
  e.flags(FlagKind::kSub, w, a, b, e.sub(w, a, b));
}

// The port is read only when the store is known to succeed.
template <Emitter E>
void ins(E& e, const Insn& i, auto w) {
  const auto port = e.reg(Width<16>{}, kEdx), to = e.address_reg(i, kEdi);
  e.call(Helper::check_io, i, port);
  e.probe(w, kEs, to);
  e.store(w, kEs, to, e.call(Helper::in, i, port));
  advance(e, i, kEdi, w);
}

template <Emitter E>
void outs(E& e, const Insn& i, auto w) {
  const auto port = e.reg(Width<16>{}, kEdx);
  e.call(Helper::check_io, i, port);
  const auto value = e.load(w, i.seg, e.address_reg(i, kEsi));
  e.call(Helper::out, i, port, value);
  advance(e, i, kEsi, w);
}

}  // namespace xlat::sem
