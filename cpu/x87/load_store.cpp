// x87 loads, stores, exchanges and constants.
#include "base/bits.h"
#include "cpu/helpers.h"
#include "cpu/x87/operation.h"

namespace xlat::helper {

using namespace x87;

namespace {

void load(Operation& op, F80 value, u64 offset) {
  if (!op.empty(7) && !(op.ctx.flags & kSwSf)) value = op.stack_overflow();
  // An unmasked denormal operand is reported, and loaded all the same.
  const bool invalid = op.ctx.unmasked_flags() & kSwIe;
  op.accept(offset);
  if (!invalid) op.push(value);
}

// Ten bytes at `offset`; false on a fault.
bool read_m80(Cpu& c, const Insn& i, u64 offset, F80& value) {
  const u32 linear = c.linear_for_read(i.seg, static_cast<u32>(offset), 10);
  if (c.faulted()) return false;
  value.mantissa = c.load<8>(linear);
  value.sign_exp = static_cast<u16>(c.load<2>(linear + 8));
  return !c.faulted();
}

// Stores `bytes` of value at `offset` after reporting the exceptions. A fault leaves everything as it was; it goes
// before an unmasked exception that would keep the value from being stored.
void store(Operation& op, const F80& value, u64 offset, unsigned bytes, bool pop) {
  Cpu& c = op.cpu;
  const bool stopped = op.stops(true);
  const u32 linear = c.linear_for_write(op.insn.seg, static_cast<u32>(offset), bytes);
  const unsigned first = bytes == 10 ? 8 : bytes;
  if (!c.faulted() && !c.writable_host(linear, first)) c.probe_store(linear, first, c.user());
  if (bytes == 10 && !c.faulted() && !c.writable_host(linear + 8, 2)) c.probe_store(linear + 8, 2, c.user());
  if (c.faulted()) return;
  op.accept(offset, true);
  if (stopped) return;
  switch (bytes) {
    case 2: c.store<2>(linear, value.mantissa); break;
    case 4: c.store<4>(linear, value.mantissa); break;
    case 8: c.store<8>(linear, value.mantissa); break;
    default:
      c.store<8>(linear, value.mantissa);
      c.store<2>(linear + 8, value.sign_exp);
      break;
  }
  if (pop) op.pop();
}

// To what memory operand op[0] holds: a 16-, 32- or 64-bit integer or a 32- or 64-bit real.
u64 convert(Operation& op) {
  const unsigned width = 8 * op.insn.width;
  const bool integer = is_integer(op.insn.op[0]);
  if (op.empty(0)) {
    op.stack_underflow();
    if (integer) return u64{1} << (width - 1);
    return width == 32 ? 0xffc00000 : 0xfff8000000000000;
  }
  const Unpacked x = op.operand(0);
  if (integer) return to_integer(op.ctx, x, width);
  return width == 32 ? to_f32(op.ctx, x) : to_f64(op.ctx, x);
}

u64 store_register(Cpu& c, const Insn& i, bool pop) {
  Operation op(c, i);
  const F80 value = op.empty(0) ? op.stack_underflow() : op.st(0);
  if (!op.accept()) return 0;
  op.set(i.op[0].reg, value);
  if (pop) op.pop();
  return 0;
}

}  // namespace

u64 fld(Cpu& c, const Insn& i, u64 a, u64 b) {
  Operation op(c, i);
  F80 value;
  if (i.op[1].kind == Operand::kSt) {
    value = op.empty(i.op[1].reg) ? op.stack_underflow() : op.st(i.op[1].reg);
  } else if (op.empty(7)) {
    value = load_real(op.ctx, op.memory(i.op[1], a));
  }
  load(op, value, b);
  return 0;
}
u64 fld_m80(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  F80 value;
  if (read_m80(c, i, a, value)) load(op, value, a);
  return 0;
}
u64 fbld(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  F80 value;
  if (read_m80(c, i, a, value)) load(op, from_bcd(value), a);
  return 0;
}

u64 fst(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  store(op, {convert(op), 0}, a, i.width, false);
  return 0;
}
u64 fstp(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  store(op, {convert(op), 0}, a, i.width, true);
  return 0;
}
u64 fstp_m80(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  const F80 value = op.empty(0) ? op.stack_underflow() : op.st(0);
  store(op, value, a, 10, true);
  return 0;
}
u64 fbstp(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  F80 value = kIndefinite;
  if (op.empty(0)) {
    op.stack_underflow();
  } else {
    value = to_bcd(op.ctx, op.operand(0));
  }
  store(op, value, a, 10, true);
  return 0;
}
u64 fst_st(Cpu& c, const Insn& i, u64, u64) { return store_register(c, i, false); }
u64 fstp_st(Cpu& c, const Insn& i, u64, u64) { return store_register(c, i, true); }
// D9 /3, the old alias of FSTP, only pops an empty register.
u64 fstpnce(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  if (!op.empty(0)) return store_register(c, i, true);
  op.accept();
  op.pop();
  return 0;
}

u64 fxch(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  const unsigned n = i.op[1].reg;
  const F80 x = op.empty(0) ? op.stack_underflow() : op.st(0);
  const F80 y = op.empty(n) ? op.stack_underflow() : op.st(n);
  if (!op.accept()) return 0;
  op.set(0, y);
  op.set(n, x);
  return 0;
}

u64 fcmov(Cpu& c, const Insn& i, u64 a, u64) {
  Operation op(c, i);
  const unsigned n = i.op[1].reg;
  const bool fault = op.empty(0) || op.empty(n);
  const F80 value = fault ? op.stack_underflow() : op.st(n);
  op.ctx.c1 = !fault && (op.fpu.status & kSwC1);
  if (op.accept() && (fault || a)) op.set(0, value);
  return 0;
}

// Zero, one, and five numbers rounded from more bits than a register has. SDM vol. 1, 8.3.8.
u64 fld_constant(Cpu& c, const Insn& i, u64, u64) {
  struct Constant {
    u64 chopped;
    u16 sign_exp;
    bool inexact, up;  // `up`: nearest is the next number
  };
  static constexpr Constant kConstants[8] = {
      {0x8000000000000000, 0x3fff, false, false},  // 1
      {0xd49a784bcd1b8afe, 0x4000, true, false},   // log2 10
      {0xb8aa3b295c17f0bb, 0x3fff, true, true},    // log2 e
      {0xc90fdaa22168c234, 0x4000, true, true},    // pi
      {0x9a209a84fbcff798, 0x3ffd, true, true},    // log10 2
      {0xb17217f7d1cf79ab, 0x3ffe, true, true},    // ln 2
      {0, 0, false, false},                        // 0
      {0, 0, false, false},
  };
  Operation op(c, i);
  const Constant& k = kConstants[i.modrm & 7];
  const bool up = k.inexact && (op.ctx.rounding() == kUp || (op.ctx.rounding() == kNearest && k.up));
  load(op, {k.chopped + up, k.sign_exp}, 0);
  return 0;
}

u64 fchs(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  F80 value = op.st(0);
  value.sign_exp ^= 0x8000;
  if (op.empty(0)) value = op.stack_underflow();
  if (op.accept()) op.set(0, value);
  return 0;
}
u64 fabs(Cpu& c, const Insn& i, u64, u64) {
  Operation op(c, i);
  F80 value = op.st(0);
  value.sign_exp &= 0x7fff;
  if (op.empty(0)) value = op.stack_underflow();
  if (op.accept()) op.set(0, value);
  return 0;
}

}  // namespace xlat::helper
