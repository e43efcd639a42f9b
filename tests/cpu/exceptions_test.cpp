// Exceptions, debugging, interrupt shadows, self-modifying code and processor models. SDM vol. 3, chapters 6 and 17.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

namespace {

// A handler that returns at once, counting its calls in memory: INC DWORD [at]; IRET.
void counting_handler(Pm& m, u8 vector, u32 at) {
  m.put(0x5800 + 16u * vector,
        {0xff, 0x05, static_cast<u8>(at), static_cast<u8>(at >> 8), static_cast<u8>(at >> 16), 0, 0xcf});
  m.idt(vector, Pm::kCode0, 0x5800 + 16u * vector, 0x8e);
}

}  // namespace

TEST_CASE("Faults save the instruction's EIP with RF set, traps the next one's without") {
  const auto take = [](std::initializer_list<u8> code) {
    Pm m;
    m.cpu.s.gpr[kEcx] = 0;
    m.cpu.s.flags.set_system(kOf, kOf);
    m.put(Pm::kCode, code);
    const auto v = m.vector().value_or(999);
    const u32 flags = m.pushed(has_error_code(static_cast<u8>(v)) ? 3 : 2);
    const u32 ip = m.pushed(has_error_code(static_cast<u8>(v)) ? 1 : 0);
    return std::tuple{v, ip - Pm::kCode, (flags & kRf) != 0};
  };
  using R = std::tuple<unsigned, u32, bool>;
  CHECK(take({0xf7, 0xf1}) == R{0, 0, true});        // DIV ECX
  CHECK(take({0x90, 0x0f, 0x0b}) == R{6, 1, true});  // UD2
  CHECK(take({0xcc}) == R{3, 1, false});             // INT3
  CHECK(take({0xce}) == R{4, 1, false});             // INTO
  CHECK(take({0xf1}) == R{1, 1, false});             // INT1
}

TEST_CASE("BOUND outside its limits is #BR at the instruction") {
  Pm m;
  m.cpu.s.gpr[kEcx] = 11;
  m.put32(Pm::kData, 1);
  m.put32(Pm::kData + 4, 10);
  m.put(Pm::kCode, {0x62, 0x0d, 0, 0, 1, 0});
  CHECK(m.vector() == 5u);
  CHECK(m.pushed(0) == Pm::kCode);
}

TEST_CASE("LOCK where it may not stand, register forms and undefined opcodes are #UD") {
  const std::initializer_list<u8> codes[] = {{0xf0, 0x90},
                                             {0xf0, 0x01, 0xc8},
                                             {0xf0, 0x39, 0x05, 0, 0, 1, 0},
                                             {0xf0, 0x8b, 0x05, 0, 0, 1, 0},
                                             {0xf0, 0xf4},
                                             {0x0f, 0xff, 0xc0},
                                             {0x0f, 0xb9, 0xc0},
                                             {0x8e, 0xc8},
                                             {0x8d, 0xc0},
                                             {0xc4, 0xc0},
                                             {0x0f, 0x01, 0xd0},
                                             {0xff, 0xd8},
                                             {0xff, 0xf8},
                                             {0x0f, 0x04},
                                             {0xfe, 0xd0},
                                             {0x0f, 0xc7, 0xc8},
                                             {0x0f, 0x20, 0xc8}};
  for (const auto& code : codes) {
    INFO(static_cast<unsigned>(*code.begin()) << " " << static_cast<unsigned>(*(code.begin() + 1)));
    Pm m;
    m.put(Pm::kCode, code);
    CHECK(m.vector() == 6u);
    CHECK(m.pushed(0) == Pm::kCode);
  }
  Pm m;  // and where it may
  m.put(Pm::kCode, {0xf0, 0x01, 0x05, 0, 0, 1, 0, 0xf4});
  m.run(10);
  CHECK(m.cpu.s.ip == Pm::kCode + 8);
}

