// The JIT with every block translated the first time it runs, loops as such, for tests that compare engines. With
// XLAT_TEST_IR in the environment all blocks go by way of the IR.
#pragma once

#ifdef XLAT_JIT_X64

#include <cstdlib>

#include "jit/x64/engine.h"

namespace xlat::test {

class HotJit : public jit::x64::Engine {
 public:
  explicit HotJit(Cpu& cpu, std::size_t cache_bytes = 4 << 20, unsigned samples = 0)
      : Engine(cpu,
               {.cache_bytes = cache_bytes,
                .threshold = 1,
                .ir_threshold = 1,
                .rewritten_threshold = 1,
                .samples = samples,
                .reencode = std::getenv("XLAT_TEST_IR") == nullptr},
               jit::CodeCache::make(cache_bytes).value()) {}
};

}  // namespace xlat::test

#endif
