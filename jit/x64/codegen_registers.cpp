// Writing the guest's registers, in place where that can be, and effects under a condition.
#include "base/bits.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// Values that are still only a name for guest register `guest` get a register of their own before it changes.
void Codegen::protect(unsigned guest) {
  for (Ref r = ir_->starts[insn_]; r < ir_->starts[insn_ + 1]; ++r) {
    const auto& i = inst(r);
    if (i.op != Op::kGetReg || values_[r].uses == 0 || values_[r].temp >= 0) continue;
    if ((i.w == 8 ? i.aux & 3u : i.aux) != guest) continue;
    values_[r].temp = static_cast<i8>(compute(r));
  }
  changing(kGuestReg[guest]);
}

// guest = guest op b without a temporary.
bool Codegen::in_place(const Inst& i) {
  const Ref v = resolve(i.a);
  const auto& op = inst(v);
  const unsigned guest = i.aux;
  if (values_[v].temp >= 0 || op.w != i.w || (i.w == 8 && guest > 3) || constant(v)) return false;
  if (values_[v].uses != (flags_of_[v] != 0 ? 2u : 1u)) return false;
  const unsigned reg = kGuestReg[guest];
  if (op.op == Op::kShl || op.op == Op::kShr || op.op == Op::kSar) {
    const auto count = constant(op.b);
    const Ref a = resolve(op.a);
    if (!count || *count == 0 || *count >= i.w || !is_register(a, guest, i.w) || values_[a].uses != 1) return false;
    use(a);
    protect(guest);
    emit_shift(v, reg, *count);
    use(v);
    return true;
  }
  auto alu = as_alu(v);
  if (!alu) return false;
  const bool commutes = alu->op != Op::kSub && !alu->carry;
  if (!is_register(alu->a, guest, i.w) && commutes && is_register(alu->b, guest, i.w)) std::swap(alu->a, alu->b);
  if (!is_register(alu->a, guest, i.w) || values_[alu->a].uses != 1) return false;
  if (alu->b != alu->a && is_register(alu->b, guest, i.w) && values_[alu->b].uses != 1) return false;
  if (alu->b == alu->a) return false;
  if (!constant(alu->b)) low_bits_of(alu->b, i.w);
  use(alu->a);
  const bool swapped = alu->a != as_alu(v)->a;
  const bool b_too = is_register(alu->b, guest, i.w);
  if (b_too) values_[alu->b].uses = 0;
  protect(guest);
  if (b_too) values_[alu->b].uses = 1;
  const bool makes_flags = flags_of_[v] != 0;
  emit_alu(v, *alu, reg);
  // The interpreter records it as the first.
  if (makes_flags && swapped && recipe_.b.kind == FlagOperand::Kind::kField) recipe_ = {};
  use(v);
  return true;
}

// guest = low half of a product whose upper half nobody wants: IMUL of 32 bits, signed or not.
bool Codegen::product(const Inst& i) {
  const Ref v = resolve(i.a);
  const Inst& low = inst(v);
  if (low.op != Op::kTrunc || low.w != 32 || values_[v].temp >= 0 || values_[v].uses != 1) return false;
  const Ref m = resolve(low.a);
  const Inst& mul = inst(m);
  if (mul.op != Op::kMul || values_[m].temp >= 0 || values_[m].uses != 1) return false;
  // The operand behind an extension that is made for this product only.
  const auto narrow = [this](Ref ref) -> std::optional<Ref> {
    const Ref r = resolve(ref);
    const Inst& e = inst(r);
    if (e.op == Op::kSext && e.aux == 32 && values_[r].temp < 0 && values_[r].uses == 1) return resolve(e.a);
    if (values_[r].width <= 32 && !constant(r)) return r;
    return std::nullopt;
  };
  const auto a = narrow(mul.a);
  const auto known = constant(mul.b);
  const auto b = known ? a : narrow(mul.b);
  if (!a || !b || resolve(mul.a) == resolve(mul.b)) return false;
  const unsigned ra = reg_of(*a), rb = known ? ra : reg_of(*b);
  const unsigned reg = kGuestReg[i.aux];
  clobber_flags();
  // The product is made beside its operands: protecting what else uses the register comes between.
  const unsigned t = temp();
  if (known) {
    a_.imul(gp32(t), gp32(ra), static_cast<i32>(static_cast<u32>(*known)));
  } else {
    a_.mov(gp32(t), gp32(ra));
    a_.imul(gp32(t), gp32(rb));
  }
  const auto used = [this](Ref ref, Ref inner) {
    const Ref r = resolve(ref);
    if (r != inner) values_[r].uses = 0;
    use(inner);
  };
  used(mul.a, *a);
  if (!known) used(mul.b, *b);
  values_[m].uses = 0;
  protect(i.aux);
  a_.mov(gp32(reg), gp32(t));
  free_temp(t);
  use(v);
  return true;
}

