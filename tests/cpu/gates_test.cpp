// Call gates, far returns, interrupt and trap gates between privilege levels. SDM vol. 3, 5.8 and 6.12.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

TEST_CASE("A 32-bit call gate to privilege 0 switches stacks and copies parameters; RETF n goes back") {
  Pm m;
  m.call_gate(Pm::kFree, Pm::kCode0, 0x8800, 0xec, 2);
  m.user();
  // PUSH 11111111; PUSH 22222222; CALL FAR 43:0; INT3
  m.put(Pm::kCode, {0x68, 0x11, 0x11, 0x11, 0x11, 0x68, 0x22, 0x22, 0x22, 0x22, 0x9a, 0, 0, 0, 0, 0x43, 0, 0xcc});
  m.put(0x8800, {0xca, 0x08, 0x00});
  m.run(3);
  CHECK(m.cpu.s.cpl == 0);
  CHECK(m.cpu.s.ip == 0x8800);
  CHECK(m.cpu.s.seg[kCs].selector == Pm::kCode0);
  CHECK(m.cpu.s.seg[kSs].selector == Pm::kData0);
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 24);
  CHECK(m.pushed(0) == Pm::kCode + 17);
  CHECK(m.pushed(1) == Pm::kCode3);
  CHECK(m.pushed(2) == 0x22222222);
  CHECK(m.pushed(3) == 0x11111111);
  CHECK(m.pushed(4) == Pm::kStack3 - 8);
  CHECK(m.pushed(5) == Pm::kData3);
  m.load(m.cpu.s.seg[kEs], Pm::kData0);  // of no use to privilege 3: becomes null
  m.run(1);
  CHECK(m.cpu.s.cpl == 3);
  CHECK(m.cpu.s.ip == Pm::kCode + 17);
  CHECK(m.cpu.s.seg[kSs].selector == Pm::kData3);
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack3);
  CHECK(m.cpu.s.seg[kEs].selector == 0);
  CHECK_FALSE(m.cpu.s.seg[kEs].usable());
  CHECK(m.cpu.s.seg[kDs].selector == Pm::kData3);
}

TEST_CASE("A 16-bit call gate pushes words") {
  Pm m;
  m.call_gate(Pm::kFree, Pm::kCode0, 0xffff8800, 0xe4, 1);
  m.user();
  m.put(Pm::kCode, {0x66, 0x68, 0x34, 0x12, 0x9a, 0, 0, 0, 0, 0x43, 0});
  m.run(2);
  CHECK(m.cpu.s.ip == 0x8800);
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 10);
  CHECK(m.pushed(0) == (u32{Pm::kCode3} << 16 | (Pm::kCode + 11)));
  CHECK(m.pushed(1) == (((Pm::kStack3 - 2) & 0xffff) << 16 | 0x1234));
}

TEST_CASE("Call gates: every check has its exception and error code") {
  const auto call = [](auto set_up, std::initializer_list<u8> code = {0x9a, 0, 0, 0, 0, 0x43, 0}) {
    Pm m;
    m.call_gate(Pm::kFree, Pm::kCode0, 0x8800, 0xec);
    set_up(m);
    m.user();
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    CHECK(m.pushed(1) == Pm::kCode);
    return std::pair{v.value_or(999), m.pushed(0)};
  };
  using R = std::pair<unsigned, u32>;
  CHECK(call([](Pm& m) { m.call_gate(0x40, Pm::kCode0, 0, 0x8c); }) == R{13, 0x40});  // gate DPL < CPL
  CHECK(call([](Pm& m) { m.call_gate(0x40, Pm::kCode0, 0, 0x6c); }) == R{11, 0x40});  // not present
  CHECK(call([](Pm& m) { m.call_gate(0x40, 0, 0, 0xec); }) == R{13, 0});              // null target
  CHECK(call([](Pm& m) { m.call_gate(0x40, Pm::kData0, 0, 0xec); }) == R{13, 0x10});  // not code
  CHECK(call([](Pm& m) { m.call_gate(0x40, 0x100, 0, 0xec); }) == R{13, 0x100});      // outside the GDT
  CHECK(call([](Pm& m) {
          m.segment(0x48, 0, 0xfffff, kCodeRead & 0x7f, 0xc);
          m.call_gate(0x40, 0x48, 0, 0xec);
        }) == R{11, 0x48});
  CHECK(call([](Pm& m) {
          m.segment(0x48, 0, 0x87ff, kCodeRead, 4);
          m.call_gate(0x40, 0x48, 0x8800, 0xec);
        }) == R{13, 0});                                                              // offset beyond the limit
  CHECK(call([](Pm& m) { m.call_gate(0x40, Pm::kCode0, 0, 0xee); }) == R{13, 0x40});  // an interrupt gate
  CHECK(call([](Pm&) {}, {0xea, 0, 0, 0, 0, 0x43, 0}) == R{13, 0x08});                // JMP cannot change CPL
}

