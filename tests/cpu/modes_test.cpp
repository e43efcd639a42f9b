// Real, unreal, 16-bit protected and virtual-8086 mode; segment limits, types and privilege. SDM vol. 3, chapters
// 5, 20.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

TEST_CASE("Real mode: a segment is its selector times 16, limit 64 KiB, and INT takes the vector table") {
  BareCpu m;
  m.real16(0x100, 0x0000, 0x1000);
  m.put(0x1000, {0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xc6, 0x06, 0x04, 0x00, 0x5a, 0xcd, 0x21, 0xf4});
  m.put32(4 * 0x21, 0x03000010);  // 0300:0010
  m.put(0x3010, {0xf4});
  m.run(100);
  CHECK(m.ram[0x20004] == 0x5a);
  CHECK(m.cpu.s.seg[kCs].selector == 0x300);
  CHECK(m.cpu.s.ip == 0x11);
  CHECK(m.cpu.s.reg32(kEsp) == 0xffa);
  CHECK((m.get32(0x1000 + 0xffa) & 0xffff) == 0x0c);   // IP after INT
  CHECK((m.get32(0x1000 + 0xffc) & 0xffff) == 0x100);  // CS
}

TEST_CASE("Real mode: a word at offset FFFF is interrupt 13 with the instruction's IP and no error code") {
  BareCpu m;
  m.real16(0x100, 0, 0x1000);
  m.put(0x1000, {0xa1, 0xff, 0xff});  // MOV AX, [FFFF]
  m.put32(4 * 13, 0x03000000);
  m.put(0x3000, {0xf4});
  m.run(100);
  CHECK(m.cpu.s.seg[kCs].selector == 0x300);
  CHECK(m.cpu.s.reg32(kEsp) == 0xffa);
  CHECK((m.get32(0x1000 + 0xffa) & 0xffff) == 0);
}

TEST_CASE("Unreal mode: limits loaded in protected mode stay after PE is cleared and the selector reloaded") {
  Pm m;
  m.code16();
  // MOV DS <- data0 (4 GiB); CR0.PE = 0; JMP 0:next; MOV DS <- 0; MOV AL, [00200000]; HLT
  m.put(Pm::kCode, {0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0, 0xea, 0x12,
                    0x80, 0x00, 0x00, 0x31, 0xc0, 0x8e, 0xd8, 0x67, 0xa0, 0x00, 0x00, 0x20, 0x00, 0xf4});
  m.ram[0x200000] = 0x77;
  m.run(100);
  CHECK(m.cpu.s.halted);
  CHECK_FALSE(m.cpu.s.protected_mode());
  CHECK(m.cpu.s.seg[kDs].selector == 0);
  CHECK((m.cpu.s.reg32(kEax) & 0xff) == 0x77);
  CHECK(m.cpu.s.ip == 0x801d);
}

TEST_CASE("16-bit protected mode: operands and stack are 16 bits, 66 and 67 make them 32") {
  Pm m;
  m.code16();
  m.cpu.s.gpr[kEax] = 0x12345678;
  m.cpu.s.gpr[kEsp] = 0xabcda000;
  m.put(Pm::kCode, {0x50, 0x66, 0x50, 0x67, 0x66, 0xc7, 0x05, 0x00, 0x00, 0x01, 0x00, 0xef, 0xbe, 0xad, 0xde, 0xf4});
  m.segment(Pm::kFree, 0, 0xfffff, kRwData, 0xc);
  m.load(m.cpu.s.seg[kDs], Pm::kFree);
  m.run(10);
  CHECK(m.cpu.s.halted);
  CHECK(m.cpu.s.reg32(kEsp) == 0xabcd9ffa);  // SP only
  CHECK(m.get32(0x9ffa) == 0x12345678);
  CHECK((m.get32(0x9ffe) & 0xffff) == 0x5678);
  CHECK(m.get32(0x10000) == 0xdeadbeef);
}

namespace {
// Runs `code` with DS loaded from a descriptor; the vector and error code, or none.
struct Outcome {
  std::optional<unsigned> vector;
  u32 code;
};
Outcome with_ds(std::initializer_list<u8> code, u32 limit, u8 access, u8 flags) {
  Pm m;
  m.segment(Pm::kFree, Pm::kData, limit, access, flags);
  m.load(m.cpu.s.seg[kDs], Pm::kFree);
  m.put(Pm::kCode, code);
  const auto v = m.vector();
  if (v) CHECK(m.pushed(1) == Pm::kCode);
  return {v, m.pushed(0)};
}
#define CHECK_FAULT(outcome, v, c) \
  do {                             \
    const Outcome o = (outcome);   \
    CHECK(o.vector == (v));        \
    CHECK(o.code == (c));          \
  } while (false)
}  // namespace

