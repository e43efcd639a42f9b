// Values: constants, the guest's registers, temporaries, addresses.
#include "base/bits.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// Widths, and operations that change nothing because their operand is narrow already.
void Codegen::find_widths() {
  for (Ref r = 0; r < values_.size(); ++r) {
    const auto& i = inst(r);
    Value& v = values_[r];
    v.width = static_cast<u8>(result_bits(i, [this](Ref of) { return values_[resolve(of)].width; }));
    if (i.op != Op::kTrunc) continue;
    const Ref a = resolve(i.a);
    if (values_[a].width > i.w) continue;
    // The uses of this value are uses of that one.
    v.same_as = a + 1;
    if (v.uses != 0) values_[a].uses += v.uses - 1;
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

}  // namespace xlat::jit::x64
