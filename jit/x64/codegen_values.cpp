// Values: constants, the guest's registers, temporaries, and computing one from others.
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

// Widths, and operations that change nothing because their operand is narrow already.
void Codegen::find_widths() {
  for (Ref r = 0; r < values_.size(); ++r) {
    const auto& i = inst(r);
    Value& v = values_[r];
    switch (i.op) {
      case Op::kConst: v.width = static_cast<u8>(i.imm == 0 ? 1 : 64 - std::countl_zero(i.imm)); break;
      case Op::kEq:
      case Op::kNe:
      case Op::kUlt:
      case Op::kSlt:
      case Op::kGetFlag:
      case Op::kCondition: v.width = 1; break;
      case Op::kSelect: v.width = std::max(values_[resolve(i.b)].width, values_[resolve(i.c)].width); break;
      case Op::kOr:
      case Op::kXor: v.width = std::max(values_[resolve(i.a)].width, values_[resolve(i.b)].width); break;
      case Op::kAnd: v.width = std::min(values_[resolve(i.a)].width, values_[resolve(i.b)].width); break;
      case Op::kBitScanForward:
      case Op::kBitScanReverse: v.width = 6; break;
      case Op::kTrunc: {
        const Ref a = resolve(i.a);
        v.width = std::min<u8>(i.w, values_[a].width);
        if (values_[a].width <= i.w) {
          // The uses of this value are uses of that one.
          v.same_as = a + 1;
          if (v.uses != 0) values_[a].uses += v.uses - 1;
        }
        break;
      }
      default: v.width = i.w == 0 ? 64 : i.w; break;
    }
  }
}

std::optional<u64> Codegen::constant(Ref ref) const {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  switch (i.op) {
    case Op::kConst: return i.imm;
    case Op::kNextIp: return (translation_->ip + i.imm) & 0xffffffff;
    case Op::kAdd:
    case Op::kSub:
    case Op::kTrunc: break;
    default: return std::nullopt;
  }
  const auto a = constant(i.a);
  if (!a) return std::nullopt;
  const auto b = i.op == Op::kTrunc ? std::optional<u64>(0) : constant(i.b);
  if (!b) return std::nullopt;
  return xlat::jit::compute(i.op, i.w, 0, *a, *b, 0);
}

// Whether the value is just what guest register `guest` holds now, at `w` bits (low byte only).
bool Codegen::is_register(Ref r, unsigned guest, unsigned w) const {
  const auto& i = inst(r);
  return i.op == Op::kGetReg && values_[r].temp < 0 && i.w == w && i.aux == guest && !(w == 8 && guest > 3);
}

unsigned Codegen::temp() {
  for (unsigned n = 0; n < kTemps; ++n) {
    if (temps_used_ & (1u << n)) continue;
    temps_used_ |= 1u << n;
    return kTempFirst + n;
  }
  fail();
  return kTempFirst;
}

void Codegen::free_temp(unsigned reg) { temps_used_ &= ~(1u << (reg - kTempFirst)); }

void Codegen::use(Ref ref) {
  Value& v = values_[resolve(ref)];
  if (v.uses == 0 || --v.uses != 0) return;
  if (v.temp >= 0) free_temp(static_cast<unsigned>(v.temp));
  v.temp = -1;
}

// A register with the value, not to be changed: a guest register or a temporary.
unsigned Codegen::reg_of(Ref ref) {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  if (values_[r].temp >= 0) return static_cast<unsigned>(values_[r].temp);
  if (i.op == Op::kGetReg && i.w == 32) return kGuestReg[i.aux];
  const unsigned t = compute(r);
  values_[r].temp = static_cast<i8>(t);
  return t;
}

// A register whose low `w` bits are the value; what is above does not matter.
unsigned Codegen::low_bits_of(Ref ref, unsigned w) {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  if (values_[r].temp < 0 && i.op == Op::kGetReg && i.w >= w && is_register(r, i.aux, i.w)) return kGuestReg[i.aux];
  return reg_of(r);
}

// A temporary of the caller's own with the value; one use is consumed.
unsigned Codegen::modifiable(Ref ref) {
  const Ref r = resolve(ref);
  Value& v = values_[r];
  if (v.temp >= 0 && v.uses == 1) {
    const unsigned t = static_cast<unsigned>(v.temp);
    v.temp = -1;
    v.uses = 0;
    return t;
  }
  if (v.temp < 0 && v.uses == 1 && !constant(r) && (inst(r).op != Op::kGetReg || inst(r).w < 32)) {
    v.uses = 0;
    return compute(r);
  }
  if (const auto known = constant(r)) {
    const unsigned t = temp();
    *known >> 32 ? a_.mov(gp64(t), *known) : a_.mov(gp32(t), static_cast<u32>(*known));
    use(r);
    return t;
  }
  const unsigned from = reg_of(r), t = temp();
  v.width > 32 ? a_.mov(gp64(t), gp64(from)) : a_.mov(gp32(t), gp32(from));
  use(r);
  return t;
}

