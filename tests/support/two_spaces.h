// Two address spaces that differ in one page, for tests of what remembers where a page was; and such a test on the
// interpreter and on the tested engine.
#pragma once

#include "compared_engine.h"
#include "paged_machine.h"
#include "side_by_side.h"

namespace xlat::test {

constexpr u32 kDirectoryA = 0x1000, kDirectoryB = 0x3000, kTableA = 0x2000, kTableB = 0x4000;

// Paged flat 32-bit code at privilege 0, pages mapped to themselves but for one: to `a` by directory A, which is in
// use, to `b` by directory B. Handlers halt. EDI is CR3, ESI counts rounds down.
template <class EngineType>
struct TwoSpaces : PagedMachine<EngineType> {
  TwoSpaces(u32 ip, u32 esp, u32 page, u32 a, u32 b, u32 rounds)
      : PagedMachine<EngineType>(ip, esp, kDirectoryA, kTableA) {
    this->map_identity(kDirectoryB, kTableB);
    this->put32(kTableA + 4 * (page >> 12), a | 3);
    this->put32(kTableB + 4 * (page >> 12), b | 3);
    this->cpu.s.gpr[kEsi] = rounds;
    this->cpu.s.gpr[kEdi] = kDirectoryA;
    this->paging_on();
  }
  // At `at`: again: (round) / dec esi / jnz again / hlt
  void loop(u32 at, std::vector<u8> round) {
    round.insert(round.end(), {0x4e, 0x0f, 0x85});
    const u32 back = -(static_cast<u32>(round.size()) + 4);
    round.insert(round.end(), {BYTES32(back), 0xf4});
    this->put(at, round);
    this->cpu.s.ip = at;
  }
};

// Runs by slices of several lengths, counted in instructions, until both halt.
template <template <class> class Machine>
void on_both_engines(auto set_up, auto check) {
  for (const u64 slice : {u64{1'000'000}, u64{13}, u64{1}}) {
    Machine<Interp> a;
    Machine<ComparedEngine> b;
    set_up(a);
    set_up(b);
    run_side_by_side(a, b, slice);
    check(b);
  }
}

}  // namespace xlat::test
