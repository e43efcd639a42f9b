// Which of several events is taken first (SDM vol. 3, table 6-2), and what an exception during the delivery of another
// becomes (table 6-5): one real delivery each.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"

using namespace xlat;
using namespace xlat::test;
using Pm = ProtectedCpu;

namespace {

enum class Kind { kBenign, kContributory, kPageFault, kDoubleFault };

constexpr u32 kAbsent = 0x20000;  // a page that is not mapped

// User code that raises a first exception whose delivery raises a second one.
struct Delivery : Pm {
  unsigned shutdowns = 0;

  Delivery(Kind first, Kind second) {
    cpu.pins.shutdown = [this] { ++shutdowns; };
    paging();
    page(kAbsent, 0);
    user();
    u8 vector = 6;
    switch (first) {
      case Kind::kBenign: put(kCode, {0x0f, 0x0b}); break;  // UD2
      case Kind::kContributory:
        vector = 0;
        put(kCode, {0xd4, 0x00});
        break;  // AAM 0: #DE
      case Kind::kPageFault:
        vector = 14;
        put(kCode, {0xa1, 0, 0, 2, 0});
        break;                  // MOV EAX, [20000]
      case Kind::kDoubleFault:  // #DE whose gate is absent
        vector = 8;
        put(kCode, {0xd4, 0x00});
        idt(0, kCode0, 0, 0x0e);
        break;
    }
    switch (second) {
      case Kind::kBenign:  // a handler of the same privilege, whose stack is misaligned: #AC
        idt(vector, kCode3, 0x8800, 0xee);
        cpu.write_cr0(cpu.s.cr0 | kCr0Am);
        cpu.s.flags.set_system(kAc, kAc);
        cpu.s.gpr[kEsp] = kStack3 - 2;
        break;
      case Kind::kContributory: idt(vector, kCode0, 0, 0x0e); break;  // #NP
      case Kind::kPageFault:
        idt(vector, kCode3, 0x8800, 0xee);
        cpu.s.gpr[kEsp] = kAbsent + 0x800;
        break;
      case Kind::kDoubleFault: break;
    }
  }
};

struct Outcome {
  unsigned vector, shutdowns;
  bool operator==(const Outcome&) const = default;
};

Outcome deliver(Kind first, Kind second) {
  Delivery m(first, second);
  const auto v = m.vector();
  return {v.value_or(999), m.shutdowns};
}

}  // namespace

TEST_CASE("Two exceptions: benign, contributory and page fault in every combination") {
  using enum Kind;
  // One after the other: the second one's handler runs.
  CHECK(deliver(kBenign, kBenign) == Outcome{17, 0});
  CHECK(deliver(kBenign, kContributory) == Outcome{11, 0});
  CHECK(deliver(kBenign, kPageFault) == Outcome{14, 0});
  CHECK(deliver(kContributory, kBenign) == Outcome{17, 0});
  CHECK(deliver(kContributory, kContributory) == Outcome{8, 0});
  CHECK(deliver(kContributory, kPageFault) == Outcome{14, 0});
  CHECK(deliver(kPageFault, kBenign) == Outcome{17, 0});
  CHECK(deliver(kPageFault, kContributory) == Outcome{8, 0});
  CHECK(deliver(kPageFault, kPageFault) == Outcome{8, 0});
  CHECK(deliver(kDoubleFault, kContributory) == Outcome{999, 1});
  CHECK(deliver(kDoubleFault, kPageFault) == Outcome{999, 1});
}

TEST_CASE("Each contributory exception doubles, and #AC, #MF, #UD, #NM and #BR do not") {
  struct Case {
    u8 vector;
    std::initializer_list<u8> code;
    bool contributory;
  };
  const Case cases[] = {
      {0, {0xd4, 0x00}, true},                        // AAM 0
      {10, {0x9a, 0, 0, 0, 0, 0x43, 0}, true},        // CALL to a gate whose inner stack is null
      {11, {0xb8, 0x53, 0, 0, 0, 0x8e, 0xd8}, true},  // MOV DS, absent segment
      {12, {0x36, 0xa1, 0, 0, 0, 0xf0}, true},        // beyond SS's limit
      {13, {0xf4}, true},                             // HLT
      {5, {0x62, 0x05, 0, 0, 1, 0}, false},           // BOUND
      {6, {0x0f, 0x0b}, false},                       // UD2
      {7, {0xd9, 0xe8}, false},                       // FLD1 with TS
      {16, {0x9b}, false},                            // WAIT with an exception pending
      {17, {0xa1, 1, 0, 1, 0}, false},                // misaligned
      {1, {0xf1}, false},                             // INT1
  };
  for (const Case& c : cases) {
    INFO(unsigned{c.vector});
    Pm m;
    m.segment(0x50, 0, 0xfffff, (kRwData & 0x7f) | kDpl3, 0xc);
    m.segment(0x58, 0, 0x1ffff, kRwData | kDpl3, 4);
    m.call_gate(Pm::kFree, Pm::kCode0, 0x8800, 0xec);
    m.user();
    m.load(m.cpu.s.seg[kSs], 0x5b);
    m.put32(Pm::kData, 1);
    m.put32(Pm::kData + 4, 1);
    m.cpu.s.gpr[kEax] = 0;
    if (c.vector == 7) m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Ts);
    if (c.vector == 16) {
      m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Ne);
      m.cpu.s.fpu.control = 0x037e;
      m.cpu.s.fpu.status = 0x8081;
    }
    if (c.vector == 17) {
      m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Am);
      m.cpu.s.flags.set_system(kAc, kAc);
    }
    if (c.vector == 10) {
      // The stack of privilege 1 is the null one; the handlers' is that of privilege 0.
      m.segment(0x60, 0, 0xfffff, kCodeRead | 0x20, 0xc);
      m.call_gate(Pm::kFree, 0x60, 0x8800, 0xec);
      m.put32(Pm::kTss + 0x10, 0);
    }
    m.idt(c.vector, Pm::kCode0, 0, 0x0e);  // absent: #NP, itself contributory
    m.put(Pm::kCode, c.code);
    CHECK(m.vector() == (c.contributory ? 8u : 11u));
  }
}

