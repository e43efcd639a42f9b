// Hardware task switches: JMP, CALL, IRET, task gates; 32- and 16-bit TSS. SDM vol. 3, 7.3.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

namespace {

constexpr u32 kNewTss = 0x7000, kEntry = 0x8800;
constexpr u16 kNewSel = Pm::kFree, kGate = 0x48;

// The current task is a 32-bit one at kTss; another is ready at kNewTss.
struct Tasks : Pm {
  Tasks() {
    segment(kTssSel, kTss, 0x67, 0x8b, 0);
    segment(kNewSel, kNewTss, 0x67, 0x89, 0);
    image32(kEntry, 2);
    gate(kGdt + kGate, kNewSel, 0, 0xe5);
    put(kEntry, {0x90, 0xcf});
  }
  void image32(u32 ip, u32 flags, u16 cs = kCode0, u16 ss = kData0) {
    put32(kNewTss, 0);
    put32(kNewTss + 0x04, kStack0 - 0x100);
    put32(kNewTss + 0x08, kData0);
    put32(kNewTss + 0x1c, 0);
    put32(kNewTss + 0x20, ip);
    put32(kNewTss + 0x24, flags);
    for (u32 n = 0; n < 8; ++n) put32(kNewTss + 0x28 + 4 * n, 0x11110000 + n);
    put32(kNewTss + 0x28 + 16, 0x9800);
    const u16 segs[] = {kData0, cs, ss, kData0, 0, kData3};
    for (u32 n = 0; n < 6; ++n) put32(kNewTss + 0x48 + 4 * n, segs[n]);
    put32(kNewTss + 0x60, 0);
    put32(kNewTss + 0x64, 0);
  }
  u8 type(u16 selector) { return descriptor(selector).type(); }
};

}  // namespace

TEST_CASE("JMP to a TSS saves the old task, loads the new one and moves the busy bit") {
  Tasks m;
  m.cpu.s.gpr[kEbx] = 0xb0b0b0b0;
  m.put(Pm::kCode, {0xea, 0, 0, 0, 0, kNewSel, 0});
  m.run(1);
  const CpuState& s = m.cpu.s;
  CHECK(s.ip == kEntry);
  CHECK(s.tr.selector == kNewSel);
  CHECK(s.tr.base == kNewTss);
  CHECK(s.reg32(kEax) == 0x11110000);
  CHECK(s.reg32(kEsp) == 0x9800);
  CHECK(s.seg[kGs].selector == Pm::kData3);
  CHECK((s.cr0 & kCr0Ts) != 0);
  CHECK((s.flags.get() & kNt) == 0);
  CHECK(m.type(Pm::kTssSel) == kTss32);
  CHECK(m.type(kNewSel) == kTss32Busy);
  CHECK(m.get32(Pm::kTss + 0x20) == Pm::kCode + 7);
  CHECK(m.get32(Pm::kTss + 0x28 + 12) == 0xb0b0b0b0);
  CHECK(m.get32(Pm::kTss + 0x28 + 16) == Pm::kStack0);
  CHECK((m.get32(Pm::kTss + 0x48 + 4) & 0xffff) == 8);
  CHECK((m.get32(kNewTss) & 0xffff) == 0);  // no back link
}

TEST_CASE("CALL nests a task: back link, NT, both busy; IRET returns and clears NT in what it leaves") {
  Tasks m;
  m.put(Pm::kCode, {0x9a, 0, 0, 0, 0, kNewSel, 0, 0xf4});
  m.run(1);
  CHECK(m.cpu.s.ip == kEntry);
  CHECK((m.cpu.s.flags.get() & kNt) != 0);
  CHECK((m.get32(kNewTss) & 0xffff) == Pm::kTssSel);
  CHECK(m.type(Pm::kTssSel) == kTss32Busy);
  CHECK(m.type(kNewSel) == kTss32Busy);
  m.run(2);
  CHECK(m.cpu.s.ip == Pm::kCode + 7);
  CHECK(m.cpu.s.tr.selector == Pm::kTssSel);
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0);
  CHECK(m.type(Pm::kTssSel) == kTss32Busy);
  CHECK(m.type(kNewSel) == kTss32);
  CHECK((m.get32(kNewTss + 0x24) & kNt) == 0);
  CHECK(m.get32(kNewTss + 0x20) == kEntry + 2);
}

TEST_CASE("A task gate in the GDT and in the IDT switches tasks; an error code lands on the new stack") {
  {
    Tasks m;
    m.put(Pm::kCode, {0x9a, 0, 0, 0, 0, kGate, 0});
    m.run(1);
    CHECK(m.cpu.s.ip == kEntry);
    CHECK(m.cpu.s.tr.selector == kNewSel);
  }
  {
    Tasks m;
    m.idt(13, kNewSel, 0, 0x85);
    m.user();
    m.put(Pm::kCode, {0xb8, 0x40, 0, 0, 0, 0x8e, 0xd8});  // MOV DS, TSS selector: #GP(40)
    m.run(3);
    CHECK(m.cpu.s.tr.selector == kNewSel);
    CHECK(m.cpu.s.cpl == 0);
    CHECK(m.cpu.s.reg32(kEsp) == 0x9800 - 4);
    CHECK(m.pushed(0) == 0x40);
    CHECK(m.get32(Pm::kTss + 0x20) == Pm::kCode + 5);  // restartable
    CHECK((m.get32(Pm::kTss + 0x24) & kRf) != 0);
    CHECK((m.get32(kNewTss) & 0xffff) == Pm::kTssSel);
    CHECK((m.cpu.s.flags.get() & kNt) != 0);
  }
}

