// The lifter: an emitter whose values are references into an IR block.
#pragma once

#include <span>

#include "cpu/emitter.h"
#include "cpu/encoding.h"
#include "jit/ir/ir.h"

namespace xlat::jit {

class Lifter : public OperandAccess<Lifter> {
 public:
  struct Val {
    Ref ref;
  };
  struct Place {
    bool memory;
    u8 reg;  // general register, or segment register of the memory operand
    Val offset;
  };

  // Lifts the instructions of a block, as BlockCache decodes them. The memory of `reuse` is used again.
  static IrBlock lift(std::span<const Insn> insns, IrBlock reuse = {});

  using OperandAccess::call;

  Val imm(u64 v) { return emit({Op::kConst, 64, 0, 0, 0, 0, v}); }
#define SHAPE_w_a(op, name) \
  Val name(unsigned w, Val a) { return value(op, w, {a}); }
#define SHAPE_w_a_b(op, name) \
  Val name(unsigned w, Val a, Val b) { return value(op, w, {a, b}); }
#define SHAPE_w_a_b_c(op, name) \
  Val name(unsigned w, Val a, Val b, Val c) { return value(op, w, {a, b, c}); }
#define SHAPE_from_w_a(op, name) \
  Val name(unsigned from, unsigned w, Val a) { return from == w ? a : value(op, w, {a}, from); }
#define SHAPE_a(op, name) \
  Val name(Val a) { return value(op, 64, {a}); }
#define SHAPE_a_b(op, name) \
  Val name(Val a, Val b) { return value(op, 64, {a, b}); }
#define SHAPE_c_a_b(op, name) \
  Val name(Val c, Val a, Val b) { return value(op, 64, {c, a, b}); }
#define VALUE_OP(op, name, shape, result) SHAPE_##shape(Op::op, name)
#include "cpu/value_ops.inc"
  // What happens only if `c`; values made inside are not used outside. A constant condition leaves no test.
  void when(Val c, auto&& fn) {
    if (is_const(c)) {
      if (const_of(c)) fn();
      return;
    }
    const Ref at = emit({Op::kWhen, 0, 0, c.ref, 0, 0, 0}).ref;
    fn();
    block_.code[at].imm = block_.code.size();
  }

  Val reg(unsigned w, unsigned n) { return emit({Op::kGetReg, static_cast<u8>(w), static_cast<u8>(n)}); }
  void set_reg(unsigned w, unsigned n, Val v) { emit({Op::kSetReg, static_cast<u8>(w), static_cast<u8>(n), v.ref}); }
  Val selector(unsigned n) { return emit({Op::kGetSelector, 16, static_cast<u8>(n)}); }
  void flags(FlagKind kind, unsigned w, Val a, Val b, Val r) {
    emit({Op::kFlags, static_cast<u8>(w), static_cast<u8>(kind), a.ref, b.ref, r.ref});
  }
  void shift_flags(FlagKind kind, unsigned w, Val a, Val n, Val r) {
    if (!is_const(n)) {
      emit({Op::kShiftFlags, static_cast<u8>(w), static_cast<u8>(kind), a.ref, n.ref, r.ref});
    } else if (const_of(n) != 0) {
      flags(kind, w, a, n, r);
    }
  }
  void set_flags(u32 which, Val v) { emit({Op::kSetFlags, 32, 0, v.ref, 0, 0, which}); }
  Val flag(u32 which) { return emit({Op::kGetFlag, 1, 0, 0, 0, 0, which}); }
  Val condition(unsigned cc) { return emit({Op::kCondition, 1, static_cast<u8>(cc)}); }
  Val next_ip(const Insn& i) { return emit({Op::kNextIp, 32, 0, 0, 0, 0, static_cast<u64>(i.off + i.len)}); }
  void set_ip(Val v) { emit({Op::kSetIp, 32, 0, v.ref}); }
  void check_target(Val v) { emit({Op::kCheckTarget, 32, 0, v.ref}); }

  Val ea(const Insn& i);
  Val load(unsigned w, unsigned seg, Val offset) {
    return emit({Op::kLoad, static_cast<u8>(w), static_cast<u8>(seg), offset.ref});
  }
  void store(unsigned w, unsigned seg, Val offset, Val v) {
    emit({Op::kStore, static_cast<u8>(w), static_cast<u8>(seg), offset.ref, v.ref});
  }
  void probe(unsigned w, unsigned seg, Val offset) {
    emit({Op::kProbe, static_cast<u8>(w), static_cast<u8>(seg), offset.ref});
  }
  Place memory_place(unsigned w, unsigned seg, Val offset) {
    probe(w, seg, offset);
    return {true, static_cast<u8>(seg), offset};
  }
  Place register_place(unsigned n) { return {false, static_cast<u8>(n), {}}; }
  Val get(unsigned w, const Place& p) { return p.memory ? load(w, p.reg, p.offset) : reg(w, p.reg); }
  void put(unsigned w, const Place& p, Val v) { p.memory ? store(w, p.reg, p.offset, v) : set_reg(w, p.reg, v); }

  void raise(u8 vector, u32 code) { emit({Op::kRaise, 0, vector, 0, 0, 0, code}); }
  void raise_if(Val c, u8 vector) { emit({Op::kRaiseIf, 0, vector, c.ref}); }
  Val call(Helper h, const Insn&, Val a, Val b) {
    return emit({Op::kCall, 64, 0, a.ref, b.ref, 0, static_cast<u64>(h)});
  }
  void repeat_if(Val c) { emit({Op::kRepeatIf, 0, 0, c.ref}); }

 private:
  Val emit(const Inst& inst) {
    block_.code.push_back(inst);
    return {static_cast<Ref>(block_.code.size() - 1)};
  }
  // An operation on as many values as it has operands; a constant, if they all are.
  struct Operands {
    Val a{}, b{}, c{};
  };
  Val value(Op op, unsigned w, const Operands& of, unsigned aux = 0);
  bool is_const(Val v) const { return block_.code[v.ref].op == Op::kConst; }
  u64 const_of(Val v) const { return block_.code[v.ref].imm; }

  IrBlock block_;
};

static_assert(Emitter<Lifter>);

}  // namespace xlat::jit
