// The transcendental instructions: operands, the stack, C2.
#include "cpu/helpers.h"
#include "cpu/x87/operation.h"
#include "cpu/x87/transcendental.h"

namespace xlat::helper {

using namespace x87;

namespace {

using Unary = F80 (*)(FloatContext&, const Unpacked&);
using Binary = F80 (*)(FloatContext&, const Unpacked&, const Unpacked&);

// C2 and nothing else: the argument is too large.
bool reduction_incomplete(Operation& op, bool pushes) {
  if (op.empty(0) || (pushes && !op.empty(7)) || !out_of_range(op.operand(0))) {
    op.fpu.status &= static_cast<u16>(~kSwC2);
    return false;
  }
  op.accept();
  op.fpu.status |= kSwC2;
  return true;
}

u64 trigonometric(Cpu& c, const Insn& i, Unary fn) {
  Operation op(c, i);
  if (reduction_incomplete(op, false)) return 0;
  const F80 result = op.empty(0) ? op.stack_underflow() : fn(op.ctx, op.operand(0));
  if (op.accept()) op.set(0, result);
  return 0;
}

// ST(0) = first(ST(0)), then push second(ST(0)); both NaN where there is no number.
u64 pushing(Cpu& c, const Insn& i, Unary first, Unary second) {
  Operation op(c, i);
  if (reduction_incomplete(op, true)) return 0;
  F80 a, b;
  if (op.empty(0)) {
    a = b = op.stack_underflow();
  } else if (!op.empty(7)) {
    a = b = op.stack_overflow();
  } else {
    const Unpacked x = op.operand(0);
    b = second(op.ctx, x);
    a = first(op.ctx, x);
  }
  if (!op.accept()) return 0;
  op.set(0, a);
  op.push(b);
  return 0;
}

// ST(1) = fn(ST(1), ST(0)), and pop.
u64 popping(Cpu& c, const Insn& i, Binary fn) {
  Operation op(c, i);
  const F80 result = op.empty(0) || op.empty(1) ? op.stack_underflow() : fn(op.ctx, op.operand(1), op.operand(0));
  if (!op.accept()) return 0;
  op.set(1, result);
  op.pop();
  return 0;
}

// FPTAN pushes 1, or the NaN that is its result.
F80 one_or_nan(FloatContext& ctx, const Unpacked& a) {
  if (needs_propagation(a)) return propagate_nan(ctx, a);
  return a.infinite() ? invalid(ctx) : make_f80(false, 0, u64{1} << 63);
}

}  // namespace

u64 fsin(Cpu& c, const Insn& i, u64, u64) { return trigonometric(c, i, sine); }
u64 fcos(Cpu& c, const Insn& i, u64, u64) { return trigonometric(c, i, cosine); }
u64 fsincos(Cpu& c, const Insn& i, u64, u64) { return pushing(c, i, sine, cosine); }
u64 fptan(Cpu& c, const Insn& i, u64, u64) { return pushing(c, i, tangent, one_or_nan); }
u64 fpatan(Cpu& c, const Insn& i, u64, u64) { return popping(c, i, arctangent); }
u64 fyl2x(Cpu& c, const Insn& i, u64, u64) { return popping(c, i, logarithm); }
u64 fyl2xp1(Cpu& c, const Insn& i, u64, u64) { return popping(c, i, logarithm_plus_one); }

u64 f2xm1(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  const F80 result = op.empty(0) ? op.stack_underflow() : exponential(op.ctx, op.operand(0));
  if (op.accept()) op.set(0, result);
  return 0;
}

}  // namespace xlat::helper