TEST_CASE("A call gate with a bad inner stack is #TS with the stack's selector") {
  const auto call = [](auto set_up) {
    Pm m;
    m.call_gate(0x40, Pm::kCode0 + 0x48, 0x8800, 0xec);  // 50: code at privilege 1, its stack is bad
    m.segment(0x50, 0, 0xfffff, kCodeRead | 0x20, 0xc);
    m.segment(0x58, 0, 0xfffff, kRwData | 0x20, 0xc);
    m.put32(Pm::kTss + 0x0c, 0x9000);
    m.put32(Pm::kTss + 0x10, 0x59);
    set_up(m);
    m.user();
    m.put(Pm::kCode, {0x9a, 0, 0, 0, 0, 0x43, 0});
    const auto v = m.vector();
    return std::pair{v.value_or(999), m.pushed(0)};
  };
  using R = std::pair<unsigned, u32>;
  CHECK(call([](Pm& m) { m.put32(Pm::kTss + 0x10, 0x58); }) == R{10, 0x58});  // RPL
  CHECK(call([](Pm& m) { m.put32(Pm::kTss + 0x10, 0x11); }) == R{10, 0x10});  // DPL
  CHECK(call([](Pm& m) { m.put32(Pm::kTss + 0x10, 0); }) == R{10, 0});        // null
  CHECK(call([](Pm& m) { m.segment(0x58, 0, 0xfffff, kRoData | 0x20, 0xc); }) == R{10, 0x58});
  CHECK(call([](Pm& m) { m.segment(0x58, 0, 0xfffff, 0x33, 0xc); }) == R{12, 0x58});         // not present
  CHECK(call([](Pm& m) { m.segment(0x58, 0, 0x8ffb, kRwData | 0x20, 4); }) == R{12, 0x58});  // no room
}

TEST_CASE("Far transfers to code check privilege; conforming code keeps CPL") {
  const auto jump = [](u8 access, u8 rpl, bool user_mode) {
    Pm m;
    m.segment(0x40, 0, 0xfffff, access, 0xc);
    if (user_mode) m.user();
    m.put(Pm::kCode, {0xea, 0x00, 0x88, 0, 0, static_cast<u8>(0x40 | rpl), 0});
    m.run(1);
    const auto v = m.cpu.s.ip == 0x8800 ? 0 : m.vector().value_or(999);
    return v == 0 ? m.cpu.s.seg[kCs].selector : 0x1000u * v + m.pushed(0);
  };
  CHECK(jump(kCodeRead, 0, false) == 0x40);
  CHECK(jump(kCodeRead, 3, false) == 13 * 0x1000 + 0x40);  // RPL > CPL
  CHECK(jump(kCodeRead, 3, true) == 13 * 0x1000 + 0x40);   // DPL != CPL
  CHECK(jump(kConforming, 3, true) == 0x43);
  CHECK(jump(kConforming | kDpl3, 0, false) == 13 * 0x1000 + 0x40);
  CHECK(jump(kConforming & 0x7f, 3, true) == 11 * 0x1000 + 0x40);
}

TEST_CASE("RETF and IRET to an inner level are #GP with the selector; a null CS is #GP(0)") {
  for (const u8 op : {0xcb, 0xcf}) {
    for (const u32 cs : {u32{Pm::kCode0}, 0u}) {
      Pm m;
      m.user(Pm::kCode, Pm::kStack3 - 12);
      m.put32(Pm::kStack3 - 12, 0x8800);
      m.put32(Pm::kStack3 - 8, cs);
      m.put32(Pm::kStack3 - 4, 2);
      m.put(Pm::kCode, {op});
      CHECK(m.vector() == 13u);
      CHECK(m.pushed(0) == cs);
      CHECK(m.pushed(3 + 1) == Pm::kStack3 - 12);  // ESP unchanged
    }
  }
}