TEST_CASE("16-bit TSS: words, four segment registers, FS and GS null") {
  Tasks m;
  m.segment(kNewSel, kNewTss, 0x2b, 0x81, 0);
  const u16 words[] = {kEntry, 0x0002, 0xaaaa,     0xcccc,     0xdddd,     0xbbbb,     0x9800, 0xbbb1,
                       0x5151, 0xd1d1, Pm::kData0, Pm::kCode0, Pm::kData0, Pm::kData0, 0};
  for (u32 n = 0; n < 15; ++n) {
    m.put(kNewTss + 0x0e + 2 * n, {static_cast<u8>(words[n]), static_cast<u8>(words[n] >> 8)});
  }
  m.put(Pm::kCode, {0x9a, 0, 0, 0, 0, kNewSel, 0, 0xf4});
  m.run(1);
  CHECK(m.cpu.s.ip == kEntry);
  CHECK((m.cpu.s.reg32(kEax) & 0xffff) == 0xaaaa);
  CHECK((m.cpu.s.reg32(kEdi) & 0xffff) == 0xd1d1);
  CHECK(m.cpu.s.seg[kFs].selector == 0);
  CHECK(m.type(kNewSel) == kTss16Busy);
  m.run(2);  // back, saving 16-bit images
  CHECK(m.cpu.s.tr.selector == Pm::kTssSel);
  CHECK((m.get32(kNewTss + 0x0e) & 0xffff) == kEntry + 2);
  CHECK((m.get32(kNewTss + 0x12) & 0xffff) == 0xaaaa);
  CHECK(m.cpu.s.ip == Pm::kCode + 7);
}

TEST_CASE("Task switch checks: privilege, busy, presence, limit, the back link") {
  const auto transfer = [](auto set_up, std::initializer_list<u8> code) {
    Tasks m;
    set_up(m);
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    CHECK(m.cpu.s.tr.selector == Pm::kTssSel);  // none of these reaches the new task
    CHECK(m.pushed(1) == Pm::kCode);
    return std::pair{v.value_or(999), m.pushed(0)};
  };
  using R = std::pair<unsigned, u32>;
  const std::initializer_list<u8> jmp = {0xea, 0, 0, 0, 0, kNewSel, 0}, jmp3 = {0xea, 0, 0, 0, 0, kNewSel | 3, 0};
  const std::initializer_list<u8> gate = {0xea, 0, 0, 0, 0, kGate, 0};
  CHECK(transfer([](Tasks&) {}, jmp3) == R{13, kNewSel});  // RPL > DPL
  CHECK(transfer([](Tasks& m) { m.user(); }, jmp) == R{13, kNewSel});
  CHECK(transfer([](Tasks& m) { m.segment(kNewSel, kNewTss, 0x67, 0x8b, 0); }, jmp) == R{13, kNewSel});
  CHECK(transfer([](Tasks& m) { m.segment(kNewSel, kNewTss, 0x67, 0x09, 0); }, jmp) == R{11, kNewSel});
  CHECK(transfer([](Tasks& m) { m.segment(kNewSel, kNewTss, 0x66, 0x89, 0); }, jmp) == R{10, kNewSel});
  CHECK(transfer([](Tasks& m) { m.segment(kNewSel, kNewTss, 0x66, 0x89, 0); }, gate) == R{10, kNewSel});
  CHECK(transfer([](Tasks& m) { m.put32(Pm::kGdt + kGate, u32{Pm::kCode0} << 16); }, gate) == R{13, Pm::kCode0});
  // IRET with NT: a back link that is no busy TSS is #TS.
  const auto with_nt = [](u16 link) {
    return [link](Tasks& m) {
      m.cpu.s.flags.set_system(kNt, kNt);
      m.put32(Pm::kTss, link);
    };
  };
  CHECK(transfer(with_nt(kNewSel), {0xcf}) == R{10, kNewSel});
  CHECK(transfer(with_nt(0), {0xcf}) == R{10, 0});
}

