// x87 control instructions: words, environments, images, availability and pending exceptions.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"

using namespace xlat;
using test::BareCpu;
using test::BareMachine;

namespace {

struct Machine : BareCpu {
  explicit Machine(std::initializer_list<u8> code) {
    flat32(0x1000, 0x8000);
    cpu.s.cr0 |= kCr0Ne;
    put(0x1000, code);
  }
  u16 get16(u32 at) { return static_cast<u16>(get32(at)); }
};

}  // namespace

TEST_CASE("FNINIT, FNSTCW, FNSTSW, FLDCW") {
  Machine m({0xdb, 0xe3,                    // fninit
             0xd9, 0x3d, 0x00, 0x20, 0, 0,  // fnstcw [2000]
             0xdd, 0x3d, 0x02, 0x20, 0, 0,  // fnstsw [2002]
             0xd9, 0x2d, 0x10, 0x20, 0, 0,  // fldcw [2010]
             0xd9, 0x3d, 0x12, 0x20, 0, 0,  // fnstcw [2012]
             0xdf, 0xe0});                  // fnstsw ax
  m.put32(0x2000, 0xaaaaaaaa);
  m.put32(0x2010, 0x0000ffff);
  m.cpu.s.gpr[kEax] = 0x55555555;
  m.run(6);
  CHECK(m.get32(0x2000) == 0x0000037f);
  CHECK(m.get16(0x2012) == 0x1f7f);
  CHECK(m.cpu.s.gpr[kEax] == 0x55550000);
}

TEST_CASE("CR0.TS and EM make x87 instructions #NM") {
  for (const u32 bits : {u32{kCr0Ts}, u32{kCr0Em}}) {
    BareCpu m;
    m.real16(0, 0x1000, 0x8000);
    m.put(0x1000, {0xdb, 0xe3});
    m.put32(4 * kNM, 0x00003000);
    m.cpu.s.cr0 |= bits;
    m.run(1);
    CHECK(m.cpu.s.ip == 0x3000);
  }
}

TEST_CASE("FNSAVE and FRSTOR bring everything back, and FXSAVE agrees") {
  Machine m({0xdd, 0x35, 0x00, 0x20, 0, 0,          // fnsave [2000]
             0xdd, 0x25, 0x00, 0x20, 0, 0,          // frstor [2000]
             0x0f, 0xae, 0x05, 0x00, 0x30, 0, 0});  // fxsave [3000]
  FpuState& f = m.cpu.s.fpu;
  for (unsigned n = 0; n < 8; ++n) f.regs[n] = {0x8000000000000000 + n, static_cast<u16>(0x3fff + n)};
  f.control = 0x0f7f;
  f.tag = 0x000f;
  f.status = 0x3841;
  f.set_top(5);
  f.ip = 0x1234;
  f.cs = 8;
  f.opcode = 0x123;
  const FpuState before = f;
  m.run(1);
  CHECK(f.tag == 0xffff);
  CHECK(f.control == 0x037f);
  CHECK(m.get32(0x2000) == 0xffff0f7f);
  CHECK(m.get32(0x2010) == 0x01230008);
  CHECK(m.get32(0x201c) == 5);  // ST(0) is R5
  m.run(1);
  CHECK(f.regs == before.regs);
  CHECK(f.tag == before.tag);
  CHECK(f.status == before.status);
  CHECK(f.control == before.control);
  CHECK(f.ip == before.ip);
  m.run(1);
  CHECK(m.get16(0x3000) == 0x0f7f);
  CHECK(m.get16(0x3002) == before.status);
  CHECK((m.get16(0x3004) & 0xff) == 0xfc);
  CHECK(m.get16(0x3006) == 0x123);
  CHECK(m.get32(0x3020) == 5);
}

