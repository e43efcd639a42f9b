// Flags that are made again when somebody looks at them, instead of being stored each time host flags are needed.
#include "base/bits.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

// What each instruction of the block means for a recipe that waits: see FlagEffect.
void Codegen::find_flag_effects() {
  const std::size_t insns = block_->insns.size();
  effects_.assign(insns, {});
  for (std::size_t n = 0; n < insns; ++n) {
    FlagEffect& effect = effects_[n];
    u32 set = 0;
    for (Ref r = ir_->starts[n]; r < ir_->starts[n + 1]; ++r) {
      const Inst& i = inst(r);
      effect.records = effect.records || i.op == Op::kFlags || i.op == Op::kShiftFlags;
      effect.reads = effect.reads || flags_read(i) != 0;
      if (!analysis_.conditional[r]) set |= flags_written(i) & kArithFlags;
      if (i.op == Op::kSetReg) effect.writes |= 1u << kGuestReg[i.w == 8 ? i.aux & 3 : i.aux];
      if (i.op == Op::kCall) {
        const HelperInfo& helper = info_of(static_cast<Helper>(i.imm));
        set |= helper.sets;
        effect.reads = effect.reads || helper.reads != 0;
      }
    }
    effect.replaces = set == kArithFlags && !effect.reads;
    effect.records = effect.records && set != kArithFlags;
  }
}

// Whether the flags are better made again later: nothing that the recipe needs changes before they are replaced.
bool Codegen::worth_waiting() const {
  for (std::size_t n = insn_ + (fresh_flags_ ? 1 : 0); n < effects_.size(); ++n) {
    const FlagEffect& effect = effects_[n];
    if (left_out_[n]) return false;
    if (effect.reads || effect.replaces) return true;
    if (effect.writes & recipe_.registers()) return false;
  }
  return false;
}

FlagOperand Codegen::operand(unsigned reg, FlagField field) {
  FlagOperand o;
  o.field = field;
  if (is_temp(reg)) {
    o.kind = FlagOperand::Kind::kField;
    a_.mov(layout_.at(layout_.flag_field[static_cast<unsigned>(field)], 4), gp32(reg));
  } else {
    o.kind = FlagOperand::Kind::kRegister;
    o.reg = static_cast<u8>(reg);
  }
  return o;
}

FlagOperand Codegen::operand(u64 constant, unsigned w) {
  FlagOperand o;
  o.imm = static_cast<i32>(sign_extend(constant, w));
  return o;
}

// The flags were just made by comparing registers `a` and `b` (or `known`).
void Codegen::set_recipe(FlagRecipe::Form form, unsigned w, unsigned a, unsigned b, std::optional<u64> known) {
  recipe_ = {};
  if (w > 32) return;
  recipe_.form = form;
  recipe_.w = static_cast<u8>(w);
  const bool result = recipe_.undoes() || (form == FlagRecipe::Form::kTest && !known && a == b);
  recipe_.a = operand(a, result ? FlagField::kResult : FlagField::kA);
  recipe_.b = known ? operand(*known, w) : a == b ? recipe_.a : operand(b, FlagField::kB);
}

// The flags were just made by `dest = dest op b`.
void Codegen::set_recipe(const Alu& alu, unsigned dest, unsigned b, std::optional<u64> known) {
  recipe_ = {};
  if (alu.carry) return;
  if (alu.op == Op::kAnd || alu.op == Op::kOr || alu.op == Op::kXor) {
    return set_recipe(FlagRecipe::Form::kTest, alu.w, dest, dest, std::nullopt);
  }
  if (!known && b == dest) return;
  set_recipe(alu.op == Op::kAdd ? FlagRecipe::Form::kUndoAdd : FlagRecipe::Form::kUndoSub, alu.w, dest, b, known);
}

// The flags are about to be made by shifting `reg`, which does not leave enough of it.
FlagRecipe Codegen::shift_recipe(Op op, unsigned w, unsigned reg, u64 count) {
  FlagRecipe recipe;
  if (w > 32) return recipe;
  recipe.form = op == Op::kShl   ? FlagRecipe::Form::kShl
                : op == Op::kShr ? FlagRecipe::Form::kShr
                                 : FlagRecipe::Form::kSar;
  recipe.w = static_cast<u8>(w);
  recipe.a.kind = FlagOperand::Kind::kField;
  a_.mov(layout_.at(layout_.flag_field[static_cast<unsigned>(FlagField::kA)], 4), gp32(reg));
  recipe.b.imm = static_cast<i32>(count);
  return recipe;
}