std::optional<Codegen::Alu> Codegen::as_alu(Ref ref) const {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  switch (i.op) {
    case Op::kAdd:
    case Op::kSub: {
      // ADC and SBB: (a op b) op CF, the inner result used here only.
      const Ref x = resolve(i.a), cf = resolve(i.b);
      const auto& inner = inst(x);
      const auto& flag = inst(cf);
      if (flag.op == Op::kGetFlag && flag.imm == kCf && values_[cf].temp < 0 && values_[cf].uses == 1 &&
          inner.op == i.op && inner.w == i.w && values_[x].temp < 0 && values_[x].uses == 1) {
        return Alu{i.op, i.w, resolve(inner.a), resolve(inner.b), true};
      }
      return Alu{i.op, i.w, x, cf, false};
    }
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
  if (alu.carry) {
    // The inner operation and the flag went into this one.
    const auto& i = inst(r);
    values_[resolve(i.a)].uses = 0;
    values_[resolve(i.b)].uses = 0;
  }
  after_alu(r, 0);
  if (f && kind != FlagKind::kInc && kind != FlagKind::kDec) {
    set_recipe(alu, dest, b, immediate ? known : std::nullopt);
  }
  use(alu.b);
}

unsigned Codegen::compute_alu(Ref r, const Alu& alu) {
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

// base + index * scale + displacement of a sum that one LEA can make; nothing is emitted.
bool Codegen::address(Ref ref, host::Mem& mem) const {
  unsigned regs[2] = {}, shifts[2] = {}, count = 0;
  u32 disp = 0;
  bool ok = true;
  const auto add = [&](auto&& self, Ref x) -> void {
    const Ref r = resolve(x);
    const auto& i = inst(r);
    if (const auto known = constant(r)) {
      disp += static_cast<u32>(*known);
      return;
    }
    unsigned reg = 0, shift = 0;
    if (values_[r].temp >= 0) {
      reg = static_cast<unsigned>(values_[r].temp);
    } else if (i.op == Op::kGetReg && i.w == 32) {
      reg = kGuestReg[i.aux];
    } else if (i.op == Op::kAdd && i.w == 32 && (r == resolve(ref) || values_[r].uses == 1)) {
      self(self, i.a);
      self(self, i.b);
      return;
    } else if (i.op == Op::kShl && i.w == 32 && constant(i.b) && *constant(i.b) <= 3 && values_[r].uses == 1) {
      const Ref x2 = resolve(i.a);
      if (values_[x2].temp >= 0) {
        reg = static_cast<unsigned>(values_[x2].temp);
      } else if (inst(x2).op == Op::kGetReg && inst(x2).w == 32) {
        reg = kGuestReg[inst(x2).aux];
      } else {
        ok = false;
        return;
      }
      shift = static_cast<unsigned>(*constant(i.b));
    } else {
      ok = false;
      return;
    }
    if (count == 2) {
      ok = false;
      return;
    }
    regs[count] = reg;
    shifts[count++] = shift;
  };
  add(add, ref);
  if (!ok || count == 0) return false;
  const i32 d = static_cast<i32>(disp);
  if (count == 1) {
    if (shifts[0] != 0) return false;
    mem = host::ptr(gp64(regs[0]), d);
    return true;
  }
  if (shifts[0] != 0 && shifts[1] != 0) return false;
  const unsigned base = shifts[0] == 0 ? 0 : 1;
  mem = host::ptr(gp64(regs[base]), gp64(regs[1 - base]), shifts[1 - base], d);
  return true;
}

// Consumes a value that went into an address, with what it was made of.
void Codegen::use_tree(Ref ref) {
  const Ref r = resolve(ref);
  const auto& i = inst(r);
  if (values_[r].temp < 0 && values_[r].uses == 1 && (i.op == Op::kAdd || i.op == Op::kShl) && !constant(r)) {
    values_[r].uses = 0;
    use_tree(i.a);
    use_tree(i.b);
    return;
  }
  use(r);
}

void Codegen::emit_shift(Op op, const Gp& dest, u64 count) {
  a_.emit(op == Op::kShl ? id::kIdShl : op == Op::kShr ? id::kIdShr : id::kIdSar, dest, asmjit::Imm(count));
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
    before_alu(r, false);
    const unsigned by = static_cast<unsigned>(std::min<u64>(count, i.w - 1u));
    const bool flags_too = flags_of_[r] != 0 && by != 0;
    const FlagRecipe recipe = flags_too ? shift_recipe(i.op, i.w, t, by) : FlagRecipe{};
    if (by != 0) emit_shift(i.op, gp(t, i.w), by);
    after_alu(r, by);
    if (flags_too) recipe_ = recipe;
    return t;
  }
  // In 64 bits, so that a count of the width or more gives what it should; the count is known to be below 64.
  const auto& c = inst(n);
  const auto limit = c.op == Op::kAnd || c.op == Op::kSub ? constant(c.op == Op::kAnd ? c.b : c.a) : std::nullopt;
  if (!limit || *limit > 63 || i.w == 64 || !bmi2_) {
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
    i.w == 32 ? a_.movsxd(gp64(t), gp32(t)) : a_.movsx(gp64(t), gp(t, i.w));
    a_.sarx(gp64(t), gp64(t), gp64(count));
  }
  if (i.op != Op::kShr) i.w == 32 ? a_.mov(gp32(t), gp32(t)) : a_.movzx(gp32(t), gp(t, i.w));
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
    case Op::kAdd:
    case Op::kSub:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor: return compute_alu(r, *as_alu(r));
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