// guest = MOVZX or MOVSX of a register.
bool Codegen::extended(const Inst& i) {
  const Ref v = resolve(i.a);
  const Inst& e = inst(v);
  if (values_[v].temp >= 0 || values_[v].uses != 1 || constant(v)) return false;
  const bool sign = e.op == Op::kSext && e.w == 32;
  if (!sign && e.op != Op::kTrunc && e.op != Op::kGetReg) return false;
  const unsigned bits = sign ? e.aux : e.w;
  if (bits > 16 || (e.op == Op::kGetReg && !is_register(v, e.aux, bits))) return false;
  const Ref a = e.op == Op::kGetReg ? v : resolve(e.a);
  const unsigned from = low_bits_of(a, bits);
  // What it is taken from stays until it is read.
  const u32 held = temps_used_;
  use(a);
  if (a != v) use(v);
  const u32 freed = held & ~temps_used_;
  temps_used_ = held;
  protect(i.aux);
  const Gp to = gp32(kGuestReg[i.aux]);
  sign ? a_.movsx(to, gp(from, bits)) : a_.movzx(to, gp(from, bits));
  temps_used_ &= ~freed;
  return true;
}

void Codegen::set_reg(const Inst& i) {
  const Ref v = resolve(i.a);
  const unsigned guest = i.w == 8 ? i.aux & 3 : i.aux, reg = kGuestReg[guest];
  if (in_place(i)) {
    committed_ = true;
    return;
  }
  host::Mem mem;
  if (i.w == 32 && !constant(v) && inst(v).op == Op::kAdd && flags_of_[v] == 0 && values_[v].temp < 0 &&
      values_[v].uses == 1 && address(v, mem)) {
    // Its temporaries are freed only when LEA has read them.
    const u32 held = temps_used_;
    use_tree(v);
    const u32 freed = held & ~temps_used_;
    temps_used_ = held;
    protect(guest);
    a_.lea(gp32(reg), mem);
    temps_used_ &= ~freed;
    committed_ = true;
    return;
  }
  if (i.w == 32 && (product(i) || extended(i))) {
    committed_ = true;
    return;
  }
  const auto known = constant(v);
  if (known && !(i.w == 8 && i.aux > 3)) {
    protect(guest);
    i.w == 32 ? a_.mov(gp32(reg), static_cast<u32>(*known)) : a_.mov(gp(reg, i.w), static_cast<i32>(*known));
    use(v);
    committed_ = true;
    return;
  }
  low_bits_of(v, i.w);
  protect(guest);
  const unsigned from = low_bits_of(v, i.w);
  if (i.w == 8 && i.aux > 3) {
    // A byte register cannot be moved to AH beside one that needs a REX prefix: turn the register instead.
    clobber_flags();
    a_.ror(gp32(reg), 8);
    a_.mov(gp(reg, 8), gp(from, 8));
    a_.rol(gp32(reg), 8);
  } else if (i.w == 32) {
    if (from != reg) a_.mov(gp32(reg), gp32(from));
  } else {
    a_.mov(gp(reg, i.w), gp(from, i.w));
  }
  use(v);
  committed_ = true;
}

// Effects under a condition. Whatever they use is computed before the branch, so that both ways agree on where it is.
void Codegen::when(const Inst& i) {
  const Ref first = now_ + 1, last = static_cast<Ref>(i.imm);
  bool nothing = true;
  for (Ref r = first; r < last; ++r) {
    const auto& e = inst(r);
    switch (e.op) {
      case Op::kSetReg: nothing = false; break;
      case Op::kSetFlags: nothing = nothing && analysis_.dead[r]; break;
      case Op::kCheckTarget:
        if (context_->cs_limit != 0xffffffff && !(constant(e.a) && *constant(e.a) <= context_->cs_limit)) return fail();
        break;
      default:
        if (!is_value(e.op)) return fail();
    }
  }
  if (nothing) {
    // What the body would have used is not needed, and neither is the condition.
    for (Ref r = first; r < last; ++r) {
      if (inst(r).op == Op::kCheckTarget) use(resolve(inst(r).a));
    }
    now_ = last - 1;
    return use(resolve(i.a));
  }
  for (Ref r = first; r < last; ++r) {
    const auto& e = inst(r);
    if (e.op == Op::kSetReg || (e.op == Op::kSetFlags && !analysis_.dead[r])) {
      if (!constant(e.a)) reg_of(e.a);
      if (e.op == Op::kSetReg) protect(e.w == 8 ? e.aux & 3u : e.aux);
    }
  }
  // What happens to flags in the body must not depend on the way taken.
  bool flags_too = !recipe_;
  for (Ref r = first; r < last; ++r) {
    const auto& e = inst(r);
    flags_too =
        flags_too || (e.op == Op::kSetFlags && !analysis_.dead[r]) || (e.op == Op::kSetReg && e.w == 8 && e.aux > 3);
  }
  if (flags_too) store_flags();
  const Cond cc = condition_of(i.a);
  host_valid_ = false;
  const Label skip = a_.newLabel();
  a_.long_().j(host::negateCond(cc), skip);
  for (now_ = first; now_ < last && !failed_; ++now_) {
    const auto& e = inst(now_);
    if (e.op == Op::kSetReg) set_reg(e);
    if (e.op == Op::kSetFlags && !analysis_.dead[now_]) set_flags(e);
    if (e.op == Op::kCheckTarget) use(resolve(e.a));
  }
  now_ = last - 1;
  if (flags_too) store_flags();
  host_valid_ = false;
  a_.bind(skip);
}

}  // namespace xlat::jit::x64
