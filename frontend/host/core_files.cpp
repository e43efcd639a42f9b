// The limit on core files.
#include <sys/resource.h>

#include "frontend/host/sandbox.h"

namespace xlat {

void forbid_core_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace xlat
