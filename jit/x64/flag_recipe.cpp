// Making flags in C++ that translated code has not stored.
#include "jit/x64/flag_recipe.h"

#include "jit/x64/registers.h"

namespace xlat::jit::x64 {

std::size_t FlagRecipes::Hash::operator()(const FlagRecipe& recipe) const {
  const auto of = [](const FlagOperand& o) {
    return static_cast<u64>(o.kind) | u64{o.reg} << 2 | static_cast<u64>(o.field) << 7 |
           u64{static_cast<u32>(o.imm)} << 9;
  };
  return (static_cast<u64>(recipe.form) | u64{recipe.w} << 5) ^ of(recipe.a) << 12 ^ of(recipe.b) * 0x9e3779b97f4a7c15;
}

u32 FlagRecipes::number(const FlagRecipe& recipe) {
  u32& latest = latest_[Hash()(recipe) * 0x9e3779b97f4a7c15 >> (64 - kLatestLog2)];
  if (latest != 0 && recipes_[latest - 1] == recipe) return latest;
  const auto [at, is_new] = numbers_.try_emplace(recipe, static_cast<u32>(recipes_.size() + 1));
  if (is_new) recipes_.push_back(recipe);
  return latest = at->second;
}

void FlagRecipes::clear() {
  recipes_.clear();
  numbers_.clear();
  latest_.fill(0);
}

void FlagRecipes::make(u32 number, CpuState& s) const {
  const FlagRecipe& recipe = recipes_[number - 1];
  const unsigned w = recipe.w;
  const auto value = [&](const FlagOperand& o) {
    switch (o.kind) {
      case FlagOperand::Kind::kRegister: return s.gpr[guest_of(o.reg)] & mask(w);
      case FlagOperand::Kind::kImmediate: return static_cast<u64>(static_cast<i64>(o.imm)) & mask(w);
      case FlagOperand::Kind::kField: break;
    }
    LazyFlags& f = s.flags;
    const u64 field = o.field == FlagField::kA   ? f.recorded_a()
                      : o.field == FlagField::kB ? f.recorded_b()
                                                 : f.recorded_result();
    return field & mask(w);
  };
  const u64 a = value(recipe.a), b = value(recipe.b);
  u32 flags = 0;
  switch (recipe.form) {
    case FlagRecipe::Form::kNone: return;
    case FlagRecipe::Form::kCompare: flags = flags_of(FlagKind::kSub, w, a, b, (a - b) & mask(w)); break;
    case FlagRecipe::Form::kTest: flags = flags_of(FlagKind::kLogic, w, a & b, a & b, a & b); break;
    case FlagRecipe::Form::kUndoAdd: flags = flags_of(FlagKind::kAdd, w, (a - b) & mask(w), b, a); break;
    case FlagRecipe::Form::kUndoSub: flags = flags_of(FlagKind::kSub, w, (a + b) & mask(w), b, a); break;
    case FlagRecipe::Form::kShl: flags = flags_of(FlagKind::kShl, w, a, b, (a << b) & mask(w)); break;
    case FlagRecipe::Form::kShr: flags = flags_of(FlagKind::kShr, w, a, b, a >> b); break;
    case FlagRecipe::Form::kSar:
      flags = flags_of(FlagKind::kSar, w, a, b, static_cast<u64>(static_cast<i64>(sign_extend(a, w)) >> b) & mask(w));
      break;
    case FlagRecipe::Form::kUndoInc:
    case FlagRecipe::Form::kUndoDec: {
      const bool inc = recipe.form == FlagRecipe::Form::kUndoInc;
      flags = flags_of(inc ? FlagKind::kInc : FlagKind::kDec, w, (inc ? a - 1 : a + 1) & mask(w), 1, a);
      flags = (flags & ~u32{kCf}) | (s.flags.cf() ? u32{kCf} : 0);
      break;
    }
    case FlagRecipe::Form::kNegated: flags = flags_of(FlagKind::kSub, w, 0, (u64{0} - a) & mask(w), a); break;
  }
  s.flags.packed() = pack_flags(flags);
}

}  // namespace xlat::jit::x64
