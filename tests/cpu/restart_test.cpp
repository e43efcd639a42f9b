// The instructions the single-source design was proved on: a page fault at each of their accesses, an interrupt in the
// middle of REP. Interpreter and IR evaluator must end in the same state, and the state must be the manual's.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"

using namespace xlat;
using test::BareMachine;

namespace {

constexpr u32 kDirectory = 0x1000, kTable = 0x2000, kGdt = 0x3000, kIdt = 0x4000, kHandlers = 0x5000;
constexpr u32 kCode = 0x8000, kStack = 0x9000;     // the stack page ends at 0xa000
constexpr u32 kPageA = 0x10000, kPageB = 0x20000;  // operands
constexpr u32 kPresent = 7, kReadOnly = 5, kAbsent = 6;

// Paged flat 32-bit code at privilege 0 with an IDT whose handlers halt; page n is mapped to itself.
template <class EngineType>
struct Scene : BareMachine<EngineType> {
  Scene() {
    this->flat32(kCode, 0xa000);
    for (u32 page = 0; page < 1024; ++page) this->put32(kTable + 4 * page, page << 12 | kPresent);
    this->put32(kDirectory, kTable | kPresent);
    this->put32(kGdt + 8, 0x0000ffff);
    this->put32(kGdt + 12, 0x00cf9b00);
    for (u32 vector = 0; vector < 256; ++vector) {
      const u32 handler = kHandlers + vector;
      this->put32(kIdt + 8 * vector, 8 << 16 | handler);
      this->put32(kIdt + 8 * vector + 4, 0x8e00);
      this->put(handler, {0xf4});
    }
    CpuState& s = this->cpu.s;
    s.gdtr = {kGdt, 0xff};
    s.idtr = {kIdt, 0x7ff};
    s.cr3 = kDirectory;
    this->cpu.write_cr0(s.cr0 | kCr0Pg | kCr0Wp);
  }
  void page(u32 address, u32 rights) {
    this->put32(kTable + 4 * (address >> 12), (address & ~0xfffu) | rights);
    this->cpu.flush_tlb();
  }
  // What the handler finds on the stack at ESP.
  u32 pushed(u32 n) { return this->get32(this->cpu.s.reg32(kEsp) + 4 * n); }
};

struct Expected {
  u32 error_code, cr2;
};

// Runs `set_up` and then the processor on both engines; both must take #PF with `expected` and agree on everything.
void faults(const char* what, auto set_up, Expected expected, auto check) {
  INFO(what);
  Scene<Interp> a;
  Scene<test::ComparedEngine> b;
  set_up(a);
  set_up(b);
  const CpuState before = a.cpu.s;
  a.run(100);
  b.run(100);
  CHECK(a.state() == b.state());
  CHECK(a.ram == b.ram);
  CHECK(a.clock.count() == b.clock.count());
  CHECK(a.cpu.s.halted);
  CHECK(a.cpu.s.ip == kHandlers + kPF + 1);
  CHECK(a.cpu.s.cr2 == expected.cr2);
  CHECK(a.pushed(0) == expected.error_code);
  CHECK(a.pushed(1) == kCode);  // the instruction can be restarted
  check(a.cpu.s, before);
}

// Nothing but ESP, EIP and the flags' RF (all by the exception itself) may differ.
const auto kNothingChanged = [](const CpuState& after, const CpuState& before) {
  for (const unsigned r : {kEax, kEcx, kEdx, kEbx, kEbp, kEsi, kEdi}) CHECK(after.gpr[r] == before.gpr[r]);
  CHECK((after.flags.get() & kArithFlags) == (before.flags.get() & kArithFlags));
};

}  // namespace

TEST_CASE("PUSH that faults changes nothing") {
  faults(
      "push [ebx]: operand",
      [](auto& m) {
        m.put(kCode, {0xff, 0x33});
        m.cpu.s.gpr[kEbx] = kPageA;
        m.page(kPageA, kAbsent);
      },
      {0, kPageA}, kNothingChanged);
  faults(
      "push [ebx]: operand over the end of a page",
      [](auto& m) {
        m.put(kCode, {0xff, 0x33});
        m.cpu.s.gpr[kEbx] = kPageB - 2;  // the operand crosses into an absent page
        m.page(kPageB, kAbsent);
      },
      {0, kPageB}, kNothingChanged);
}

TEST_CASE("a fault while pushing the frame of a fault is a double fault on both engines") {
  Scene<Interp> a;
  Scene<test::ComparedEngine> b;
  const auto set_up = [](auto& m) {
    m.put(kCode, {0x50});
    m.page(kStack, kAbsent);
  };
  set_up(a);
  set_up(b);
  int shutdowns = 0;
  a.cpu.pins.shutdown = b.cpu.pins.shutdown = [&] { ++shutdowns; };
  a.run(10);
  b.run(10);
  CHECK(shutdowns == 2);
  CHECK(a.cpu.s.reg32(kEsp) == 0xa000);
  CHECK(a.cpu.s.ip == kCode);
  CHECK(a.state() == b.state());
}

