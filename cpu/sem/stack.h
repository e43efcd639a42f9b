// PUSH and POP in all forms, ENTER, LEAVE. SDM vol. 2 under each name.
#pragma once

#include <array>

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

template <Emitter E>
void push(E& e, const Insn& i, auto w) {
  e.push(i, w, e.read(i, 0, w));
}

template <Emitter E>
void push_seg(E& e, const Insn& i, auto w) {
  e.push(i, w, e.selector(i.op[0].reg));
}

// POP to memory: ESP in the address is the value after the pop; a destination that faults leaves ESP as it was.
template <Emitter E>
void pop(E& e, const Insn& i, auto w) {
  const auto top = e.sp(i);
  const auto value = e.load(w, kSs, top);
  const auto next = e.stack_add(i, top, w.bytes);
  if (i.op[0].kind == Operand::kReg) {
    e.set_sp(i, next);
    e.set_reg(w, i.op[0].reg, value);
    return;
  }
  auto at = e.ea(i);
  if (i.base == kEsp) at = e.address_add(i, at, e.imm(w.bytes));
  e.store(w, i.seg, at, value);
  e.set_sp(i, next);
}

template <Emitter E>
void pop_seg(E& e, const Insn& i, auto w) {
  const auto top = e.sp(i);
  e.call(Helper::load_segment, i, e.trunc(Width<16>{}, e.load(w, kSs, top)));
  e.set_sp(i, e.stack_add(i, top, w.bytes));
}

template <Emitter E>
void pusha(E& e, const Insn& i, auto w) {
  const auto top = e.sp(i);
  const auto slot = [&](unsigned n) { return e.stack_add(i, top, -static_cast<i64>((n + 1) * w.bytes)); };
  for (unsigned n = 0; n < 8; ++n) e.probe(w, kSs, slot(n));
  for (unsigned n = 0; n < 8; ++n) e.store(w, kSs, slot(n), e.reg(w, n));
  e.set_sp(i, slot(7));
}

template <Emitter E>
void popa(E& e, const Insn& i, auto w) {
  const auto top = e.sp(i);
  std::array<typename E::Val, 8> values{};
  for (unsigned n = 0; n < 8; ++n) values[n] = e.load(w, kSs, e.stack_add(i, top, (7 - n) * w.bytes));
  for (unsigned n = 0; n < 8; ++n) {
    if (n != kEsp) e.set_reg(w, n, values[n]);
  }
  e.set_sp(i, e.stack_add(i, top, 8 * w.bytes));
}

template <Emitter E>
void pushf(E& e, const Insn& i, auto w) {
  const auto flags = e.call(Helper::pushed_eflags, i);
  e.push(i, w, e.trunc(w, flags));
}

template <Emitter E>
void popf(E& e, const Insn& i, auto w) {
  e.call(Helper::check_flags_access, i);
  const auto top = e.sp(i);
  const auto value = e.load(w, kSs, top);
  e.call(Helper::popf, i, value);
  e.set_sp(i, e.stack_add(i, top, w.bytes));
}

// With nesting levels, the outer frame pointers are copied. Every store is probed first, and so is the new top.
template <Emitter E>
void enter(E& e, const Insn& i, auto w) {
  const unsigned level = i.imm2 & 31;
  const auto top = e.sp(i);
  const auto bp = e.reg(w, kEbp);
  const auto slot = [&](unsigned n) { return e.stack_add(i, top, -static_cast<i64>((n + 1) * w.bytes)); };
  const auto frame = slot(0);
  const auto outer = i.mode.ss32 ? e.reg(Width<32>{}, kEbp) : e.reg(Width<16>{}, kEbp);
  // Pointers are copied one by one, so that overlapping frames come out right; what may fault does so before.
  const auto copied = [&](unsigned n) { return e.load(w, kSs, e.stack_add(i, outer, -static_cast<i64>(n * w.bytes))); };
  for (unsigned n = 1; n < level; ++n) copied(n);
  const unsigned last = level;  // slot of the frame pointer itself when level > 0
  const auto bottom = e.stack_add(i, slot(last), -static_cast<i64>(i.imm));
  for (unsigned n = 0; n <= last; ++n) e.probe(w, kSs, slot(n));
  e.probe(w, kSs, bottom);
  // The frame pointer is all of ESP at the operand size, even where only SP addresses the stack.
  const Width<32> w32;
  const auto above = e.and_(w32, e.reg(w32, kEsp), e.imm(i.mode.ss32 ? 0 : 0xffff0000));
  const auto frame_pointer = e.trunc(w, e.or_(w32, above, frame));
  e.store(w, kSs, frame, bp);
  for (unsigned n = 1; n < level; ++n) e.store(w, kSs, slot(n), copied(n));
  if (level > 0) e.store(w, kSs, slot(last), frame_pointer);
  e.set_reg(w, kEbp, frame_pointer);
  e.set_sp(i, bottom);
}

template <Emitter E>
void leave(E& e, const Insn& i, auto w) {
  const auto frame = i.mode.ss32 ? e.reg(Width<32>{}, kEbp) : e.reg(Width<16>{}, kEbp);
  const auto value = e.load(w, kSs, frame);
  e.set_sp(i, e.stack_add(i, frame, w.bytes));
  e.set_reg(w, kEbp, value);
}

}  // namespace xlat::sem