// Makes the host's flags the recipe's. `scratch` may be changed and is no operand, where scratch_for() asks for one.
void Codegen::emit_recipe(const FlagRecipe& recipe, unsigned scratch) {
  using Kind = FlagOperand::Kind;
  const unsigned w = recipe.w;
  const auto memory = [&](const FlagOperand& o) {
    return layout_.at(layout_.flag_field[static_cast<unsigned>(o.field)], w / 8);
  };
  const auto with = [&](asmjit::InstId id, unsigned reg, const FlagOperand& o) {
    switch (o.kind) {
      case Kind::kRegister: a_.emit(id, gp(reg, w), gp(o.reg, w)); break;
      case Kind::kImmediate: a_.emit(id, gp(reg, w), asmjit::Imm(o.imm)); break;
      case Kind::kField: a_.emit(id, gp(reg, w), memory(o)); break;
    }
  };
  unsigned a = recipe.a.reg;
  if (scratch_for(recipe)) {
    recipe.a.kind == Kind::kField ? a_.mov(gp(scratch, w), memory(recipe.a)) : a_.mov(gp32(scratch), gp32(a));
    a = scratch;
  }
  namespace id = asmjit::x86::Inst;
  switch (recipe.form) {
    case FlagRecipe::Form::kNone: break;
    case FlagRecipe::Form::kCompare:
      if (recipe.a.kind == Kind::kField && recipe.b.kind == Kind::kImmediate) {
        a_.cmp(memory(recipe.a), recipe.b.imm);
      } else if (recipe.a.kind == Kind::kField && recipe.b.kind == Kind::kRegister) {
        a_.cmp(memory(recipe.a), gp(recipe.b.reg, w));
      } else {
        with(id::kIdCmp, a, recipe.b);
      }
      break;
    case FlagRecipe::Form::kTest:
      if (recipe.b.kind == Kind::kField) {
        a_.test(memory(recipe.b), gp(a, w));
      } else if (recipe.a.kind == Kind::kField && recipe.b.kind == Kind::kImmediate) {
        a_.test(memory(recipe.a), recipe.b.imm);
      } else if (recipe.a.kind == Kind::kField) {
        a_.test(memory(recipe.a), gp(recipe.b.reg, w));
      } else {
        with(id::kIdTest, a, recipe.b);
      }
      break;
    case FlagRecipe::Form::kUndoAdd:
      with(id::kIdSub, a, recipe.b);
      with(id::kIdAdd, a, recipe.b);
      break;
    case FlagRecipe::Form::kUndoSub:
      with(id::kIdAdd, a, recipe.b);
      with(id::kIdCmp, a, recipe.b);
      break;
    case FlagRecipe::Form::kShl: a_.shl(gp(a, w), recipe.b.imm); break;
    case FlagRecipe::Form::kShr: a_.shr(gp(a, w), recipe.b.imm); break;
    case FlagRecipe::Form::kSar: a_.sar(gp(a, w), recipe.b.imm); break;
    case FlagRecipe::Form::kUndoInc:
    case FlagRecipe::Form::kUndoDec:
    case FlagRecipe::Form::kNegated: ASSERT(!"a recipe of the Reencoder's alone"); break;
  }
}

// Whether emit_recipe() needs a register to work in.
bool Codegen::scratch_for(const FlagRecipe& recipe) {
  using Kind = FlagOperand::Kind;
  return recipe.undoes() || recipe.shifts() || (recipe.a.kind == Kind::kField && recipe.b.kind == Kind::kField);
}

// Brings flags that wait back into the host's register.
void Codegen::remake_flags() {
  unsigned scratch = 0;
  const bool needs = scratch_for(recipe_);
  if (needs) scratch = temp();
  emit_recipe(recipe_, scratch);
  if (needs) free_temp(scratch);
  host_valid_ = true;
  host_kind_ = recipe_.kind();
  host_count_ = recipe_.count();
}

// Where the routine begins that stores the recipe's flags and changes nothing else.
asmjit::Label Codegen::storer_of(const FlagRecipe& recipe) {
  for (const Storer& s : storers_) {
    if (s.recipe == recipe) return s.label;
  }
  storers_.push_back({a_.newLabel(), recipe});
  return storers_.back().label;
}

void Codegen::emit_storer(const Storer& storer) {
  a_.bind(storer.label);
  a_.push(host::rax);
  const bool other = scratch_for(storer.recipe) && storer.recipe.uses(host::rax.id());
  if (other) {
    const unsigned scratch = storer.recipe.uses(host::rcx.id()) ? host::rdx.id() : host::rcx.id();
    a_.push(gp64(scratch));
    emit_recipe(storer.recipe, scratch);
    a_.pop(gp64(scratch));
  } else {
    emit_recipe(storer.recipe, host::rax.id());
  }
  pack_host_flags(storer.recipe.kind(), storer.recipe.count());
  a_.pop(host::rax);
  a_.ret();
}

// A guest register is about to change. Flags of an instruction before this one are dead if this one replaces them.
void Codegen::changing(unsigned host_reg) {
  if (!recipe_.uses(host_reg)) return;
  if (flags_dirty_) {
    if (effects_[insn_].replaces && !fresh_flags_) {
      flags_dirty_ = host_valid_ = false;
    } else if (!host_valid_) {
      remake_flags();
    }
  }
  recipe_ = {};
}

}  // namespace xlat::jit::x64
