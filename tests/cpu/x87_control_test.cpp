// x87 control instructions: words, environments, images, availability and pending exceptions.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"

using namespace xlat;
using test::BareCpu;

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
  Machine m({0xdb, 0xe3,                          // fninit
             0xd9, 0x3d, 0x00, 0x20, 0, 0,        // fnstcw [2000]
             0xdd, 0x3d, 0x02, 0x20, 0, 0,        // fnstsw [2002]
             0xd9, 0x2d, 0x10, 0x20, 0, 0,        // fldcw [2010]
             0xd9, 0x3d, 0x12, 0x20, 0, 0,        // fnstcw [2012]
             0xdf, 0xe0});                        // fnstsw ax
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
