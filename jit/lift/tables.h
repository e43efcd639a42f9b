// Each semantic function instantiated with the Lifter, one table a group, as for the interpreter.
#pragma once

#include "jit/lift/lifter.h"

namespace xlat::jit {

using LiftFn = void (*)(Lifter&, const Insn&);

struct LiftSet {
  LiftFn by_width[4] = {};  // by log2 of the operand width in bytes
};

template <auto F, class W>
void lift_one(Lifter& lifter, const Insn& i) {
  F(lifter, i, W{});
}

template <u32, class... Fns>
constexpr LiftSet make_lift_set() {
  LiftSet set;
  ((set.by_width[std::countr_zero(Fns::WidthType::bytes)] = &lift_one<Fns::kFunction, typename Fns::WidthType>), ...);
  return set;
}

// The function that lifts `i`.
LiftFn lift_function(const Insn& i);

}  // namespace xlat::jit

namespace xlat {
#define GROUP(name) extern const jit::LiftSet lifts_of_##name[];
#include "cpu/groups.inc"
#undef GROUP
}  // namespace xlat

#define GROUP_ENTRY jit::LiftSet
#define GROUP_MAKE jit::make_lift_set
#define GROUP_EMITTER jit::Lifter
