// Meaning and names of the value operations.
#include "jit/ir.h"

#include <fmt/format.h>

#include <bit>

#include "base/bits.h"

namespace xlat::jit {

u64 compute(Op op, unsigned w, unsigned aux, u64 a, u64 b, u64 c) {
  const u64 m = mask(w);
  switch (op) {
    case Op::kAdd: return (a + b) & m;
    case Op::kSub: return (a - b) & m;
    case Op::kMul: return (a * b) & m;
    case Op::kUdiv: return b == 0 ? 0 : (a / b) & m;
    case Op::kUrem: return b == 0 ? 0 : (a % b) & m;
    case Op::kSdiv: {
      const i64 n = sign_extend(a, w), d = sign_extend(b, w);
      if (d == 0) return 0;
      return (d == -1 ? 0 - static_cast<u64>(n) : static_cast<u64>(n / d)) & m;
    }
    case Op::kSrem: {
      const i64 n = sign_extend(a, w), d = sign_extend(b, w);
      return d == 0 || d == -1 ? 0 : static_cast<u64>(n % d) & m;
    }
    case Op::kAnd: return a & b;
    case Op::kOr: return a | b;
    case Op::kXor: return a ^ b;
    case Op::kShl: return b >= w ? 0 : (a << b) & m;
    case Op::kShr: return b >= w ? 0 : a >> b;
    case Op::kSar: return static_cast<u64>(sign_extend(a, w) >> (b >= w ? w - 1 : b)) & m;
    case Op::kNot: return ~a & m;
    case Op::kTrunc: return a & m;
    case Op::kBswap: return w == 32 ? __builtin_bswap32(static_cast<u32>(a)) : __builtin_bswap64(a);
    case Op::kBitScanForward: return a == 0 ? 0 : static_cast<u64>(std::countr_zero(a));
    case Op::kBitScanReverse: return a == 0 ? 0 : 63 - static_cast<u64>(std::countl_zero(a));
    case Op::kSext: return static_cast<u64>(sign_extend(a, aux)) & m;
    case Op::kEq: return a == b;
    case Op::kNe: return a != b;
    case Op::kUlt: return a < b;
    case Op::kSlt: return sign_extend(a, w) < sign_extend(b, w);
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
