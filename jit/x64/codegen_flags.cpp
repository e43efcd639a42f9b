// The guest's arithmetic flags: in the host's register as long as nothing disturbs them, else packed in CpuState.
#include "base/bits.h"
#include "jit/x64/codegen.h"

namespace xlat::jit::x64 {

namespace {

constexpr Op shift_of(FlagKind kind) {
  return kind == FlagKind::kShl ? Op::kShl : kind == FlagKind::kShr ? Op::kShr : Op::kSar;
}

}  // namespace

// To be called before every host instruction that changes flags and is not meant to make the guest's.
void Codegen::clobber_flags() {
  if (flags_dirty_ && host_valid_ && !(recipe_ && worth_waiting())) flush_flags();
  host_valid_ = false;
}

// From here on the flags are in memory, where they may be changed.
void Codegen::store_flags() {
  flush_flags();
  host_valid_ = false;
  recipe_ = {};
}

// Stores what the host's flags hold. They stay valid, but after shifts.
void Codegen::flush_flags() {
  if (!flags_dirty_) return;
  flags_dirty_ = false;
  if (!host_valid_) return void(a_.call(storer_of(recipe_)));
  const unsigned t = temp();
  a_.mov(gp64(t), host::rax);
  pack_host_flags(host_kind_, host_count_);
  if (is_shift(host_kind_)) host_valid_ = false;
  a_.mov(host::rax, gp64(t));
  free_temp(t);
}

// Stores the host's flags as an operation of `kind` made them, a shift by `count`: the host's AF and, for counts above
// 1, OF are not what flags_of() says. Changes RAX.
void Codegen::pack_host_flags(FlagKind kind, u64 count) {
  a_.lahf();
  if (!is_shift(kind) || count == 1) {
    a_.seto(host::al);
  } else {
    kind == FlagKind::kShl ? overflow_of_shl() : void(a_.mov(host::al, 0));
  }
  if (is_shift(kind)) a_.and_(host::ah, static_cast<i32>(static_cast<u8>(~kAf)));
  a_.mov(layout_.at(layout_.packed_flags, 2), host::ax);
}

// SF xor CF goes to AL, with both in AH as LAHF left them.
void Codegen::overflow_of_shl() {
  a_.mov(host::al, host::ah);
  a_.rol(host::al, 1);
  a_.xor_(host::al, host::ah);
  a_.and_(host::al, 1);
}

void Codegen::load_host_flags() {
  const unsigned t = temp();
  a_.mov(gp64(t), host::rax);
  a_.movzx(host::eax, layout_.at(layout_.packed_flags, 2));
  a_.add(host::al, 0x7f);  // overflows if the byte is 1
  a_.sahf();
  a_.mov(host::rax, gp64(t));
  free_temp(t);
  host_valid_ = true;
  host_kind_ = FlagKind::kPacked;
}

// Whether computing the value an operation records flags of sets the same flags on the host.
bool Codegen::natural(const Inst& f) const {
  const Ref r = resolve(f.c);
  const std::optional<Alu> alu = as_alu(r);
  const Inst& i = inst(r);
  switch (static_cast<FlagKind>(f.aux)) {
    case FlagKind::kLogic: return alu && alu->w == f.w && (i.op == Op::kAnd || i.op == Op::kOr || i.op == Op::kXor);
    case FlagKind::kAdd:
    case FlagKind::kInc:
      return alu && alu->w == f.w && alu->op == Op::kAdd && alu->a == resolve(f.a) && alu->b == resolve(f.b);
    case FlagKind::kSub:
    case FlagKind::kDec:
      return alu && alu->w == f.w && alu->op == Op::kSub && alu->a == resolve(f.a) && alu->b == resolve(f.b);
    case FlagKind::kShl:
    case FlagKind::kShr:
    case FlagKind::kSar: {
      const auto count = constant(i.b);
      return i.op == shift_of(static_cast<FlagKind>(f.aux)) && i.w == f.w && count && *count > 0 && *count < f.w &&
             resolve(i.a) == resolve(f.a);
    }
    default: return false;
  }
}

// Flags that come with their value do not need its operands.
void Codegen::find_natural_flags(unsigned n) {
  for (Ref r = ir_->starts[n]; r < ir_->starts[n + 1]; ++r) {
    const Inst& i = inst(r);
    if (i.op != Op::kFlags || analysis_.dead[r] || analysis_.conditional[r] || !natural(i)) continue;
    flags_of_[resolve(i.c)] = r + 1;
    use(resolve(i.a));
    use(resolve(i.b));
  }
}

// Around the host instruction that computes `r`.
void Codegen::before_alu(Ref r, bool needs_carry) {
  const Ref f = flags_of_[r];
  if (f == 0 && !needs_carry) return clobber_flags();
  if (f == 0) {
    flush_flags();  // nobody wants the flags it makes, so those there are must be kept
  } else {
    const auto kind = static_cast<FlagKind>(inst(f - 1).aux);
    needs_carry |= kind == FlagKind::kInc || kind == FlagKind::kDec;
  }
  if (needs_carry && !host_valid_) {
    flags_dirty_ ? remake_flags() : void(a_.bt(layout_.at(layout_.packed_flags, 2), 8));
  }
  if (f == 0) host_valid_ = false;
}

void Codegen::after_alu(Ref r, u64 count) {
  const Ref f = flags_of_[r];
  if (f == 0) return;
  flags_of_[r] = 0;
  done_[f - 1] = true;
  flags_dirty_ = host_valid_ = fresh_flags_ = true;
  recipe_ = {};
  host_kind_ = static_cast<FlagKind>(inst(f - 1).aux);
  host_count_ = count;
  committed_ = true;
  use(r);
}

void Codegen::flags(const Inst& i) {
  const Ref r = resolve(i.c);
  if (flags_of_[r] != 0) {
    // Nobody has computed the value yet. CMP and TEST do not even need it.
    const std::optional<Alu> alu = as_alu(r);
    const bool test = alu && alu->op == Op::kAnd;
    const bool only_flags = alu && !alu->carry && values_[r].uses == 1 && values_[r].temp < 0;
    if (only_flags && (test || (alu->op == Op::kSub && i.aux == static_cast<u8>(FlagKind::kSub)))) {
      const auto known = constant(alu->b);
      const unsigned w = alu->w;
      const unsigned a = low_bits_of(alu->a, w);
      unsigned b = 0;
      if (!known || w == 64) b = low_bits_of(alu->b, w);
      before_alu(r, false);
      if (test) {
        known ? a_.test(gp(a, w), static_cast<i32>(*known)) : a_.test(gp(a, w), gp(b, w));
      } else {
        known ? a_.cmp(gp(a, w), static_cast<i32>(sign_extend(*known, w))) : a_.cmp(gp(a, w), gp(b, w));
      }
      const Ref ra = alu->a, rb = alu->b;
      after_alu(r, 0);
      set_recipe(test ? FlagRecipe::Form::kTest : FlagRecipe::Form::kCompare, w, a, b, known);
      use(ra);
      use(rb);
      return;
    }
    values_[r].uses += 1;  // computed for its flags
    reg_of(r);
    use(r);
    if (flags_of_[r] != 0) fail();
    return;
  }
  const auto kind = static_cast<FlagKind>(i.aux);
  if (kind == FlagKind::kShl || kind == FlagKind::kShr) return double_shift_flags(i);
  if (kind != FlagKind::kSub && kind != FlagKind::kLogic) return fail();
  if (kind == FlagKind::kSub) {
    const unsigned a = low_bits_of(resolve(i.a), i.w), b = low_bits_of(resolve(i.b), i.w);
    flags_dirty_ = false;
    a_.cmp(gp(a, i.w), gp(b, i.w));
    set_recipe(FlagRecipe::Form::kCompare, i.w, a, b, std::nullopt);
  } else {
    const unsigned reg = low_bits_of(r, i.w);
    flags_dirty_ = false;
    a_.test(gp(reg, i.w), gp(reg, i.w));
    set_recipe(FlagRecipe::Form::kTest, i.w, reg, reg, std::nullopt);
  }
  flags_dirty_ = host_valid_ = fresh_flags_ = true;
  host_kind_ = kind;
  host_count_ = 0;
  committed_ = true;
  use(resolve(i.a));
  use(resolve(i.b));
  use(r);
}

// Flags of a shift by a count that is known only when it runs, and may be zero: the shift is made again for its flags.
void Codegen::shift_flags(const Inst& f) {
  const auto kind = static_cast<FlagKind>(f.aux);
  const Ref count = resolve(f.b), result = resolve(f.c);
  const bool same_shift =
      inst(result).op == shift_of(kind) && resolve(inst(result).a) == resolve(f.a);  // not SHLD or SHRD
  if (f.w != 32) return fail();
  store_flags();
  if (!same_shift) return kind == FlagKind::kSar ? fail() : double_shift_flags_unless_zero(f);
  const unsigned n = reg_of(count);
  const unsigned t = modifiable(f.a);
  clobber_flags();
  const Label skip = a_.newLabel();
  a_.test(gp32(n), gp32(n));
  a_.short_().jz(skip);
  const unsigned rcx = temp();
  a_.mov(gp64(rcx), host::rcx);
  if (n != host::rcx.id()) a_.mov(host::ecx, gp32(n));
  if (kind == FlagKind::kShl) {
    a_.shl(gp32(t), host::cl);
  } else if (kind == FlagKind::kShr) {
    a_.shr(gp32(t), host::cl);
  } else {
    a_.sar(gp32(t), host::cl);
  }
  a_.mov(host::rcx, gp64(rcx));
  a_.mov(gp64(rcx), host::rax);
  a_.lahf();
  a_.mov(host::al, 0);
  if (kind == FlagKind::kShr) {  // the bit below the top, which a shift by one brings there
    a_.shr(gp32(t), 30);
    a_.mov(host::al, gp(t, 8));
  } else if (kind == FlagKind::kShl) {
    overflow_of_shl();
  }
  a_.and_(host::ah, static_cast<i32>(static_cast<u8>(~kAf)));
  a_.mov(layout_.at(layout_.packed_flags, 2), host::ax);
  a_.mov(host::rax, gp64(rcx));
  a_.bind(skip);
  free_temp(rcx);
  free_temp(t);
  use(count);
  use(result);
  committed_ = true;
}

// Single flags from a value that has them at their EFLAGS positions.
void Codegen::set_flags(const Inst& i) {
  const Ref v = resolve(i.a);
  const u32 which = static_cast<u32>(i.imm);
  const auto known = constant(v);
  if (which & ~kArithFlags) {
    if (which != kDf || !known) return fail();
    clobber_flags();
    const host::Mem image = layout_.at(layout_.system_flags, 4);
    *known& kDf ? a_.or_(image, static_cast<i32>(kDf)) : a_.and_(image, static_cast<i32>(~u32{kDf}));
    committed_ = true;
    return use(v);
  }
  const u8 low = which & 0xff;
  unsigned reg = 0;
  if (!known) reg = reg_of(v);
  store_flags();
  const host::Mem ah = layout_.at(layout_.packed_flags + 1, 1), al = layout_.at(layout_.packed_flags, 1);
  if (known) {
    const u8 set = *known & low;
    if (low != set) a_.and_(ah, static_cast<i32>(static_cast<i8>(~low)));
    if (set) a_.or_(ah, static_cast<i32>(static_cast<i8>(set)));
    if (which & kOf) a_.mov(al, *known & kOf ? 1 : 0);
  } else {
    const unsigned t = temp();
    if (low) {
      a_.mov(gp32(t), gp32(reg));
      a_.and_(gp32(t), low);
      a_.and_(ah, static_cast<i32>(static_cast<i8>(~low)));
      a_.or_(ah, gp(t, 8));
    }
    if (which & kOf) {
      a_.mov(gp32(t), gp32(reg));
      a_.shr(gp32(t), 11);
      a_.and_(gp32(t), 1);
      a_.mov(al, gp(t, 8));
    }
    free_temp(t);
  }
  committed_ = true;
  use(v);
}

unsigned Codegen::get_flag(const Inst& i) {
  const unsigned t = temp();
  const u32 which = static_cast<u32>(i.imm);
  if (which == kCf && !host_valid_ && flags_dirty_) remake_flags();
  if (which == kCf && host_valid_) {
    a_.setc(gp(t, 8));
    a_.movzx(gp32(t), gp(t, 8));
    return t;
  }
  which == kDf ? clobber_flags() : store_flags();
  if (which == kDf) {
    a_.mov(gp32(t), layout_.at(layout_.system_flags, 4));
    a_.shr(gp32(t), 10);
  } else if (which == kOf) {
    a_.movzx(gp32(t), layout_.at(layout_.packed_flags, 1));
  } else {
    a_.movzx(gp32(t), layout_.at(layout_.packed_flags + 1, 1));
    const unsigned at = static_cast<unsigned>(std::countr_zero(which));
    if (at != 0) a_.shr(gp32(t), at);
  }
  a_.and_(gp32(t), 1);
  return t;
}

// Brings a condition of the guest's into the host's flags.
Codegen::Cond Codegen::guest_condition(unsigned cc) {
  if (host_valid_ && is_shift(host_kind_) && (flags_of_condition(cc) & kOf)) flush_flags();
  if (!host_valid_ && flags_dirty_) remake_flags();
  if (host_valid_) return static_cast<Cond>(cc);
  const host::Mem ah = layout_.at(layout_.packed_flags + 1, 1), al = layout_.at(layout_.packed_flags, 1);
  const Cond set = cc & 1 ? Cond::kZero : Cond::kNotZero;
  switch (cc >> 1) {
    case 0: a_.test(al, 1); return set;
    case 1: a_.test(ah, static_cast<i32>(kCf)); return set;
    case 2: a_.test(ah, static_cast<i32>(kZf)); return set;
    case 3: a_.test(ah, static_cast<i32>(kCf | kZf)); return set;
    case 4: a_.test(ah, static_cast<i32>(kSf)); return set;
    case 5: a_.test(ah, static_cast<i32>(kPf)); return set;
    default: load_host_flags(); return static_cast<Cond>(cc);
  }
}

Codegen::Cond Codegen::compare(Ref r) {
  const Inst& i = inst(r);
  const Ref a = resolve(i.a), b = resolve(i.b);
  unsigned w = i.op == Op::kSlt ? i.w : (values_[a].width > 32 || values_[b].width > 32) ? 64 : 32;
  const auto known = constant(b);
  const bool small = known && sign_extend(*known, w) == static_cast<i32>(sign_extend(*known, w));
  const unsigned ra = reg_of(a), rb = small ? 0 : reg_of(b);
  clobber_flags();
  if (small && *known == 0 && (i.op == Op::kEq || i.op == Op::kNe)) {
    a_.test(gp(ra, w), gp(ra, w));
  } else if (small) {
    a_.cmp(gp(ra, w), static_cast<i32>(sign_extend(*known, w)));
  } else {
    a_.cmp(gp(ra, w), gp(rb, w));
  }
  use(a);
  use(b);
  switch (i.op) {
    case Op::kEq: return Cond::kEqual;
    case Op::kNe: return Cond::kNotEqual;
    case Op::kUlt: return Cond::kUnsignedLT;
    default: return Cond::kSignedLT;
  }
}

// A value used as a condition only.
Codegen::Cond Codegen::condition_of(Ref ref) {
  const Ref r = resolve(ref);
  const Inst& i = inst(r);
  if (values_[r].temp < 0 && values_[r].uses == 1) {
    if (i.op == Op::kCondition) {
      use(r);
      return guest_condition(i.aux);
    }
    if (i.op == Op::kEq || i.op == Op::kNe || i.op == Op::kUlt || i.op == Op::kSlt) {
      const Cond cc = compare(r);
      use(r);
      return cc;
    }
  }
  const unsigned reg = reg_of(r);
  clobber_flags();
  a_.test(gp64(reg), gp64(reg));
  use(r);
  return Cond::kNotZero;
}

}  // namespace xlat::jit::x64
