// Finds an encoding's lifting function in the groups' tables.
#include "jit/lift/tables.h"

namespace xlat::jit {

LiftFn lift_function(const Insn& i) {
  const unsigned slot = static_cast<unsigned>(std::countr_zero(i.width));
  for (const LiftSet* group : {kArithLifts, kShiftLifts, kMoveLifts, kStackLifts, kControlLifts, kStringLifts,
                               kSystemLifts, kFpuLifts, kMmxLifts}) {
    if (const LiftFn fn = group[i.encoding].by_width[slot]) return fn;
  }
  ASSERT(!"an encoding without a lifting function");
  return nullptr;
}

}  // namespace xlat::jit
