// Stands for the filter on system calls where there is no libseccomp, or where the sanitizers need what it refuses.
#include "frontend/host/sandbox.h"

namespace xlat {

const SandboxReport kSandboxReport = SandboxReport::kSilent;

std::string_view sandbox_missing() {
#ifdef XLAT_SANITIZED
  return "this xlat was built with sanitizers, which make system calls of their own";
#else
  return "this xlat was built without libseccomp; install libseccomp-dev and build it again";
#endif
}

Status enter_sandbox(const SandboxSettings&, SandboxReport) { return error("-sandbox on: {}", sandbox_missing()); }

}  // namespace xlat
