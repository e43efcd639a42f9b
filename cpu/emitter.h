// The interface between instruction semantics and engines ("tagless final"): a semantic function is a template over an
// Emitter, and says what happens by calling it. The interpreter's emitter does it; the lifter's writes it down.
//
// Val is opaque in every engine: it holds a number zero-extended from its width, and converts to nothing, so that C++
// control flow on a guest value does not compile. Branch on fields of Insn only; for guest values there are `select`
// and `when`. After a fault is raised, everything the same instruction still does has no effect.
#pragma once

#include <concepts>

#include "cpu/cpu.h"
#include "cpu/helpers.h"

namespace xlat {

template <class E>
concept Emitter = requires(E e, const Insn& i, typename E::Val v, typename E::Place p, Width<32> w, Helper h) {
  // Values. Widths in bits; shifts by the width or more give zero (sar: the sign).
  { e.imm(u64{}) } -> std::same_as<typename E::Val>;
#define ARGUMENTS_w_a (w, v)
#define ARGUMENTS_w_a_b (w, v, v)
#define ARGUMENTS_w_a_b_c (w, v, v, v)
#define ARGUMENTS_from_w_a (w, w, v)
#define ARGUMENTS_a (v)
#define ARGUMENTS_a_b (v, v)
#define ARGUMENTS_c_a_b (v, v, v)
#define VALUE_OP(op, name, shape, result) \
  { e.name ARGUMENTS_##shape } -> std::same_as<typename E::Val>;
#include "cpu/value_ops.inc"
#undef ARGUMENTS_w_a
#undef ARGUMENTS_w_a_b
#undef ARGUMENTS_w_a_b_c
#undef ARGUMENTS_from_w_a
#undef ARGUMENTS_a
#undef ARGUMENTS_a_b
#undef ARGUMENTS_c_a_b
  // State.
  { e.reg(w, 0u) } -> std::same_as<typename E::Val>;
  e.set_reg(w, 0u, v);
  { e.selector(0u) } -> std::same_as<typename E::Val>;
  e.flags(FlagKind::kAdd, w, v, v, v);
  e.shift_flags(FlagKind::kShl, w, v, v, v);  // unless the count, the second value, is zero
  e.set_flags(u32{}, v);
  { e.flag(kCf) } -> std::same_as<typename E::Val>;
  { e.condition(0u) } -> std::same_as<typename E::Val>;
  { e.next_ip(i) } -> std::same_as<typename E::Val>;
  e.set_ip(v);
  e.check_target(v);
  // Memory: segment register and offset; limits, rights and paging are checked.
  { e.ea(i) } -> std::same_as<typename E::Val>;
  { e.load(w, 0u, v) } -> std::same_as<typename E::Val>;
  e.store(w, 0u, v, v);
  e.probe(w, 0u, v);  // faults as a store would
  { e.memory_place(w, 0u, v) } -> std::same_as<typename E::Place>;
  { e.register_place(0u) } -> std::same_as<typename E::Place>;
  { e.get(w, p) } -> std::same_as<typename E::Val>;
  e.put(w, p, v);
  // Faults and helpers.
  e.raise(kUD, u32{});
  e.raise_if(v, kDE);
  { e.call(h, i, v, v) } -> std::same_as<typename E::Val>;
};

// A semantic function for one width, as a type that tables can be made of.
template <auto F, class W>
struct SemFn {
  static constexpr auto kFunction = F;
  using WidthType = W;
};

// Operand access common to all engines, over their primitives.
template <class Self>
class OperandAccess {
 public:
  // Operand `k` as a value of width `w`.
  auto read(const Insn& i, unsigned k, auto w) {
    const Operand& o = i.op[k];
    switch (o.kind) {
      case Operand::kReg: return self().reg(w, o.reg);
      case Operand::kMem: return self().load(w, i.seg, self().ea(i));
      case Operand::kSeg: return self().selector(o.reg);
      case Operand::kOne: return self().imm(1);
      default: return self().imm(i.imm & mask(w));
    }
  }
  // Writes operand `k`, which is not read.
  void write(const Insn& i, unsigned k, auto w, auto value) {
    const Operand& o = i.op[k];
    if (o.kind == Operand::kReg) {
      self().set_reg(w, o.reg, value);
    } else {
      self().store(w, i.seg, self().ea(i), value);
    }
  }
  // Operand `k` for reading and writing: memory is checked for writing before it is read.
  auto place(const Insn& i, unsigned k, auto w) {
    const Operand& o = i.op[k];
    return o.kind == Operand::kMem ? self().memory_place(w, i.seg, self().ea(i)) : self().register_place(o.reg);
  }

  // A register at the address size: counts, string pointers, the base of XLAT.
  auto address_reg(const Insn& i, unsigned n) {
    return i.asize == 2 ? self().reg(Width<16>{}, n) : self().reg(Width<32>{}, n);
  }
  void set_address_reg(const Insn& i, unsigned n, auto value) {
    i.asize == 2 ? self().set_reg(Width<16>{}, n, value) : self().set_reg(Width<32>{}, n, value);
  }
  auto address_add(const Insn& i, auto a, auto b) {
    return i.asize == 2 ? self().add(Width<16>{}, a, b) : self().add(Width<32>{}, a, b);
  }

  // The stack pointer at the stack's width, and arithmetic on it.
  auto sp(const Insn& i) { return i.mode.ss32 ? self().reg(Width<32>{}, kEsp) : self().reg(Width<16>{}, kEsp); }
  void set_sp(const Insn& i, auto value) {
    i.mode.ss32 ? self().set_reg(Width<32>{}, kEsp, value) : self().set_reg(Width<16>{}, kEsp, value);
  }
  auto stack_add(const Insn& i, auto a, i64 by) {
    const auto b = self().imm(static_cast<u64>(by) & (i.mode.ss32 ? 0xffffffff : 0xffff));
    return i.mode.ss32 ? self().add(Width<32>{}, a, b) : self().add(Width<16>{}, a, b);
  }
  void push(const Insn& i, auto w, auto value) {
    const auto top = stack_add(i, sp(i), -i64{w.bytes});
    self().store(w, kSs, top, value);
    set_sp(i, top);
  }

  auto call(Helper h, const Insn& i) { return self().call(h, i, self().imm(0), self().imm(0)); }
  auto call(Helper h, const Insn& i, auto a) { return self().call(h, i, a, self().imm(0)); }

 private:
  Self& self() { return static_cast<Self&>(*this); }
};

}  // namespace xlat
