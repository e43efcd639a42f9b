// Jumps, calls, returns, loops, interrupts. SDM vol. 2 under each name.
#pragma once

#include "cpu/emitter.h"
#include "cpu/helpers.h"

namespace xlat::sem {

// A near target at the operand size: relative to the next instruction, or the operand's value.
template <Emitter E>
auto near_target(E& e, const Insn& i, auto w) {
  if (i.op[0].kind == Operand::kRel) return e.trunc(w, e.add(Width<32>{}, e.next_ip(i), e.imm(i.imm & 0xffffffff)));
  return e.read(i, 0, w);
}

template <Emitter E>
void branch_if(E& e, const Insn& i, auto w, auto taken) {
  const auto target = near_target(e, i, w);
  e.when(taken, [&] { e.check_target(target); });
  e.set_ip(e.select(taken, target, e.next_ip(i)));
}

template <Emitter E>
void jcc(E& e, const Insn& i, auto w) {
  branch_if(e, i, w, e.condition(i.cc()));
}

template <Emitter E>
void jmp_near(E& e, const Insn& i, auto w) {
  const auto target = near_target(e, i, w);
  e.check_target(target);
  e.set_ip(target);
}

template <Emitter E>
void call_near(E& e, const Insn& i, auto w) {
  const auto target = near_target(e, i, w);
  e.check_target(target);
  e.push(i, w, e.trunc(w, e.next_ip(i)));
  e.set_ip(target);
}

template <Emitter E>
void ret(E& e, const Insn& i, auto w) {
  const auto top = e.sp(i);
  const auto target = e.load(w, kSs, top);
  e.check_target(target);
  e.set_sp(i, e.stack_add(i, top, static_cast<i64>(w.bytes + i.imm)));
  e.set_ip(target);
}

// LOOP, LOOPE, LOOPNE: the count changes only if the branch does not fault.
template <Emitter E>
void loop_while(E& e, const Insn& i, auto w, auto also) {
  const auto count = e.address_add(i, e.address_reg(i, kEcx), e.imm(i.asize == 2 ? 0xffff : 0xffffffff));
  const auto taken = e.and_(Width<8>{}, e.ne(count, e.imm(0)), also);
  const auto target = near_target(e, i, w);
  e.when(taken, [&] { e.check_target(target); });
  e.set_address_reg(i, kEcx, count);
  e.set_ip(e.select(taken, target, e.next_ip(i)));
}

template <Emitter E>
void loop(E& e, const Insn& i, auto w) {
  loop_while(e, i, w, e.imm(1));
}
template <Emitter E>
void loope(E& e, const Insn& i, auto w) {
  loop_while(e, i, w, e.flag(kZf));
}
template <Emitter E>
void loopne(E& e, const Insn& i, auto w) {
  loop_while(e, i, w, e.xor_(Width<8>{}, e.flag(kZf), e.imm(1)));
}
template <Emitter E>
void jcxz(E& e, const Insn& i, auto w) {
  branch_if(e, i, w, e.eq(e.address_reg(i, kEcx), e.imm(0)));
}

// A far pointer, from the instruction or from memory, goes to a helper as offset and selector.
template <Emitter E>
void far_transfer(E& e, const Insn& i, auto w, Helper transfer) {
  if (i.op[0].kind == Operand::kFar) {
    e.call(transfer, i, e.imm(i.imm), e.imm(i.imm2));
    return;
  }
  const auto at = e.ea(i);
  const auto offset = e.load(w, i.seg, at);
  const auto selector = e.load(Width<16>{}, i.seg, e.address_add(i, at, e.imm(w.bytes)));
  e.call(transfer, i, offset, selector);
}

template <Emitter E>
void jmp_far(E& e, const Insn& i, auto w) {
  far_transfer(e, i, w, Helper::far_jump);
}
template <Emitter E>
void call_far(E& e, const Insn& i, auto w) {
  far_transfer(e, i, w, Helper::far_call);
}
template <Emitter E>
void ret_far(E& e, const Insn& i, auto) {
  e.call(Helper::far_return, i);
}
template <Emitter E>
void iret(E& e, const Insn& i, auto) {
  e.call(Helper::interrupt_return, i);
}

template <Emitter E>
void int3(E& e, const Insn& i, auto) {
  e.call(Helper::software_interrupt, i, e.imm(kBP), e.imm(0));
}
template <Emitter E>
void int_n(E& e, const Insn& i, auto) {
  e.call(Helper::software_interrupt, i, e.imm(i.imm), e.imm(1));
}
template <Emitter E>
void int1(E& e, const Insn& i, auto) {
  e.call(Helper::icebp, i);
}
template <Emitter E>
void into(E& e, const Insn& i, auto) {
  e.set_ip(e.next_ip(i));
  e.when(e.flag(kOf), [&] { e.call(Helper::software_interrupt, i, e.imm(kOF), e.imm(0)); });
}

template <Emitter E>
void sysenter(E& e, const Insn& i, auto) {
  e.call(Helper::sysenter, i);
}
template <Emitter E>
void sysexit(E& e, const Insn& i, auto) {
  e.call(Helper::sysexit, i);
}

}  // namespace xlat::sem
