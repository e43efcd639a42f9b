// Jumps whose target is known only when they are made: returns by the table that calls fill, jumps and calls by the
// target of last time. Whatever these do not know goes by the jump table.
#include "cpu/encoding.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// If the instruction is a CALL, its RET shall find the code at this label. ESP is what it will be before the RET.
std::optional<Codegen::Label> Codegen::note_call() {
  if (block_->insns[insn_].sem != "call_near"_sem) return std::nullopt;
  const Label back = a_.newLabel();
  flush_flags();
  host_valid_ = false;
  a_.mov(host::r9d, gp32(kGuestReg[kEsp]));
  a_.and_(host::r9d, kReturnMask);
  a_.mov(host::r10, host::qword_ptr(host::rsp));
  a_.lea(host::r11, host::ptr(back));
  a_.mov(host::qword_ptr(host::r10, host::r9, 1, kReturns), host::r11);
  return back;
}

// r8d = EIP, r11d = context, as for Stubs::indirect. The page may have been mapped anew since the call.
void Codegen::return_point(const Label& label) {
  const Insn& i = block_->insns[insn_];
  u32 ip = translation_->ip + i.off + i.len;
  if (i.osize == 2) ip &= 0xffff;
  const auto jump_out_unless_equal = [this] {
    a_.db(0x0f);
    a_.db(0x85);
    out_displacement(indirect_of(stubs_, *translation_));
  };
  a_.bind(label);
  a_.cmp(host::r8d, static_cast<i32>(ip));
  jump_out_unless_equal();
  a_.cmp(host::r11d, translation_->context);
  jump_out_unless_equal();
  PendingExit exit{a_.newLabel(), ip};
  exit.returns = true;
  exit.guard = guard((ip + context_->cs_base) >> 12, exit.stub);
  jump_exit(exit);
}

// RET to r8d.
void Codegen::go_back() {
  const Insn& i = block_->insns[insn_];
  a_.lea(host::r9d, host::ptr(gp64(kGuestReg[kEsp]), -static_cast<i32>(i.osize + i.imm)));
  a_.and_(host::r9d, kReturnMask);
  a_.mov(host::r10, host::qword_ptr(host::rsp));
  a_.mov(host::r11d, translation_->context);
  a_.jmp(host::qword_ptr(host::r10, host::r9, 1, kReturns));
}

// To r8d. Until it has been somewhere it is a jump to nowhere that is never taken: EIP and page are filled in.
void Codegen::indirect_jump() {
  PendingExit exit{a_.newLabel(), Exit::kNowhere};
  exit.miss = a_.newLabel();
  a_.mov(host::r11d, translation_->context);
  a_.db(0x41);
  a_.db(0x81);
  a_.db(0xf8);  // cmp r8d, imm32
  const u32 ip = static_cast<u32>(a_.offset());
  a_.dd(Exit::kNowhere);
  a_.long_().jne(*exit.miss);
  exit.miss_site = static_cast<u32>(a_.offset()) - 4;
  exit.guard = guard(Exit::kNowhere >> 12, exit.stub);
  if (ip + Exit::kIpToGuard != exit.guard) return fail();  // no room left
  jump_exit(exit);
}

}  // namespace xlat::jit::x64
