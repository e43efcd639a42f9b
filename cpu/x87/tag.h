// The tag word as programs see it.
#pragma once

#include "cpu/x87/state.h"

namespace xlat::x87 {

// Two bits a physical register: valid, zero, special, empty. SDM vol. 1, 8.1.7.
u16 full_tag(const FpuState& f);

}  // namespace xlat::x87
