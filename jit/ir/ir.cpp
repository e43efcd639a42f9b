// Meaning of the value operations, and what a block looks like in print.
#include "jit/ir/ir.h"

#include <fmt/format.h>

#include "cpu/values.h"

namespace xlat::jit {

u64 compute(Op op, unsigned w, unsigned aux, u64 a, u64 b, u64 c) {
  switch (op) {
#define COMPUTE_w_a(name) value::name(w, a)
#define COMPUTE_w_a_b(name) value::name(w, a, b)
#define COMPUTE_w_a_b_c(name) value::name(w, a, b, c)
#define COMPUTE_from_w_a(name) value::name(aux, w, a)
#define COMPUTE_a(name) value::name(a)
#define COMPUTE_a_b(name) value::name(a, b)
#define COMPUTE_c_a_b(name) value::name(a, b, c)
#define VALUE_OP(op, name, shape, result) \
  case Op::op:                            \
    return COMPUTE_##shape(name);
#include "cpu/value_ops.inc"
    default: ASSERT(!"not a value operation"); return 0;
  }
}

std::string IrBlock::dump() const {
  std::string text;
  std::size_t insn = 0;
  for (Ref n = 0; n < code.size(); ++n) {
    while (insn < starts.size() && starts[insn] == n) text += fmt::format("insn {}:\n", insn++);
    const Inst& i = code[n];
    text += fmt::format("  %{:<4} {}.{} aux {} %{} %{} %{} imm {:#x}\n", n, info_of(i.op).name, i.w, i.aux, i.a, i.b,
                        i.c, i.imm);
  }
  return text;
}

}  // namespace xlat::jit
