// MMX against the host, with the x87 state it shares; availability; moves to and from general registers.
#include <catch2/catch.hpp>

#include "jit/eval.h"
#include "tests/support/bare_cpu.h"
#include "tests/support/x87_oracle.h"

using namespace xlat;
using namespace xlat::test;

TEST_CASE("MOVD moves general registers, and aliases the x87 stack") {
  BareCpu m;
  m.flat32(0x1000, 0x8000);
  m.put(0x1000, {0x0f, 0x6e, 0xd8,  // movd mm3, eax
                 0x0f, 0x7e, 0xd9,  // movd ecx, mm3
                 0x0f, 0x77});      // emms
  m.cpu.s.gpr[kEax] = 0x89abcdef;
  m.cpu.s.fpu.set_top(5);
  m.run(2);
  CHECK(m.cpu.s.gpr[kEcx] == 0x89abcdef);
  CHECK(m.cpu.s.fpu.regs[3] == F80{0x89abcdef, 0xffff});
  CHECK(m.cpu.s.fpu.top() == 0);
  CHECK(m.cpu.s.fpu.tag == 0);
  m.run(1);
  CHECK(m.cpu.s.fpu.tag == 0xffff);
}

TEST_CASE("MMX is #UD with EM, #NM with TS") {
  for (const auto& [bit, vector] : {std::pair{u32{kCr0Em}, kUD}, std::pair{u32{kCr0Ts}, kNM}}) {
    BareCpu m;
    m.real16(0, 0x1000, 0x8000);
    m.put(0x1000, {0x0f, 0xef, 0xc0});
    m.put32(4 * vector, 0x00003000);
    m.cpu.s.cr0 |= bit;
    m.run(1);
    CHECK(m.cpu.s.ip == 0x3000);
  }
}

#if defined(__x86_64__)

namespace {

std::vector<std::vector<u8>> mmx_instructions() {
  std::vector<std::vector<u8>> list;
  for (const u8 opcode :
       {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6f, 0x74, 0x75, 0x76,
        0x7f, 0xd1, 0xd2, 0xd3, 0xd5, 0xd8, 0xd9, 0xdb, 0xdc, 0xdd, 0xdf, 0xe1, 0xe2, 0xe5, 0xe8, 0xe9,
        0xeb, 0xec, 0xed, 0xef, 0xf1, 0xf2, 0xf3, 0xf5, 0xf8, 0xf9, 0xfa, 0xfc, 0xfd, 0xfe}) {
    list.push_back({0x0f, opcode, 0x18});  // mm3, [eax]
    list.push_back({0x0f, opcode, 0xd1});  // mm2, mm1
  }
  for (const u8 opcode : {0x71, 0x72, 0x73}) {
    for (const u8 ext : {2, 4, 6}) {
      if (opcode == 0x73 && ext == 4) continue;
      for (const u8 count : {0, 1, 7, 15, 16, 31, 32, 63, 64, 255}) {
        list.push_back({0x0f, opcode, static_cast<u8>(0xc0 | ext << 3 | 5), count});
      }
    }
  }
  list.push_back({0x0f, 0x6e, 0x30});  // movd mm6, [eax]
  list.push_back({0x0f, 0x7e, 0x30});  // movd [eax], mm6
  list.push_back({0x0f, 0x77});        // emms
  return list;
}

}  // namespace

TEST_CASE("MMX agrees with the host") {
  const auto all = [](const std::vector<u8>&) { return u16{0xffff}; };
  CHECK(count_differences(mmx_instructions(), 1000, true, all) == 0);
  CHECK(count_differences<jit::EvalEngine>(mmx_instructions(), 100, true, all) == 0);
}

#endif