TEST_CASE("Segment limits and types hold for every data access") {
  // MOV EAX, [moffs]; HLT and MOV [moffs], EAX; HLT
  CHECK_FALSE(with_ds({0xa1, 0xfc, 0xff, 0, 0, 0xf4}, 0xffff, kRwData, 4).vector);
  CHECK_FAULT(with_ds({0xa1, 0xfd, 0xff, 0, 0}, 0xffff, kRwData, 4), 13u, 0u);
  CHECK_FALSE(with_ds({0xa1, 0xfc, 0xff, 0, 0, 0xf4}, 0xf, kRwData, 0xc).vector);  // 4 KiB units
  CHECK_FAULT(with_ds({0xa3, 0, 0, 0, 0}, 0xffff, kRoData, 4), 13u, 0u);
  CHECK_FALSE(with_ds({0xa1, 0, 0, 0, 0, 0xf4}, 0xffff, kRoData, 4).vector);
  CHECK_FAULT(with_ds({0xa3, 0, 0, 0, 0}, 0xffff, kCodeRead, 4), 13u, 0u);
  CHECK_FALSE(with_ds({0xa1, 0, 0, 0, 0, 0xf4}, 0xffff, kCodeRead, 4).vector);
}

TEST_CASE("Expand-down segments are valid above their limit, up to FFFF or FFFFFFFF by B") {
  CHECK_FAULT(with_ds({0xa1, 0xff, 0x0f, 0, 0}, 0xfff, kDownData, 0), 13u, 0u);
  CHECK_FALSE(with_ds({0xa1, 0x00, 0x10, 0, 0, 0xf4}, 0xfff, kDownData, 0).vector);
  CHECK_FALSE(with_ds({0xa1, 0xfc, 0xff, 0, 0, 0xf4}, 0xfff, kDownData, 0).vector);
  CHECK_FAULT(with_ds({0xa1, 0xfd, 0xff, 0, 0}, 0xfff, kDownData, 0), 13u, 0u);
  CHECK_FALSE(with_ds({0xa1, 0xfd, 0xff, 0, 0, 0xf4}, 0xfff, kDownData, 4).vector);
}

TEST_CASE("Execute-only code cannot be read; a null selector loads but does not work; SS limits are #SS") {
  {
    Pm m;
    m.segment(Pm::kFree, 0, 0xfffff, kCodeOnly, 0xc);
    m.load(m.cpu.s.seg[kCs], Pm::kFree);
    m.put(Pm::kCode, {0x2e, 0xa1, 0, 0, 0, 0});  // MOV EAX, CS:[0]
    CHECK(m.vector() == 13u);
  }
  {
    Pm m;  // MOV DS, AX with AX = 3; MOV EAX, [0]
    m.put(Pm::kCode, {0xb8, 3, 0, 0, 0, 0x8e, 0xd8, 0xa1, 0, 0, 0, 0});
    CHECK(m.vector() == 13u);
    CHECK(m.pushed(0) == 0);
    CHECK(m.pushed(1) == Pm::kCode + 7);
    CHECK(m.cpu.s.seg[kDs].selector == 3);
  }
  {
    Pm m;  // MOV SS, AX with a null selector
    m.put(Pm::kCode, {0x31, 0xc0, 0x8e, 0xd0});
    CHECK(m.vector() == 13u);
    CHECK(m.pushed(0) == 0);
  }
  {
    Pm m;  // PUSH below the limit of an expand-down stack: #SS(0), delivered on the inner stack
    m.user();
    m.segment(Pm::kFree, 0, 0xbfff, kDownData | kDpl3, 4);
    m.load(m.cpu.s.seg[kSs], Pm::kFree | 3);
    m.put(Pm::kCode, {0x50});
    CHECK(m.vector() == 12u);
    CHECK(m.pushed(0) == 0);
    CHECK(m.cpu.s.seg[kSs].selector == Pm::kData0);
    CHECK(m.pushed(4) == Pm::kStack3);
  }
}

