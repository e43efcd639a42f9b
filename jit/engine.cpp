// Which back end this host has.
#include "jit/engine.h"

#ifdef XLAT_JIT_X64
#include "jit/x64/engine.h"
#endif

namespace xlat::jit {

#ifdef XLAT_JIT_X64

bool jit_available() { return asmjit::CpuInfo::host().features().x86().hasLAHFSAHF(); }

Result<EngineMaker> prepare_jit(const JitOptions& options) {
  if (!jit_available())
    return error("-engine jit: the host's processor has no LAHF in 64-bit mode; use -engine interp");
  auto made = CodeCache::make(options.cache_bytes);
  if (!made) return made.error();
  auto cache = std::make_shared<CodeCache>(std::move(*made));  // std::function wants what can be copied
  return EngineMaker(
      [options, cache](Cpu& cpu) { return std::make_unique<x64::Engine>(cpu, options, std::move(*cache)); });
}

#else

bool jit_available() { return false; }

Result<EngineMaker> prepare_jit(const JitOptions&) {
  return error("-engine jit: there is no back end for this host's processor yet; use -engine interp");
}

#endif

}  // namespace xlat::jit