TEST_CASE("An instruction of 15 bytes runs, one of 16 is #GP(0)") {
  Pm m;
  std::vector<u8> code(14, 0x3e);
  code.push_back(0x40);  // INC EAX
  code.push_back(0xf4);
  m.put(Pm::kCode, code);
  m.cpu.s.gpr[kEax] = 7;
  m.run(2);
  CHECK(m.cpu.s.reg32(kEax) == 8);
  Pm n;
  code.insert(code.begin(), 0x3e);
  n.put(Pm::kCode, code);
  CHECK(n.vector() == 13u);
  CHECK(n.pushed(0) == 0);
  CHECK(n.pushed(1) == Pm::kCode);
}

TEST_CASE("An instruction that reaches beyond CS.limit is #GP(0); those before it run") {
  Pm m;
  m.segment(Pm::kFree, 0, Pm::kCode + 3, kCodeRead, 4);
  m.load(m.cpu.s.seg[kCs], Pm::kFree);
  m.put(Pm::kCode, {0x40, 0x40, 0xb0, 0x12});  // MOV AL, 12 ends at the limit
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == Pm::kCode + 4);
  CHECK((m.cpu.s.reg32(kEax) & 0xff) == 0x12);
  Pm n;
  n.segment(Pm::kFree, 0, Pm::kCode + 2, kCodeRead, 4);
  n.load(n.cpu.s.seg[kCs], Pm::kFree);
  n.cpu.s.gpr[kEax] = 0;
  n.put(Pm::kCode, {0x40, 0x40, 0xb0, 0x12});
  CHECK(n.vector() == 13u);
  CHECK(n.pushed(1) == Pm::kCode + 2);
  CHECK(n.cpu.s.reg32(kEax) == 2);
}

TEST_CASE("Running off the segment's end is #GP even where the next page is absent") {
  Pm m;
  m.paging();
  m.segment(Pm::kFree, 0, 0x8fff, kCodeRead, 4);
  m.load(m.cpu.s.seg[kCs], Pm::kFree);
  m.page(0x9000, 0);
  m.put(0x8fff, {0x90});
  m.cpu.s.ip = 0x8fff;
  m.cpu.s.gpr[kEsp] = 0xb000;
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == 0x9000);
}

TEST_CASE("An instruction over both the segment's end and an absent page is #GP, not #PF") {
  Pm m;
  m.paging();
  m.segment(Pm::kFree, 0, 0x8fff, kCodeRead, 4);
  m.load(m.cpu.s.seg[kCs], Pm::kFree);
  m.page(0x9000, 0);
  m.put(0x8ffe, {0xb8, 0x12});  // MOV EAX, imm32
  m.cpu.s.ip = 0x8ffe;
  m.cpu.s.gpr[kEsp] = 0xb000;
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == 0x8ffe);
}

TEST_CASE("An interrupt between the iterations of REP pushes RF, also when nothing is debugged") {
  Pm m;
  m.cpu.s.flags.set_system(kIf, kIf);
  m.cpu.s.gpr[kEcx] = 100;
  m.cpu.s.gpr[kEdi] = Pm::kData;
  m.put(Pm::kCode, {0xf3, 0xaa});
  m.run(10);
  m.cpu.pins.interrupt_acknowledge = [] { return u8{0x40}; };
  m.cpu.set_irq(Cpu::kPinIntr, true);
  CHECK(m.vector() == 0x40u);
  CHECK(m.pushed(0) == Pm::kCode);
  CHECK((m.pushed(2) & kRf) != 0);
}

TEST_CASE("A branch beyond CS.limit faults at the branch") {
  Pm m;
  m.segment(Pm::kFree, 0, 0x8fff, kCodeRead, 4);
  m.load(m.cpu.s.seg[kCs], Pm::kFree);
  m.put(Pm::kCode, {0xe9, 0xfb, 0x0f, 0, 0});  // JMP 9000
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == Pm::kCode);
}