TEST_CASE("#AC while #AC is delivered goes on for ever; the host does not") {
  Delivery m(Kind::kBenign, Kind::kBenign);
  m.idt(17, Pm::kCode3, 0x8800, 0xee);
  CHECK_FALSE(m.vector());
  CHECK(m.shutdowns == 0);
  CHECK(m.cpu.s.ip == Pm::kCode);
  CHECK_FALSE(m.cpu.s.halted);
}

TEST_CASE("A pending debug trap is delivered before NMI, NMI before INTR; each interrupts the last one's handler") {
  Pm m;
  for (const u8 v : {1, 2}) m.idt(v, Pm::kCode0, Pm::kHandlers + 2 * v, 0x8f);  // trap gates: IF stays
  m.cpu.pins.interrupt_acknowledge = [&] {
    m.cpu.set_irq(Cpu::kPinIntr, false);
    return u8{0x40};
  };
  m.cpu.s.flags.set_system(kTf | kIf, kTf);
  m.put(Pm::kCode, {0x40, 0x40});
  m.run(1);
  m.cpu.s.flags.set_system(kIf, kIf);
  m.cpu.set_irq(Cpu::kPinNmi, true);
  m.cpu.set_irq(Cpu::kPinIntr, true);
  CHECK(m.vector() == 0x40u);
  CHECK(m.pushed(0) == Pm::kHandlers + 2 * 2);
  CHECK(m.pushed(3) == Pm::kHandlers + 2 * 1);
  CHECK(m.pushed(6) == Pm::kCode + 1);
}

TEST_CASE("An interrupt is taken before a code breakpoint of the next instruction; the breakpoint comes on return") {
  Pm m;
  m.put(0x8800, {0xcf});
  m.idt(0x40, Pm::kCode0, 0x8800, 0x8e);
  unsigned acknowledged = 0;
  m.cpu.pins.interrupt_acknowledge = [&] {
    ++acknowledged;
    m.cpu.set_irq(Cpu::kPinIntr, false);
    return u8{0x40};
  };
  m.cpu.write_dr(0, Pm::kCode);
  m.cpu.write_dr(7, 1);
  m.cpu.s.flags.set_system(kIf, kIf);
  m.put(Pm::kCode, {0x40});
  m.cpu.set_irq(Cpu::kPinIntr, true);
  CHECK(m.vector() == 1u);
  CHECK(acknowledged == 1);
  CHECK(m.pushed(0) == Pm::kCode);
}

TEST_CASE("Code breakpoint before CS.limit, CS.limit before the page, the page before the decoder") {
  {
    Pm m;  // beyond the limit, on a breakpoint
    m.segment(Pm::kFree, 0, Pm::kCode - 1, kCodeRead, 4);
    m.load(m.cpu.s.seg[kCs], Pm::kFree);
    m.cpu.write_dr(0, Pm::kCode);
    m.cpu.write_dr(7, 1);
    CHECK(m.vector() == 1u);
    CHECK(m.pushed(0) == Pm::kCode);
  }
  {
    Pm m;  // an absent page, on a breakpoint
    m.paging();
    m.page(kAbsent, 0);
    m.cpu.s.ip = kAbsent;
    m.cpu.write_dr(0, kAbsent);
    m.cpu.write_dr(7, 1);
    CHECK(m.vector() == 1u);
    CHECK(m.cpu.s.cr2 == 0);
  }
  {
    Pm m;  // beyond the limit and in an absent page
    m.paging();
    m.page(kAbsent, 0);
    m.segment(Pm::kFree, 0, kAbsent - 1, kCodeRead, 4);
    m.load(m.cpu.s.seg[kCs], Pm::kFree);
    m.cpu.s.ip = kAbsent;
    CHECK(m.vector() == 13u);
  }
  {
    Pm m;  // LOCK NOP whose second byte lies in an absent page
    m.paging();
    m.page(kAbsent, 0);
    m.cpu.s.ip = kAbsent - 1;
    m.put(kAbsent - 1, {0xf0});
    CHECK(m.vector() == 14u);
    CHECK(m.cpu.s.cr2 == kAbsent);
    CHECK(m.pushed(1) == kAbsent - 1);
  }
  {
    Pm m;  // too long, with its fifteenth byte in an absent page
    m.paging();
    m.page(kAbsent, 0);
    m.cpu.s.ip = kAbsent - 14;
    m.put(kAbsent - 14, {0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e});
    CHECK(m.vector() == 14u);
  }
}

