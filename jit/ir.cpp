// Meaning and names of the value operations.
#include "jit/ir.h"

#include <fmt/format.h>

#include "cpu/values.h"

namespace xlat::jit {

u64 compute(Op op, unsigned w, unsigned aux, u64 a, u64 b, u64 c) {
  switch (op) {
    case Op::kAdd: return value::add(w, a, b);
    case Op::kSub: return value::sub(w, a, b);
    case Op::kMul: return value::mul(w, a, b);
    case Op::kUdiv: return value::udiv(w, a, b);
    case Op::kUrem: return value::urem(w, a, b);
    case Op::kSdiv: return value::sdiv(w, a, b);
    case Op::kSrem: return value::srem(w, a, b);
    case Op::kAnd: return a & b;
    case Op::kOr: return a | b;
    case Op::kXor: return a ^ b;
    case Op::kShl: return value::shl(w, a, b);
    case Op::kShr: return value::shr(w, a, b);
    case Op::kSar: return value::sar(w, a, b);
    case Op::kNot: return value::not_(w, a);
    case Op::kTrunc: return value::trunc(w, a);
    case Op::kBswap: return value::bswap(w, a);
    case Op::kBitScanForward: return value::bit_scan_forward(a);
    case Op::kBitScanReverse: return value::bit_scan_reverse(a);
    case Op::kSext: return value::sext(aux, w, a);
    case Op::kEq: return a == b;
    case Op::kNe: return a != b;
    case Op::kUlt: return a < b;
    case Op::kSlt: return value::slt(w, a, b);
    case Op::kSelect: return a ? b : c;
    default: ASSERT(!"not a value operation"); return 0;
  }
}

const char* name_of(Op op) {
  static constexpr const char* kNames[] = {
      "const",        "add",          "sub",       "mul",      "udiv",      "urem",    "sdiv",     "srem",    "and",
      "or",           "xor",          "shl",       "shr",      "sar",       "not",     "trunc",    "bswap",   "bsf",
      "bsr",          "sext",         "eq",        "ne",       "ult",       "slt",     "select",   "get_reg", "set_reg",
      "get_selector", "flags",        "set_flags", "get_flag", "condition", "next_ip", "set_ip",   "load",    "store",
      "probe",        "check_target", "raise",     "raise_if", "call",      "when",    "repeat_if"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Op::kRepeatIf) + 1);
  return kNames[static_cast<unsigned>(op)];
}

std::string IrBlock::dump() const {
  std::string text;
  std::size_t insn = 0;
  for (Ref n = 0; n < code.size(); ++n) {
    while (insn < starts.size() && starts[insn] == n) text += fmt::format("insn {}:\n", insn++);
    const Inst& i = code[n];
    text += fmt::format("  %{:<4} {}.{} aux {} %{} %{} %{} imm {:#x}\n", n, name_of(i.op), i.w, i.aux, i.a, i.b, i.c,
                        i.imm);
  }
  return text;
}

}  // namespace xlat::jit