TEST_CASE("Page faults: error codes, CR2 and restart, through the processor") {
  const auto access = [](u32 entry, bool user_mode, std::initializer_list<u8> code, u32 linear = Pm::kData) {
    Pm m;
    m.paging();
    m.page(linear, entry);
    if (user_mode) m.user();
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    CHECK(v == 14u);
    CHECK(m.cpu.s.cr2 == linear);
    CHECK(m.pushed(1) == (linear == Pm::kCode ? linear : u32{Pm::kCode}));
    return m.pushed(0);
  };
  const std::initializer_list<u8> read = {0xa1, 0, 0, 1, 0}, write = {0xa3, 0, 0, 1, 0};
  CHECK(access(0, false, read) == 0);
  CHECK(access(0, false, write) == 2);
  CHECK(access(0, true, read) == 4);
  CHECK(access(0, true, write) == 6);
  CHECK(access(Pm::kData | 5, true, write) == 7);
  CHECK(access(Pm::kData | 3, true, read) == 5);
  CHECK(access(Pm::kData | 5, false, write) == 3);  // CR0.WP
  CHECK(access(Pm::kCode | 3, true, {0x90}, Pm::kCode) == 5);
}

TEST_CASE("PAE with NX: executing is #PF with I/D; reading is allowed; bit 63 is reserved without NXE") {
  const auto build = [](Pm& m, bool nxe) {
    // PDPT at 100000, directory 101000, table 102000 for 0..2 MiB, identity.
    m.put32(0x100000, 0x101001);
    m.put32(0x101000, 0x102007);
    for (u32 n = 0; n < 512; ++n) m.put32(0x102000 + 8 * n, n << 12 | 7);
    m.put32(0x102000 + 8 * (Pm::kData >> 12) + 4, 0x80000000);
    m.cpu.s.cr3 = 0x100000;
    m.cpu.write_cr4(kCr4Pae);
    if (nxe) m.cpu.write_msr(0xc0000080, kEferNxe);
    m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Pg);
  };
  Pm m;
  build(m, true);
  m.put(Pm::kCode, {0xa1, 0, 0, 1, 0, 0xe9, 0xf6, 0x7f, 0, 0});  // MOV EAX, [10000]; JMP 10000
  CHECK(m.vector() == 14u);
  CHECK(m.pushed(0) == 0x11);
  CHECK(m.pushed(1) == Pm::kData);
  CHECK(m.cpu.s.cr2 == Pm::kData);
  Pm n;
  build(n, false);
  n.put(Pm::kCode, {0xa1, 0, 0, 1, 0});
  CHECK(n.vector() == 14u);
  CHECK(n.pushed(0) == 9);  // present, reserved bit
}

TEST_CASE("Double fault: contributory twice, or after a page fault; benign pairs and #GP then #PF go one by one") {
  {
    Pm m;  // #DE whose gate is absent: #NP is contributory
    m.idt(0, Pm::kCode0, 0, 0x0e);
    m.put(Pm::kCode, {0x31, 0xc9, 0xf7, 0xf1});
    CHECK(m.vector() == 8u);
    CHECK(m.pushed(0) == 0);
    CHECK(m.pushed(1) == Pm::kCode + 2);
  }
  {
    Pm m;  // #UD is benign: its absent gate is a plain #NP
    m.idt(6, Pm::kCode0, 0, 0x0e);
    m.put(Pm::kCode, {0x0f, 0x0b});
    CHECK(m.vector() == 11u);
    CHECK(m.pushed(0) == 6 * 8 + 3);
  }
  {
    Pm m;  // a page fault whose gate is absent
    m.paging();
    m.page(Pm::kData, 0);
    m.idt(14, Pm::kCode0, 0, 0x0e);
    m.put(Pm::kCode, {0xa1, 0, 0, 1, 0});
    CHECK(m.vector() == 8u);
  }
  {
    Pm m;  // #GP, whose handler's stack is not mapped: a page fault alone
    m.paging();
    m.segment(0x50, 0, 0xfffff, kCodeRead | 0x20, 0xc);
    m.segment(0x58, 0, 0xfffff, kRwData | 0x20, 0xc);
    m.put32(Pm::kTss + 0x0c, 0x201000);
    m.put32(Pm::kTss + 0x10, 0x59);
    m.idt(13, 0x50, Pm::kHandlers, 0x8e);
    m.page(0x200000, 0);
    m.user();
    m.put(Pm::kCode, {0xf4});
    CHECK(m.vector() == 14u);
    CHECK(m.cpu.s.cr2 == 0x200ffc);
    CHECK(m.pushed(1) == Pm::kCode);
  }
}

