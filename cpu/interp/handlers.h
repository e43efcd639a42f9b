// Handlers: each semantic function instantiated with the interpreter's emitter, one table a group of instructions, in a
// file that CMake makes from group.cpp.in.
#pragma once

#include "cpu/encoding.h"
#include "cpu/interp/emitter.h"

namespace xlat {

using Handler = void (*)(Interp&, const Insn&);

// Indexed by log2 of the operand width in bytes; null where the encoding has no such width.
struct HandlerSet {
  Handler plain[4] = {};
  Handler rep[4] = {};
};

namespace interp {

template <auto F, class W>
void run(Interp& interp, const Insn& i) {
  InterpEmitter e(interp);
  F(e, i, W{});
}

// The loop of REP, REPE and REPNE. Each iteration counts as an instruction and can be interrupted after.
// SDM vol. 2, REP.
template <auto F, class W, bool kTestsZf>
void run_rep(Interp& interp, const Insn& i) {
  InterpEmitter e(interp);
  const u64 allowance = e.allowance();
  u64 done = 0;
  u64 count = e.raw_count(i);
  bool more = count != 0;
  while (more && done < allowance) {
    if (const u64 made = e.bulk(i, W::bytes, std::min(allowance - done, count))) {
      done += made;
      count -= made;
      e.set_address_reg(i, kEcx, e.imm(count));
      more = count != 0 && !(kTestsZf && e.zf() != (i.rep == Rep::kRep));
      continue;
    }
    F(e, i, W{});
    if (e.faulted()) return e.finish_rep(done + 1, false);
    ++done;
    --count;
    e.set_address_reg(i, kEcx, e.imm(count));
    more = count != 0 && !(kTestsZf && e.zf() != (i.rep == Rep::kRep));
    if (e.must_leave()) break;
  }
  e.finish_rep(done, more);
}

template <u32 kAttributes, class... Fns>
constexpr HandlerSet make() {
  HandlerSet set;
  const auto add = [&]<class F>() {
    using W = typename F::WidthType;
    constexpr unsigned slot = std::countr_zero(W::bytes);
    set.plain[slot] = &run<F::kFunction, W>;
    if constexpr (kAttributes & attr::Str) {
      set.rep[slot] = &run_rep<F::kFunction, W, (kAttributes & attr::StrZ) == attr::StrZ>;
    }
  };
  (add.template operator()<Fns>(), ...);
  return set;
}

}  // namespace interp

// Tables by encoding; exactly one has an entry for it.
#define GROUP(name) extern const HandlerSet handlers_of_##name[];
#include "cpu/groups.inc"
#undef GROUP

}  // namespace xlat

#define GROUP_ENTRY HandlerSet
#define GROUP_MAKE interp::make
#define GROUP_EMITTER InterpEmitter
