// Computing one value from others, in a temporary register.
#include <asmjit/x86.h>

#include "base/bits.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

namespace {

namespace id = asmjit::x86::Inst;
using InstId = asmjit::InstId;

InstId inst_of(Op op, bool carry) {
  switch (op) {
    case Op::kAdd: return carry ? id::kIdAdc : id::kIdAdd;
    case Op::kSub: return carry ? id::kIdSbb : id::kIdSub;
    case Op::kAnd: return id::kIdAnd;
    case Op::kOr: return id::kIdOr;
    default: return id::kIdXor;
  }
}

bool fits_i32(u64 value, unsigned w) {
  const i64 v = sign_extend(value, w);
  return v == static_cast<i32>(v);
}

}  // namespace

std::optional<Codegen::Alu> Codegen::as_alu(Ref ref) const {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  switch (i.op) {
    case Op::kAddCarry:
    case Op::kSubBorrow: {
      // As the host's carry flag, which nobody else wants as a number.
      const Ref c = resolve(i.c);
      const auto& flag = inst(c);
      if (flag.op != Op::kGetFlag || flag.imm != kCf || values_[c].temp >= 0 || values_[c].uses != 1)
        return std::nullopt;
      return Alu{i.op == Op::kAddCarry ? Op::kAdd : Op::kSub, i.w, resolve(i.a), resolve(i.b), true};
    }
    case Op::kAdd:
    case Op::kSub:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor: return Alu{i.op, i.w, resolve(i.a), resolve(i.b), false};
    default: return std::nullopt;
  }
}

// dest = dest op b, with the flags if somebody wants them.
void Codegen::emit_alu(Ref r, const Alu& alu, unsigned dest) {
  const auto known = constant(alu.b);
  const bool immediate = known && fits_i32(*known, alu.w);
  const unsigned b = immediate ? 0 : low_bits_of(alu.b, alu.w);
  before_alu(r, alu.carry);
  const InstId id = inst_of(alu.op, alu.carry);
  const auto f = flags_of_[r];
  const auto kind = f ? static_cast<FlagKind>(inst(f - 1).aux) : FlagKind::kNone;
  if (kind == FlagKind::kInc) {
    a_.inc(gp(dest, alu.w));
  } else if (kind == FlagKind::kDec) {
    a_.dec(gp(dest, alu.w));
  } else if (immediate) {
    a_.emit(id, gp(dest, alu.w), asmjit::Imm(sign_extend(*known, alu.w)));
  } else {
    a_.emit(id, gp(dest, alu.w), gp(b, alu.w));
  }
  if (alu.carry) values_[resolve(inst(r).c)].uses = 0;  // the flag went into this one
  after_alu(r, 0);
  if (f && kind != FlagKind::kInc && kind != FlagKind::kDec) {
    set_recipe(alu, dest, b, immediate ? known : std::nullopt);
  }
  use(alu.b);
}

unsigned Codegen::compute_alu(Ref r, const Alu& operands) {
  Alu alu = operands;
  // The operand that is not needed again becomes the result.
  const bool bitwise = alu.op == Op::kAnd || alu.op == Op::kOr || alu.op == Op::kXor;
  if (bitwise && !constant(alu.b) && values_[alu.a].uses > 1 && values_[alu.b].uses == 1) std::swap(alu.a, alu.b);
  // Operands are computed before the first one is copied, as that may disturb flags.
  if (!constant(alu.b)) low_bits_of(alu.b, alu.w);
  if (alu.op == Op::kAdd && !alu.carry && alu.w == 32 && flags_of_[r] == 0) {
    host::Mem mem;
    if (address(r, mem)) return compute_address(r, mem);
  }
  const unsigned t = modifiable(alu.a);
  emit_alu(r, alu, t);
  return t;
}

unsigned Codegen::compute_address(Ref r, const host::Mem& mem) {
  const auto& i = inst(r);
  const Ref a = resolve(i.a), b = resolve(i.b);
  // The operands are freed before the result has a register: LEA reads before it writes.
  use_tree(a);
  use_tree(b);
  const unsigned t = temp();
  a_.lea(gp32(t), mem);
  return t;
}

// `dest` = `dest` shifted as `r` says, with the flags if somebody wants them; `count` is below the width.
void Codegen::emit_shift(Ref r, unsigned dest, u64 count) {
  const auto& i = inst(r);
  before_alu(r, false);
  const bool flags_too = flags_of_[r] != 0 && count != 0;
  const FlagRecipe recipe = flags_too ? shift_recipe(i.op, i.w, dest, count) : FlagRecipe{};
  if (count != 0) {
    const InstId id = i.op == Op::kShl ? id::kIdShl : i.op == Op::kShr ? id::kIdShr : id::kIdSar;
    a_.emit(id, gp(dest, i.w), asmjit::Imm(count));
  }
  after_alu(r, count);
  if (flags_too) recipe_ = recipe;
}

