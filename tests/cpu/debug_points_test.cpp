// Breakpoints and watchpoints of a debugger outside the guest, on both engines.
#include "cpu/debug_points.h"

#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"

using namespace xlat;
using namespace xlat::test;

namespace {

using Breakpoint = DebugPoints::Breakpoint;
using Watch = DebugPoints::Watch;

constexpr u32 kCode = 0x1000, kData = 0x9000, kStack = 0x8000;

struct Bench {
  explicit Bench(std::initializer_list<u8> code) {
    m.flat32(kCode, kStack);
    m.put(kCode, code);
  }
  // Goes on as a debugger does: leaves the breakpoint it stands at behind first.
  Interp::Stop go(u64 most = 1000) {
    points.forget_hit();
    points.pass(true);
    const u64 end = m.clock.count() + most;
    Interp::Stop why = m.interp.run(m.clock.count() + 1);
    points.pass(false);
    if (why == Interp::Stop::kBudget) why = m.interp.run(end);
    return why;
  }
  u32 ip() const { return static_cast<u32>(m.cpu.s.ip); }

  BareCpu m;
  DebugPoints points{m.cpu};
};

}  // namespace

TEST_CASE("a breakpoint stops before its instruction, with the exact count", "[debug]") {
  // inc eax; inc ebx; inc ecx; jmp start
  Bench b({0x40, 0x43, 0x41, 0xeb, 0xfb});
  CHECK(b.m.run(4000) == Interp::Stop::kBudget);
  CHECK(b.m.cpu.s.reg32(kEax) == 1000);
  REQUIRE(b.points.insert(Breakpoint::kSoftware, kCode + 2));
  for (u32 round = 1; round < 20; ++round) {
    CHECK(b.go() == Interp::Stop::kDebug);
    CHECK(b.ip() == kCode + 2);
    CHECK(b.m.cpu.s.reg32(kEbx) == 1000 + round);
    CHECK(b.m.cpu.s.reg32(kEcx) == 1000 + round - 1);
    CHECK(b.m.clock.count() == 4000 + 4 * (round - 1) + 2);
  }
  CHECK(b.points.remove(Breakpoint::kSoftware, kCode + 2));
  CHECK_FALSE(b.points.remove(Breakpoint::kSoftware, kCode + 2));
  CHECK(b.go(4000) == Interp::Stop::kBudget);
}

TEST_CASE("breakpoints of both kinds, within an instruction, and at a block's start", "[debug]") {
  // mov eax, 12345678h; inc ebx; jmp start
  Bench b({0xb8, 0x78, 0x56, 0x34, 0x12, 0x43, 0xeb, 0xf8});
  b.m.run(300);
  // The second byte of an instruction is none.
  b.points.insert(Breakpoint::kSoftware, kCode + 1);
  CHECK(b.m.run(300) == Interp::Stop::kBudget);
  b.points.insert(Breakpoint::kSoftware, kCode);
  b.points.insert(Breakpoint::kHardware, kCode);
  CHECK(b.m.run(300) == Interp::Stop::kDebug);
  CHECK(b.ip() == kCode);
  b.points.remove(Breakpoint::kSoftware, kCode);
  CHECK(b.points.breakpoint_at(kCode) == Breakpoint::kHardware);
  CHECK(b.go() == Interp::Stop::kDebug);
  b.points.clear();
  CHECK(b.go() == Interp::Stop::kBudget);
}

TEST_CASE("a breakpoint holds when its code is rewritten", "[debug]") {
  // mov byte [kCode + 9], 43h (inc ebx); nop; nop; nop (rewritten); hlt
  Bench b({0xc6, 0x05, 0x09, 0x10, 0x00, 0x00, 0x43, 0x90, 0x90, 0x90, 0xf4});
  b.points.insert(Breakpoint::kSoftware, kCode + 9);
  CHECK(b.m.run(100) == Interp::Stop::kDebug);
  CHECK(b.ip() == kCode + 9);
  CHECK(b.m.get32(kCode + 9) == 0xf443);
  CHECK(b.go() == Interp::Stop::kIdle);
  CHECK(b.m.cpu.s.reg32(kEbx) == 1);
}

