// The routines every translation uses, generated once for each engine.
#pragma once

#include "jit/code_cache.h"
#include "jit/x64/registers.h"
#include "jit/x64/translation.h"

namespace xlat::jit::x64 {

// What the interpreter stub calls: runs instruction `n` of `translation`, with kInterpretRest all that follow it in the
// block, with `budget` left. The answer is the new budget, and how to go on.
struct Interpreted {
  static constexpr u64 kNext = 0;   // behind the instruction
  static constexpr u64 kLeave = 1;  // translated code is left
  // Where CpuState::ip says, in the context of this number.
  static constexpr u64 jump(u32 context) { return u64{context} << 1 | kLeave; }
  u64 how;
  i64 budget;
};
using InterpretFn = Interpreted (*)(Frame*, Translation*, u64 n, i64 budget);
// Brings the guest's x87 state into Frame::fpu_image for instruction `n`. If it may not run directly, EIP is set for
// leaving before it, with the new budget.
using LoadFpuFn = InterpretFn;

// Puts them at the beginning of the cache.
Stubs make_stubs(CodeCache& cache, const StateLayout& layout, const JumpEntry* jump_table, InterpretFn interpret,
                 LoadFpuFn load_fpu, const HelperFn (&helpers)[kHelperRoutines]);

}  // namespace xlat::jit::x64
