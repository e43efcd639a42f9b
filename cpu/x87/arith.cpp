// x87 arithmetic and comparison.
#include "cpu/helpers.h"
#include "cpu/x87/operation.h"

namespace xlat::helper {

using namespace x87;

namespace {

using Binary = F80 (*)(FloatContext&, const Unpacked&, const Unpacked&);

// op[0] = op[0] `fn` op[1].
template <Binary kFn, bool kReversed, bool kPops>
u64 arithmetic(Cpu& c, const Insn& i, u64 a, u64 b) {
  Operation op(c, i);
  const unsigned to = i.op[0].reg;
  const bool memory = i.op[1].kind == Operand::kMem;
  F80 result;
  if (op.empty(to) || (!memory && op.empty(i.op[1].reg))) {
    result = op.stack_underflow();
  } else {
    const Unpacked x = op.operand(to), y = memory ? op.memory(i.op[1], a) : op.operand(i.op[1].reg);
    result = kReversed ? kFn(op.ctx, y, x) : kFn(op.ctx, x, y);
  }
  if (!op.accept(b)) return 0;
  op.set(to, result);
  if (kPops) op.pop();
  return 0;
}

enum CompareFlags : unsigned { kQuietly = 1, kToEflags = 2, kPop1 = 4, kPop2 = 8 };

// ST(0) with op[1]; the answer in C3, C2, C0 or in ZF, PF, CF. SDM vol. 2, FCOM and FCOMI.
u64 comparison(Cpu& c, const Insn& i, u64 a, u64 b, unsigned how) {
  Operation op(c, i);
  const bool memory = i.op[1].kind == Operand::kMem, with_zero = i.op[1].kind == Operand::kNone;
  Order order = Order::kUnordered;
  if (op.empty(0) || (!memory && !with_zero && op.empty(i.op[1].reg))) {
    op.stack_underflow();
  } else {
    const Unpacked y = memory ? op.memory(i.op[1], a) : with_zero ? Unpacked{} : op.operand(i.op[1].reg);
    order = compare(op.ctx, op.operand(0), y, how & kQuietly);
  }
  const bool accepted = op.accept(b);
  const bool less = order == Order::kLess || order == Order::kUnordered;
  const bool equal = order == Order::kEqual || order == Order::kUnordered;
  const bool unordered = order == Order::kUnordered;
  if (how & kToEflags) {
    c.s.flags.set_some(kZf | kPf | kCf | kOf | kSf | kAf, (equal ? kZf : 0) | (unordered ? kPf : 0) | (less ? kCf : 0));
  } else {
    op.set_condition((equal ? kSwC3 : 0u) | (unordered ? kSwC2 : 0u) | (less ? kSwC0 : 0u));
  }
  if (!accepted) return 0;
  if (how & (kPop1 | kPop2)) op.pop();
  if (how & kPop2) op.pop();
  return 0;
}

// ST(0) = fn(ST(0)).
template <class Fn>
u64 unary(Cpu& c, const Insn& i, Fn fn) {
  Operation op(c, i);
  const F80 result = op.empty(0) ? op.stack_underflow() : fn(op.ctx, op.operand(0));
  if (op.accept()) op.set(0, result);
  return 0;
}

u64 partial_remainder(Cpu& c, const Insn& i, bool nearest) {
  Operation op(c, i);
  Remainder r;
  if (op.empty(0) || op.empty(1)) {
    r.value = op.stack_underflow();
  } else {
    r = remainder(op.ctx, op.operand(0), op.operand(1), nearest);
  }
  // Without a quotient only C2 changes.
  op.fpu.status &= static_cast<u16>(~kSwC2);
  if (!op.accept()) return 0;
  op.set(0, r.value);
  if (needs_propagation(unpack(r.value))) return 0;
  op.set_condition((r.partial ? kSwC2 : 0u) | (r.quotient & 4 ? kSwC0 : 0u) | (r.quotient & 2 ? kSwC3 : 0u));
  if (r.quotient & 1) op.fpu.status |= kSwC1;
  return 0;
}

}  // namespace

u64 fadd(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<add, false, false>(c, i, a, b); }
u64 faddp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<add, false, true>(c, i, a, b); }
u64 fmul(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<multiply, false, false>(c, i, a, b); }
u64 fmulp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<multiply, false, true>(c, i, a, b); }
u64 fsub(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<subtract, false, false>(c, i, a, b); }
u64 fsubp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<subtract, false, true>(c, i, a, b); }
u64 fsubr(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<subtract, true, false>(c, i, a, b); }
u64 fsubrp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<subtract, true, true>(c, i, a, b); }
u64 fdiv(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<divide, false, false>(c, i, a, b); }
u64 fdivp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<divide, false, true>(c, i, a, b); }
u64 fdivr(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<divide, true, false>(c, i, a, b); }
u64 fdivrp(Cpu& c, const Insn& i, u64 a, u64 b) { return arithmetic<divide, true, true>(c, i, a, b); }

u64 fcom(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, 0); }
u64 fcomp(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kPop1); }
u64 fcompp(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kPop2); }
u64 fucom(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kQuietly); }
u64 fucomp(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kQuietly | kPop1); }
u64 fucompp(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kQuietly | kPop2); }
u64 fcomi(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kToEflags); }
u64 fcomip(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kToEflags | kPop1); }
u64 fucomi(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kToEflags | kQuietly); }
u64 fucomip(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, kToEflags | kQuietly | kPop1); }
u64 ftst(Cpu& c, const Insn& i, u64 a, u64 b) { return comparison(c, i, a, b, 0); }

// SDM vol. 2, FXAM.
u64 fxam(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  const Unpacked x = op.operand(0);
  op.ctx.c1 = op.st(0).sign_exp >> 15;
  const bool empty = op.empty(0);
  op.accept();
  unsigned codes = 0;
  if (empty) {
    codes = kSwC3 | kSwC0;
  } else {
    switch (x.kind) {
      case Unpacked::kZero: codes = kSwC3; break;
      case Unpacked::kFinite: codes = x.denormal ? kSwC3 | kSwC2 : kSwC2; break;
      case Unpacked::kInfinity: codes = kSwC2 | kSwC0; break;
      case Unpacked::kQuiet:
      case Unpacked::kSignalling: codes = kSwC0; break;
      case Unpacked::kUnsupported: break;
    }
  }
  op.set_condition(codes);
  return 0;
}

u64 fsqrt(Cpu& c, const Insn& i, u64, u64) { return unary(c, i, square_root); }
u64 frndint(Cpu& c, const Insn& i, u64, u64) { return unary(c, i, round_to_integer); }

u64 fscale(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  const F80 result = op.empty(0) || op.empty(1) ? op.stack_underflow() : scale(op.ctx, op.operand(0), op.operand(1));
  if (op.accept()) op.set(0, result);
  return 0;
}

u64 fxtract(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  F80 significand, exponent;
  if (op.empty(0)) {
    significand = exponent = op.stack_underflow();
  } else if (!op.empty(7)) {
    significand = exponent = op.stack_overflow();
  } else {
    exponent = extract(op.ctx, op.operand(0), significand);
  }
  if (!op.accept()) return 0;
  op.set(0, exponent);
  op.push(significand);
  return 0;
}

u64 fprem(Cpu& c, const Insn& i, u64, u64) { return partial_remainder(c, i, false); }
u64 fprem1(Cpu& c, const Insn& i, u64, u64) { return partial_remainder(c, i, true); }

}  // namespace xlat::helper
