// x87 and MMX: the host executes the guest's instruction, on the guest's registers. See docs/adr/0006.
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// Which instructions the host will execute.
void Codegen::find_fpu_forms() {
  const std::size_t insns = block_->insns.size();
  fpu_forms_.assign(insns, {});
  last_fpu_ = -1;
  for (std::size_t n = 0; n < insns; ++n) {
    // Two operands are all there are so far.
    if (block_->insns[n].op[2].kind == Operand::kNone) fpu_forms_[n] = fpu_form(block_->insns[n].sem);
    if (fpu_forms_[n]) last_fpu_ = static_cast<int>(n);
  }
}

// The host's x87 unit must hold the guest's state from here on. Known once in a block, until the interpreter runs.
void Codegen::require_fpu(unsigned n) {
  if (fpu_held_) return;
  clobber_flags();
  const Label load = a_.newLabel(), back = a_.newLabel();
  a_.cmp(host::byte_ptr(host::rsp, kFpuSlot), 0);
  a_.long_().je(load);
  a_.bind(back);
  fpu_loads_.push_back({load, back, n, waiting_flags()});
  fpu_held_ = true;
}

// What FSTENV shows of the last instruction. Its operand's offset was stored when it ran; the rest is known here.
void Codegen::store_note(const FpuNote& note) {
  if (note.insn < 0) return;
  const Insn& i = block_->insns[static_cast<unsigned>(note.insn)];
  a_.mov(layout_.at(layout_.fpu_ip, 4), static_cast<i32>(translation_->ip + i.off));
  a_.mov(layout_.at(layout_.fpu_opcode, 2), (i.opcode & 7) << 8 | i.modrm);
  if (note.seg < 0) {
    a_.mov(host::byte_ptr(host::rsp, kFpuSlot + 1), 1);
  } else {
    a_.mov(host::dword_ptr(host::rsp, kFpuSlot), FpuSlot{1, 1, static_cast<u8>(note.seg + 1)}.word());
  }
}

void Codegen::flush_note() {
  store_note(fpu_note_);
  fpu_note_ = {};
}

// Loads the guest's state for instruction `n`, or leaves before it.
void Codegen::load_fpu(unsigned n) {
  a_.mov(host::r8d, n);
  a_.call(load_fpu_);
}

// The offset of the memory operand: of the access, or what the helper gets that makes it.
Ref Codegen::fpu_operand(unsigned n) const {
  Ref call = 0;
  for (Ref r = ir_->starts[n]; r < ir_->starts[n + 1]; ++r) {
    if (inst(r).op == Op::kLoad || inst(r).op == Op::kStore) return resolve(inst(r).a);
    if (inst(r).op == Op::kCall) call = r;
  }
  return resolve(inst(call).a);
}

void Codegen::fpu(unsigned n) {
  const Insn& i = block_->insns[n];
  const FpuForm form = fpu_forms_[n];
  require_fpu(n);
  if (i.has_mem) {
    fpu_memory(i, form, fpu_operand(n));
  } else {
    if (form.kind == FpuForm::kMove && !host_valid_) flags_dirty_ ? remake_flags() : load_host_flags();
    for (Ref r = ir_->starts[n]; r < ir_->starts[n + 1]; ++r) {
      if (inst(r).op == Op::kSetReg) changing(kGuestReg[inst(r).aux]);  // MOVD, FNSTSW
    }
    if (form.kind == FpuForm::kCompare) {
      // C1 becomes zero (SDM vol. 2, FCOMI), but AMD's processors leave it as it was.
      a_.fdecstp();
      a_.fincstp();
    }
    if (form.kind == FpuForm::kMmx) {
      fpu_mmx_registers(i);
    } else if (form.kind != FpuForm::kWait) {
      a_.db(i.opcode);
      a_.db(i.modrm);
    }
    if (form.kind == FpuForm::kCompare) {
      flags_dirty_ = host_valid_ = fresh_flags_ = true;
      recipe_ = {};
      host_kind_ = FlagKind::kPacked;
    }
  }
  if (form.notes()) {
    fpu_note_.insn = static_cast<int>(n);
    if (i.has_mem) fpu_note_.seg = static_cast<i8>(i.seg);
  }
  // Behind the last one slow paths come back without the state in the host's unit.
  if (static_cast<int>(n) == last_fpu_) flush_note();
  committed_ = true;
}

// The guest's opcode on [base + index]; nothing of the instruction has happened before this one.
void Codegen::fpu_memory(const Insn& i, const FpuForm& form, Ref offset) {
  const unsigned bytes = form.bytes ? form.bytes : i.width;
  const unsigned limit_bytes = form.kind == FpuForm::kMmx ? i.width : bytes;
  const unsigned at = reg_of(offset);
  const Linear l = linear({Op::kLoad, static_cast<u8>(8 * limit_bytes), i.seg, offset}, form.stores);
  const unsigned t = checked(l, bytes, form.stores);
  if (form.kind == FpuForm::kLoadControl) {
    // One that unmasks an exception is for the interpreter, and so is what follows it.
    const unsigned mask = temp();
    clobber_flags();
    a_.movzx(gp32(mask), host::word_ptr(gp64(t), gp64(l.reg)));
    a_.not_(gp32(mask));
    a_.test(gp(mask, 8), 0x3f);
    slow_jump(Cond::kNotZero);
    free_temp(mask);
  }
  if (form.notes()) a_.mov(layout_.at(layout_.fpu_dp, 4), gp32(at));
  a_.db(static_cast<u8>(0x40 | (l.reg >> 3) << 1 | t >> 3));
  if (form.kind == FpuForm::kMmx) a_.db(0x0f);
  a_.db(i.opcode);
  a_.db(static_cast<u8>((i.modrm & 0x38) | 4));
  a_.db(static_cast<u8>((l.reg & 7) << 3 | (t & 7)));
}

// MMX without a memory operand: as it is, but for where MOVD finds the guest's general registers.
void Codegen::fpu_mmx_registers(const Insn& i) {
  unsigned rm = i.modrm & 7;
  if (i.op[0].kind == Operand::kReg || i.op[1].kind == Operand::kReg) rm = kGuestReg[rm];
  if (rm > 7) a_.db(0x41);
  a_.db(0x0f);
  a_.db(i.opcode);
  if (i.op[0].kind == Operand::kNone) return;  // EMMS
  a_.db(static_cast<u8>((i.modrm & 0xf8) | (rm & 7)));
  if (i.op[1].kind == Operand::kImm) a_.db(static_cast<u8>(i.imm));
}

}  // namespace xlat::jit::x64
