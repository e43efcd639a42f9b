// The pass over a block: instructions in order, then the cold code.
#include "jit/x64/codegen.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat::jit::x64 {

Codegen::Codegen(const StateLayout& layout, const Stubs& stubs)
    : layout_(layout), stubs_(stubs), bmi2_(asmjit::CpuInfo::host().features().x86().hasBMI2()) {
  for (std::vector<u8>& buffer : buffers_) buffer.resize(kMostCodeBytes);
}

const HostCode* Codegen::generate(const Block& block, const IrBlock& ir, const Translation& translation,
                                  const Context& context, const u8* base, const u8* cold_end, bool as_loop) {
  block_ = &block;
  ir_ = &ir;
  translation_ = &translation;
  context_ = &context;
  base_ = base;
  cold_end_ = cold_end;
  analysis_ = analyse(ir, std::move(analysis_));
  find_fpu_forms();
  left_out_.assign(block.insns.size(), false);
  ends_groups_.assign(block.insns.size(), false);
  for (unsigned n = 0; n < block.insns.size(); ++n) {
    left_out_[n] = calls_out(n);
    ends_groups_[n] = calls_cpp(n) || is_string_run(n);
  }
  as_loop_ = as_loop && may_loop();
  if (as_loop_ && run() && out_.loops) return &out_;
  as_loop_ = false;
  // What else cannot be translated shows on the way; then the pass begins again without it.
  for (std::size_t tries = 0; tries <= block.insns.size(); ++tries) {
    if (run()) {
      for (std::size_t n = 0; n < left_out_.size(); ++n) {
        out_.interpreted += left_out_[n];
        out_.uses_fpu |= fpu_forms_[n] && !left_out_[n];
      }
      return &out_;
    }
    if (left_out_[insn_]) return nullptr;
    left_out_[insn_] = true;
  }
  return nullptr;
}

// Whether the instruction has an operation that is never translated.
bool Codegen::calls_out(unsigned n) const {
  if (fpu_forms_[n] || is_string_run(n)) return false;
  return std::any_of(ir_->code.begin() + ir_->starts[n], ir_->code.begin() + ir_->starts[n + 1], [&](const Inst& i) {
    return i.op == Op::kRaise || i.op == Op::kRepeatIf || (i.op == Op::kCall && !does(i, n));
  });
}

// The assembler begins with two empty sections in our buffers, so that it need not allocate any.
void Codegen::new_code() {
  code_.reset();
  code_.init(asmjit::Environment::host());
  code_.newSection(&cold_section_, "cold");
  for (u32 n = 0; n < std::size(buffers_); ++n) {
    asmjit::CodeBuffer& buffer = code_.sectionById(n)->buffer();
    buffer._data = buffers_[n].data();
    buffer._capacity = buffers_[n].size();
    buffer._flags = asmjit::CodeBufferFlags::kIsExternal | asmjit::CodeBufferFlags::kIsFixed;
  }
  code_.attach(&a_);
}

bool Codegen::run() {
  new_code();
  absolutes_.clear();
  out_.exits.clear();
  out_.interpreted = 0;
  out_.uses_fpu = false;
  out_.loops = false;
  cold_.clear();
  refills_.clear();
  misaligned_.clear();
  exits_.clear();
  fpu_loads_.clear();
  fpu_held_ = false;
  fpu_note_ = {};
  storers_.clear();
  failed_ = again_ = false;
  loop_flags_.reset();
  slots_ = 0;
  find_flag_effects();
  groups_ = find_address_groups(*ir_, left_out_, ends_groups_, block_->apart ? 0 : context_->flat, std::move(groups_));
  start_pass();
  begin();
  body();
  if (loop_flags_ && !failed_) {
    start_pass();
    begin_again();
    body();
    out_.loops = true;
  }
  if (failed_) return false;
  finish();
  return !failed_;
}

// What is known of the values when none has been computed.
void Codegen::start_pass() {
  values_.assign(ir_->code.size(), {});
  for (Ref r = 0; r < values_.size(); ++r) values_[r].uses = analysis_.uses[r];
  done_.assign(ir_->code.size(), false);
  flags_of_.assign(ir_->code.size(), 0);
  find_widths();
  group_checked_.assign(groups_.groups.size(), false);
  insn_ = 0;
  temps_used_ = 0;
  ended_ = false;
}

void Codegen::body() {
  for (unsigned n = 0; n < block_->insns.size() && !failed_; ++n) instruction(n);
  if (!failed_ && !ended_) exit_to(static_cast<u32>(translation_->ip + block_->bytes));
}

// The budget pays for the whole block at once.
void Codegen::begin() {
  recipe_ = {};
  flags_dirty_ = host_valid_ = false;
  used_up_ = a_.newLabel();
  interpret_ = a_.newLabel();
  load_fpu_ = a_.newLabel();
  a_.sub(kBudget, static_cast<i32>(block_->insns.size()));
  a_.long_().jl(used_up_);
  // Links and the jump table answer for the first page. Where the second is not what it was, the loop decides.
  if (block_->two_pages()) {
    const u32 linear = translation_->ip + context_->cs_base;
    a_.mov(host::r8, translation_->entry2);
    a_.cmp(host::qword_ptr(kTlb, static_cast<i32>(BlockCache::page_after(linear) * 8)), host::r8);
    a_.long_().jne(used_up_);
  }
  if (translation_->broken) a_.not_(gp32(kGuestReg[kEax]));
}