TEST_CASE("Loading a data segment checks DPL, type, presence and table limit") {
  const auto load_ds = [](u16 selector, u8 access, bool user_mode) {
    Pm m;
    m.segment(Pm::kFree, 0, 0xfffff, access, 0xc);
    if (user_mode) m.user();
    m.put(Pm::kCode, {0xb8, static_cast<u8>(selector), static_cast<u8>(selector >> 8), 0, 0, 0x8e, 0xd8, 0xf4});
    const auto v = m.vector();
    if (v && *v != 13) CHECK(m.pushed(1) == Pm::kCode + 5);
    return Outcome{v, m.pushed(0)};
  };
  CHECK_FALSE(load_ds(0x40, kRwData, false).vector);
  CHECK_FAULT(load_ds(0x43, kRwData, false), 13u, 0x40u);  // RPL 3 > DPL 0
  CHECK_FAULT(load_ds(0x40, kRwData, true), 13u, 0x40u);   // CPL 3 > DPL 0
  CHECK_FAULT(load_ds(0x40, kCodeOnly, false), 13u, 0x40u);
  CHECK_FALSE(load_ds(0x43, kConforming, false).vector);  // conforming: no DPL check
  CHECK_FAULT(load_ds(0x40, kRwData & 0x7f, false), 11u, 0x40u);
  CHECK_FAULT(load_ds(0x40, 0x89, false), 13u, 0x40u);       // a TSS
  CHECK_FAULT(load_ds(0x100, kRwData, false), 13u, 0x100u);  // beyond the GDT
  CHECK_FAULT(load_ds(0x44, kRwData, false), 13u, 0x44u);    // no LDT
}

TEST_CASE("Loading SS checks that RPL and DPL are CPL, and presence with #SS") {
  const auto load_ss = [](u16 selector, u8 access) {
    Pm m;
    m.segment(Pm::kFree, 0, 0xfffff, access, 0xc);
    m.put(Pm::kCode, {0xb8, static_cast<u8>(selector), 0, 0, 0, 0x8e, 0xd0, 0x90, 0xf4});
    const auto v = m.vector();
    return Outcome{v, m.pushed(0)};
  };
  CHECK_FALSE(load_ss(0x40, kRwData).vector);
  CHECK_FAULT(load_ss(0x43, kRwData), 13u, 0x40u);
  CHECK_FAULT(load_ss(0x40, kRwData | kDpl3), 13u, 0x40u);
  CHECK_FAULT(load_ss(0x40, kRoData), 13u, 0x40u);
  CHECK_FAULT(load_ss(0x40, kRwData & 0x7f), 12u, 0x40u);
}

TEST_CASE("A descriptor's accessed bit is set when it is loaded") {
  Pm m;
  m.segment(Pm::kFree, 0, 0xfffff, 0x92, 0xc);
  m.put(Pm::kCode, {0xb8, 0x40, 0, 0, 0, 0x8e, 0xd8, 0xf4});
  m.run(10);
  CHECK(m.descriptor(Pm::kFree).type() == 3);
}

TEST_CASE("Privileged instructions are #GP(0) at privilege 3") {
  const std::initializer_list<u8> codes[] = {{0xf4},
                                             {0x0f, 0x06},
                                             {0x0f, 0x20, 0xc0},
                                             {0x0f, 0x22, 0xc0},
                                             {0x0f, 0x21, 0xc0},
                                             {0x0f, 0x23, 0xc0},
                                             {0x0f, 0x01, 0x15, 0, 0, 1, 0},
                                             {0x0f, 0x01, 0x1d, 0, 0, 1, 0},
                                             {0x0f, 0x00, 0xd0},
                                             {0x0f, 0x00, 0xd8},
                                             {0x0f, 0x01, 0xf0},
                                             {0x0f, 0x01, 0x38},
                                             {0x0f, 0x08},
                                             {0x0f, 0x09},
                                             {0x0f, 0x30},
                                             {0x0f, 0x32},
                                             {0xfa},
                                             {0xfb},
                                             {0xe4, 0x80},
                                             {0xe6, 0x80},
                                             {0x6c},
                                             {0x6e},
                                             {0x0f, 0x35}};
  for (const auto& code : codes) {
    INFO(static_cast<unsigned>(*code.begin()) << " " << static_cast<unsigned>(*(code.end() - 1)));
    Pm m;
    m.user();
    m.put(Pm::kCode, code);
    CHECK(m.vector() == 13u);
    CHECK(m.pushed(0) == 0);
    CHECK(m.pushed(1) == Pm::kCode);
    CHECK(m.pushed(2) == Pm::kCode3);
    CHECK(m.pushed(5) == Pm::kData3);
  }
}

