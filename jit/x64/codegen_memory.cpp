// Guest memory: the check of limits and of the flat TLB before each access, and the access itself.
#include "jit/x64/codegen.h"
#include "mmu/tlb.h"

namespace xlat::jit::x64 {

// The linear address of an access. A flat segment costs nothing; another one its limits and its base.
Codegen::Linear Codegen::linear(const Inst& i, bool write) {
  const Ref offset = resolve(i.a);
  const unsigned reg = reg_of(offset);
  if (context_->flat & (1u << i.aux)) return {reg, false};
  const unsigned t = temp();
  clobber_flags();
  const i32 high = (write ? layout_.seg_hi_write : layout_.seg_hi_read)[i.aux];
  a_.lea(gp64(t), host::ptr(gp64(reg), i.w / 8 - 1));
  a_.cmp(gp64(t), layout_.at(high, 8));
  slow_jump(Cond::kSignedGT);
  a_.cmp(gp32(reg), layout_.at(layout_.seg_lo[i.aux], 4));
  slow_jump(Cond::kUnsignedLT);
  a_.mov(gp32(t), gp32(reg));
  a_.add(gp32(t), layout_.at(layout_.seg_base[i.aux], 4));
  return {t, true};
}

// Looks the page up; the register given back holds what the linear address is to be added to.
unsigned Codegen::checked(const Linear& l, unsigned bytes, bool write) {
  const unsigned t = temp();
  clobber_flags();
  if (bytes > 1) {
    // No bit of bytes - 1: it ends in the page. So do ten bytes, as 9 leaves the offsets in 16 up to 6.
    const Label cross = a_.newLabel(), back = a_.newLabel();
    a_.test(gp(l.reg, 8), static_cast<i32>(bytes - 1));
    a_.long_().jnz(cross);
    a_.bind(back);
    misaligned_.push_back({cross, back, slow_, l.reg, t, bytes});
  }
  a_.mov(gp32(t), gp32(l.reg));
  a_.shr(gp32(t), 12);
  a_.mov(gp64(t), host::qword_ptr(kTlb, gp64(t), 3, write ? static_cast<i32>(Tlb::kTableBytes) : 0));
  a_.test(gp64(t), gp64(t));
  slow_jump(Cond::kZero);
  return t;
}

namespace {
void load_from(host::Assembler& a, unsigned w, unsigned reg, host::Mem at) {
  at.setSize(w / 8);
  if (w < 32) {
    a.movzx(gp32(reg), at);
  } else {
    a.mov(gp(reg, w), at);
  }
}
}  // namespace

// MOV and MOVZX: the load's only use is to write a 32-bit register right away.
bool Codegen::load_to_guest(Ref n) const {
  if (n + 1 >= ir_->starts[insn_ + 1]) return false;
  const Inst& next = inst(n + 1);
  return next.op == Op::kSetReg && next.w == 32 && resolve(next.a) == n && values_[n].uses == 1;
}

void Codegen::load(const Inst& i, Ref n) {
  const Ref offset = resolve(i.a);
  if (probed_ && *probed_ == offset) {
    const unsigned t = temp();
    load_from(a_, i.w, t, host::ptr(gp64(probed_reg_)));
    values_[n].temp = static_cast<i8>(t);
    use(offset);
  } else {
    const Linear l = linear(i, false);
    const unsigned t = checked(l, i.w / 8, false);
    if (load_to_guest(n)) {
      // Nobody else wants the value, and nothing that still needs the register's old one is left.
      const unsigned guest = inst(n + 1).aux;
      values_[n].uses = 0;
      const u32 held = temps_used_;
      use(offset);
      const u32 freed = held & ~temps_used_;
      temps_used_ = held;
      protect(guest);
      load_from(a_, i.w, kGuestReg[guest], host::ptr(gp64(t), gp64(l.reg)));
      temps_used_ &= ~freed;
      if (l.owned) free_temp(l.reg);
      free_temp(t);
      done_[n + 1] = true;
      committed_ = true;
      return;
    }
    load_from(a_, i.w, t, host::ptr(gp64(t), gp64(l.reg)));
    if (l.owned) free_temp(l.reg);
    use(offset);
    values_[n].temp = static_cast<i8>(t);
  }
  if (values_[n].uses == 0) {
    free_temp(static_cast<unsigned>(values_[n].temp));
    values_[n].temp = -1;
  }
}

void Codegen::store_value(const host::Mem& place, unsigned w, Ref value) {
  host::Mem at = place;
  at.setSize(w / 8);
  const auto known = constant(value);
  if (known && (w < 64 || static_cast<i64>(*known) == static_cast<i32>(*known))) {
    a_.mov(at, static_cast<i32>(*known));
  } else {
    a_.mov(at, gp(low_bits_of(value, w), w));
  }
  use(value);
}

void Codegen::store(const Inst& i) {
  const Ref offset = resolve(i.a), value = resolve(i.b);
  if (!constant(value)) low_bits_of(value, i.w);  // computed first: what it does to flags comes before the check
  if (probed_ && *probed_ == offset) {
    store_value(host::ptr(gp64(probed_reg_)), i.w, value);
    use(offset);
  } else {
    const Linear l = linear(i, true);
    const unsigned t = checked(l, i.w / 8, true);
    store_value(host::ptr(gp64(t), gp64(l.reg)), i.w, value);
    if (l.owned) free_temp(l.reg);
    free_temp(t);
    use(offset);
  }
  committed_ = true;
}

// Checks an operand that is going to be read and written; its host address stays in a register.
void Codegen::probe(const Inst& i) {
  if (probed_) return fail();
  const Ref offset = resolve(i.a);
  const Linear l = linear(i, true);
  const unsigned t = checked(l, i.w / 8, true);
  a_.add(gp64(t), gp64(l.reg));
  if (l.owned) free_temp(l.reg);
  probed_ = offset;
  probed_reg_ = t;
  use(offset);
}

}  // namespace xlat::jit::x64
