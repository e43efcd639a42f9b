// The routines every translation uses, generated once for each engine.
#pragma once

#include "jit/code_cache.h"
#include "jit/x64/registers.h"
#include "jit/x64/translation.h"

namespace xlat::jit::x64 {

// What the interpreter stub calls: runs instruction `n` of `translation`, with kInterpretRest all that follow it in the
// block, with `budget` left. The answer is the new budget and whether to leave.
struct Interpreted {
  u64 leave;
  i64 budget;
};
using InterpretFn = Interpreted (*)(Frame*, Translation*, u64 n, i64 budget);
// Brings the guest's x87 state into Frame::fpu_image for instruction `n`. If it may not run directly, EIP is set for
// leaving before it, with the new budget.
using LoadFpuFn = InterpretFn;

// Puts them at the beginning of the cache.
Stubs make_stubs(CodeCache& cache, const StateLayout& layout, const JumpEntry* jump_table, InterpretFn interpret,
                 LoadFpuFn load_fpu);

}  // namespace xlat::jit::x64