TEST_CASE("IRET to privilege 3 restores SS:ESP and the flags that CPL 0 may change") {
  Pm m;
  m.cpu.s.gpr[kEsp] = 0x9000;
  const u32 frame[] = {0x8800, Pm::kCode3, 0x3202 | kAc, 0xb000, Pm::kData3};
  for (u32 n = 0; n < 5; ++n) m.put32(0x9000 + 4 * n, frame[n]);
  m.put(Pm::kCode, {0xcf});
  m.run(1);
  CHECK(m.cpu.s.cpl == 3);
  CHECK(m.cpu.s.ip == 0x8800);
  CHECK(m.cpu.s.reg32(kEsp) == 0xb000);
  CHECK(m.cpu.s.flags.get() == (0x3202 | kAc));
  CHECK(m.cpu.s.seg[kDs].selector == 0);  // was usable at privilege 0 only
}

TEST_CASE("Interrupt gates clear IF, trap gates do not; both clear TF, NT and RF") {
  for (const u8 access : {0xee, 0xef}) {
    Pm m;
    m.user();
    m.cpu.s.flags.set_system(kIf | kNt, kIf | kNt);
    m.idt(0x30, Pm::kCode0, Pm::kHandlers + 0x60, access);
    m.put(Pm::kCode, {0xcd, 0x30});
    CHECK(m.vector() == 0x30u);
    CHECK((m.cpu.s.flags.get() & (kIf | kNt | kTf)) == (access == 0xee ? 0u : u32{kIf}));
    CHECK((m.pushed(2) & (kIf | kNt)) == (kIf | kNt));
    CHECK(m.pushed(0) == Pm::kCode + 2);
    CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 20);
  }
}

TEST_CASE("16-bit interrupt gates push words and take 16 bits of offset") {
  Pm m;
  m.idt(0x30, Pm::kCode0, 0xffff0000 | (Pm::kHandlers + 0x60), 0x86);
  m.put(Pm::kCode, {0xcd, 0x30});
  CHECK(m.vector() == 0x30u);
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 6);
  CHECK((m.pushed(0) & 0xffff) == Pm::kCode + 2);
}

TEST_CASE("INT n: gate DPL, IDT limit, presence and type, with IDT error codes") {
  const auto take = [](auto set_up, std::initializer_list<u8> code) {
    Pm m;
    m.user();
    set_up(m);
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    CHECK(m.pushed(1) == Pm::kCode);
    return std::pair{v.value_or(999), m.pushed(0)};
  };
  using R = std::pair<unsigned, u32>;
  CHECK(take([](Pm&) {}, {0xcd, 0x30}) == R{13, 0x30 * 8 + 2});
  CHECK(take([](Pm&) {}, {0xcc}) == R{13, 3 * 8 + 2});
  CHECK(take([](Pm& m) { m.idt(0x30, Pm::kCode0, 0, 0x6e); }, {0xcd, 0x30}) == R{11, 0x30 * 8 + 2});
  CHECK(take([](Pm& m) { m.idt(0x30, Pm::kCode0, 0, 0xec); }, {0xcd, 0x30}) == R{13, 0x30 * 8 + 2});
  CHECK(take([](Pm& m) { m.cpu.s.idtr.limit = 0x30 * 8 + 6; }, {0xcd, 0x30}) == R{13, 0x30 * 8 + 2});
  CHECK(take([](Pm& m) { m.idt(0x30, 0, 0, 0xee); }, {0xcd, 0x30}) == R{13, 0});
  CHECK(take([](Pm& m) { m.idt(0x30, Pm::kData0, 0, 0xee); }, {0xcd, 0x30}) == R{13, Pm::kData0});
  // For an exception the EXT bit is set: #UD through a bad gate.
  CHECK(take([](Pm& m) { m.idt(6, Pm::kCode0, 0, 0x0e); }, {0x0f, 0x0b}) == R{11, 6 * 8 + 3});
  CHECK(take([](Pm& m) { m.idt(6, Pm::kData0, 0, 0x8e); }, {0x0f, 0x0b}) == R{13, Pm::kData0 | 1});
}