TEST_CASE("Decoding before execution: #UD before #NM and #GP, #NM before #MF, #MF before the operand's faults") {
  const auto take = [](std::initializer_list<u8> code, u32 cr0, bool pending, bool user_mode) {
    Pm m;
    m.paging();
    m.page(kAbsent, 0);
    m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Ne | cr0);
    if (pending) {
      m.cpu.s.fpu.control = 0x037e;
      m.cpu.s.fpu.status = 0x8081;
    }
    if (user_mode) m.user();
    m.put(Pm::kCode, code);
    return m.vector().value_or(999);
  };
  CHECK(take({0xf0, 0xd9, 0xe8}, kCr0Ts, true, false) == 6);        // LOCK FLD1
  CHECK(take({0xf0, 0x0f, 0x22, 0xc0}, 0, false, true) == 6);       // LOCK MOV CR0 in user mode
  CHECK(take({0xd9, 0x05, 0, 0, 2, 0}, kCr0Ts, true, false) == 7);  // FLD [absent] with TS and #MF pending
  CHECK(take({0xd9, 0x05, 0, 0, 2, 0}, 0, true, false) == 16);      // with #MF pending
  CHECK(take({0xd9, 0x05, 0, 0, 2, 0}, 0, false, false) == 14);
  CHECK(take({0x0f, 0x6f, 0x05, 0, 0, 2, 0}, kCr0Em | kCr0Ts, true, false) == 6);  // MOVQ MM0 with EM
  CHECK(take({0x0f, 0x6f, 0x05, 0, 0, 2, 0}, kCr0Ts, true, false) == 7);
  CHECK(take({0x0f, 0x6f, 0x05, 0, 0, 2, 0}, 0, true, false) == 16);
  CHECK(take({0x0f, 0x22, 0x00}, 0, false, true) == 13);  // MOV CR0 in user mode
}

TEST_CASE("A segment's limit is checked before the page") {
  Pm m;
  m.paging();
  m.page(kAbsent, 0);
  m.segment(Pm::kFree, 0, kAbsent + 2, kRwData, 4);
  m.load(m.cpu.s.seg[kDs], Pm::kFree);
  m.put(Pm::kCode, {0xa1, 0, 0, 2, 0});
  CHECK(m.vector() == 13u);
  CHECK(m.pushed(0) == 0);
}

TEST_CASE("A data breakpoint and the single step of one instruction are one #DB") {
  Pm m;
  m.cpu.write_dr(2, Pm::kData);
  m.cpu.write_dr(7, 1u << 4 | 15u << 24);
  m.cpu.s.flags.set_system(kTf, kTf);
  m.put(Pm::kCode, {0xa3, 0, 0, 1, 0, 0x40});
  CHECK(m.vector() == 1u);
  CHECK(m.pushed(0) == Pm::kCode + 5);
  CHECK((m.cpu.s.dr[6] & (kDr6Bs | 15)) == (kDr6Bs | 4));
  CHECK(m.cpu.s.debug_trap == 0);
}

TEST_CASE(
    "A trap of the last instruction is taken before the breakpoint of the next, which follows in its handler's "
    "return") {
  Pm m;
  m.put(0x8800, {0xff, 0x05, 0, 0, 1, 0, 0x83, 0x3d, 0, 0, 1, 0, 2, 0x74, 0x01, 0xcf, 0xf4});  // the second time: HLT
  m.idt(1, Pm::kCode0, 0x8800, 0x8e);
  m.cpu.write_dr(0, Pm::kCode + 1);
  m.cpu.write_dr(7, 1);
  m.cpu.s.flags.set_system(kTf, kTf);
  m.put(Pm::kCode, {0x40, 0x40});
  m.run(2);
  CHECK((m.cpu.s.dr[6] & (kDr6Bs | 15)) == kDr6Bs);
  m.run(20);
  CHECK(m.cpu.s.halted);
  CHECK((m.cpu.s.dr[6] & (kDr6Bs | 15)) == (kDr6Bs | 1));
  CHECK(m.pushed(0) == Pm::kCode + 1);
}