TEST_CASE("Triple fault: shutdown is called once and the processor stops") {
  Pm m;
  unsigned shutdowns = 0;
  m.cpu.pins.shutdown = [&] { ++shutdowns; };
  m.cpu.s.idtr.limit = 0;
  m.put(Pm::kCode, {0x0f, 0x0b});
  m.run(100);
  CHECK(shutdowns == 1);
  CHECK(m.cpu.s.halted);
}

TEST_CASE("STI lets one more instruction run before an interrupt, and only when IF was clear") {
  Pm m;
  m.cpu.pins.interrupt_acknowledge = [&] {
    m.cpu.set_irq(Cpu::kPinIntr, false);
    return u8{0x40};
  };
  m.cpu.set_irq(Cpu::kPinIntr, true);
  m.put(Pm::kCode, {0x90, 0xfb, 0x40, 0x40});  // NOP; STI; INC; INC
  CHECK(m.vector() == 0x40u);
  CHECK(m.pushed(0) == Pm::kCode + 3);
  Pm n;  // STI; HLT wakes up
  n.cpu.pins.interrupt_acknowledge = m.cpu.pins.interrupt_acknowledge;
  n.cpu.pins.interrupt_acknowledge = [&] {
    n.cpu.set_irq(Cpu::kPinIntr, false);
    return u8{0x40};
  };
  n.cpu.set_irq(Cpu::kPinIntr, true);
  n.put(Pm::kCode, {0xfb, 0xf4});
  CHECK(n.vector() == 0x40u);
  CHECK(n.pushed(0) == Pm::kCode + 2);
}

TEST_CASE("MOV SS and POP SS hold off interrupts, NMI and single-step traps for one instruction; LSS does not") {
  for (const bool nmi : {false, true}) {
    Pm m;
    m.cpu.pins.interrupt_acknowledge = [&] {
      m.cpu.set_irq(Cpu::kPinIntr, false);
      return u8{2};
    };
    m.put(Pm::kCode, {0x8e, 0xd0, 0x90, 0x90});
    m.cpu.s.gpr[kEax] = Pm::kData0;
    m.cpu.s.flags.set_system(kIf, kIf);
    m.run(1);
    m.cpu.set_irq(nmi ? Cpu::kPinNmi : Cpu::kPinIntr, true);
    CHECK(m.vector() == 2u);
    CHECK(m.pushed(0) == Pm::kCode + 3);
  }
  Pm m;
  m.put(Pm::kCode, {0x8e, 0xd0, 0x90, 0x90});
  m.cpu.s.gpr[kEax] = Pm::kData0;
  m.cpu.s.flags.set_system(kTf, kTf);
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode + 3);
  Pm n;  // LSS ESP, [10000]
  n.put32(Pm::kData, Pm::kStack0);
  n.put32(Pm::kData + 4, Pm::kData0);
  n.put(Pm::kCode, {0x0f, 0xb2, 0x25, 0, 0, 1, 0, 0x90});
  n.cpu.s.flags.set_system(kTf, kTf);
  CHECK(n.vector() == 1u);
  CHECK(n.pushed(0) == Pm::kCode + 7);
}

