// Two machines that must agree on everything, for tests that compare engines.
#pragma once

#include <catch2/catch.hpp>

#include "base/types.h"

namespace xlat::test {

// Runs both by slices of `slice` instructions until they halt, which takes fewer than `most`. Their processors are
// compared after each slice, and their memory at the end.
void run_side_by_side(auto& a, auto& b, u64 slice, u64 most = 1'000'000) {
  while (!a.cpu.s.halted && a.clock.count() < most) {
    a.run(slice);
    b.run(slice);
    REQUIRE(a.clock.count() == b.clock.count());
    REQUIRE(a.cpu.s == b.cpu.s);
  }
  CHECK(a.cpu.s.halted);
  CHECK(a.state() == b.state());
  const bool same_ram = a.ram == b.ram;  // not in CHECK, which would print megabytes
  CHECK(same_ram);
}

}  // namespace xlat::test