unsigned Codegen::compute_shift(Ref r) {
  const auto& i = inst(r);
  const Ref a = resolve(i.a), n = resolve(i.b);
  if (const auto known = constant(n)) {
    const u64 count = *known;
    if (count >= i.w && i.op != Op::kSar) {
      use(a);
      const unsigned t = temp();
      a_.mov(gp32(t), 0);
      return t;
    }
    const unsigned t = modifiable(a);
    emit_shift(r, t, std::min<u64>(count, i.w - 1u));
    return t;
  }
  // In 64 bits, so that a count of the width or more gives what it should; the count is known to be below 64.
  const auto& c = inst(n);
  const auto limit = c.op == Op::kAnd || c.op == Op::kSub ? constant(c.op == Op::kAnd ? c.b : c.a) : std::nullopt;
  if (!limit || *limit > 63 || !bmi2_) {
    fail();
    return kTempFirst;
  }
  const unsigned count = reg_of(n);
  const unsigned t = modifiable(a);
  if (i.op == Op::kShl) {
    a_.shlx(gp64(t), gp64(t), gp64(count));
  } else if (i.op == Op::kShr) {
    a_.shrx(gp64(t), gp64(t), gp64(count));
  } else {
    if (i.w == 32) a_.movsxd(gp64(t), gp32(t));
    if (i.w < 32) a_.movsx(gp64(t), gp(t, i.w));
    a_.sarx(gp64(t), gp64(t), gp64(count));
  }
  if (i.op != Op::kShr && i.w == 32) a_.mov(gp32(t), gp32(t));
  if (i.op != Op::kShr && i.w < 32) a_.movzx(gp32(t), gp(t, i.w));
  use(n);
  return t;
}

unsigned Codegen::compute_select(Ref r) {
  const auto& i = inst(r);
  const auto if_true = constant(i.b), if_false = constant(i.c);
  if (if_true && if_false && *if_false == 0 && std::has_single_bit(*if_true) && *if_true < (1u << 31) &&
      values_[resolve(i.a)].width == 1) {
    const unsigned t = modifiable(i.a);
    clobber_flags();
    a_.shl(gp32(t), static_cast<unsigned>(std::countr_zero(*if_true)));
    return t;
  }
  const Ref yes = resolve(i.b);
  const unsigned ry = reg_of(yes);
  const unsigned t = modifiable(i.c);
  const Cond cc = condition_of(i.a);
  values_[r].width > 32 ? a_.cmov(cc, gp64(t), gp64(ry)) : a_.cmov(cc, gp32(t), gp32(ry));
  use(yes);
  return t;
}

// Quotient and remainder of 64-bit numbers come together.
unsigned Codegen::compute_division(Ref r) {
  const auto& i = inst(r);
  const bool is_signed = i.op == Op::kSdiv || i.op == Op::kSrem;
  const bool quotient = i.op == Op::kUdiv || i.op == Op::kSdiv;
  if (i.w != 64) {
    fail();
    return kTempFirst;
  }
  const Op other_op = is_signed ? (quotient ? Op::kSrem : Op::kSdiv) : (quotient ? Op::kUrem : Op::kUdiv);
  Ref other = 0;
  for (Ref k = r + 1; k < ir_->starts[insn_ + 1]; ++k) {
    const auto& o = inst(k);
    if (o.op == other_op && resolve(o.a) == resolve(i.a) && resolve(o.b) == resolve(i.b) && values_[k].uses != 0)
      other = k;
  }
  unsigned divisor = reg_of(i.b);
  if (divisor < kTempFirst && (divisor == host::rax.id() || divisor == host::rdx.id())) {
    const unsigned t = temp();
    a_.mov(gp64(t), gp64(divisor));
    values_[resolve(i.b)].temp = static_cast<i8>(t);
    divisor = t;
  }
  if (is_signed) {  // the one quotient that does not fit
    clobber_flags();
    a_.cmp(gp64(divisor), -1);
    slow_jump(Cond::kEqual);
  }
  if (other != 0) use(i.a);
  const unsigned n = modifiable(i.a);
  const unsigned rax = temp(), rdx = temp();
  clobber_flags();
  a_.mov(gp64(rax), host::rax);
  a_.mov(gp64(rdx), host::rdx);
  a_.mov(host::rax, gp64(n));
  if (is_signed) {
    a_.cqo();
    a_.idiv(gp64(divisor));
  } else {
    a_.xor_(host::edx, host::edx);
    a_.div(gp64(divisor));
  }
  use(i.b);
  if (other != 0) use(i.b);
  a_.mov(gp64(n), quotient ? host::rax : host::rdx);
  if (other != 0) {
    const unsigned t = temp();
    a_.mov(gp64(t), quotient ? host::rdx : host::rax);
    values_[other].temp = static_cast<i8>(t);
  }
  a_.mov(host::rax, gp64(rax));
  a_.mov(host::rdx, gp64(rdx));
  free_temp(rax);
  free_temp(rdx);
  return n;
}

