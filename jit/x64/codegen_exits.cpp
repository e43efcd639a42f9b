// Ways out of a block: jumps to other blocks, to the shared routines, and to the slow path of an instruction.
#include "cpu/encoding.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// A jump (E9) or call (E8) to an address in the code cache.
void Codegen::transfer_out(u8 opcode, const u8* target) {
  a_.db(opcode);
  out_displacement(target);
}

// The displacement that ends such an instruction. It is filled in when it is known where the code will lie.
void Codegen::out_displacement(const u8* target) {
  absolutes_.push_back({a_.currentSection()->id(), static_cast<u32>(a_.offset()), target});
  a_.dd(0);
}

// The way from all of the translation to a stub that has to know which one it is.
void Codegen::emit_tail(const Label& label, const u8* stub) {
  a_.bind(label);
  a_.mov(host::r9, reinterpret_cast<u64>(translation_));
  jump_out(stub);
}

// The instruction starts again in the interpreter, so nothing may have changed yet.
void Codegen::need_slow_path() {
  if (committed_) return fail();
  if (!needs_cold_) slow_recipe_ = waiting_flags();
  needs_cold_ = true;
}

void Codegen::slow_jump(Cond cc) {
  need_slow_path();
  a_.long_().j(cc, slow_);
}

bool Codegen::in_another_page(u32 ip) const {
  const u32 begin = translation_->ip + context_->cs_base, linear = ip + context_->cs_base;
  if (block_->two_pages() && linear >> 12 == BlockCache::page_after(begin)) return false;  // compared at the entry
  return (begin ^ linear) >> 12 != 0;
}

// A jump that can be linked to the block at `ip`. In another page the TLB must still lead to the page it was linked in.
void Codegen::exit_to(u32 ip) {
  const bool guarded = in_another_page(ip);
  flush_flags();
  PendingExit exit{a_.newLabel(), ip};
  if (guarded) exit.guard = guard((ip + context_->cs_base) >> 12, exit.stub);
  jump_exit(exit);
}

// Goes on if the TLB's entry of the page is what will be filled in; where that is. The lengths are fixed: see
// Exit::kGuardToPage.
u32 Codegen::guard(u32 page, const Label& otherwise) {
  const u32 slot = load_later(host::r8);
  a_.dd(0x2484394d);  // cmp [r12 + disp32], r8
  a_.dd(page * 8);
  a_.long_().jne(otherwise);
  host_valid_ = false;
  return slot;
}

void Codegen::jump_exit(PendingExit exit) {
  a_.long_().jmp(exit.stub);
  exit.site = static_cast<u32>(a_.offset()) - 4;
  exits_.push_back(exit);
}

void Codegen::exit_if(Cond cc, u32 ip) {
  if (in_another_page(ip)) {
    const Label over = a_.newLabel();
    const bool host_valid = host_valid_;
    a_.j(host::negateCond(cc), over);
    exit_to(ip);
    a_.bind(over);
    host_valid_ = host_valid;
    return;
  }
  PendingExit exit{a_.newLabel(), ip};
  a_.long_().j(cc, exit.stub);
  exit.site = static_cast<u32>(a_.offset()) - 4;
  exits_.push_back(exit);
}

void Codegen::set_ip(const Inst& i) {
  const Ref target = resolve(i.a);
  if (flags_dirty_ && !host_valid_) remake_flags();
  if (!as_loop_ || !recipe_) flush_flags();
  ended_ = true;
  if (const auto ip = constant(target)) {
    if (leads_back(static_cast<u32>(*ip))) return jump_back(std::nullopt);
    const std::optional<Label> back = note_call();
    exit_to(static_cast<u32>(*ip));
    if (back) return_point(*back);
    return;
  }
  const Inst& select = inst(target);
  if (select.op == Op::kSelect && values_[target].temp < 0) {
    const auto taken = constant(select.b), next = constant(select.c);
    if (taken && next) {
      const Cond cc = condition_of(select.a);
      const u32 there = static_cast<u32>(*taken), here = static_cast<u32>(*next);
      if (leads_back(there) || leads_back(here)) {
        const bool back = leads_back(there);
        jump_back(back ? cc : host::negateCond(cc));
        return exit_to(back ? here : there);
      }
      flush_flags();
      // The one without a guard first: it is a jump by itself.
      const bool other_way = in_another_page(there) && !in_another_page(here);
      exit_if(other_way ? host::negateCond(cc) : cc, other_way ? here : there);
      return exit_to(other_way ? there : here);
    }
  }
  const unsigned reg = reg_of(target);
  flush_flags();
  if (reg != host::r8.id()) a_.mov(host::r8d, gp32(reg));
  if (block_->insns[insn_].sem == "ret"_sem) return go_back();
  const std::optional<Label> back = note_call();
  indirect_jump();
  if (back) return_point(*back);
}

void Codegen::check_target(const Inst& i) {
  const auto known = constant(i.a);
  if (context_->cs_limit == 0xffffffff) {
    use(resolve(i.a));
    return;
  }
  if (known) return *known > context_->cs_limit ? fail() : use(resolve(i.a));
  const unsigned reg = reg_of(resolve(i.a));
  clobber_flags();
  a_.cmp(gp32(reg), static_cast<i32>(context_->cs_limit));
  slow_jump(Cond::kUnsignedGT);
  use(resolve(i.a));
}

void Codegen::raise_if(const Inst& i) {
  if (!recipe_) flush_flags();
  const Cond cc = condition_of(i.a);
  slow_jump(cc);
}

// The register, one of r8 to r15, becomes a number of 64 bits; where it is to be filled in.
u32 Codegen::load_later(const Gp& reg) {
  a_.db(0x49);
  a_.db(static_cast<u8>(0xb8 | (reg.id() & 7)));  // mov reg, imm64
  const u32 slot = static_cast<u32>(a_.offset());
  a_.dq(0);
  return slot;
}

void Codegen::emit_stub(const PendingExit& exit) {
  HostCode::ExitPlace place{exit.ip, exit.site, exit.guard, 0, 0, exit.returns, exit.miss_site, 0};
  a_.bind(exit.stub);
  place.stub = static_cast<u32>(a_.offset());
  place.exit_slot = load_later(host::r8);
  jump_out(stubs_.leave_by_exit);
  if (exit.miss) {
    a_.bind(*exit.miss);
    place.miss_slot = load_later(host::r9);
    jump_out(stubs_.learn);
  }
  out_.exits.push_back(place);
}

}  // namespace xlat::jit::x64
