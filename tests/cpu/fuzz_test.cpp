// Random bytes as code, in every mode, with random descriptor tables and page tables: nothing may crash, and both
// engines must end in the same state. XLAT_FUZZ sets how many rounds, XLAT_SEED where to start, XLAT_FUZZ_SECONDS how
// long the JIT goes on at least.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>

#include "jit/eval.h"
#include "tests/support/hot_jit.h"
#include "tests/support/random_machine.h"

using namespace xlat;

namespace {

u32 setting(const char* name, u32 otherwise) {
  const char* value = std::getenv(name);
  return value ? static_cast<u32>(std::strtoul(value, nullptr, 0)) : otherwise;
}

template <class EngineType>
void compare_with_interpreter(u32 seconds = 0) {
  test::RandomMachine<Interp> a;
  test::RandomMachine<EngineType> b;
  const u32 first = setting("XLAT_SEED", 1), rounds = setting("XLAT_FUZZ", 200);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  u32 alike = 0, seed = first;
  for (; seed < first + rounds || std::chrono::steady_clock::now() < end; ++seed) {
    a.run(seed);
    b.run(seed);
    INFO("seed " << seed);
    REQUIRE(a.clock.count() == b.clock.count());
    REQUIRE(a.cpu.s.ip == b.cpu.s.ip);
    REQUIRE(a.state() == b.state());
    REQUIRE(a.ram == b.ram);
    ++alike;
  }
  CHECK(alike == seed - first);
  CHECK(alike >= rounds);
}

}  // namespace

TEST_CASE("random code never crashes and runs alike on the IR evaluator", "[fuzz]") {
  compare_with_interpreter<jit::EvalEngine>();
}

#ifdef XLAT_JIT_X64
TEST_CASE("random code never crashes and runs alike on the JIT", "[fuzz]") {
  compare_with_interpreter<test::HotJit>(setting("XLAT_FUZZ_SECONDS", 0));
}
#endif