TEST_CASE("ARPL writes memory only when it changes the RPL") {
  Pm m;
  m.segment(Pm::kFree, Pm::kData, 0xfff, kRoData, 0);
  m.load(m.cpu.s.seg[kDs], Pm::kFree);
  m.put32(Pm::kData, 0xfff3);
  m.cpu.s.gpr[kEbx] = 2;
  m.put(Pm::kCode, {0x63, 0x1d, 0, 0, 0, 0, 0x63, 0x1d, 0, 0, 0, 0});  // ARPL [0], BX
  m.run(1);
  CHECK(m.cpu.s.ip == Pm::kCode + 6);
  CHECK_FALSE(m.cpu.s.flags.zf());
  m.put32(Pm::kData, 0xfff0);
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == Pm::kCode + 6);
}

// As a Xeon does it.
TEST_CASE("ENTER with a 32-bit operand on a 16-bit stack puts all of ESP in EBP") {
  Pm m;
  m.load(m.cpu.s.seg[kSs], Pm::kData16);
  m.cpu.s.gpr[kEsp] = 0x1234a000;
  m.cpu.s.gpr[kEbp] = 0xabcd2000;
  m.put(Pm::kCode, {0xc8, 8, 0, 1});
  m.run(1);
  CHECK(m.cpu.s.reg32(kEbp) == 0x12349ffc);
  CHECK(m.cpu.s.reg32(kEsp) == 0x12349ff0);
  CHECK(m.get32(0x9ffc) == 0xabcd2000);
  CHECK(m.get32(0x9ff8) == 0x12349ffc);
}

TEST_CASE("POPF changes IOPL only at privilege 0 and IF only with CPL <= IOPL, without a fault") {
  Pm m;
  m.user();
  m.put(Pm::kCode, {0x68, 0x02, 0x72, 0, 0, 0x9d, 0xcc});  // PUSH 7202; POPF; INT3
  m.idt(3, Pm::kCode0, Pm::kHandlers + 6, 0xee);
  CHECK(m.vector() == 3u);
  CHECK((m.pushed(2) & (kIopl | kIf | kNt)) == kNt);
}

TEST_CASE("The I/O permission bitmap decides at CPL > IOPL; both bytes must lie within the TSS") {
  const auto io = [](u32 limit, std::initializer_list<u8> code, u8 map_byte, u16 base = 0x68) {
    Pm m;
    m.segment(Pm::kTssSel, Pm::kTss, limit, 0x8b, 0);
    m.load(m.cpu.s.tr, Pm::kTssSel);
    m.put(Pm::kTss + 0x66, {static_cast<u8>(base), static_cast<u8>(base >> 8)});
    m.put(Pm::kTss + 0x68 + 0x10, {map_byte, 0x00});
    m.user();
    m.put(Pm::kCode, code);
    return m.vector().value_or(999);
  };
  CHECK(io(0x79, {0xe4, 0x80, 0xcc}, 0xfe) == 13u);  // INT3 from CPL 3 through a DPL 0 gate: #GP as well,
  Pm m;                                              // so look at where it stopped
  m.segment(Pm::kTssSel, Pm::kTss, 0x79, 0x8b, 0);
  m.load(m.cpu.s.tr, Pm::kTssSel);
  m.put(Pm::kTss + 0x66, {0x68, 0x00});
  m.put(Pm::kTss + 0x78, {0xf0, 0x00});
  m.user();
  m.put(Pm::kCode, {0xe4, 0x80, 0xe5, 0x80, 0xe4, 0x84});  // 80 (byte) free, 80..83 free, 84 taken
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(1) == Pm::kCode + 4);
  CHECK(io(0x78, {0xe4, 0x80, 0xf4}, 0x00) == 13u);
  CHECK(io(0x79, {0xe5, 0x82, 0xf4}, 0x20) == 13u);  // one of four ports taken
}

TEST_CASE("VM86: segments as in real mode; PUSHF, INT n, CLI and IRET are #GP(0) with IOPL < 3") {
  const std::initializer_list<u8> codes[] = {{0x9c}, {0x9d}, {0xcd, 0x21}, {0xcf},
                                             {0xfa}, {0xfb}, {0xf4},       {0x0f, 0x20, 0xc0}};
  for (const auto& code : codes) {
    INFO(static_cast<unsigned>(*code.begin()));
    Pm m;
    m.v86(0x1000, 0x20, 0x100, 0);
    m.cpu.s.seg[kGs].load_v86(0x4321);
    m.put(0x10020, code);
    CHECK(m.vector() == 13u);
    CHECK_FALSE(m.cpu.s.vm86());
    CHECK(m.cpu.s.cpl == 0);
    CHECK(m.pushed(0) == 0);
    CHECK(m.pushed(1) == 0x20);
    CHECK(m.pushed(2) == 0x1000);
    CHECK((m.pushed(3) & kVm) != 0);
    CHECK(m.pushed(4) == 0x100);
    CHECK(m.pushed(5) == 0x1000);
    CHECK(m.pushed(9) == 0x4321);
    CHECK(m.cpu.s.reg32(kEsp) == Pm::kStack0 - 40);
    CHECK(m.cpu.s.seg[kGs].selector == 0);
    CHECK_FALSE(m.cpu.s.seg[kDs].usable());
  }
}

