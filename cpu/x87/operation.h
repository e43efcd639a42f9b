// One x87 operation being executed: operands, stack faults, and what becomes of the exceptions.
#pragma once

#include "base/bits.h"
#include "cpu/x87/unit.h"

namespace xlat::x87 {

// Of a memory operand: it holds an integer and no real number.
inline bool is_integer(const Operand& o) { return o.kind == Operand::kMem && o.reg != 0; }

class Operation {
 public:
  Operation(Cpu& c, const Insn& i) : ctx{c.s.fpu.control}, cpu(c), insn(i), fpu(c.s.fpu) {}

  F80& st(unsigned n) { return fpu.regs[(fpu.top() + n) & 7]; }
  bool empty(unsigned n) const { return is_empty(fpu, (fpu.top() + n) & 7); }
  Unpacked operand(unsigned n) { return unpack(st(n)); }
  // The value of memory operand `o`, whose bits are `raw`.
  Unpacked memory(const Operand& o, u64 raw) const {
    if (is_integer(o)) return unpack_integer(sign_extend(raw, 8 * insn.width));
    return insn.width == 4 ? unpack_f32(static_cast<u32>(raw)) : unpack_f64(raw);
  }

  F80 stack_underflow() {
    ctx.flags |= kSwIe | kSwSf;
    ctx.c1 = false;
    return kIndefinite;
  }
  F80 stack_overflow() {
    ctx.flags |= kSwIe | kSwSf;
    ctx.c1 = true;
    return kIndefinite;
  }

  // Reports the exceptions. False if an unmasked one stops the instruction; then nothing else may change.
  // `to_memory`: unmasked overflow and underflow stop it too.
  bool accept(u64 offset = 0, bool to_memory = false) {
    if (insn.has_mem) {
      note(cpu, insn, offset);
    } else {
      note(cpu, insn);
    }
    const bool stopped = stops(to_memory);
    if (ctx.unmasked_flags() & kBefore) {
      ctx.flags &= kBefore | kSwSf;
      ctx.c1 = ctx.c1 && (ctx.flags & kSwSf);
    }
    fpu.status = static_cast<u16>((fpu.status & ~kSwC1) | ctx.flags | (ctx.c1 ? kSwC1 : 0));
    if (ctx.flags) update_summary(cpu);
    return !stopped;
  }
  bool stops(bool to_memory) const { return ctx.unmasked_flags() & (kBefore | (to_memory ? kSwOe | kSwUe : 0)); }

  void set(unsigned n, const F80& value) {
    st(n) = value;
    set_empty(fpu, (fpu.top() + n) & 7, false);
  }
  void pop() {
    set_empty(fpu, fpu.top(), true);
    fpu.set_top(fpu.top() + 1);
  }
  void push(const F80& value) {
    fpu.set_top(fpu.top() - 1);
    set(0, value);
  }
  void set_condition(unsigned codes) { fpu.status = static_cast<u16>((fpu.status & ~(kSwC0 | kSwC2 | kSwC3)) | codes); }

  FloatContext ctx;
  Cpu& cpu;
  const Insn& insn;
  FpuState& fpu;
};

}  // namespace xlat::x87