TEST_CASE("breakpoints are linear: CS.base counts", "[debug]") {
  BareCpu m;
  DebugPoints points(m.cpu);
  m.real16(0x7c0, 0x10, 0x100);
  m.put(0x7c10, {0x40, 0x43, 0xeb, 0xfc});  // inc ax; inc bx; jmp start
  points.insert(Breakpoint::kSoftware, 0x7c11);
  CHECK(m.run(100) == Interp::Stop::kDebug);
  CHECK(m.cpu.s.ip == 0x11);
  CHECK(m.cpu.s.reg32(kEax) == 1);
  CHECK(m.cpu.s.reg32(kEbx) == 0);
}

TEST_CASE("a repeated instruction is stopped at once, not at each iteration", "[debug]") {
  // mov edi, kData; mov ecx, 100; rep stosb; hlt
  Bench b({0xbf, 0x00, 0x90, 0x00, 0x00, 0xb9, 0x64, 0x00, 0x00, 0x00, 0xf3, 0xaa, 0xf4});
  b.points.insert(Breakpoint::kSoftware, kCode + 10);
  CHECK(b.m.run(100) == Interp::Stop::kDebug);
  CHECK(b.m.cpu.s.reg32(kEcx) == 100);
  CHECK(b.go() == Interp::Stop::kIdle);
  CHECK(b.m.cpu.s.reg32(kEcx) == 0);
}

TEST_CASE("an interrupt that waits comes before the breakpoint, and again behind it", "[debug]") {
  // At kCode: nop; nop; hlt. The handler, at 2000h: inc eax; iret.
  Bench b({0x90, 0x90, 0xf4});
  b.m.put(0x2000, {0x40, 0xcf});
  b.m.put32(0x3000 + 8 * 0x20, 0x00082000);
  b.m.put32(0x3004 + 8 * 0x20, 0x00008e00);
  b.m.put32(0x4008, 0x0000ffff);  // descriptor 8
  b.m.put32(0x400c, 0x00cf9b00);
  CpuState& s = b.m.cpu.s;
  s.idtr = {0x3000, 0x7ff};
  s.gdtr = {0x4000, 0xff};
  s.flags.set_system(kIf, kIf);
  b.m.cpu.pins.interrupt_acknowledge = [&] {
    b.m.cpu.set_irq(Cpu::kPinIntr, false);
    return u8{0x20};
  };
  b.points.insert(Breakpoint::kSoftware, kCode + 1);
  b.m.run(1);
  b.m.cpu.set_irq(Cpu::kPinIntr, true);
  CHECK(b.m.run(100) == Interp::Stop::kDebug);
  CHECK(b.ip() == kCode + 1);
  CHECK(s.reg32(kEax) == 1);  // the handler ran before the instruction could
  // Held off, it waits behind the step.
  b.m.cpu.set_irq(Cpu::kPinIntr, true);
  b.m.cpu.hold_interrupts(true);
  b.points.pass(true);
  CHECK(b.m.run(1) == Interp::Stop::kBudget);
  CHECK(b.ip() == kCode + 2);
  b.points.pass(false);
  b.m.cpu.hold_interrupts(false);
  CHECK(b.m.run(1) == Interp::Stop::kBudget);
  CHECK(b.ip() == 0x2000);
}

