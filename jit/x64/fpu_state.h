// The guest's x87 state between CpuState and the host's x87 unit, which holds it while translated code works with it.
#pragma once

#include <array>

#include "cpu/state.h"

namespace xlat::jit::x64 {

// The operand of FNSAVE and FRSTOR: seven words of environment in four bytes each, then ST(0) to ST(7).
using FpuImage = std::array<u8, 108>;

// Whether the host may execute the guest's x87 and MMX instructions as they are: nothing of them can fault.
bool host_may_run_fpu(const CpuState& s);

void put_fpu(const FpuState& f, FpuImage& image);
// Of the pointers to the last instruction and operand the host's are never used: translated code keeps the guest's.
void take_fpu(const FpuImage& image, FpuState& f);

}  // namespace xlat::jit::x64
