// Liveness of flags and use counts of values, backwards through a block.
#include "jit/analysis.h"

namespace xlat::jit {

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
  result.flags_live.assign(insns, 0);

  std::vector<bool>& conditional = result.conditional;
  conditional.assign(ir.code.size(), false);
  for (Ref n = 0; n < ir.code.size(); ++n) {
    if (ir.code[n].op == Op::kShiftFlags) conditional[n] = true;
    if (ir.code[n].op != Op::kWhen) continue;
    for (Ref k = n + 1; k < ir.code[n].imm; ++k) conditional[k] = true;
  }

  u32 live = kArithFlags;
  for (std::size_t insn = insns; insn-- > 0;) {
    bool exits = false;
    for (Ref n = ir.starts[insn + 1]; n-- > ir.starts[insn];) {
      const Inst& inst = ir.code[n];
      const u32 written = flags_written(inst);
      if (written != 0) {
        result.dead[n] = (written & ~kArithFlags) == 0 && (live & written) == 0;
        if (!conditional[n]) live &= ~written;
      }
      live |= flags_read(inst);
      const OpInfo& op = info_of(inst.op);
      exits = exits || op.effect == OpInfo::kLeaves || op.effect == OpInfo::kStores;
      if (result.dead[n] || (is_value(inst.op) && result.uses[n] == 0)) continue;
      if (op.operands > 0) ++result.uses[inst.a];
      if (op.operands > 1) ++result.uses[inst.b];
      if (op.operands > 2) ++result.uses[inst.c];
    }
    if (exits) live = kArithFlags;
    result.flags_live[insn] = live;
  }
  return result;
}

}  // namespace xlat::jit