TEST_CASE("watchpoints stop behind the instruction that made the access", "[debug]") {
  // mov eax, [kData]; mov [kData + 4], eax; inc ebx; jmp start
  Bench b({0xa1, 0x00, 0x90, 0x00, 0x00, 0xa3, 0x04, 0x90, 0x00, 0x00, 0x43, 0xeb, 0xf3});
  b.m.run(400);
  SECTION("a write") {
    b.points.insert(Watch::kWrite, kData + 7, 1);
    CHECK(b.m.run(400) == Interp::Stop::kDebug);
    CHECK(b.ip() == kCode + 10);
    REQUIRE(b.points.hit());
    CHECK(b.points.hit()->linear == kData + 7);
    CHECK(b.m.clock.count() == 402);
    b.points.remove(Watch::kWrite, kData + 7, 1);
    CHECK(b.go() == Interp::Stop::kBudget);
  }
  SECTION("a read") {
    b.points.insert(Watch::kRead, kData, 4);
    b.points.insert(Watch::kRead, kData + 4, 4);
    CHECK(b.m.run(400) == Interp::Stop::kDebug);
    CHECK(b.ip() == kCode + 5);
    CHECK(b.points.hit()->kind == Watch::kRead);
    CHECK(b.go() == Interp::Stop::kDebug);
    CHECK(b.m.clock.count() == 405);
  }
  SECTION("either, in a range of many pages") {
    b.points.insert(Watch::kAccess, 0x8004, 0x10000);
    CHECK(b.m.run(400) == Interp::Stop::kDebug);
    CHECK(b.points.hit()->linear == kData);
    CHECK(b.go() == Interp::Stop::kDebug);
    CHECK(b.points.hit()->linear == kData + 4);
  }
  SECTION("not next to it") {
    b.points.insert(Watch::kAccess, kData + 8, 4);
    b.points.insert(Watch::kWrite, kData, 4);
    b.points.insert(Watch::kRead, kData + 4, 4);
    CHECK(b.m.run(400) == Interp::Stop::kBudget);
  }
}