TEST_CASE("NMI is blocked until IRET") {
  Pm m;
  counting_handler(m, 2, Pm::kData);
  m.put(Pm::kCode, {0x90, 0x90, 0x90, 0xf4});
  m.cpu.set_irq(Cpu::kPinNmi, true);
  m.run(2);  // the delivery and INC
  m.cpu.set_irq(Cpu::kPinNmi, false);
  m.cpu.set_irq(Cpu::kPinNmi, true);
  CHECK(m.cpu.s.nmi_blocked);
  CHECK(m.get32(Pm::kData) == 1);
  m.run(100);
  CHECK(m.get32(Pm::kData) == 2);
  CHECK_FALSE(m.cpu.s.nmi_blocked);
}

TEST_CASE("TF traps after each instruction, after each iteration of REP, and not into INT n") {
  Pm m;
  m.cpu.s.flags.set_system(kTf, kTf);
  m.put(Pm::kCode, {0x40, 0x40});
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode + 1);
  CHECK((m.cpu.s.dr[6] & (kDr6Bs | kDr6Bt | 15)) == kDr6Bs);
  CHECK((m.pushed(2) & kTf) != 0);
  CHECK((m.cpu.s.flags.get() & kTf) == 0);

  Pm n;
  counting_handler(n, 1, Pm::kData);
  n.cpu.s.gpr[kEcx] = 5;
  n.cpu.s.gpr[kEdi] = Pm::kData + 0x100;
  n.cpu.s.flags.set_system(kTf, kTf);
  n.put(Pm::kCode, {0xf3, 0xaa, 0x90, 0x0f, 0x0b});  // REP STOSB; NOP; UD2, which faults and does not trap
  CHECK(n.vector() == 6u);
  CHECK(n.get32(Pm::kData) == 5 + 1);

  Pm k;  // INT 30 with TF: its handler is entered without a trap
  k.cpu.s.flags.set_system(kTf, kTf);
  k.put(Pm::kCode, {0xcd, 0x30});
  CHECK(k.vector() == 0x30u);
  CHECK((k.pushed(2) & kTf) != 0);
}

TEST_CASE("POPF that sets TF traps after the instruction that follows it") {
  Pm m;
  m.put(Pm::kCode, {0x68, 0x02, 0x01, 0, 0, 0x9d, 0x40, 0x40});
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode + 7);
}

TEST_CASE("A code breakpoint faults before its instruction; RF in the image returned to skips it") {
  Pm m;
  m.cpu.write_dr(0, Pm::kCode + 2);
  m.cpu.write_dr(7, 1);
  m.put(Pm::kCode, {0x40, 0x40, 0x40, 0x40});
  m.cpu.s.gpr[kEax] = 0;
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode + 2);
  CHECK(m.cpu.s.reg32(kEax) == 2);
  CHECK((m.cpu.s.dr[6] & (kDr6Bs | 15)) == 1);
  CHECK((m.pushed(2) & kRf) == 0);

  Pm n;  // OR DWORD [ESP+8], 10000; INC [10000]; IRET
  n.put(0x8800, {0x81, 0x4c, 0x24, 0x08, 0, 0, 1, 0, 0xff, 0x05, 0, 0, 1, 0, 0xcf});
  n.idt(1, Pm::kCode0, 0x8800, 0x8e);
  n.cpu.write_dr(0, Pm::kCode + 2);
  n.cpu.write_dr(7, 1);
  n.put(Pm::kCode, {0x40, 0x40, 0x40, 0xeb, 0xfd});  // the loop comes back to it
  n.run(200);
  CHECK(n.get32(Pm::kData) > 5);
}

