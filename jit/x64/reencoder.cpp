// The pass that writes the code: instruction by instruction, then the cold part.
#include "jit/x64/reencoder.h"

#include "cpu/encoding.h"

namespace xlat::jit::x64 {

namespace {

constexpr unsigned kR8 = 8, kR9 = 9, kR13 = 13;
constexpr unsigned kHostEsp = kGuestReg[kEsp];

// Of operand `o` at `w` bits: AH to BH keep their numbers 4 to 7.
unsigned host_number(const Operand& o, unsigned w) { return w == 8 ? o.reg : kGuestReg[o.reg]; }
// r8 and r9, in which an access that is in no group has its address.
bool uses_temporaries(const Rm& rm) { return rm.base == kR9; }
bool is_high_byte(const Operand& o, unsigned w) { return w == 8 && o.kind == Operand::kReg && o.reg > 3; }

}  // namespace

Reencoder::Reencoder(const StateLayout& layout, const Stubs& stubs, FlagRecipes& recipes)
    : layout_(layout), stubs_(stubs), recipes_(recipes) {}

const HostCode* Reencoder::translate(const Block& block, const Translation& translation, const Context& context,
                                     const u8* base, const u8* cold_end) {
  if (!block.mode.cs32 || !block.mode.ss32 || block.two_pages() || context.cs_limit != 0xffffffff) return nullptr;
  if (translation.broken) return nullptr;
  block_ = &block;
  translation_ = &translation;
  context_ = &context;
  if (!plan()) return nullptr;
  hot_.clear();
  cold_.clear();
  slow_.clear();
  slow_jumps_.clear();
  other_stack_pages_.clear();
  exits_.clear();
  fixups_.clear();
  absolutes_.clear();
  out_.exits.clear();
  flags_ = overwrites_ ? Flags::kInherited : Flags::kMemory;
  host_valid_ = word_stale_ = ended_ = false;
  budget();
  for (unsigned n = 0; n < block.insns.size(); ++n) {
    if (!emit(n) || hot_.full() || cold_.full()) return nullptr;
  }
  if (!ended_) {
    prepare_exit_flags();
    exit_to(static_cast<u32>(translation.ip + block.bytes), kAlways);
  }
  emit_slow_paths();
  for (const PendingExit& exit : exits_) emit_exit(exit);
  if (cold_.full()) return nullptr;
  lay_out(base, cold_end);
  out_.overwrites_flags = overwrites_;
  out_.changed_before = changed_before_;
  return &out_;
}

// The budget pays for the whole block at once. What is left of it where that is too little is the loop's.
void Reencoder::budget() {
  const i32 insns = static_cast<i32>(block_->insns.size());
  hot_.group1(64, 5, Rm::reg(kR13), insns);
  fixups_.push_back({false, true, hot_.jump(kLess), cold_.size()});
  cold_.group1(64, 0, Rm::reg(kR13), insns);
  cold_.mov_imm32(kR8, translation_->ip);
  absolutes_.push_back({true, cold_.jump(kAlways), stubs_.leave_at});
}

bool Reencoder::emit(unsigned n) {
  slow_of_now_ = -1;
  if (needed(n) == 0) {
    if (flags_ != Flags::kInherited) flags_ = Flags::kDead;
    host_valid_ = false;
  }
  const Step& step = steps_[n];
  // What would be found changed by then is kept apart first, on the slow way as well.
  if (step.writes) changing(n, step.writes);
  const bool ok = step.how.pass >= Pass::kBranch ? emit_transfer(n) : emit_operation(n);
  if (!ok) return false;
  if (slow_of_now_ >= 0) {
    Slow& slow = slow_[static_cast<unsigned>(slow_of_now_)];
    slow.next = hot_.size();
    slow.to_host_flags = host_valid_ && !ended_;
  }
  return true;
}

// Whether the operands can stand in one instruction: a REX prefix leaves no way to name AH to BH.
bool Reencoder::nameable(const Insn& i, const Rm& rm, unsigned w) const {
  const bool high = is_high_byte(i.op[0], w) || is_high_byte(i.op[1], w);
  return !high || !ByteWriter::needs_rex(0, rm);
}

// op r/m, r; op r, r/m; op r/m, imm of the eight operations that group 1 has.
void Reencoder::emit_binary(u8 number, const Insn& i, const Rm& rm) {
  const unsigned w = 8u * i.width, wide = w == 8 ? 0 : 1;
  const u32 opcode = static_cast<u32>(number) << 3 | wide;
  if (i.op[1].kind == Operand::kImm) {
    hot_.group1(w, number, rm, static_cast<i32>(sign_extend(i.imm, w)));
  } else if (i.op[1].kind == Operand::kMem) {
    hot_.op(w, opcode | 2, host_number(i.op[0], w), rm);
  } else {
    hot_.op(w, opcode, host_number(i.op[1], w), rm);
  }
}

bool Reencoder::emit_operation(unsigned n) {
  const Insn& i = insn(n);
  const Step& step = steps_[n];
  const u8 number = step.how.number;
  const unsigned w = 8u * i.width;
  const bool mem0 = i.op[0].kind == Operand::kMem, mem1 = i.op[1].kind == Operand::kMem;
  const bool mem = step.access[0].bytes != 0 && !step.access[0].stack;
  const bool wanted = step.live != 0;
  // Flags that are read beside an operand in memory: its check needs the registers in which they would be made.
  if (step.reads && mem) settle_in_memory();
  if (step.how.sets == kNotCf && (step.live & kCf)) settle_in_memory();

  // The operand that ModRM names, if it is not the second.
  const auto operand0 = [&] { return mem0 ? memory(n, 0) : Rm::reg(host_number(i.op[0], w)); };
  switch (step.how.pass) {
    case Pass::kAlu: {
      Rm rm = mem ? memory(n, 0) : operand0();
      if (!nameable(i, rm, w)) return false;
      FlagRecipe recipe;
      const bool sums = number == 0 || number == 5;
      const bool dest_ok = !mem0 && !is_high_byte(i.op[0], w);
      if (wanted && dest_ok && !sums) recipe = recipe_of(FlagRecipe::Form::kTest, w, i.op[0], i.op[0]);
      if (wanted && dest_ok && sums) {
        const auto form = number == 0 ? FlagRecipe::Form::kUndoAdd : FlagRecipe::Form::kUndoSub;
        if (mem1) {
          // The value is needed again, to make the flags.
          load_to(kR8, w, rm);
          recipe = recipe_of(form, w, i.op[0], {});
          recipe.b = field_operand(FlagField::kB, kR8);
          hot_.op(w, static_cast<u32>(number) << 3 | (w == 8 ? 2 : 3), host_number(i.op[0], w), Rm::reg(kR8));
          made(recipe, FlagKind::kPacked, 0, n);
          return true;
        }
        const bool same = i.op[1].kind == Operand::kReg && i.op[1].reg == i.op[0].reg;
        if (!same && !is_high_byte(i.op[1], w)) recipe = recipe_of(form, w, i.op[0], i.op[1], i.imm);
      }
      emit_binary(number, i, rm);
      made(recipe, FlagKind::kPacked, 0, n);
      return true;
    }
    case Pass::kCarry: {
      const Rm rm = mem ? memory(n, 0) : operand0();
      if (!nameable(i, rm, w)) return false;
      want_carry();
      emit_binary(number, i, rm);
      made({}, FlagKind::kPacked, 0, n);
      return true;
    }
    case Pass::kCompare:
    case Pass::kTest: {
      const bool compare = step.how.pass == Pass::kCompare;
      const auto form = compare ? FlagRecipe::Form::kCompare : FlagRecipe::Form::kTest;
      Rm rm = mem ? memory(n, 0) : operand0();
      FlagRecipe recipe;
      if (mem && wanted) {
        load_to(kR8, w, rm);
        rm = Rm::reg(kR8);
        if (!nameable(i, rm, w)) return false;
        const FlagOperand value = field_operand(mem0 ? FlagField::kA : FlagField::kB, kR8);
        recipe = recipe_of(form, w, i.op[0], i.op[1], i.imm);
        (mem0 ? recipe.a : recipe.b) = value;
        if (is_high_byte(i.op[mem0 ? 1 : 0], w)) return false;
      } else if (wanted && !is_high_byte(i.op[0], w) && !is_high_byte(i.op[1], w)) {
        recipe = recipe_of(form, w, i.op[0], i.op[1], i.imm);
      }
      if (!nameable(i, rm, w)) return false;
      if (compare) {
        emit_binary(number, i, rm);
      } else if (i.op[1].kind == Operand::kImm) {
        hot_.op(w, w == 8 ? 0xf6 : 0xf7, 0, rm);
        hot_.immediate(w, i.imm);
      } else {
        hot_.op(w, w == 8 ? 0x84 : 0x85, host_number(i.op[mem1 ? 0 : 1], w), rm);
      }
      made(recipe, FlagKind::kPacked, 0, n);
      return true;
    }
    case Pass::kStep: {
      const Rm rm = operand0();
      if (!nameable(i, rm, w)) return false;
      const bool carry = (step.live & kCf) != 0, dest_ok = !mem0 && !is_high_byte(i.op[0], w);
      if (carry && !dest_ok) want_carry();
      hot_.op(w, w == 8 ? 0xfe : 0xff, number, rm);
      const auto form = number == 0 ? FlagRecipe::Form::kUndoInc : FlagRecipe::Form::kUndoDec;
      if (wanted && dest_ok) {
        made(recipe_of(form, w, i.op[0], {}), carry ? FlagKind::kInc : FlagKind::kPacked, 0, n);
      } else {
        made({}, FlagKind::kPacked, 0, n);
      }
      return true;
    }
    case Pass::kUnary: {
      const Rm rm = operand0();
      if (!nameable(i, rm, w)) return false;
      hot_.op(w, w == 8 ? 0xf6 : 0xf7, number, rm);
      if (number == 2) return true;
      FlagRecipe recipe;
      if (wanted && !mem0 && !is_high_byte(i.op[0], w)) recipe = recipe_of(FlagRecipe::Form::kNegated, w, i.op[0], {});
      made(recipe, FlagKind::kPacked, 0, n);
      return true;
    }
    case Pass::kShift: {
      const Rm rm = operand0();
      if (!nameable(i, rm, w)) return false;
      const u64 count = shift_count(i);
      const FlagKind kind = number == 4 ? FlagKind::kShl : number == 5 ? FlagKind::kShr : FlagKind::kSar;
      FlagRecipe recipe;
      if (wanted && !mem0 && !is_high_byte(i.op[0], w)) {
        recipe.form = number == 4   ? FlagRecipe::Form::kShl
                      : number == 5 ? FlagRecipe::Form::kShr
                                    : FlagRecipe::Form::kSar;
        recipe.w = static_cast<u8>(w);
        recipe.a = field_operand(FlagField::kA, host_number(i.op[0], w));
        recipe.b.imm = static_cast<i32>(count);
      }
      hot_.op(w, (w == 8 ? 0xc0 : 0xc1) | (count == 1 ? 0x10 : 0), number, rm);
      if (count != 1) hot_.byte(static_cast<u32>(count));
      made(recipe, kind, count, n);
      return true;
    }
    case Pass::kProduct: {
      if (wanted) return false;  // SF, ZF, AF and PF are kept, which the host's instruction does not
      const Rm rm = mem1 ? memory(n, 0) : Rm::reg(host_number(i.op[1], w));
      const unsigned to = host_number(i.op[0], w);
      if (number == 0) {
        hot_.op(w, 0x0faf, to, rm);
      } else {
        hot_.op(w, 0x69, to, rm);
        hot_.immediate(w, i.imm);
      }
      host_valid_ = false;
      return true;
    }
    case Pass::kMove: {
      const Rm rm = mem ? memory(n, 0) : operand0();
      if (!nameable(i, rm, w)) return false;
      if (i.op[1].kind == Operand::kImm) {
        if (w == 32 && !mem0) {
          hot_.mov_imm32(rm.base, static_cast<u32>(i.imm));
        } else {
          hot_.op(w, w == 8 ? 0xc6 : 0xc7, 0, rm);
          hot_.immediate(w, i.imm);
        }
      } else if (mem1) {
        hot_.op(w, w == 8 ? 0x8a : 0x8b, host_number(i.op[0], w), rm);
      } else {
        hot_.op(w, w == 8 ? 0x88 : 0x89, host_number(i.op[1], w), rm);
      }
      return true;
    }
    case Pass::kExtend: {
      const unsigned from = number & 1 ? 16 : 8;
      const Rm rm = mem1 ? memory(n, 0) : Rm::reg(host_number(i.op[1], from));
      const unsigned to = kGuestReg[i.op[0].reg];
      if (is_high_byte(i.op[1], from) && ByteWriter::needs_rex(to, rm)) return false;
      hot_.op(w, 0x0f00u | number, to, rm);
      return true;
    }
    case Pass::kAddress: {
      hot_.op(w, 0x8d, host_number(i.op[0], w), address(i));
      return true;
    }
    case Pass::kMoveIf: {
      const Rm rm = mem1 ? memory(n, 0) : Rm::reg(host_number(i.op[1], w));
      const int cc = condition(i.cc());
      hot_.op(w, 0x0f40u | static_cast<unsigned>(cc), host_number(i.op[0], w), rm);
      // A register that is not written is cut to 32 bits all the same, which it was.
      return true;
    }
    case Pass::kSet: {
      const Rm rm = mem0 ? memory(n, 0) : Rm::reg(host_number(i.op[0], 8));
      const int cc = condition(i.cc());
      hot_.op(8, 0x0f90u | static_cast<unsigned>(cc), 0, rm);
      return true;
    }
    case Pass::kExchange: {
      const Rm rm = operand0();
      const unsigned reg = host_number(i.op[1], w);
      if (ByteWriter::needs_rex(reg, rm) && (is_high_byte(i.op[0], w) || is_high_byte(i.op[1], w))) return false;
      hot_.op(w, w == 8 ? 0x86 : 0x87, reg, rm);
      return true;
    }
    case Pass::kSign:
      if (w == 16) hot_.byte(0x66);
      hot_.byte(number);
      return true;
    case Pass::kSwap: {
      const unsigned reg = host_number(i.op[0], w);
      if (reg > 7) hot_.byte(0x41);
      hot_.byte(0x0f);
      hot_.byte(0xc8 | (reg & 7));
      return true;
    }
    case Pass::kNothing: return true;
    case Pass::kPush: {
      if (mem0) {
        const Rm to = memory(n, 1);
        if (uses_temporaries(to)) return false;  // the other operand needs them
        const Rm from = memory(n, 0);
        load_to(kR8, 32, from);
        hot_.op(32, 0x89, kR8, to);
      } else {
        const Rm to = memory(n, 0);
        if (i.op[0].kind == Operand::kImm) {
          hot_.op(32, 0xc7, 0, to);
          hot_.immediate(32, i.imm);
        } else {
          hot_.op(32, 0x89, kGuestReg[i.op[0].reg], to);
        }
      }
      hot_.op(32, 0x8d, kHostEsp, Rm::at(kHostEsp, -4));
      return true;
    }
    case Pass::kPop: {
      const Rm from = memory(n, 0);
      const unsigned to = kGuestReg[i.op[0].reg];
      if (to != kHostEsp) hot_.op(32, 0x8d, kHostEsp, Rm::at(kHostEsp, 4));
      load_to(to, 32, from);
      return true;
    }
    case Pass::kLeave: {
      const Rm from = memory(n, 0);
      hot_.op(32, 0x8d, kHostEsp, Rm::at(kGuestReg[kEbp], 4));
      load_to(kGuestReg[kEbp], 32, from);
      return true;
    }
    default: return false;
  }
}

// Jumps, calls, returns: the block ends.
bool Reencoder::emit_transfer(unsigned n) {
  const Insn& i = insn(n);
  const Step& step = steps_[n];
  const u32 next = static_cast<u32>(translation_->ip + i.off + i.len);
  const bool direct = i.op[0].kind == Operand::kRel;
  const u32 target = next + static_cast<u32>(i.imm);
  u32 back = 0;
  switch (step.how.pass) {
    case Pass::kBranch: {
      if (flags_ == Flags::kHost) store_flags();
      const int cc = condition(i.cc());
      prepare_exit_flags();
      exit_to(target, cc);
      exit_to(next, kAlways);
      break;
    }
    case Pass::kJump:
      if (direct) {
        prepare_exit_flags();
        exit_to(target, kAlways);
        break;
      }
      settle_in_memory();
      if (step.access[0].bytes) {
        load_to(kR8, 32, memory(n, 0));
      } else {
        hot_.mov32(kR8, kGuestReg[i.op[0].reg]);
      }
      prepare_exit_flags();
      indirect_jump();
      break;
    case Pass::kCall: {
      if (!direct) settle_in_memory();
      const bool from_memory = step.access[1].bytes != 0;
      const Rm to = memory(n, from_memory ? 1 : 0);
      if (from_memory) {
        if (uses_temporaries(to)) return false;
        load_to(kR8, 32, memory(n, 0));
      }
      clobber(n);
      hot_.op(32, 0xc7, 0, to);
      hot_.dword(next);
      if (!direct && !from_memory) hot_.mov32(kR8, kGuestReg[i.op[0].reg]);
      hot_.op(32, 0x8d, kHostEsp, Rm::at(kHostEsp, -4));
      back = note_call();
      host_valid_ = false;
      prepare_exit_flags();
      if (direct) {
        exit_to(target, kAlways);
      } else {
        indirect_jump();
      }
      return_point(back, next);
      break;
    }
    case Pass::kReturn: {
      settle_in_memory();
      load_to(kR8, 32, memory(n, 0));
      hot_.op(32, 0x8d, kHostEsp, Rm::at(kHostEsp, static_cast<i32>(4 + i.imm)));
      prepare_exit_flags();
      go_back(static_cast<i32>(4 + i.imm));
      break;
    }
    default: return false;
  }
  ended_ = true;
  return true;
}

}  // namespace xlat::jit::x64
