// Finds an encoding's lifting function in the groups' tables.
#include "jit/lift/tables.h"

namespace xlat::jit {

namespace {
constexpr const LiftSet* kGroups[] = {
#define GROUP(name) lifts_of_##name,
#include "cpu/groups.inc"
#undef GROUP
};
}  // namespace

LiftFn lift_function(const Insn& i) {
  const unsigned slot = static_cast<unsigned>(std::countr_zero(i.width));
  for (const LiftSet* group : kGroups) {
    if (const LiftFn fn = group[i.encoding].by_width[slot]) return fn;
  }
  ASSERT(!"an encoding without a lifting function");
  return nullptr;
}

}  // namespace xlat::jit