TEST_CASE("A load of SS holds off the code breakpoint of the next instruction, and of that alone") {
  struct Case {
    std::vector<u8> load;
    bool holds_off;
  };
  const Case cases[] = {{{0x8e, 0xd0}, true},   // MOV SS, AX
                        {{0x17}, true},         // POP SS
                        {{0x8e, 0xd8}, false},  // MOV DS, AX
                        {{0xfb}, false}};       // STI
  for (const Case& c : cases) {
    const u32 next = Pm::kCode + static_cast<u32>(c.load.size());
    for (const bool behind : {false, true}) {
      Pm m;
      m.put(Pm::kCode, c.load);
      m.put(next, {0x90, 0x90, 0x0f, 0x0b});
      m.cpu.s.gpr[kEax] = Pm::kData0;
      m.cpu.s.gpr[kEsp] = Pm::kStack0 - 4;
      m.put32(Pm::kStack0 - 4, Pm::kData0);
      m.cpu.write_dr(0, next + behind);
      m.cpu.write_dr(7, 1);
      const bool taken = behind || !c.holds_off;
      CHECK(m.vector() == (taken ? 1u : 6u));
      CHECK(m.pushed(0) == (taken ? next + behind : next + 2));
    }
  }
}

TEST_CASE("A code breakpoint on REP is taken once, not each iteration; RF is set in images pushed between them") {
  Pm m;
  m.put(0x8800, {0x81, 0x4c, 0x24, 0x08, 0, 0, 1, 0, 0xff, 0x05, 0, 0, 1, 0, 0xcf});  // set RF; INC [10000]; IRET
  m.idt(1, Pm::kCode0, 0x8800, 0x8e);
  m.cpu.write_dr(0, Pm::kCode);
  m.cpu.write_dr(7, 1);
  m.cpu.s.gpr[kEcx] = 5;
  m.cpu.s.gpr[kEdi] = Pm::kData + 0x100;
  m.put(Pm::kCode, {0xf3, 0xaa, 0x0f, 0x0b});
  CHECK(m.vector() == 6u);
  CHECK(m.cpu.s.reg32(kEcx) == 0);
  CHECK(m.get32(Pm::kData) == 1);
  Pm n;
  n.cpu.s.gpr[kEcx] = 5;
  n.cpu.s.gpr[kEdi] = Pm::kData;
  n.cpu.s.flags.set_system(kTf, kTf);
  n.put(Pm::kCode, {0xf3, 0xaa});
  CHECK(n.vector() == 1u);
  CHECK(n.pushed(0) == Pm::kCode);
  CHECK((n.pushed(2) & kRf) != 0);
}

TEST_CASE("RF loaded by IRET holds for the instruction returned to, even if IRET itself ran with RF") {
  Pm m;  // IRET at kCode is resumed with RF set and returns to a breakpoint with RF set
  m.cpu.s.gpr[kEsp] = 0x9000;
  m.put32(0x9000, 0x8800);
  m.put32(0x9004, Pm::kCode0);
  m.put32(0x9008, kRf | 2);
  m.put(Pm::kCode, {0xcf});
  m.put(0x8800, {0x40, 0x0f, 0x0b});
  m.cpu.write_dr(0, Pm::kCode);
  m.cpu.write_dr(1, 0x8800);
  m.cpu.write_dr(7, 5);
  m.cpu.s.flags.set_system(kRf, kRf);
  CHECK(m.vector() == 6u);
}

TEST_CASE("Data breakpoints trap after the access: type, length and address decide") {
  const auto touch = [](u32 dr7, std::initializer_list<u8> code) {
    Pm m;
    m.cpu.write_dr(1, Pm::kData + 4);
    m.cpu.write_dr(7, dr7);
    m.put(Pm::kCode, code);
    const auto v = m.vector();
    if (v != 1u) return 0u;
    CHECK((m.cpu.s.dr[6] & 15) == 2);
    return m.pushed(0) - Pm::kCode;
  };
  constexpr u32 kOn = 4, kWrite1 = 1u << 20, kRw4 = 15u << 20;
  const std::initializer_list<u8> write4 = {0xa3, 4, 0, 1, 0, 0x90, 0xf4}, read4 = {0xa1, 4, 0, 1, 0, 0x90, 0xf4};
  CHECK(touch(kOn | kWrite1, write4) == 5);
  CHECK(touch(kOn | kWrite1, read4) == 0);
  CHECK(touch(kOn | kRw4, read4) == 5);
  CHECK(touch(kOn | kRw4, {0xa0, 7, 0, 1, 0, 0x90, 0xf4}) == 5);
  CHECK(touch(kOn | kRw4, {0xa0, 8, 0, 1, 0, 0x90, 0xf4}) == 0);
  CHECK(touch(kOn | kWrite1, {0xa3, 1, 0, 1, 0, 0x90, 0xf4}) == 5);  // bytes 1..4
  CHECK(touch(kWrite1, write4) == 0);                                // not enabled
}

