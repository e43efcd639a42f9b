// What each instruction does to the flags, said once more from the manual, for tests that must not look at undefined
// ones. SDM vol. 1, appendix A.
#pragma once

#include "cpu/insn.h"
#include "random_program.h"

namespace xlat::test {

// Nothing for an instruction that random programs do not use as it stands. `count` is a shift's count where known.
std::optional<Effect> effect_of(const std::string& name, const Insn& i, std::optional<unsigned> count);

bool is_shift(const std::string& name);

}  // namespace xlat::test
