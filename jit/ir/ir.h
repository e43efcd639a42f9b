// The JIT's intermediate representation: what the lifter writes down when it runs the instruction semantics.
#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "cpu/emitter.h"

namespace xlat::jit {

// Operations work on 64-bit values that are zero-extended from `w` bits. Operands are indices of earlier operations.
enum class Op : u8 {
#define IR_OP(op, name, operands, result, effect) op,
#include "jit/ir/ops.inc"
#undef IR_OP
};

// The columns of jit/ir/ops.inc.
struct OpInfo {
  enum Result : u8 { kNone, kWidth, kTruncated, kBit, kIndex, kNarrowest, kWidest, kConst, kHelper };
  enum Effect : u8 { kPure, kReads, kWrites, kLeaves, kStores, kSkips };
  const char* name;
  u8 operands;
  Result result;
  Effect effect;
};
inline constexpr OpInfo kOps[] = {
#define IR_OP(op, name, operands, result, effect) {#name, operands, OpInfo::result, OpInfo::effect},
#include "jit/ir/ops.inc"
#undef IR_OP
};
constexpr const OpInfo& info_of(Op op) { return kOps[static_cast<u8>(op)]; }
// It can be left out if nobody wants its value.
constexpr bool is_value(Op op) { return info_of(op).effect <= OpInfo::kReads; }

using Ref = u32;

struct Inst {
  Op op;
  u8 w = 0;
  u8 aux = 0;
  Ref a = 0, b = 0, c = 0;
  u64 imm = 0;
};

// A block of guest code. Operations [starts[n], starts[n + 1]) are instruction n's; no value crosses an instruction.
struct IrBlock {
  std::vector<Inst> code;
  std::vector<u32> starts;

  // A line an operation, for -d ir and for tests.
  std::string dump() const;
};

// How many of the low bits of its result may be set, where `bits_of` tells that of its operands; 64 where it has none.
unsigned result_bits(const Inst& i, auto&& bits_of) {
  switch (info_of(i.op).result) {
    case OpInfo::kNone: return 64;
    case OpInfo::kWidth: return i.w;
    case OpInfo::kTruncated: return std::min<unsigned>(i.w, bits_of(i.a));
    case OpInfo::kBit: return 1;
    case OpInfo::kIndex: return 6;
    case OpInfo::kNarrowest: return std::min<unsigned>(bits_of(i.a), bits_of(i.b));
    case OpInfo::kWidest:
      return i.op == Op::kSelect ? std::max<unsigned>(bits_of(i.b), bits_of(i.c))
                                 : std::max<unsigned>(bits_of(i.a), bits_of(i.b));
    case OpInfo::kConst: return i.imm == 0 ? 1 : 64 - static_cast<unsigned>(std::countl_zero(i.imm));
    case OpInfo::kHelper: return std::max<unsigned>(1, info_of(static_cast<Helper>(i.imm)).bits);
  }
  return 64;
}

// Value operations on numbers; the folding of constants and the evaluator share it.
u64 compute(Op op, unsigned w, unsigned aux, u64 a, u64 b, u64 c);

}  // namespace xlat::jit
