// Virtual-8086 mode extensions and protected-mode virtual interrupts. SDM vol. 3, 20.3.3 and 20.4.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

namespace {

// Virtual-8086 code at 1000:0020 with VME on and an interrupt redirection bitmap before the I/O map.
struct Vme : Pm {
  explicit Vme(unsigned iopl = 0) {
    segment(kTssSel, kTss, 0x187, 0x8b, 0);
    load(cpu.s.tr, kTssSel);
    put32(kTss + 0x64, 0x880000);
    v86(0x1000, 0x20, 0x100, iopl);
    cpu.s.cr4 |= kCr4Vme;
    put32(4 * 0x21, 0x20000300);  // the 8086 program's handler of INT 21h: 2000:0300
  }
  void redirect(u8 vector, bool to_monitor) {
    const u32 at = kTss + 0x68 + vector / 8u;
    memory.write(at, 1, to_monitor ? 1u << (vector & 7) : 0);
  }
  u32 flags() { return cpu.s.flags.get(); }
  u16 word(u32 at) { return static_cast<u16>(memory.read(at, 2)); }
};

}  // namespace

TEST_CASE("VME: CLI and STI change VIF; STI with VIP is #GP(0)") {
  Vme m;
  m.put(0x10020, {0xfb, 0xfa, 0xfb});
  m.run(1);
  CHECK((m.flags() & (kVif | kIf)) == kVif);
  m.run(1);
  CHECK((m.flags() & (kVif | kIf)) == 0);
  m.cpu.s.flags.set_system(kVip, kVip);
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == 0x22);
}

TEST_CASE("VME: PUSHF shows VIF as IF and IOPL 3; POPF loads VIF, never IF or IOPL") {
  Vme m;
  m.put(0x10020, {0xfb, 0x9c, 0x6a, 0x01, 0x9d, 0x68, 0x01, 0x02, 0x9d});
  m.run(2);
  CHECK((m.word(0x100fe) & (kIf | kIopl)) == (kIf | kIopl));
  m.run(2);  // PUSH 1; POPF
  CHECK((m.flags() & (kVif | kIf | kIopl | kCf)) == kCf);
  m.run(2);  // PUSH 201h; POPF
  CHECK((m.flags() & (kVif | kIf | kIopl | kCf)) == (kVif | kCf));
}

TEST_CASE("VME: POPF and IRET with TF, or with IF while VIP is set, and the 32-bit forms are #GP(0)") {
  for (const std::initializer_list<u8> code : {std::initializer_list<u8>{0x9d}, {0xcf}}) {
    for (const u16 image : {0x0100, 0x0200}) {
      Vme m;
      m.cpu.s.flags.set_system(kVip, kVip);
      m.cpu.s.gpr[kEsp] = 0x80;
      const u32 at = *code.begin() == 0x9d ? 0x10080 : 0x10084;
      m.memory.write(at, 2, image);
      m.put(0x10020, code);
      CHECK(m.vector() == 13u);
      CHECK(m.pushed(1) == 0x20);
      CHECK(m.pushed(4) == 0x80);
    }
  }
  for (const u8 opcode : {0x9c, 0x9d, 0xcf}) {
    Vme m;
    m.put(0x10020, {0x66, opcode});
    CHECK(m.vector() == 13u);
  }
}

TEST_CASE("VME: a 16-bit IRET loads VIF and stays in virtual-8086 mode") {
  Vme m;
  m.cpu.s.gpr[kEsp] = 0x80;
  m.put32(0x10080, 0x11110042);
  m.memory.write(0x10084, 2, 0x0201);
  m.put(0x10020, {0xcf});
  m.run(1);
  CHECK(m.cpu.s.vm86());
  CHECK(m.cpu.s.seg[kCs].selector == 0x1111);
  CHECK(m.cpu.s.ip == 0x42);
  CHECK((m.flags() & (kVif | kIf | kIopl | kCf)) == (kVif | kCf));
}

TEST_CASE("VME: INT n goes to the 8086 program where its bit is clear, whatever IOPL is") {
  for (const unsigned iopl : {0u, 3u}) {
    Vme m(iopl);
    m.cpu.s.flags.set_system(kVif | kIf, iopl == 3 ? u32{kIf} : u32{kVif});
    m.put(0x10020, {0xcd, 0x21});
    m.run(1);
    CHECK(m.cpu.s.vm86());
    CHECK(m.cpu.s.seg[kCs].selector == 0x2000);
    CHECK(m.cpu.s.ip == 0x300);
    CHECK((m.flags() & (kVif | kIf)) == 0);
    CHECK(m.word(0x100fa) == 0x22);
    CHECK(m.word(0x100fc) == 0x1000);
    CHECK((m.word(0x100fe) & (kIf | kIopl)) == (kIf | kIopl));
  }
}

TEST_CASE("VME: INT n goes to the monitor where its bit is set; INT3 always") {
  Vme m(0);
  m.redirect(0x21, true);
  m.put(0x10020, {0xcd, 0x21});
  CHECK(m.vector() == 13u);  // IOPL < 3
  CHECK(m.pushed(0) == 0);
  Vme n(3);
  n.redirect(0x21, true);
  n.idt(0x21, Pm::kCode0, Pm::kHandlers + 0x42, 0xee);
  n.put(0x10020, {0xcd, 0x21});
  CHECK(n.vector() == 0x21u);
  Vme k(0);
  k.idt(3, Pm::kCode0, Pm::kHandlers + 6, 0xee);
  k.put(0x10020, {0xcc});
  CHECK(k.vector() == 3u);
}

TEST_CASE("VME: a redirection bitmap beyond the TSS limit is #GP(0)") {
  Vme m;
  m.segment(Pm::kTssSel, Pm::kTss, 0x6a, 0x8b, 0);
  m.load(m.cpu.s.tr, Pm::kTssSel);
  m.put(0x10020, {0xcd, 0x21});
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(0) == 0);
}

TEST_CASE("PVI: CLI and STI at privilege 3 change VIF; PUSHF and POPF are as ever; without PVI they are #GP(0)") {
  Pm m;
  m.user();
  m.cpu.s.cr4 |= kCr4Pvi;
  m.put(Pm::kCode, {0xfb, 0x9c, 0x9d, 0xfa, 0xfb});
  m.run(1);
  CHECK((m.cpu.s.flags.get() & (kVif | kIf)) == kVif);
  m.run(1);
  CHECK((m.get32(Pm::kStack3 - 4) & (kIf | kIopl | kVif)) == kVif);
  m.run(2);
  CHECK((m.cpu.s.flags.get() & (kVif | kIf)) == 0);
  m.cpu.s.flags.set_system(kVip, kVip);
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == Pm::kCode + 4);
  Pm n;
  n.user();
  n.put(Pm::kCode, {0xfa});
  CHECK(n.vector() == 13u);
}

TEST_CASE("CR4.VME and PVI exist where CPUID says so") {
  Pm m;
  m.cpu.write_cr4(kCr4Vme | kCr4Pvi);
  CHECK_FALSE(m.cpu.faulted());
  Pm n("486");
  n.cpu.write_cr4(kCr4Vme);
  CHECK(n.cpu.faulted());
}