TEST_CASE("a pending exception is #MF with NE, else FERR#") {
  for (const bool ne : {true, false}) {
    BareCpu m;
    bool ferr = false;
    m.cpu.pins.ferr = [&](bool level) { ferr = level; };
    m.real16(0, 0x1000, 0x8000);
    m.put(0x1000, {0xdb, 0xe3,              // fninit: after reset no register is empty
                   0xd9, 0x2e, 0x00, 0x20,  // fldcw [2000]
                   0xd9, 0xee, 0xd9, 0xfa,  // fldz; fsqrt
                   0xd9, 0xe8, 0xde, 0xf1,  // fld1; fdivrp: 1 / 0
                   0x9b,                    // fwait
                   0xdb, 0xe2});            // fnclex
    m.put32(0x2000, 0x0340);
    m.put32(4 * kMF, 0x00003000);
    if (ne) m.cpu.s.cr0 |= kCr0Ne;
    m.run(5);
    CHECK(!ferr);
    m.run(1);
    CHECK((m.cpu.s.fpu.status & 0x80bf) == 0x8084);
    CHECK(ferr == !ne);
    CHECK(m.cpu.s.ip == 0x100e);
    m.run(1);
    if (ne) {
      CHECK(m.cpu.s.ip == 0x3000);
    } else {
      CHECK(ferr);
      CHECK(m.cpu.s.halted);  // frozen before FWAIT until an interrupt comes
      CHECK(m.cpu.s.ip == 0x100e);
      m.cpu.set_irq(Cpu::kPinNmi, true);
      m.put32(4 * kNMI, 0x00003000);
      m.run(1);
      CHECK(m.cpu.s.ip == 0x3000);
      CHECK((m.get32(0x7ffa) & 0xffff) == 0x100e);
      m.cpu.set_irq(Cpu::kPinIgnne, true);
      m.put(0x3000, {0x9b, 0xdb, 0xe2});
      m.run(1);
      CHECK(ferr);
      CHECK(m.cpu.s.ip == 0x3001);
      m.run(1);
      CHECK(!ferr);
      CHECK((m.cpu.s.fpu.status & 0x80ff) == 0);
    }
  }
}

TEST_CASE("the four layouts of the environment") {
  struct Layout {
    bool real, wide;
    std::initializer_list<u16> words;  // control, status, tag, instruction, operand
  };
  const Layout layouts[] = {
      {false,
       true,
       {0x037f, 0xffff, 0x1800, 0xffff, 0xffff, 0xffff, 0x5678, 0x1234, 0x1b2a, 0x0123, 0xdef0, 0x9abc, 0x3c4d,
        0xffff}},
      {false, false, {0x037f, 0x1800, 0xffff, 0x5678, 0x1b2a, 0xdef0, 0x3c4d}},
      // Linear addresses: 1b2a0 + 12345678, 3c4d0 + 9abcdef0.
      {true,
       true,
       {0x037f, 0xffff, 0x1800, 0xffff, 0xffff, 0xffff, 0x0918, 0xffff, 0x6123, 0x0123, 0xa3c0, 0xffff, 0x0000,
        0x09ac}},
      {true, false, {0x037f, 0x1800, 0xffff, 0x0918, 0x6123, 0xa3c0, 0x0000}},
  };
  for (const Layout& l : layouts) {
    BareCpu m;
    if (l.real) {
      m.real16(0, 0x1000, 0x8000);
      if (l.wide) m.put(0x1000, {0x66, 0xd9, 0x36, 0x00, 0x20, 0x66, 0xd9, 0x26, 0x00, 0x20});
      if (!l.wide) m.put(0x1000, {0xd9, 0x36, 0x00, 0x20, 0xd9, 0x26, 0x00, 0x20});
    } else {
      m.flat32(0x1000, 0x8000);
      if (l.wide) m.put(0x1000, {0xd9, 0x35, 0x00, 0x20, 0, 0, 0xd9, 0x25, 0x00, 0x20, 0, 0});
      if (!l.wide) m.put(0x1000, {0x66, 0xd9, 0x35, 0x00, 0x20, 0, 0, 0x66, 0xd9, 0x25, 0x00, 0x20, 0, 0});
    }
    FpuState& f = m.cpu.s.fpu;
    f = FpuState{};
    f.status = 0x1800;
    f.opcode = 0x123;
    f.ip = 0x12345678;
    f.cs = 0x1b2a;
    f.dp = 0x9abcdef0;
    f.ds = 0x3c4d;
    m.run(1);
    u32 at = 0x2000;
    for (const u16 word : l.words) {
      INFO(l.real << l.wide << " word " << (at - 0x2000) / 2);
      CHECK((m.get32(at) & 0xffff) == word);
      at += 2;
    }
    const u16 control = f.control, status = f.status, tag = f.tag;
    f = FpuState{};
    m.run(1);
    CHECK(f.control == control);
    CHECK(f.status == status);
    CHECK(f.tag == tag);
  }
}

