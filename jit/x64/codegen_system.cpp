// CMPXCHG8B, and system instructions that translated code can do itself, or by a function that takes a few nanoseconds:
// flags, segment loads, system calls, the TSC, INVLPG. What is unusual (faults, interrupts that wait, traps) is the
// interpreter's.
#include <cstddef>

#include "cpu/encoding.h"
#include "cpu/helpers.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// Whether a helper's work is emitted here.
bool Codegen::does(const Inst& call, unsigned n) const {
  const CodeMode mode = context_->mode;
  switch (static_cast<Helper>(call.imm)) {
    case Helper::eflags:
    case Helper::rdtsc: return true;
    case Helper::load_segment: return block_->insns[n].op[0].reg != kSs;
    case Helper::check_flags_access:
    case Helper::pushed_eflags:
    case Helper::popf:
    case Helper::cli:
    case Helper::sti:
    case Helper::invlpg: return !mode.vm86;
    case Helper::need_protected_mode:
    case Helper::verify: return mode.pe && !mode.vm86;
    case Helper::sysenter:
    case Helper::sysexit: {
      // The segments that they load are these already, so that the context stays.
      const bool flat_code = mode.cs32 && mode.ss32 && context_->cs_base == 0 && context_->cs_limit == 0xffffffff;
      return mode.pe && !mode.vm86 && flat_code && (context_->flat & 1u << kSs) != 0 &&
             (context_->flat & 1u << kCs) == 0;
    }
    default: return false;
  }
}

// Whether vector registers do not survive instruction `n`.
bool Codegen::calls_cpp(unsigned n) const {
  for (Ref r = ir_->starts[n]; r < ir_->starts[n + 1]; ++r) {
    if (inst(r).op != Op::kCall) continue;
    const auto h = static_cast<Helper>(inst(r).imm);
    if (h == Helper::load_segment || h == Helper::verify || h == Helper::rdtsc) return true;
  }
  return false;
}

void Codegen::call(const Inst& i, Ref r) {
  const Insn& insn = block_->insns[insn_];
  const auto result_in = [this, r](unsigned t) {
    values_[r].uses == 0 ? free_temp(t) : void(values_[r].temp = static_cast<i8>(t));
  };
  switch (static_cast<Helper>(i.imm)) {
    case Helper::pushed_eflags:
    case Helper::eflags: result_in(push_flags()); break;
    case Helper::popf: pop_flags(i, insn.osize); break;
    case Helper::cli: clear_if(); break;
    case Helper::sti: set_if(); break;
    case Helper::load_segment:
      flush_note();  // FDS is the selector there was when the note was made
      call_helper(HelperRoutine::kLoadSegment, i.a, insn.op[0].reg);
      break;
    case Helper::verify: {
      store_flags();
      const auto writing = constant(i.b);
      if (!writing) return fail();
      call_helper(HelperRoutine::kVerify, i.a, static_cast<u32>(*writing));
      break;
    }
    case Helper::rdtsc: {
      call_helper(HelperRoutine::kRdtsc, i.a, static_cast<u32>(block_->insns.size() - insn_));
      const unsigned t = temp();
      a_.mov(gp64(t), host::qword_ptr(host::rsp));
      a_.mov(gp64(t), host::qword_ptr(gp64(t), offsetof(Frame, value)));
      result_in(t);
      break;
    }
    case Helper::invlpg:
      store_flags();
      flush_note();
      call_helper(HelperRoutine::kInvlpg, i.a, insn.seg);
      // The page may be that of what follows.
      a_.mov(host::r8d, static_cast<u32>(translation_->ip + block_->bytes));
      a_.mov(host::r11d, translation_->context);
      jump_out(stubs_.indirect);
      ended_ = true;
      break;
    case Helper::sysenter: change_level(HelperRoutine::kSysenter); break;
    case Helper::sysexit: change_level(HelperRoutine::kSysexit); break;
    default: break;  // checks that the context answers
  }
  use(i.a);
  use(i.b);
}

// EFLAGS without VM and RF, which are clear in translated code outside virtual-8086 mode.
unsigned Codegen::push_flags() {
  store_flags();
  const unsigned t = temp(), u = temp();
  a_.movzx(gp32(t), layout_.at(layout_.packed_flags, 1));
  a_.movzx(gp32(u), layout_.at(layout_.packed_flags + 1, 1));
  a_.shl(gp32(t), 11);
  a_.and_(gp32(u), static_cast<i32>(kCf | kPf | kAf | kZf | kSf));
  a_.or_(gp32(t), gp32(u));
  a_.mov(gp32(u), layout_.at(layout_.system_flags, 4));
  a_.and_(gp32(u), static_cast<i32>(~(u32{kArithFlags} | kVm | kRf)));
  a_.or_(gp32(t), gp32(u));
  free_temp(u);
  return t;
}

// At CPL 0 every flag may change. Real mode has no levels.
void Codegen::need_cpl0() {
  if (!context_->mode.pe) return;
  a_.cmp(layout_.at(layout_.cpl, 1), 0);
  slow_jump(Cond::kNotZero);
}