// The value in a new temporary. Its operands are used up, its own uses are the caller's business.
unsigned Codegen::compute(Ref r) {
  const auto& i = inst(r);
  if (const auto known = constant(r)) {
    const unsigned t = temp();
    *known >> 32 ? a_.mov(gp64(t), *known) : a_.mov(gp32(t), static_cast<u32>(*known));
    return t;
  }
  switch (i.op) {
    case Op::kGetReg: {
      const unsigned t = temp(), from = kGuestReg[i.w == 8 ? i.aux & 3 : i.aux];
      if (i.w == 8 && i.aux > 3) {
        clobber_flags();
        a_.mov(gp32(t), gp32(from));
        a_.shr(gp32(t), 8);
        a_.movzx(gp32(t), gp(t, 8));
      } else if (i.w < 32) {
        a_.movzx(gp32(t), gp(from, i.w));
      } else {
        a_.mov(gp32(t), gp32(from));
      }
      return t;
    }
    case Op::kGetSelector: {
      const unsigned t = temp();
      a_.movzx(gp32(t), layout_.at(layout_.selector[i.aux], 2));
      return t;
    }
    case Op::kGetFlag: return get_flag(i);
    case Op::kAddCarry:
    case Op::kSubBorrow:
    case Op::kAdd:
    case Op::kSub:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
      if (const std::optional<Alu> alu = as_alu(r)) return compute_alu(r, *alu);
      fail();
      return kTempFirst;
    case Op::kShl:
    case Op::kShr:
    case Op::kSar: return compute_shift(r);
    case Op::kUdiv:
    case Op::kUrem:
    case Op::kSdiv:
    case Op::kSrem: return compute_division(r);
    case Op::kMul: {
      const Ref b = resolve(i.b);
      const auto known = constant(b);
      const unsigned rb = known && fits_i32(*known, 64) ? 0 : reg_of(b);
      const unsigned t = modifiable(i.a);
      clobber_flags();
      known&& fits_i32(*known, 64) ? a_.imul(gp64(t), gp64(t), static_cast<i32>(*known)) : a_.imul(gp64(t), gp64(rb));
      if (i.w < 32) a_.movzx(gp32(t), gp(t, i.w));
      if (i.w == 32) a_.mov(gp32(t), gp32(t));
      use(b);
      return t;
    }
    case Op::kNot: {
      const unsigned t = modifiable(i.a);
      a_.not_(gp(t, i.w));
      return t;
    }
    case Op::kTrunc: {
      const unsigned t = modifiable(i.a);
      i.w < 32 ? a_.movzx(gp32(t), gp(t, i.w)) : a_.mov(gp32(t), gp32(t));
      return t;
    }
    case Op::kSext: {
      if (i.aux == 64) return modifiable(i.a);  // nothing to extend
      const Ref a = resolve(i.a);
      const unsigned from = low_bits_of(a, i.aux);
      use(a);
      const unsigned t = temp();
      if (i.aux == 32) {
        a_.movsxd(gp64(t), gp32(from));
      } else if (i.w == 64) {
        a_.movsx(gp64(t), gp(from, i.aux));
      } else {
        a_.movsx(gp32(t), gp(from, i.aux));
        if (i.w == 16) a_.movzx(gp32(t), gp(t, 16));
      }
      return t;
    }
    case Op::kBswap: {
      const unsigned t = modifiable(i.a);
      a_.bswap(gp(t, i.w));
      return t;
    }
    case Op::kBitScanForward:
    case Op::kBitScanReverse: {
      const unsigned from = reg_of(i.a), t = temp();
      clobber_flags();
      a_.mov(gp32(t), 0);
      i.op == Op::kBitScanForward ? a_.bsf(gp64(t), gp64(from)) : a_.bsr(gp64(t), gp64(from));
      use(i.a);
      return t;
    }
    case Op::kEq:
    case Op::kNe:
    case Op::kUlt:
    case Op::kSlt: {
      const Cond cc = compare(r);
      const unsigned t = temp();
      a_.set(cc, gp(t, 8));
      a_.movzx(gp32(t), gp(t, 8));
      return t;
    }
    case Op::kCondition: {
      const Cond cc = guest_condition(i.aux);
      const unsigned t = temp();
      a_.set(cc, gp(t, 8));
      a_.movzx(gp32(t), gp(t, 8));
      return t;
    }
    case Op::kSelect: return compute_select(r);
    default: fail(); return kTempFirst;
  }
}

}  // namespace xlat::jit::x64
