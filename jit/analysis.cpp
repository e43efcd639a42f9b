// Liveness of flags and use counts of values, backwards through a block.
#include "jit/analysis.h"

#include "cpu/flags.h"

namespace xlat::jit {

unsigned operand_count(Op op) {
  switch (op) {
    case Op::kConst:
    case Op::kGetReg:
    case Op::kGetSelector:
    case Op::kGetFlag:
    case Op::kCondition:
    case Op::kNextIp:
    case Op::kRaise: return 0;
    case Op::kNot:
    case Op::kTrunc:
    case Op::kBswap:
    case Op::kBitScanForward:
    case Op::kBitScanReverse:
    case Op::kSext:
    case Op::kSetReg:
    case Op::kSetFlags:
    case Op::kSetIp:
    case Op::kLoad:
    case Op::kProbe:
    case Op::kCheckTarget:
    case Op::kRaiseIf:
    case Op::kWhen:
    case Op::kRepeatIf: return 1;
    case Op::kSelect:
    case Op::kFlags: return 3;
    default: return 2;
  }
}

bool is_value(Op op) {
  switch (op) {
    case Op::kSetReg:
    case Op::kFlags:
    case Op::kSetFlags:
    case Op::kSetIp:
    case Op::kLoad:
    case Op::kStore:
    case Op::kProbe:
    case Op::kCheckTarget:
    case Op::kRaise:
    case Op::kRaiseIf:
    case Op::kCall:
    case Op::kWhen:
    case Op::kRepeatIf: return false;
    default: return true;
  }
}

u32 flags_of_condition(unsigned cc) {
  switch ((cc >> 1) & 7) {
    case 0: return kOf;
    case 1: return kCf;
    case 2: return kZf;
    case 3: return kCf | kZf;
    case 4: return kSf;
    case 5: return kPf;
    case 6: return kSf | kOf;
    default: return kZf | kSf | kOf;
  }
}

Analysis analyse(const IrBlock& ir, Analysis reuse) {
  Analysis result = std::move(reuse);
  const std::size_t insns = ir.starts.size() - 1;
  result.uses.assign(ir.code.size(), 0);
  result.dead.assign(ir.code.size(), false);
  result.exits.assign(insns, false);
  result.flags_live.assign(insns, 0);

  std::vector<bool>& conditional = result.conditional;
  conditional.assign(ir.code.size(), false);
  for (Ref n = 0; n < ir.code.size(); ++n) {
    if (ir.code[n].op != Op::kWhen) continue;
    for (Ref k = n + 1; k < ir.code[n].imm; ++k) conditional[k] = true;
  }

  u32 live = kArithFlags;
  for (std::size_t insn = insns; insn-- > 0;) {
    bool exits = false;
    for (Ref n = ir.starts[insn + 1]; n-- > ir.starts[insn];) {
      const Inst& inst = ir.code[n];
      switch (inst.op) {
        case Op::kFlags: {
          const u32 own = flags_set_by(static_cast<FlagKind>(inst.aux));
          result.dead[n] = (live & own) == 0;
          if (!conditional[n]) live &= ~own;
          break;
        }
        case Op::kSetFlags: {
          const u32 own = static_cast<u32>(inst.imm);
          result.dead[n] = (own & ~kArithFlags) == 0 && (live & own) == 0;
          if (!conditional[n]) live &= ~own;
          break;
        }
        case Op::kGetFlag: live |= static_cast<u32>(inst.imm) & kArithFlags; break;
        case Op::kCondition: live |= flags_of_condition(inst.aux); break;
        case Op::kLoad:
        case Op::kStore:
        case Op::kProbe:
        case Op::kRaise:
        case Op::kRaiseIf:
        case Op::kCall:
        case Op::kRepeatIf:
        case Op::kCheckTarget: exits = true; break;
        default: break;
      }
      const bool pure = is_value(inst.op);
      if (result.dead[n] || (pure && result.uses[n] == 0)) continue;
      const unsigned operands = operand_count(inst.op);
      if (operands > 0) ++result.uses[inst.a];
      if (operands > 1) ++result.uses[inst.b];
      if (operands > 2) ++result.uses[inst.c];
    }
    result.exits[insn] = exits;
    if (exits) live = kArithFlags;
    result.flags_live[insn] = live;
  }
  return result;
}

}  // namespace xlat::jit
