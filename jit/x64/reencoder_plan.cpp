// The look ahead: what each instruction reads, writes and accesses, which flags matter behind it, which accesses one
// check can serve.
#include <algorithm>

#include "cpu/encoding.h"
#include "jit/analysis.h"
#include "jit/x64/reencoder.h"

namespace xlat::jit::x64 {

const std::vector<Reencoder::How>& Reencoder::table() {
  static const std::vector<How> kTable = [] {
    struct Line {
      Sem sem;
      How how;
    };
    constexpr Line kLines[] = {
#define REENCODE(name, pass, number, sets) {#name ""_sem, {Pass::pass, number, sets}},
#include "jit/x64/reencodings.inc"
    };
    std::vector<How> table;
    for (const Encoding& e : encodings()) {
      const auto* line =
          std::find_if(std::begin(kLines), std::end(kLines), [&e](const Line& l) { return l.sem == e.sem; });
      table.push_back(line == std::end(kLines) ? How{} : line->how);
    }
    return table;
  }();
  return kTable;
}

bool Reencoder::plan() {
  for (unsigned n = 0; n < 8; ++n) {
    version_[n] = n + 1;
    moved_[n] = 0;
  }
  versions_ = 8;
  groups_.clear();
  for (unsigned n = 0; n < block_->insns.size(); ++n) {
    if (!plan_step(n)) return false;
  }
  find_live_flags();
  keep_groups();
  return true;
}

// 0: it is not known.
u64 Reencoder::shift_count(const Insn& i) {
  return i.op[1].kind == Operand::kOne ? 1 : i.op[1].kind == Operand::kImm ? i.imm & 31 : 0;
}

// Registers, flags and accesses of one instruction. False if it is not for this translator.
bool Reencoder::plan_step(unsigned n) {
  const Insn& i = insn(n);
  Step& step = steps_[n];
  step = {};
  step.how = table()[i.encoding];
  if (step.how.pass == Pass::kOther) return false;
  switch (step.how.pass) {
    case Pass::kCarry: step.reads = kCf; break;
    case Pass::kBranch:
    case Pass::kMoveIf:
    case Pass::kSet: step.reads = static_cast<u16>(flags_of_condition(i.cc())); break;
    case Pass::kShift:
      if (shift_count(i) == 0 || shift_count(i) >= 8u * i.width) return false;
      break;
    default: break;
  }
  if (!find_operands(n)) return false;
  for (const Access& access : step.access) step.exits |= access.bytes != 0;
  follow_registers(n);
  return true;
}

// Its accesses, in the order they are made, and the registers it changes.
bool Reencoder::find_operands(unsigned n) {
  const Insn& i = insn(n);
  Step& step = steps_[n];
  const Pass pass = step.how.pass;
  const auto writes = [&](const Operand& o) {
    if (o.kind == Operand::kReg) step.writes |= static_cast<u8>(1u << (i.width == 1 ? o.reg & 3 : o.reg));
  };
  const bool flat_stack = context_->flat & 1u << kSs;
  const auto add = [&](Access access) {
    if (access.base != Rm::kNone) join_group(access, n);
    step.access[step.access[0].bytes != 0] = access;
  };
  const auto operand = [&](unsigned bytes, bool write) {
    add({.bytes = static_cast<u8>(bytes),
         .write = write,
         .disp = i.disp,
         .base = i.index == kZeroReg ? i.base : Rm::kNone});
    return (context_->flat & 1u << i.seg) != 0 && i.asize == 4;
  };
  const auto stack = [&](unsigned base, i32 disp, bool write) {
    add({.bytes = 4, .write = write, .stack = true, .disp = disp, .base = base});
    return flat_stack && i.osize == 4;
  };
  const bool mem0 = i.op[0].kind == Operand::kMem, mem1 = i.op[1].kind == Operand::kMem;
  switch (pass) {
    case Pass::kAlu:
    case Pass::kCarry:
    case Pass::kStep:
    case Pass::kUnary:
    case Pass::kShift:
    case Pass::kMove: writes(i.op[0]); return mem0 ? operand(i.width, true) : mem1 ? operand(i.width, false) : true;
    case Pass::kCompare:
    case Pass::kTest: return mem0 || mem1 ? operand(i.width, false) : true;
    case Pass::kExtend: writes(i.op[0]); return mem1 ? operand(step.how.number & 1 ? 2 : 1, false) : true;
    case Pass::kProduct:
    case Pass::kMoveIf: writes(i.op[0]); return mem1 ? operand(i.width, false) : true;
    case Pass::kAddress: writes(i.op[0]); return i.asize == 4;
    case Pass::kSet: writes(i.op[0]); return mem0 ? operand(1, true) : true;
    case Pass::kExchange:
      if (mem0 || mem1) return false;
      writes(i.op[0]);
      writes(i.op[1]);
      return true;
    case Pass::kSign: step.writes |= 1u << (step.how.number == 0x98 ? kEax : kEdx); return true;
    case Pass::kSwap: writes(i.op[0]); return i.width == 4;
    case Pass::kNothing: return true;
    case Pass::kPush:
      step.writes |= 1u << kEsp;
      if (mem0 && !operand(4, false)) return false;
      return i.op[0].kind != Operand::kSeg && stack(kEsp, -4, true);
    case Pass::kPop:
      if (mem0) return false;
      step.writes |= 1u << kEsp;
      writes(i.op[0]);
      return stack(kEsp, 0, false);
    case Pass::kLeave: step.writes |= 1u << kEsp | 1u << kEbp; return stack(kEbp, 0, false);
    case Pass::kBranch: return i.osize == 4;
    case Pass::kJump:
      if (mem0 && !operand(4, false)) return false;
      return i.osize == 4;
    case Pass::kCall:
      step.writes |= 1u << kEsp;
      if (mem0 && !operand(4, false)) return false;
      return stack(kEsp, -4, true);
    case Pass::kReturn: step.writes |= 1u << kEsp; return stack(kEsp, 0, false);
    case Pass::kOther: break;
  }
  return false;
}

// What the registers hold behind the instruction, as far as it is what they held plus a constant.
void Reencoder::follow_registers(unsigned n) {
  const Insn& i = insn(n);
  const Step& step = steps_[n];
  const Pass pass = step.how.pass;
  std::array<bool, 8> known{};
  const auto moves = [&](unsigned reg, i64 by) {
    known[reg] = true;
    moved_[reg] = static_cast<i32>(static_cast<u32>(moved_[reg]) + static_cast<u32>(by));
  };
  const bool reg0 = i.op[0].kind == Operand::kReg;
  if (pass == Pass::kPush || pass == Pass::kCall) moves(kEsp, -4);
  if (pass == Pass::kPop && i.op[0].reg != kEsp) moves(kEsp, 4);
  if (i.width == 4 && reg0) {
    const unsigned reg = i.op[0].reg;
    if (pass == Pass::kAlu && (step.how.number == 0 || step.how.number == 5) && i.op[1].kind == Operand::kImm) {
      moves(reg, step.how.number == 0 ? static_cast<i64>(i.imm) : -static_cast<i64>(i.imm));
    }
    if (pass == Pass::kStep) moves(reg, step.how.number == 0 ? 1 : -1);
    if (pass == Pass::kAddress && i.index == kZeroReg && i.base < 8) {
      if (i.base == reg) {
        moves(reg, i.disp);
      } else {
        known[reg] = true;
        version_[reg] = version_[i.base];
        moved_[reg] = static_cast<i32>(static_cast<u32>(moved_[i.base]) + static_cast<u32>(i.disp));
      }
    }
    if (pass == Pass::kMove && i.op[1].kind == Operand::kReg) {
      known[reg] = true;
      version_[reg] = version_[i.op[1].reg];
      moved_[reg] = moved_[i.op[1].reg];
    }
  }
  if (pass == Pass::kLeave) {
    known[kEsp] = true;
    version_[kEsp] = version_[kEbp];
    moved_[kEsp] = static_cast<i32>(static_cast<u32>(moved_[kEbp]) + 4);
  }
  for (unsigned reg = 0; reg < 8; ++reg) {
    if (!(step.writes & 1u << reg) || known[reg]) continue;
    version_[reg] = ++versions_;
    moved_[reg] = 0;
  }
}

void Reencoder::join_group(Access& access, unsigned n) {
  if (block_->apart) return;
  const bool absolute = access.base == kZeroReg;
  const u32 version = absolute ? 0 : version_[access.base];
  const i32 offset =
      static_cast<i32>(static_cast<u32>(access.disp) + (absolute ? 0 : static_cast<u32>(moved_[access.base])));
  access.offset = offset;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    if (group.version != version) continue;
    const i64 low = std::min<i64>(group.low, offset), high = std::max<i64>(group.high, i64{offset} + access.bytes);
    if (high - low > kMostGroupBytes) continue;
    group.low = static_cast<i32>(low);
    group.high = static_cast<i32>(high);
    group.write |= access.write;
    group.last = n;
    ++group.accesses;
    access.group = static_cast<u8>(g + 1);
    return;
  }
  constexpr i32 kEdge = 1 << 30;  // no sums of offsets overflow
  if (groups_.size() >= 200 || offset > kEdge || offset < -kEdge) return;
  groups_.push_back({access.base, version, offset, offset + access.bytes, access.write, n, n, 1});
  access.group = static_cast<u8>(groups_.size());
}

