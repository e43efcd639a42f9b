// How the arithmetic flags can be made again by one host comparison, so that they need not be stored when host flags
// are needed for something else: most flags are overwritten before anything looks at them.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "cpu/state.h"

namespace xlat::jit::x64 {

// What LazyFlags::record keeps of an operation; the interpreter writes the same fields when it runs one in place.
enum class FlagField : u8 { kA, kB, kResult };

struct FlagOperand {
  enum class Kind : u8 { kRegister, kImmediate, kField };
  Kind kind = Kind::kImmediate;
  u8 reg = 0;  // host register that holds one of the guest's
  FlagField field = FlagField::kA;
  i32 imm = 0;
  bool operator==(const FlagOperand&) const = default;
};

struct FlagRecipe {
  enum class Form : u8 {
    kNone,
    kCompare,  // a - b
    kTest,     // a & b
    kUndoAdd,  // a is the sum, b what was added
    kUndoSub,  // a is the difference, b what was subtracted
    kShl,      // a << b
    kShr,      // a >> b
    kSar,
    kUndoInc,  // a is the sum; CF is the one in memory
    kUndoDec,
    kNegated,  // a is the negated number
  };
  Form form = Form::kNone;
  u8 w = 32;
  FlagOperand a, b;
  bool operator==(const FlagRecipe&) const = default;

  explicit operator bool() const { return form != Form::kNone; }
  bool shifts() const { return form == Form::kShl || form == Form::kShr || form == Form::kSar; }
  bool undoes() const { return form == Form::kUndoAdd || form == Form::kUndoSub; }
  bool uses_fields() const {
    return form != Form::kNone && (a.kind == FlagOperand::Kind::kField || b.kind == FlagOperand::Kind::kField);
  }
  // The host registers it needs, a bit each.
  u32 registers() const {
    const auto of = [](const FlagOperand& o) { return o.kind == FlagOperand::Kind::kRegister ? 1u << o.reg : 0; };
    return form != Form::kNone ? of(a) | of(b) : 0;
  }
  bool uses(unsigned reg) const { return bit(registers(), reg); }
  // What the host's flags are when they have been made again: of a shift not all are those of the guest.
  FlagKind kind() const {
    switch (form) {
      case Form::kShl: return FlagKind::kShl;
      case Form::kShr: return FlagKind::kShr;
      case Form::kSar: return FlagKind::kSar;
      default: return FlagKind::kPacked;
    }
  }
  u64 count() const { return shifts() ? static_cast<u64>(b.imm) : 0; }
};

// Recipes by number, from 1: what translated code leaves in kFlagWord where it has not stored the flags.
class FlagRecipes {
 public:
  u32 number(const FlagRecipe& recipe);
  // Makes the flags by recipe `number`, and stores them packed. The guest's registers are in `s`.
  void make(u32 number, CpuState& s) const;
  void clear();

 private:
  struct Hash {
    std::size_t operator()(const FlagRecipe& recipe) const;
  };
  static constexpr unsigned kLatestLog2 = 10;
  std::vector<FlagRecipe> recipes_;
  // A number by the hash: few recipes are what most blocks have, and numbers_ is slow.
  std::array<u32, 1 << kLatestLog2> latest_{};
  std::unordered_map<FlagRecipe, u32, Hash> numbers_;
};

}  // namespace xlat::jit::x64
