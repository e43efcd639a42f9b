// The guest's arithmetic flags: in the host's as long as those last, then as a recipe by which they can be made again;
// in memory only where neither will do.
#include "jit/analysis.h"
#include "jit/x64/reencoder.h"

namespace xlat::jit::x64 {

namespace {

constexpr unsigned kRax = 0, kR8 = 8, kR15 = 15, kRsp = 4;

}  // namespace

u16 Reencoder::needed(unsigned n) const { return n == 0 ? kAll : steps_[n - 1].live; }

// The host's flags are about to be lost.
void Reencoder::clobber(unsigned n) {
  if (flags_ == Flags::kHost) {
    if (needed(n)) {
      store_flags();
    } else {
      flags_ = Flags::kDead;
    }
  }
  host_valid_ = false;
}

// The host's flags go to memory, with what differs of those of a shift by `count`: the host's AF and, for counts above
// 1, OF are not what flags_of() says. Only r8 changes.
void Reencoder::store_host_flags(ByteWriter& w, FlagKind kind, u64 count) {
  w.mov64(kR8, kRax);
  w.byte(0x9f);  // lahf
  if (!is_shift(kind) || count == 1) {
    w.op(8, 0x0f90, 0, Rm::reg(kRax));  // seto al
  } else if (kind == FlagKind::kShl) {  // SF xor CF
    w.op(8, 0x88, 4, Rm::reg(kRax));    // mov al, ah
    w.op(8, 0xd0, 0, Rm::reg(kRax));    // rol al, 1
    w.op(8, 0x30, 4, Rm::reg(kRax));    // xor al, ah
    w.group1(8, 4, Rm::reg(kRax), 1);
  } else {
    w.byte(0xb0);  // mov al, 0
    w.byte(0);
  }
  if (is_shift(kind)) w.group1(8, 4, Rm::reg(4), static_cast<i32>(static_cast<u8>(~kAf)));
  w.op(16, 0x89, kRax, Rm::at(kR15, layout_.packed_flags));
  w.mov64(kRax, kR8);
}

// From memory, without changing a register.
void Reencoder::load_host_flags(ByteWriter& w) {
  w.byte(0x50);  // push rax
  w.op(32, 0x0fb7, kRax, Rm::at(kR15, layout_.packed_flags));
  w.byte(0x04);  // add al, 7Fh: overflows if the byte is 1
  w.byte(0x7f);
  w.byte(0x9e);  // sahf
  w.byte(0x58);  // pop rax
}

void Reencoder::store_flags() {
  store_host_flags(hot_, host_kind_, host_count_);
  flags_ = Flags::kMemory;
  if (is_shift(host_kind_)) host_valid_ = false;
}

void Reencoder::settle_in_memory() {
  if (flags_ == Flags::kRecipe) {
    if (!host_valid_ || is_step(host_kind_)) remake();
    store_flags();
  } else if (flags_ == Flags::kHost) {
    store_flags();
  }
}

void Reencoder::remake() {
  emit_recipe(hot_, recipe_);
  host_valid_ = true;
  host_kind_ = recipe_.kind();
  host_count_ = recipe_.count();
}

// Makes the host's flags the recipe's. Changes r8.
void Reencoder::emit_recipe(ByteWriter& w, const FlagRecipe& recipe) {
  using Kind = FlagOperand::Kind;
  using Form = FlagRecipe::Form;
  const unsigned width = recipe.w, wide = width == 8 ? 0 : 1;
  const auto field = [this](const FlagOperand& o) {
    return Rm::at(kR15, layout_.flag_field[static_cast<unsigned>(o.field)]);
  };
  const auto a_to_r8 = [&] {
    recipe.a.kind == Kind::kField ? w.op(32, 0x8b, kR8, field(recipe.a)) : w.mov32(kR8, recipe.a.reg);
  };
  // `number` of group 1 with b.
  const auto with_b = [&](u8 number, unsigned reg) {
    if (recipe.b.kind == Kind::kImmediate) return w.group1(width, number, Rm::reg(reg), recipe.b.imm);
    const Rm b = recipe.b.kind == Kind::kField ? field(recipe.b) : Rm::reg(recipe.b.reg);
    w.op(width, static_cast<u32>(number) << 3 | 2 | wide, reg, b);
  };
  const auto unary = [&](u32 opcode, unsigned number) { w.op(width, opcode | wide, number, Rm::reg(kR8)); };
  switch (recipe.form) {
    case Form::kNone: break;
    case Form::kCompare:
      if (recipe.a.kind == Kind::kField) a_to_r8();
      with_b(7, recipe.a.kind == Kind::kField ? kR8 : recipe.a.reg);
      break;
    case Form::kTest: {
      if (recipe.a.kind == Kind::kField) a_to_r8();
      const Rm a = Rm::reg(recipe.a.kind == Kind::kField ? kR8 : recipe.a.reg);
      if (recipe.b.kind == Kind::kImmediate) {
        w.op(width, 0xf6 | wide, 0, a);
        w.immediate(width, static_cast<u64>(static_cast<i64>(recipe.b.imm)));
      } else if (recipe.b.kind == Kind::kField) {
        w.op(width, 0x84 | wide, a.base, field(recipe.b));
      } else {
        w.op(width, 0x84 | wide, recipe.b.reg, a);
      }
      break;
    }
    case Form::kUndoAdd:
      a_to_r8();
      with_b(5, kR8);
      with_b(0, kR8);
      break;
    case Form::kUndoSub:
      a_to_r8();
      with_b(0, kR8);
      with_b(7, kR8);
      break;
    case Form::kShl:
    case Form::kShr:
    case Form::kSar:
      a_to_r8();
      unary(0xc0, recipe.form == Form::kShl ? 4 : recipe.form == Form::kShr ? 5 : 7);
      w.byte(static_cast<u32>(recipe.b.imm));
      break;
    case Form::kUndoInc:
    case Form::kUndoDec:
      a_to_r8();
      unary(0xfe, recipe.form == Form::kUndoInc ? 1 : 0);
      carry_from_memory(w);
      unary(0xfe, recipe.form == Form::kUndoInc ? 0 : 1);
      break;
    case Form::kNegated:
      a_to_r8();
      unary(0xf6, 3);
      unary(0xf6, 3);
      break;
  }
}

void Reencoder::carry_from_memory(ByteWriter& w) {
  w.op(16, 0x0fba, 4, Rm::at(kR15, layout_.packed_flags));  // bt word, 8
  w.byte(8);
}

// The host's CF becomes the guest's.
void Reencoder::want_carry() {
  if (host_valid_ && !is_step(host_kind_)) return;
  if (flags_ == Flags::kRecipe) return remake();
  ASSERT(flags_ == Flags::kMemory);
  carry_from_memory(hot_);
}

// Brings condition `cc` of the guest's into the host's flags; gives the host's condition.
int Reencoder::condition(unsigned cc) {
  if (host_valid_ && is_step(host_kind_) && (flags_of_condition(cc) & kCf)) host_valid_ = false;
  const bool shift = flags_ == Flags::kRecipe && recipe_.shifts() && recipe_.count() != 1;
  if ((flags_of_condition(cc) & kOf) && (shift || (host_valid_ && is_shift(host_kind_) && host_count_ != 1))) {
    settle_in_memory();
    host_valid_ = false;
  }
  if (!host_valid_ && flags_ == Flags::kRecipe) remake();
  if (host_valid_) return static_cast<int>(cc);
  ASSERT(flags_ == Flags::kMemory);
  const auto test = [this](i32 byte, u32 bits) {
    hot_.op(8, 0xf6, 0, Rm::at(kR15, layout_.packed_flags + byte));
    hot_.byte(bits);
  };
  const int set = cc & 1 ? kZero : kNotZero;
  switch (cc >> 1) {
    case 0: test(0, 1); return set;
    case 1: test(1, kCf); return set;
    case 2: test(1, kZf); return set;
    case 3: test(1, kCf | kZf); return set;
    case 4: test(1, kSf); return set;
    case 5: test(1, kPf); return set;
    default:
      load_host_flags(hot_);
      host_valid_ = true;
      host_kind_ = FlagKind::kPacked;
      return static_cast<int>(cc);
  }
}

// Instruction `n` has just made new flags, in the host's.
void Reencoder::made(const FlagRecipe& recipe, FlagKind kind, u64 count, unsigned n) {
  if (flags_ == Flags::kInherited) word_stale_ = true;
  host_valid_ = steps_[n].live != 0;
  flags_ = !host_valid_ ? Flags::kDead : recipe ? Flags::kRecipe : Flags::kHost;
  recipe_ = recipe;
  host_kind_ = kind;
  host_count_ = count;
}

// Guest registers are about to change: what the recipe needs of them is kept in memory, unless the instruction makes
// other flags.
void Reencoder::changing(unsigned n, u8 guests) {
  if (flags_ != Flags::kRecipe || steps_[n].live == 0 || steps_[n].how.sets == kAll) return;
  const auto keep = [&](FlagOperand& o, FlagField field) {
    if (o.kind == FlagOperand::Kind::kRegister && (guests & 1u << guest_of(o.reg))) o = field_operand(field, o.reg);
  };
  const bool same = recipe_.a == recipe_.b && recipe_.a.kind == FlagOperand::Kind::kRegister;
  keep(recipe_.a, FlagField::kA);
  same ? void(recipe_.b = recipe_.a) : keep(recipe_.b, FlagField::kB);
}

FlagRecipe Reencoder::recipe_of(FlagRecipe::Form form, unsigned w, const Operand& a, const Operand& b, u64 imm) {
  const auto of = [&](const Operand& o) {
    FlagOperand made;
    if (o.kind == Operand::kReg) {
      made.kind = FlagOperand::Kind::kRegister;
      made.reg = static_cast<u8>(w == 8 ? o.reg : kGuestReg[o.reg]);
    } else if (o.kind == Operand::kImm) {
      made.imm = static_cast<i32>(sign_extend(imm, w));
    }
    return made;
  };
  FlagRecipe recipe;
  recipe.form = form;
  recipe.w = static_cast<u8>(w);
  recipe.a = of(a);
  recipe.b = of(b);
  return recipe;
}

// Keeps the number in a host register in one of the fields that LazyFlags has for that: the interpreter leaves the same
// there when it runs the instruction in its place.
FlagOperand Reencoder::field_operand(FlagField field, unsigned host_reg) {
  FlagOperand o;
  o.kind = FlagOperand::Kind::kField;
  o.field = field;
  hot_.op(32, 0x89, host_reg, Rm::at(kR15, layout_.flag_field[static_cast<unsigned>(field)]));
  return o;
}

void Reencoder::set_flag_word(ByteWriter& w, u32 number) {
  w.op(32, 0xc7, 0, Rm::at(kRsp, kFlagWord));
  w.dword(number);
}

}  // namespace xlat::jit::x64