void Codegen::instruction(unsigned n) {
  insn_ = n;
  temps_used_ = 0;
  committed_ = needs_cold_ = fresh_flags_ = false;
  probed_.reset();
  if (left_out_[n]) return interpret(n);
  const FpuNote note = fpu_note_;
  slow_ = a_.newLabel();
  next_ = a_.newLabel();
  // Flags that this instruction replaces without looking and without a way out are of no use.
  if (analysis_.flags_live[n] == 0) flags_dirty_ = false;
  if (!flags_dirty_) recipe_ = {};
  if (effects_[n].records && recipe_.uses_fields()) store_flags();
  fpu_forms_[n] ? fpu(n) : is_cmpxchg8b(n) ? cmpxchg8b(n) : is_string_run(n) ? string_run(n) : operations(n);
  if (failed_) return;
  a_.bind(next_);
  if (!needs_cold_) return;
  const bool load_fpu = fpu_held_ && static_cast<int>(n) < last_fpu_;
  cold_.push_back({slow_, next_, n, host_valid_ && !ended_, group_goes_on(n), slow_recipe_, note, load_fpu, again_});
}

void Codegen::operations(unsigned n) {
  find_natural_flags(n);
  const Ref end = ir_->starts[n + 1];
  for (now_ = ir_->starts[n]; now_ < end && !failed_; ++now_) {
    const Ref r = now_;
    if (done_[r]) continue;
    const Inst& i = inst(r);
    switch (i.op) {
      case Op::kSetReg: set_reg(i); break;
      case Op::kFlags:
        if (!analysis_.dead[r]) flags(i);
        break;
      case Op::kShiftFlags:
        if (!analysis_.dead[r]) shift_flags(i);
        break;
      case Op::kSetFlags:
        if (!analysis_.dead[r]) set_flags(i);
        break;
      case Op::kLoad: load(i, r); break;
      case Op::kStore: store(i); break;
      case Op::kProbe: probe(i); break;
      case Op::kSetIp: set_ip(i); break;
      case Op::kCheckTarget: check_target(i); break;
      case Op::kRaiseIf: raise_if(i); break;
      case Op::kCall: call(i, r); break;
      case Op::kWhen: when(i); break;
      case Op::kGetFlag:
        // Later flags of the same instruction must not be seen, unless ADC or SBB takes it from the host.
        if (values_[r].uses != 0 && values_[r].temp < 0) {
          bool carry_in = false;
          for (Ref k = r + 1; k < end && !carry_in; ++k) {
            const std::optional<Alu> alu = as_alu(k);
            carry_in = alu && alu->carry && inst(k).c == r && values_[k].uses != 0;
          }
          if (!carry_in) reg_of(r);
        }
        break;
      default: break;  // values wait until they are needed
    }
  }
}

// Leaves one instruction to the interpreter.
void Codegen::interpret(unsigned n) {
  store_flags();
  flush_note();
  fpu_held_ = false;
  a_.mov(host::r8d, n);
  a_.call(interpret_);
  if (n + 1 == block_->insns.size()) ended_ = true;
}

// The cold code: slow paths, accesses that may cross a page, exits not yet linked.
void Codegen::finish() {
  a_.section(cold_section_);
  if (loop_flags_) emit_loop_entry();
  a_.bind(used_up_);
  a_.add(kBudget, static_cast<i32>(block_->insns.size()));
  a_.mov(host::r8d, translation_->ip);
  jump_out(stubs_.leave_at);
  for (const Misaligned& m : misaligned_) {
    a_.bind(m.label);
    a_.mov(gp32(m.temp), gp32(m.linear));
    a_.and_(gp32(m.temp), 0xfff);
    a_.cmp(gp32(m.temp), 4096 - m.bytes);
    a_.long_().jbe(m.back);
    a_.long_().jmp(m.slow);
  }
  for (const Refill& r : refills_) emit_refill(r);
  for (const Cold& c : cold_) {
    a_.bind(c.slow);
    if (c.recipe) a_.call(storer_of(c.recipe));
    store_note(c.note);
    a_.mov(host::r8d, c.insn | (c.rest ? kInterpretRest : 0));
    a_.call(interpret_);
    if (c.rest || c.insn + 1 == block_->insns.size()) continue;  // it has left
    if (c.again) forget_slots();
    if (c.load_fpu) load_fpu(c.insn + 1);
    if (c.to_host_flags) {
      temps_used_ = 0;
      load_host_flags();
    }
    a_.long_().jmp(c.next);
  }
  for (const FpuLoad& l : fpu_loads_) {
    a_.bind(l.load);
    if (l.recipe) a_.call(storer_of(l.recipe));
    load_fpu(l.insn);
    a_.long_().jmp(l.back);
  }
  for (const PendingExit& e : exits_) emit_stub(e);
  emit_tail(interpret_, stubs_.interpret);
  if (last_fpu_ >= 0) emit_tail(load_fpu_, stubs_.load_fpu);
  for (const Storer& s : storers_) emit_storer(s);
  lay_out();
}

// Now that their sizes are known, so are the places of both parts, and the distances between them.
void Codegen::lay_out() {
  const asmjit::CodeBuffer* const parts[] = {&code_.textSection()->buffer(), &cold_section_->buffer()};
  constexpr std::size_t kMostInsnBytes = 16;  // with less room left an instruction may be missing
  for (const asmjit::CodeBuffer* part : parts) {
    if (part->size() + kMostInsnBytes > part->capacity()) return fail();
  }
  const u8* const bases[] = {base_, cold_end_ - parts[1]->size()};
  cold_section_->setOffset(static_cast<u64>(bases[1] - bases[0]));
  if (code_.hasUnresolvedLinks()) code_.resolveUnresolvedLinks();
  for (const Absolute& a : absolutes_) {
    store_le<u32>(&buffers_[a.section][a.at], static_cast<u32>(a.target - (bases[a.section] + a.at + 4)));
  }
  out_.hot = {parts[0]->data(), parts[0]->size()};
  out_.cold = {parts[1]->data(), parts[1]->size()};
}

}  // namespace xlat::jit::x64