TEST_CASE("What is wrong with the new task's segments faults in the new task") {
  const auto switch_with = [](auto set_up) {
    Tasks m;
    set_up(m);
    m.put(Pm::kCode, {0xea, 0, 0, 0, 0, kNewSel, 0});
    const auto v = m.vector();
    CHECK(m.cpu.s.tr.selector == kNewSel);
    CHECK(m.pushed(1) == m.get32(kNewTss + 0x20));  // the new task's EIP
    return std::pair{v.value_or(999), m.pushed(0)};
  };
  using R = std::pair<unsigned, u32>;
  CHECK(switch_with([](Tasks& m) { m.put32(kNewTss + 0x54, Pm::kCode0 + 0xf0); }) == R{10, 0xf8});  // DS
  CHECK(switch_with([](Tasks& m) {
          m.segment(0x50, 0, 0xfffff, kRwData & 0x7f, 0xc);
          m.put32(kNewTss + 0x54, 0x50);
        }) == R{11, 0x50});
  CHECK(switch_with([](Tasks& m) {
          m.image32(kEntry, 2, Pm::kCode3, Pm::kData3);
          m.put32(kNewTss + 0x60, Pm::kData0);
        }) == R{10, Pm::kData0});                                                                           // LDT
  CHECK(switch_with([](Tasks& m) { m.image32(kEntry, 2, Pm::kCode3, Pm::kData0); }) == R{10, Pm::kData0});  // SS
  CHECK(switch_with([](Tasks& m) {
          m.image32(kEntry, 2, Pm::kCode3, Pm::kData3);
          m.put32(kNewTss + 0x4c, Pm::kCode0 | 3);
        }) == R{10, Pm::kCode0});  // CS
  CHECK(switch_with([](Tasks& m) {
          m.segment(0x50, 0, kEntry - 1, kCodeRead, 4);
          m.put32(kNewTss + 0x4c, 0x50);
        }) == R{13, 0});  // EIP
}

TEST_CASE("The T bit of a TSS is a debug trap before the first instruction of the task") {
  Tasks m;
  m.put32(kNewTss + 0x64, 1);
  m.put(Pm::kCode, {0xea, 0, 0, 0, 0, kNewSel, 0});
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == kEntry);
  CHECK((m.cpu.s.dr[6] & kDr6Bt) != 0);
}

TEST_CASE("A task switch into VM86 and back out by an interrupt gate") {
  Tasks m;
  m.image32(0x10, kVm | 2);
  const u16 segs[] = {0x1000, 0x2000, 0x1000, 0x1000, 0x1111, 0x2222};
  for (u32 n = 0; n < 6; ++n) m.put32(kNewTss + 0x48 + 4 * n, segs[n]);
  m.put32(kNewTss + 0x28 + 16, 0x100);
  m.put(0x20010, {0xcd, 0x30});
  m.put(Pm::kCode, {0xea, 0, 0, 0, 0, kNewSel, 0});
  m.run(1);
  CHECK(m.cpu.s.vm86());
  CHECK(m.cpu.s.cpl == 3);
  CHECK(m.cpu.s.seg[kCs].base == 0x20000);
  CHECK(m.vector() == 13u);  // INT with IOPL 0
  CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 0x100 - 40);
  CHECK(m.pushed(9) == 0x2222);
}

TEST_CASE("JMP, CALL and IRET with TF set trap before the first instruction of the new task; its own TF after it") {
  const auto step = [](bool old_tf, bool new_tf, bool t_bit, std::initializer_list<u8> code, bool back = false) {
    Tasks m;
    m.put(kEntry, {0x40, 0x90, 0x90});
    m.image32(kEntry, new_tf ? kTf | 2 : 2);
    m.put32(kNewTss + 0x64, t_bit);
    if (back) {
      m.segment(kNewSel, kNewTss, 0x67, 0x8b, 0);
      m.put32(Pm::kTss, kNewSel);
      m.cpu.s.flags.set_system(kNt, kNt);
    }
    if (old_tf) m.cpu.s.flags.set_system(kTf, kTf);
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    CHECK(v == 1u);
    CHECK(m.cpu.s.tr.selector == kNewSel);
    CHECK(((m.pushed(2) & kTf) != 0) == new_tf);
    return std::pair{m.pushed(0) - kEntry, m.cpu.s.dr[6] & (kDr6Bs | kDr6Bt)};
  };
  using R = std::pair<u32, u32>;
  const std::initializer_list<u8> jmp = {0xea, 0, 0, 0, 0, kNewSel, 0}, call = {0x9a, 0, 0, 0, 0, kNewSel, 0};
  CHECK(step(true, false, false, jmp) == R{0, kDr6Bs});
  CHECK(step(true, true, false, jmp) == R{0, kDr6Bs});
  CHECK(step(true, false, false, call) == R{0, kDr6Bs});
  CHECK(step(true, false, false, {0xcf}, true) == R{0, kDr6Bs});
  CHECK(step(false, true, false, jmp) == R{1, kDr6Bs});
  CHECK(step(true, false, true, jmp) == R{0, kDr6Bs | kDr6Bt});
  CHECK(step(false, true, true, jmp) == R{0, kDr6Bt});

  Tasks m;  // through a task gate in the IDT the trap is lost, as with any interrupt
  m.idt(0x30, kNewSel, 0, 0xe5);
  m.put(kEntry, {0x40, 0x0f, 0x0b});
  m.cpu.s.flags.set_system(kTf, kTf);
  m.put(Pm::kCode, {0xcd, 0x30});
  CHECK(m.vector() == 6u);
  CHECK((m.get32(Pm::kTss + 0x24) & kTf) != 0);
}