TEST_CASE("VM86: with IOPL 3 INT n goes through a gate of DPL 3, and PUSHF, CLI, POPF work") {
  Pm m;
  m.v86(0x1000, 0x20, 0x100, 3);
  m.idt(0x21, Pm::kCode0, Pm::kHandlers + 0x42, 0xee);
  m.put(0x10020, {0xfb, 0x9c, 0x9d, 0xfa, 0xcd, 0x21});
  CHECK(m.vector() == 0x21u);
  CHECK(m.pushed(0) == 0x26);
  CHECK((m.pushed(2) & (kVm | kIopl | kIf)) == (kVm | kIopl));
  Pm n;  // a gate of DPL 0 is #GP(21*8+2)
  n.v86(0x1000, 0x20, 0x100, 3);
  n.put(0x10020, {0xcd, 0x21});
  CHECK(n.vector() == 13u);
  CHECK(n.pushed(0) == 0x21 * 8 + 2);
  Pm k;  // as is a handler that is not at privilege 0: conforming code
  k.segment(Pm::kFree, 0, 0xfffff, kConforming, 0xc);
  k.v86(0x1000, 0x20, 0x100, 3);
  k.idt(0x21, Pm::kFree, Pm::kHandlers + 0x42, 0xee);
  k.put(0x10020, {0xcd, 0x21});
  CHECK(k.vector() == 13u);
  CHECK(k.pushed(0) == Pm::kFree);
}

TEST_CASE("VM86: INT3 is not IOPL sensitive; a word at FFFF is #GP; I/O always asks the bitmap") {
  Pm m;
  m.v86(0x1000, 0x20, 0x100, 0);
  m.idt(3, Pm::kCode0, Pm::kHandlers + 6, 0xee);
  m.put(0x10020, {0xcc});
  CHECK(m.vector() == 3u);
  CHECK(m.pushed(0) == 0x21);
  Pm n;
  n.v86(0x1000, 0x20, 0x100, 0);
  n.put(0x10020, {0xa1, 0xff, 0xff});
  CHECK(n.vector() == 13u);
  Pm k;
  k.v86(0x1000, 0x20, 0x100, 3);
  k.put(0x10020, {0xe4, 0x80});
  CHECK(k.vector() == 13u);
  CHECK(k.pushed(1) == 0x20);
}

TEST_CASE("IRET to VM86 loads all segments; only privilege 0 can set VM") {
  Pm m;
  m.cpu.s.gpr[kEsp] = 0x9000;
  const u32 frame[] = {0x30, 0x1000, kVm | kIf | 2, 0x200, 0x1100, 0x1200, 0x1300, 0x1400, 0x1500};
  for (u32 n = 0; n < 9; ++n) m.put32(0x9000 + 4 * n, frame[n]);
  m.put(Pm::kCode, {0xcf});
  m.run(1);
  const CpuState& s = m.cpu.s;
  CHECK(s.vm86());
  CHECK(s.cpl == 3);
  CHECK(s.ip == 0x30);
  CHECK(s.reg32(kEsp) == 0x200);
  CHECK(s.seg[kCs].base == 0x10000);
  CHECK(s.seg[kSs].selector == 0x1100);
  CHECK(s.seg[kEs].selector == 0x1200);
  CHECK(s.seg[kDs].base == 0x13000);
  CHECK(s.seg[kFs].selector == 0x1400);
  CHECK(s.seg[kGs].selector == 0x1500);
  CHECK(s.seg[kDs].limit == 0xffff);
  Pm n;  // at privilege 3 the same image returns to a selector
  n.user();
  const u32 same[] = {Pm::kCode + 0x10, Pm::kCode3, kVm | 2};
  for (u32 i = 0; i < 3; ++i) n.put32(Pm::kStack3 - 12 + 4 * i, same[i]);
  n.cpu.s.gpr[kEsp] = Pm::kStack3 - 12;
  n.put(Pm::kCode, {0xcf});
  n.run(1);
  CHECK_FALSE(n.cpu.s.vm86());
  CHECK(n.cpu.s.ip == Pm::kCode + 0x10);
}
