// Virtual time for tests of devices that have no processor to run it.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace xlat {

// Fires what is due up to `until`, each at its own time.
inline void run_clock(Clock& clock, u64 until) {
  while (clock.next_deadline() <= until) {
    clock.skip_to(std::max(clock.next_deadline(), clock.now()));
    clock.run_due();
  }
  clock.skip_to(until);
}

}  // namespace xlat