// Two registers can point to groups at a time: those with the most accesses have them.
void Reencoder::keep_groups() {
  constexpr u8 kPointers[] = {10, 11};
  std::array<u64, std::size(kPointers)> taken{};  // by instruction, a bit each
  std::vector<std::size_t> order;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].accesses > 1) order.push_back(g);
  }
  std::stable_sort(order.begin(), order.end(),
                   [this](std::size_t a, std::size_t b) { return groups_[a].accesses > groups_[b].accesses; });
  for (const std::size_t g : order) {
    Group& group = groups_[g];
    const u64 span = (~u64{0} >> (63 - group.last)) & ~u64{0} << group.first;
    for (std::size_t k = 0; k < std::size(kPointers); ++k) {
      if (taken[k] & span) continue;
      taken[k] |= span;
      group.pointer = kPointers[k];
      break;
    }
  }
}

// Backwards. Where an instruction may fault, and behind the block, all flags count.
void Reencoder::find_live_flags() {
  const unsigned count = static_cast<unsigned>(block_->insns.size());
  u16 live = kAll;
  for (unsigned n = count; n-- > 0;) {
    Step& step = steps_[n];
    step.live = live;
    live = static_cast<u16>((live & ~step.how.sets) | step.reads);
    if (step.exits) live = kAll;
  }
  overwrites_ = false;
  changed_before_ = 0;
  u8 changed = 0;
  for (unsigned n = 0; n < count; ++n) {
    const Step& step = steps_[n];
    if (step.reads != 0 || (step.how.sets != 0 && step.how.sets != kAll)) return;
    if (step.exits) changed_before_ = changed;
    if (step.how.sets == kAll) {
      overwrites_ = true;
      return;
    }
    changed |= step.writes;
  }
}

}  // namespace xlat::jit::x64
