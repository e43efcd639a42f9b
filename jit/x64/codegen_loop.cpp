// A block that jumps to itself, made a loop of its own: the block as always, and behind it the block again for all
// further rounds. There flags of the round before may still wait, and each access has a slot for the page it found
// last, which is as good as the TLB until C++ runs: only that changes the TLB. The address an access needs then does
// not wait for the TLB's entry.
#include "jit/x64/codegen.h"
#include "jit/x64/look_up.h"

namespace xlat::jit::x64 {

namespace {
host::Mem slot_page(u32 slot) { return host::qword_ptr(host::rsp, kSlots + kSlotBytes * static_cast<i32>(slot)); }
host::Mem slot_addend(u32 slot) { return host::qword_ptr(host::rsp, kSlots + kSlotBytes * static_cast<i32>(slot) + 8); }
constexpr i32 kNoPage = -1;  // sign-extended, it is no linear address
}  // namespace

bool Codegen::jumps_to_itself(const Block& block) {
  const Insn& last = block.insns.back();
  return last.op[0].kind == Operand::kRel && static_cast<u32>(block.bytes + last.imm) == 0;
}

// Whatever calls C++ or holds other state over a round is not for loops.
bool Codegen::may_loop() const {
  if (!jumps_to_itself(*block_) || block_->two_pages() || last_fpu_ >= 0 || translation_->broken) return false;
  for (std::size_t n = 0; n < left_out_.size(); ++n) {
    if (left_out_[n] || ends_groups_[n]) return false;
  }
  return true;
}

// To the second pass. Dirty flags have a recipe here.
void Codegen::jump_back(std::optional<Cond> cc) {
  const FlagRecipe waiting = waiting_flags();
  if (!loop_flags_) {
    loop_flags_ = waiting;
    loop_ = a_.newLabel();
    first_round_ = a_.newLabel();
  }
  if (waiting != *loop_flags_) return fail();
  const Label& to = again_ ? loop_ : first_round_;
  cc ? a_.long_().j(*cc, to) : a_.long_().jmp(to);
}

// What begin() is for the first pass.
void Codegen::begin_again() {
  again_ = true;
  used_up_again_ = a_.newLabel();
  a_.bind(loop_);
  recipe_ = *loop_flags_;
  flags_dirty_ = static_cast<bool>(recipe_);
  host_valid_ = false;
  a_.sub(kBudget, static_cast<i32>(block_->insns.size()));
  a_.long_().jl(used_up_again_);
}

// As checked(), for `bytes` bytes from the linear address of `first`, which must lie in the page of a slot of its own.
unsigned Codegen::checked_by_slot(const host::Mem& first, unsigned bytes, bool write) {
  const unsigned t = temp();
  clobber_flags();
  need_slow_path();
  const Refill refill{a_.newLabel(), a_.newLabel(), slow_, first, t, bytes, slots_++, write};
  a_.lea(gp32(t), first);
  a_.xor_(gp64(t), slot_page(refill.slot));
  a_.cmp(gp64(t), static_cast<i32>(4096 - bytes));
  a_.long_().ja(refill.label);
  a_.mov(gp64(t), slot_addend(refill.slot));
  a_.bind(refill.back);
  refills_.push_back(refill);
  return t;
}

// A slow path taken from here leaves the slot half filled, and forgets it.
void Codegen::emit_refill(const Refill& r) {
  const Gp t = gp64(r.temp);
  a_.bind(r.label);
  if (r.bytes > 1) {
    a_.lea(t.r32(), r.first);
    a_.and_(t.r32(), 0xfff);
    a_.cmp(t.r32(), static_cast<i32>(4096 - r.bytes));
    a_.long_().ja(r.slow);
  }
  a_.lea(t.r32(), r.first);
  a_.and_(t.r32(), ~0xfff);
  a_.mov(slot_page(r.slot), t);
  look_up(a_, t, r.write);
  a_.long_().jz(r.slow);
  a_.mov(slot_addend(r.slot), t);
  a_.long_().jmp(r.back);
}

void Codegen::forget_slots() {
  for (u32 n = 0; n < slots_; ++n) a_.mov(slot_page(n), kNoPage);
}

// The way from the first pass to the second, and out of that.
void Codegen::emit_loop_entry() {
  a_.bind(first_round_);
  forget_slots();
  a_.long_().jmp(loop_);
  a_.bind(used_up_again_);
  if (*loop_flags_) a_.call(storer_of(*loop_flags_));
}

}  // namespace xlat::jit::x64
