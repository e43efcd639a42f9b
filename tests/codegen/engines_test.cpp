// The sequences of the golden files on the interpreter and on the JIT: whatever the registers hold, both leave the
// same.
#include <catch2/catch.hpp>
#include <random>

#include "sequences.h"
#include "tests/support/hot_jit.h"

using namespace xlat;
using namespace xlat::test;

namespace {

// Values that matter: addresses of RAM, small numbers, the ends of the ranges, anything.
u32 value(std::mt19937& random) {
  static constexpr u32 kEnds[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
  const u32 any = static_cast<u32>(random());
  switch (random() % 4) {
    case 0: return 0x20000 + any % 0x200000;
    case 1: return any % 64;
    case 2: return kEnds[any % std::size(kEnds)];
    default: return any;
  }
}

template <class Machine>
void prepare(Machine& machine, const Sequence& sequence, u32 seed) {
  set_up(machine, sequence);
  std::mt19937 random(seed);
  for (u32 address = 0x20000; address < 0x22000; address += 4) machine.put32(address, value(random));
  for (unsigned n = 0; n < 8; ++n) {
    if (n != kEsp) machine.cpu.s.gpr[n] = value(random);
  }
  machine.cpu.s.flags.set(kFlagsFixed1 | (random() & (kCf | kPf | kAf | kZf | kSf | kOf)));
  // Numbers of middling size in any registers; at times the exceptions are unmasked.
  FpuState& fpu = machine.cpu.s.fpu;
  fpu.control = static_cast<u16>(random() % 4 == 0 ? random() & 0x1f3f : (random() & 0x1f00) | 0x3f);
  fpu.control |= 0x40;
  fpu.status = static_cast<u16>(random() & 0x7f7f & (fpu.control | ~0x3fu));
  fpu.tag = 0;
  for (unsigned n = 0; n < 8; ++n) {
    if (random() % 2) fpu.tag |= static_cast<u16>(3u << (2 * n));
    fpu.regs[n] = {u64{1} << 63 | u64{value(random)} << 20, static_cast<u16>(0x3ff0 + random() % 64)};
    if (random() % 16 == 0) fpu.regs[n] = {u64{value(random)} << 32, static_cast<u16>(random())};
  }
}

}  // namespace

TEST_CASE("sequences do the same on both engines", "[codegen]") {
  constexpr u32 kSeeds = 64, kRam = 4 << 20;
  for (const Sequence& sequence : kSequences) {
    BareMachine<Interp> interp(kRam);
    BareMachine<HotJit> jit(kRam);
    for (u32 seed = 0; seed < kSeeds; ++seed) {
      INFO(sequence.name << ", seed " << seed);
      prepare(interp, sequence, seed);
      prepare(jit, sequence, seed);
      const std::size_t insns = interp.interp.blocks().find(static_cast<u32>(interp.cpu.s.ip))->count;
      interp.run(insns);
      jit.run(insns);
      const bool states = interp.state() == jit.state(), rams = interp.ram == jit.ram;
      CHECK(states);
      CHECK(rams);
      CHECK(interp.clock.count() == jit.clock.count());
    }
  }
}