TEST_CASE("A data breakpoint hit by an instruction that then faults is not taken in the fault's handler") {
  Pm m;
  m.paging();
  m.page(0x20000, 0);
  m.cpu.write_dr(0, Pm::kData);
  m.cpu.write_dr(7, 1 | 15u << 16);
  m.cpu.s.gpr[kEsi] = Pm::kData;
  m.cpu.s.gpr[kEdi] = 0x20000;
  m.put(Pm::kCode, {0xa5});  // MOVSD: reads the watched bytes, faults on the store
  CHECK(m.vector() == 14u);
  CHECK(m.cpu.s.debug_trap == 0);
}

TEST_CASE("DR7.GD makes the next access to a debug register #DB with BD, and is cleared") {
  Pm m;
  m.cpu.write_dr(7, kDr7Gd);
  m.put(Pm::kCode, {0x0f, 0x21, 0xc0});
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode);
  CHECK((m.cpu.s.dr[6] & kDr6Bd) != 0);
  CHECK((m.cpu.s.dr[7] & kDr7Gd) == 0);
}

TEST_CASE("Self-modifying code: the next instruction of the running block, and another block") {
  Pm m;  // MOV BYTE [next], 48: INC EAX becomes DEC EAX
  m.cpu.s.gpr[kEax] = 10;
  m.put(Pm::kCode, {0xc6, 0x05, 0x07, 0x80, 0, 0, 0x48, 0x40, 0xf4});
  m.run(10);
  CHECK(m.cpu.s.reg32(kEax) == 9);
  Pm n;  // CALL f; MOV BYTE [f], 48; CALL f; HLT
  n.cpu.s.gpr[kEax] = 10;
  n.put(Pm::kCode, {0xe8, 0xfb, 0x07, 0, 0, 0xc6, 0x05, 0x00, 0x88, 0, 0, 0x48, 0xe8, 0xef, 0x07, 0, 0, 0xf4});
  n.put(0x8800, {0x40, 0xc3});
  n.run(20);
  CHECK(n.cpu.s.halted);
  CHECK(n.cpu.s.reg32(kEax) == 10);
  Pm k;  // through another linear address of the same page
  k.paging();
  k.page(0x20000, 0x8000 | 7);
  k.cpu.s.gpr[kEax] = 10;
  k.put(Pm::kCode, {0xc6, 0x05, 0x07, 0x00, 2, 0, 0x48, 0x40, 0xf4});
  k.run(10);
  CHECK(k.cpu.s.reg32(kEax) == 9);
}

TEST_CASE("A20: with the line low, address bit 20 is off; translations change with it") {
  Pm m;
  m.ram[0x10000] = 0x11;
  m.ram[0x110000] = 0x22;
  m.put(Pm::kCode, {0xa0, 0x00, 0x00, 0x11, 0x00, 0x90, 0xa0, 0x00, 0x00, 0x11, 0x00, 0xf4});
  m.run(1);
  CHECK((m.cpu.s.reg32(kEax) & 0xff) == 0x22);
  m.cpu.set_a20(false);
  m.run(2);
  CHECK((m.cpu.s.reg32(kEax) & 0xff) == 0x11);
}