void Codegen::pop_flags(const Inst& i, unsigned bytes) {
  const unsigned value = reg_of(i.a), t = temp();
  clobber_flags();
  const u32 unusual = kTf | kIopl | kNt | (bytes == 4 ? kAc | kVif | kVip : 0);
  const u32 plain = kIf | kDf | (bytes == 4 ? kId : 0);
  const Label same_if = a_.newLabel();
  a_.mov(gp32(t), layout_.at(layout_.system_flags, 4));
  a_.xor_(gp32(t), gp32(value));
  a_.test(gp32(t), static_cast<i32>(unusual));
  slow_jump(Cond::kNotZero);
  a_.test(gp32(t), static_cast<i32>(kIf));
  a_.short_().jz(same_if);
  need_cpl0();
  a_.cmp(layout_.at(layout_.pending, 4), 0);
  slow_jump(Cond::kNotZero);
  a_.bind(same_if);
  a_.and_(gp32(t), static_cast<i32>(plain));
  a_.xor_(layout_.at(layout_.system_flags, 4), gp32(t));
  const unsigned u = temp();
  a_.mov(gp32(t), gp32(value));
  a_.mov(gp32(u), gp32(value));
  a_.shr(gp32(t), 11);
  a_.and_(gp32(u), static_cast<i32>(kCf | kPf | kAf | kZf | kSf));
  a_.and_(gp32(t), 1);
  a_.shl(gp32(u), 8);
  a_.or_(gp32(t), gp32(u));
  a_.mov(layout_.at(layout_.packed_flags, 2), gp(t, 16));
  free_temp(u);
  free_temp(t);
  flags_dirty_ = host_valid_ = false;
  recipe_ = {};
  committed_ = true;
}

void Codegen::clear_if() {
  clobber_flags();
  need_cpl0();
  a_.and_(layout_.at(layout_.system_flags, 4), static_cast<i32>(~u32{kIf}));
  committed_ = true;
}

// Interrupts stay out for one instruction more. If none waits now, and that instruction is in this block, which has
// been paid for as a whole, nobody can tell.
void Codegen::set_if() {
  clobber_flags();
  need_cpl0();
  const Label done = a_.newLabel();
  a_.test(layout_.at(layout_.system_flags, 4), static_cast<i32>(kIf));
  if (insn_ + 1 == block_->insns.size()) return slow_jump(Cond::kZero);
  a_.short_().jnz(done);
  a_.cmp(layout_.at(layout_.pending, 4), 0);
  slow_jump(Cond::kNotZero);
  a_.or_(layout_.at(layout_.system_flags, 4), static_cast<i32>(kIf));
  a_.bind(done);
  committed_ = true;
}

void Codegen::call_helper(HelperRoutine routine, Ref arg, u32 info) {
  const auto known = constant(arg);
  unsigned reg = 0;
  if (!known) reg = reg_of(arg);
  clobber_flags();
  const host::Mem at = host::dword_ptr(host::rsp, kHelperArg);
  known ? a_.mov(at, static_cast<i32>(*known)) : a_.mov(at, gp32(reg));
  a_.mov(host::dword_ptr(host::rsp, kHelperInfo), info);
  transfer_out(0xe8, stubs_.helpers[static_cast<unsigned>(routine)]);
  slow_jump(Cond::kNotZero);
  committed_ = true;
}

// SYSENTER, SYSEXIT: the block ends, and the TLB's tables are those of another level.
void Codegen::change_level(HelperRoutine routine) {
  store_flags();
  flush_note();
  const auto gpr = [&](Gpr n) { return layout_.at(layout_.gpr + 8 * static_cast<i32>(n), 8); };
  if (routine == HelperRoutine::kSysexit) {
    a_.mov(gpr(kEcx), gp64(kGuestReg[kEcx]));
    a_.mov(gpr(kEdx), gp64(kGuestReg[kEdx]));
  }
  transfer_out(0xe8, stubs_.helpers[static_cast<unsigned>(routine)]);
  slow_jump(Cond::kNotZero);
  a_.mov(gp64(kGuestReg[kEsp]), gpr(kEsp));
  a_.mov(host::r8, host::qword_ptr(host::rsp));
  a_.mov(kTlb, host::qword_ptr(host::r8, offsetof(Frame, read_table)));
  a_.mov(host::r8d, layout_.at(layout_.ip, 4));
  a_.mov(host::r11d, translation_->context);
  jump_out(stubs_.indirect);
  committed_ = ended_ = true;
}

bool Codegen::is_cmpxchg8b(unsigned n) const { return block_->insns[n].sem == "cmpxchg8b"_sem; }

// The host's own, on the guest's registers. It changes ZF alone.
void Codegen::cmpxchg8b(unsigned n) {
  Ref probe = ir_->starts[n];
  while (inst(probe).op != Op::kProbe) ++probe;
  const Place at = place(inst(probe), probe, true);
  store_flags();
  host::Mem mem = at.at;
  mem.setSize(8);
  const unsigned t = temp();
  a_.cmpxchg8b(mem);
  a_.setz(gp(t, 8));
  a_.shl(gp(t, 8), static_cast<i32>(std::countr_zero(u32{kZf})));
  const host::Mem ah = layout_.at(layout_.packed_flags + 1, 1);
  a_.and_(ah, static_cast<i32>(static_cast<i8>(~u32{kZf})));
  a_.or_(ah, gp(t, 8));
  committed_ = true;
}

}  // namespace xlat::jit::x64