TEST_CASE("FXSAVE wants 16-byte alignment; FXRSTOR wants no reserved MXCSR bits") {
  BareCpu m;
  m.real16(0, 0x1000, 0x8000);
  m.put32(4 * kGP, 0x00003000);
  m.put(0x1000, {0x0f, 0xae, 0x06, 0x08, 0x20});  // fxsave [2008]
  m.run(1);
  CHECK(m.cpu.s.ip == 0x3000);
  m.real16(0, 0x1000, 0x8000);
  m.cpu.s.cr4 |= kCr4Osfxsr;
  m.put(0x1000, {0x0f, 0xae, 0x0e, 0x00, 0x20});  // fxrstor [2000]
  m.put32(0x2018, 0x00010000);
  m.run(1);
  CHECK(m.cpu.s.ip == 0x3000);
}

TEST_CASE("whatever follows D8-DF and 0F runs or faults, and both engines agree") {
  BareMachine<Interp> a;
  BareMachine<test::ComparedEngine> b;
  const auto run = [](auto& m, u8 first, u8 second, u32 image) {
    m.real16(0, 0x1000, 0x8000);
    m.cpu.s.cr0 |= kCr0Ne;
    m.put(0x1000, {first, second, 0x20, 0x00, 0x40, 0x00, 0x00, 0x00});
    for (u32 at = 0; at < 0x200; at += 4) m.put32(0x4000 + at, image * (at + 1));
    m.cpu.s.gpr[kEbx] = m.cpu.s.gpr[kEsi] = 0x4000;
    for (F80& r : m.cpu.s.fpu.regs) r = {u64{image} << 33 | 7, static_cast<u16>(image)};
    m.run(1);
    return std::pair{m.state(), std::vector<u8>(m.ram.begin() + 0x3f00, m.ram.begin() + 0x4400)};
  };
  for (unsigned first : {0x0f, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf}) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const u32 image : {0u, 0x9e3779b9u, 0x3fff3fffu}) {
        const auto x = run(a, static_cast<u8>(first), static_cast<u8>(second), image);
        const auto y = run(b, static_cast<u8>(first), static_cast<u8>(second), image);
        if (x != y) FAIL(first << " " << second);
      }
    }
  }
}

TEST_CASE("A store with an unmasked exception still checks its operand first: #GP before #MF") {
  Machine m({0xdf, 0x15, 0x00, 0x20, 0, 0,    // fist word [2000]
             0xdb, 0x3d, 0x00, 0x20, 0, 0,    // fstp tbyte [2000]
             0xd9, 0x1d, 0x00, 0x20, 0, 0});  // fstp dword [2000]
  for (const u32 at : {0x1000u, 0x1006u, 0x100cu}) {
    m.cpu.reset();
    m.flat32(at, 0x8000);
    m.cpu.s.cr0 |= kCr0Ne;
    m.cpu.s.fpu.control = 0x037e;  // IE unmasked, the stack empty
    m.cpu.s.seg[kDs].load(0x10, {0x0000ffff, 0x00cf9100});
    bool shut = false;
    m.cpu.pins.shutdown = [&] { shut = true; };
    m.cpu.s.idtr.limit = 0;
    m.run(1);
    CHECK(shut);
    CHECK(m.cpu.s.fpu.status == 0);
  }
}
