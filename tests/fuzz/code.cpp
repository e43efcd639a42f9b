// Code on the JIT and on the interpreter, which must end alike. The first four bytes draw the rest of the machine.
#include "tests/fuzz/fuzz.h"
#include "tests/support/hot_jit.h"
#include "tests/support/random_machine.h"

using namespace xlat;

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static test::RandomMachine<Interp> one;
  static test::RandomMachine<test::HotJit> other;
  fuzz::Input input(data, size);
  const u32 seed = input.word();
  one.run(seed, input.rest());
  other.run(seed, input.rest());
  if (one.clock.count() != other.clock.count() || one.state() != other.state() || one.ram != other.ram) {
    fuzz::found("the engines differ");
  }
  return 0;
}