TEST_CASE("CMPXCHG that faults changes nothing, whichever access faults") {
  const auto cmpxchg = [](auto& m, u32 at) {
    m.put(kCode, {0xf0, 0x0f, 0xb1, 0x0b});  // lock cmpxchg [ebx], ecx
    m.cpu.s.gpr[kEbx] = at;
    m.cpu.s.gpr[kEcx] = 0x11111111;
    m.cpu.s.gpr[kEax] = 0x22222222;
  };
  faults(
      "absent",
      [&](auto& m) {
        cmpxchg(m, kPageA);
        m.page(kPageA, kAbsent);
      },
      {2, kPageA}, kNothingChanged);
  faults(
      "read-only: the write right is asked for before the read",
      [&](auto& m) {
        cmpxchg(m, kPageA + 8);
        m.page(kPageA, kReadOnly);
      },
      {3, kPageA + 8}, kNothingChanged);
  faults(
      "second page of a crossing operand",
      [&](auto& m) {
        cmpxchg(m, kPageA + 0xffe);
        m.page(kPageA + 0x1000, kReadOnly);
      },
      {3, kPageA + 0x1000}, kNothingChanged);
}

TEST_CASE("REP MOVS stops at the faulting element with the others done") {
  const auto rep_movsd = [](auto& m, u32 from, u32 to) {
    m.put(kCode, {0xf3, 0xa5});
    m.cpu.s.gpr[kEsi] = from;
    m.cpu.s.gpr[kEdi] = to;
    m.cpu.s.gpr[kEcx] = 16;
    for (u32 n = 0; n < 16; ++n) m.put32(from + 4 * n, 0xabc00000 + n);
  };
  const auto done = [](unsigned elements) {
    return [=](const CpuState& after, const CpuState& before) {
      CHECK(after.gpr[kEcx] == before.gpr[kEcx] - elements);
      CHECK(after.gpr[kEsi] == before.gpr[kEsi] + 4 * elements);
      CHECK(after.gpr[kEdi] == before.gpr[kEdi] + 4 * elements);
    };
  };
  faults(
      "source, first element",
      [&](auto& m) {
        rep_movsd(m, kPageA, kPageB);
        m.page(kPageA, kAbsent);
      },
      {0, kPageA}, done(0));
  faults(
      "destination, first element",
      [&](auto& m) {
        rep_movsd(m, kPageA, kPageB);
        m.page(kPageB, kReadOnly);
      },
      {3, kPageB}, done(0));
  faults(
      "source, sixth element",
      [&](auto& m) {
        rep_movsd(m, kPageA + 0x1000 - 20, kPageB);
        m.page(kPageA + 0x1000, kAbsent);
      },
      {0, kPageA + 0x1000}, done(5));
  faults(
      "destination, inside the fourth element",
      [&](auto& m) {
        rep_movsd(m, kPageA, kPageB + 0x1000 - 14);
        m.page(kPageB + 0x1000, kAbsent);
      },
      {2, kPageB + 0x1000}, done(3));
}

TEST_CASE("an interrupt in the middle of REP is taken between two elements") {
  Scene<Interp> a;
  Scene<test::ComparedEngine> b;
  const auto run = [](auto& m) {
    m.put(kCode, {0xf3, 0xa4});
    m.cpu.s.gpr[kEsi] = kPageA;
    m.cpu.s.gpr[kEdi] = kPageB;
    m.cpu.s.gpr[kEcx] = 100;
    m.cpu.s.flags.set_system(kIf, kIf);
    m.cpu.pins.interrupt_acknowledge = [] { return u8{0x30}; };
    m.run(40);
    CHECK(m.cpu.s.gpr[kEcx] == 60);
    CHECK(m.cpu.s.ip == kCode);
    m.cpu.set_irq(Cpu::kPinIntr, true);
    m.run(10);
    CHECK(m.cpu.s.halted);
    CHECK(m.cpu.s.ip == kHandlers + 0x30 + 1);
    CHECK(m.pushed(0) == kCode);
    CHECK(m.cpu.s.gpr[kEcx] == 60);
    CHECK(m.cpu.s.gpr[kEsi] == kPageA + 40);
  };
  run(a);
  run(b);
  CHECK(a.state() == b.state());
  CHECK(a.clock.count() == b.clock.count());
}

TEST_CASE("ENTER copies frame pointers one by one: a frame that overlaps the new one sees what was pushed") {
  const auto run = [](auto& m) {
    m.flat32(0x1000, 0x8000);
    m.cpu.s.gpr[kEbp] = 0x8010;  // reads 800c, 8008, ... while pushing at 7ffc, 7ff8, ...
    m.put(0x1000, {0xc8, 0, 0, 7});
    for (u32 n = 0; n < 4; ++n) m.put32(0x8000 + 4 * n, n);
    m.run(1);
    CHECK(m.get32(0x7ffc) == 0x8010);
    CHECK(m.get32(0x7ff8) == 3);
    CHECK(m.get32(0x7fec) == 0);
    CHECK(m.get32(0x7fe8) == 0x8010);  // the first one pushed
    CHECK(m.get32(0x7fe4) == 3);
    CHECK(m.get32(0x7fe0) == 0x7ffc);
    CHECK(m.cpu.s.reg32(kEsp) == 0x7fe0);
  };
  test::BareMachine<Interp> a;
  test::BareMachine<test::ComparedEngine> b;
  run(a);
  run(b);
}