TEST_CASE("strings, pushes, read-modify-write, x87 and page crossings are seen", "[debug]") {
  struct Case {
    std::initializer_list<u8> code;
    u32 watched, insns;
    const char* what;
  };
  const Case cases[] = {
      // mov ecx, 40h; mov edi, kData - 8; rep stosb
      {{0xb9, 0x40, 0, 0, 0, 0xbf, 0xf8, 0x8f, 0, 0, 0xf3, 0xaa, 0xf4}, kData, 11, "rep stosb"},
      // mov ecx, 10h; mov edi, kData - 8; rep stosd
      {{0xb9, 0x10, 0, 0, 0, 0xbf, 0xf8, 0x8f, 0, 0, 0xf3, 0xab, 0xf4}, kData, 5, "rep stosd"},
      {{0x90, 0x60, 0xf4}, kStack - 20, 2, "pusha"},
      {{0xff, 0x05, 0x00, 0x90, 0, 0, 0xf4}, kData, 1, "inc [m]"},
      {{0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0x1d, 0xfc, 0x8f, 0, 0, 0xf4}, kData + 2, 3, "fninit; fld1; fstp qword [m]"},
      {{0x0f, 0x7f, 0x05, 0x00, 0x90, 0, 0, 0xf4}, kData + 7, 1, "movq [m], mm0"},
      {{0xa3, 0xfe, 0x8f, 0, 0, 0xf4}, kData + 1, 1, "mov [m], eax over two pages"},
      {{0x9a, 0x20, 0x10, 0, 0, 0x08, 0x00, 0xf4}, kStack - 8, 1, "call far"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Bench b(c.code);
    b.m.put(kCode + 0x20, {0xf4});
    b.m.put32(0x4008, 0x0000ffff);
    b.m.put32(0x400c, 0x00cf9b00);
    b.m.cpu.s.gdtr = {0x4000, 0xff};
    b.points.insert(Watch::kWrite, c.watched, 1);
    CHECK(b.m.run(1000) == Interp::Stop::kDebug);
    CHECK(b.m.clock.count() == c.insns);
    REQUIRE(b.points.hit());
    CHECK(b.points.hit()->linear == c.watched);
  }
}

TEST_CASE("a watchpoint set while a loop is hot is seen", "[debug]") {
  // mov edi, kData; L: mov [edi], eax; mov ebx, [edi + 100h]; dec ecx; jnz L; hlt
  Bench b({0xbf, 0x00, 0x90, 0, 0, 0x89, 0x07, 0x8b, 0x9f, 0x00, 0x01, 0, 0, 0x49, 0x75, 0xf5, 0xf4});
  b.m.cpu.s.gpr[kEcx] = 1'000'000;
  b.m.run(100'001);
  const u32 before = b.m.cpu.s.reg32(kEcx);
  b.points.insert(Watch::kRead, kData + 0x102, 1);
  CHECK(b.m.run(100'000) == Interp::Stop::kDebug);
  CHECK(b.m.cpu.s.reg32(kEcx) >= before - 1);
  CHECK(b.points.hit()->linear == kData + 0x102);
  b.points.clear();
  b.points.insert(Watch::kWrite, kData, 4);
  CHECK(b.go(100'000) == Interp::Stop::kDebug);
  CHECK(b.points.hit()->kind == Watch::kWrite);
}

TEST_CASE("what an instruction touched before it faulted is not told, what its exception touches is", "[debug]") {
  // div dword [kData], which is zero: #DE, through gate 0, which pushes three words below kStack
  Bench b({0xf7, 0x35, 0x00, 0x90, 0, 0});
  b.m.put(0x2000, {0x90, 0xf4});
  b.m.put32(0x3000, 0x00082000);
  b.m.put32(0x3004, 0x00008e00);
  b.m.put32(0x4008, 0x0000ffff);
  b.m.put32(0x400c, 0x00cf9b00);
  b.m.cpu.s.idtr = {0x3000, 0x7ff};
  b.m.cpu.s.gdtr = {0x4000, 0xff};
  SECTION("the operand") {
    b.points.insert(Watch::kAccess, kData, 4);
    CHECK(b.m.run(100) == Interp::Stop::kIdle);
  }
  SECTION("the stack") {
    b.points.insert(Watch::kWrite, kStack - 12, 4);
    CHECK(b.m.run(100) == Interp::Stop::kDebug);
    CHECK(b.ip() == 0x2000);
  }
  SECTION("the gate and the descriptor") {
    b.points.insert(Watch::kRead, 0x4008, 8);
    CHECK(b.m.run(100) == Interp::Stop::kDebug);
    CHECK(b.ip() == 0x2000);
  }
}

TEST_CASE("the guest's debug registers stay its own", "[debug]") {
  Bench b({0x40, 0x43, 0xf4});
  const CpuState before = b.m.cpu.s;
  b.points.insert(Breakpoint::kHardware, kCode + 1);
  b.points.insert(Watch::kAccess, kData, 4);
  CHECK(b.m.run(100) == Interp::Stop::kDebug);
  CHECK(std::equal(std::begin(before.dr), std::end(before.dr), std::begin(b.m.cpu.s.dr)));
  CHECK(b.m.cpu.s.debug_trap == 0);
}

TEST_CASE("ranges at the ends of the address space", "[debug]") {
  Bench b({0x90});
  b.points.insert(Watch::kWrite, 0xfffffff0, 16);
  CHECK(b.points.watches_page(0xffffffff, true));
  CHECK_FALSE(b.points.watches_page(0, true));
  CHECK_FALSE(b.points.watches_page(0xfffff000, false));
  b.points.insert(Breakpoint::kSoftware, 2);
  CHECK(b.points.breakpoint_within(0xfffffff8, 16));
  CHECK_FALSE(b.points.breakpoint_within(0xfffffff8, 8));
  for (u32 n = 0; n < 5000; ++n) b.points.insert(Breakpoint::kSoftware, n);
  CHECK_FALSE(b.points.insert(Breakpoint::kSoftware, 6000));
}