TEST_CASE("-cpu 486: CMOV, RDTSC, CMPXCHG8B and the hints are #UD; CPUID says family 4") {
  const std::initializer_list<u8> codes[] = {{0x0f, 0x44, 0xc1}, {0x0f, 0x31}, {0x0f, 0xc7, 0x0d, 0, 0, 1, 0},
                                             {0x0f, 0x1f, 0xc0}, {0x0f, 0x32}, {0x0f, 0x6f, 0xc1},
                                             {0x0f, 0x34},       {0xdb, 0xe8}};
  for (const auto& code : codes) {
    INFO(static_cast<unsigned>(*(code.begin() + 1)));
    Pm m("486");
    m.put(Pm::kCode, code);
    CHECK(m.vector() == 6u);
  }
  Pm m("486");
  m.put(Pm::kCode, {0x31, 0xc0, 0x0f, 0xa2, 0xf4});
  m.run(3);
  CHECK(m.cpu.s.reg32(kEax) == 1);
  CHECK(m.cpu.s.reg32(kEbx) == 0x756e6547);
  CHECK(m.cpu.s.reg32(kEdx) == 0x49656e69);
  CHECK(m.cpu.s.reg32(kEcx) == 0x6c65746e);
  Pm n("486");
  n.cpu.s.gpr[kEax] = 1;
  n.put(Pm::kCode, {0x0f, 0xa2, 0xf4});
  n.run(2);
  CHECK((n.cpu.s.reg32(kEax) & 0xf00) == 0x400);
  CHECK((n.cpu.s.reg32(kEdx) & (kCpuidTsc | kCpuidCmov | kCpuidMmx | kCpuidPae)) == 0);
}

TEST_CASE("RDTSC is #GP(0) at privilege 3 with CR4.TSD, and fine otherwise") {
  for (const bool tsd : {false, true}) {
    Pm m;
    m.user();
    m.cpu.write_cr4(tsd ? kCr4Tsd : 0);
    m.put(Pm::kCode, {0x0f, 0x31, 0x0f, 0x0b});
    CHECK(m.vector() == (tsd ? 13u : 6u));
  }
  Pm m;
  m.cpu.write_cr4(kCr4Tsd);
  m.put(Pm::kCode, {0x0f, 0x31, 0x0f, 0x0b});
  CHECK(m.vector() == 6u);
}

TEST_CASE("#AC at privilege 3 with CR0.AM and EFLAGS.AC; #NM by CR0.TS and EM") {
  Pm m;
  m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Am);
  m.cpu.s.flags.set_system(kAc, kAc);
  m.put(Pm::kCode, {0xa1, 1, 0, 1, 0, 0xf4});
  m.run(2);
  CHECK(m.cpu.s.ip == Pm::kCode + 6);  // not at privilege 0
  Pm n;
  n.cpu.write_cr0(n.cpu.s.cr0 | kCr0Am);
  n.cpu.s.flags.set_system(kAc, kAc);
  n.user();
  n.put(Pm::kCode, {0x66, 0xa1, 2, 0, 1, 0, 0xa1, 1, 0, 1, 0});
  CHECK(n.vector() == 17u);
  CHECK(n.pushed(0) == 0);
  CHECK(n.pushed(1) == Pm::kCode + 6);
  Pm k;
  k.cpu.write_cr0(k.cpu.s.cr0 | kCr0Ts);
  k.put(Pm::kCode, {0xd9, 0xe8});
  CHECK(k.vector() == 7u);
}

TEST_CASE("CR0 and CR4: reserved and contradictory bits are #GP(0)") {
  for (const u32 cr0 : {u32{kCr0Pg}, u32{kCr0Pe | kCr0Nw}}) {
    Pm m;
    m.cpu.s.gpr[kEax] = cr0;
    m.put(Pm::kCode, {0x0f, 0x22, 0xc0});
    CHECK(m.vector() == 13u);
    CHECK(m.pushed(0) == 0);
  }
  Pm m;
  m.cpu.s.gpr[kEax] = 1u << 31;
  m.put(Pm::kCode, {0x0f, 0x22, 0xe0});
  CHECK(m.vector() == 13u);
}
