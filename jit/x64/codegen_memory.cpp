// Guest memory: the check of limits and of the flat TLB before each access, and the access itself.
#include "jit/x64/codegen.h"
#include "jit/x64/look_up.h"

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
  if (slot_left()) return checked_by_slot(host::ptr(gp64(l.reg)), bytes, write);
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
  look_up(a_, gp64(t), write);
  slow_jump(Cond::kZero);
  return t;
}

Codegen::Place Codegen::place(const Inst& i, Ref n, bool write) {
  if (groups_.group_of[n] != 0) return place_in_group(i, n);
  const Linear l = linear(i, write);
  const unsigned t = checked(l, i.w / 8, write);
  return {host::ptr(gp64(t), gp64(l.reg)), t, l};
}

// The first access of a group looks up the page and sees to it that all of the group lies there; the others use what it
// found. Where they do not, the rest of the block is the interpreter's.
Codegen::Place Codegen::place_in_group(const Inst& i, Ref n) {
  const unsigned number = groups_.group_of[n] - 1u;
  const AddressGroups::Group& group = groups_.groups[number];
  const Ref offset = resolve(i.a);
  const host::Xmm page = host::xmm(number);
  const i32 at = groups_.offset_of[n];
  if (!group_checked_[number]) {
    group_checked_[number] = true;
    const unsigned reg = reg_of(offset);
    const host::Mem first = host::ptr(gp64(reg), group.low - at);
    if (slot_left()) {
      const unsigned t = checked_by_slot(first, static_cast<unsigned>(group.high - group.low), group.write);
      a_.movq(page, gp64(t));
      return {host::ptr(gp64(t), gp64(reg)), t, {reg, false}};
    }
    const unsigned t = temp();
    clobber_flags();
    a_.lea(gp32(t), first);
    a_.and_(gp32(t), 0xfff);
    a_.cmp(gp32(t), 4096 - (group.high - group.low));
    slow_jump(Cond::kUnsignedGT);
    a_.lea(gp32(t), first);
    look_up(a_, gp64(t), group.write);
    slow_jump(Cond::kZero);
    a_.movq(page, gp64(t));
    return {host::ptr(gp64(t), gp64(reg)), t, {reg, false}};
  }
  const unsigned t = temp();
  a_.movq(gp64(t), page);
  host::Mem mem;
  if (values_[offset].temp < 0 && address(offset, mem) && !mem.hasIndexReg()) {
    const i32 base = at - static_cast<i32>(mem.offset());
    // Sums of 64 bits do not wrap at 4 GiB: the register itself must point into the page.
    if (base >= group.low && base < group.high && !is_temp(mem.baseId())) {
      values_[offset].uses == 1 ? use_tree(offset) : use(offset);
      const Gp reg = gp64(mem.baseId());
      return {host::ptr(reg, gp64(t), 0, static_cast<i32>(mem.offset())), t, {0, false}, true};
    }
  }
  const unsigned reg = reg_of(offset);
  return {host::ptr(gp64(t), gp64(reg)), t, {reg, false}};
}

void Codegen::done_with(const Place& place, Ref offset) {
  if (place.linear.owned) free_temp(place.linear.reg);
  if (!place.used) use(offset);
}

// Whether an instruction behind `n` uses a group that was checked by then.
bool Codegen::group_goes_on(unsigned n) const {
  for (std::size_t g = 0; g < groups_.groups.size(); ++g) {
    if (group_checked_[g] && groups_.groups[g].last_insn > n) return true;
  }
  return false;
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
    const Place from = place(i, n, false);
    if (load_to_guest(n)) {
      // Nobody else wants the value, and nothing that still needs the register's old one is left.
      const unsigned guest = inst(n + 1).aux;
      values_[n].uses = 0;
      const u32 held = temps_used_;
      done_with(from, offset);
      const u32 freed = held & ~temps_used_;
      temps_used_ = held;
      protect(guest);
      load_from(a_, i.w, kGuestReg[guest], from.at);
      temps_used_ &= ~freed;
      free_temp(from.temp);
      done_[n + 1] = true;
      committed_ = true;
      return;
    }
    load_from(a_, i.w, from.temp, from.at);
    done_with(from, offset);
    values_[n].temp = static_cast<i8>(from.temp);
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
    if (values_[offset].uses == 0) {
      free_temp(probed_reg_);
      probed_.reset();
    }
  } else {
    const Place to = place(i, now_, true);
    store_value(to.at, i.w, value);
    done_with(to, offset);
    free_temp(to.temp);
  }
  committed_ = true;
}

// Checks an operand that is going to be read and written; its host address stays in a register.
void Codegen::probe(const Inst& i) {
  if (probed_) return fail();
  const Ref offset = resolve(i.a);
  const Place at = place(i, now_, true);
  a_.lea(gp64(at.temp), at.at);
  probed_ = offset;
  probed_reg_ = at.temp;
  done_with(at, offset);
  // If only accesses to the operand are left, they need its host address alone.
  u32 accesses = 0;
  for (Ref r = now_ + 1; r < ir_->starts[insn_ + 1]; ++r) {
    const Op op = inst(r).op;
    accesses += (op == Op::kLoad || op == Op::kStore) && resolve(inst(r).a) == offset;
  }
  Value& v = values_[offset];
  if (v.temp >= 0 && v.uses == accesses) {
    free_temp(static_cast<unsigned>(v.temp));
    v.temp = -1;
  }
}

}  // namespace xlat::jit::x64
