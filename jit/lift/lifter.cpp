// Lifting a block: every instruction's semantic function is run with the Lifter.
#include "jit/lift/lifter.h"

#include <algorithm>

#include "jit/ir/verify.h"
#include "jit/lift/tables.h"

namespace xlat::jit {

Lifter::Val Lifter::value(Op op, unsigned w, const Operands& of, unsigned aux) {
  const Val operands[] = {of.a, of.b, of.c};
  const auto used = std::span(operands).first(info_of(op).operands);
  if (std::all_of(used.begin(), used.end(), [this](Val v) { return is_const(v); })) {
    u64 known[3] = {};
    for (std::size_t n = 0; n < used.size(); ++n) known[n] = const_of(used[n]);
    return imm(compute(op, w, aux, known[0], known[1], known[2]));
  }
  return emit({op, static_cast<u8>(w), static_cast<u8>(aux), of.a.ref, of.b.ref, of.c.ref});
}

Lifter::Val Lifter::ea(const Insn& i) {
  const Width<32> w32;
  Val at = imm(static_cast<u32>(i.disp));
  const auto plus = [&](Val more) { at = is_const(at) && const_of(at) == 0 ? more : add(w32, at, more); };
  if (i.index != kZeroReg) plus(i.scale == 0 ? reg(w32, i.index) : shl(w32, reg(w32, i.index), imm(i.scale)));
  if (i.base != kZeroReg) plus(reg(w32, i.base));
  return i.asize == 2 ? trunc(16, at) : at;
}

IrBlock Lifter::lift(std::span<const Insn> insns, IrBlock reuse) {
  Lifter lifter;
  lifter.block_ = std::move(reuse);
  lifter.block_.code.clear();
  lifter.block_.starts.clear();
  for (const Insn& i : insns) {
    lifter.block_.starts.push_back(static_cast<u32>(lifter.block_.code.size()));
    // The decoder's pseudo-encodings have no semantics but their fault.
    if (i.sem == "invalid"_sem) {
      lifter.raise(kUD, 0);
      continue;
    }
    if (i.sem == "too_long"_sem) {
      lifter.raise(kGP, 0);
      continue;
    }
    const LiftFn fn = lift_function(i);
    const u32 attributes = encodings()[i.encoding].attributes;
    if (!(attributes & attr::Str) || i.rep == Rep::kNone) {
      fn(lifter, i);
      continue;
    }
    // One iteration of REP; SDM vol. 2, REP.
    const auto count = lifter.address_reg(i, kEcx);
    lifter.when(lifter.ne(count, lifter.imm(0)), [&] {
      fn(lifter, i);
      const auto left = lifter.address_add(i, count, lifter.imm(i.asize == 2 ? 0xffff : 0xffffffff));
      lifter.set_address_reg(i, kEcx, left);
      auto again = lifter.ne(left, lifter.imm(0));
      if ((attributes & attr::StrZ) == attr::StrZ) {
        const auto zf = lifter.flag(kZf);
        again = lifter.and_(1, again, i.rep == Rep::kRep ? zf : lifter.xor_(1, zf, lifter.imm(1)));
      }
      lifter.repeat_if(again);
    });
  }
  lifter.block_.starts.push_back(static_cast<u32>(lifter.block_.code.size()));
#ifdef XLAT_CHECK_IR
  assert_sound(lifter.block_);
#endif
  return std::move(lifter.block_);
}

}  // namespace xlat::jit
