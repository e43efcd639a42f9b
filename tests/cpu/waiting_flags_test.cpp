// Flags that one block makes and a later one looks at, over links: differences that lockstep found.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"
#include "tests/support/hot_jit.h"

using namespace xlat;
using test::BareMachine;
using test::ComparedEngine;

namespace {

constexpr u32 kCode = 0x8000, kStack = 0x20000, kData = 0x30000;

// A loop of `rounds` around `body`, which may use all registers but ECX; then the flags are added to EBP. In each round
// the bytes at kData are others.
void both(std::initializer_list<u8> body, u32 rounds = 300) {
  const auto run = [&](auto& m) {
    m.flat32(kCode, kStack);
    std::vector<u8> code(body);
    code.insert(code.end(), {0xeb, 0x00,                                           // jmp next
                             0x9c, 0x5a, 0x81, 0xe2, 0xd5, 0x08, 0, 0,             // pushf / pop edx / and edx,8d5h
                             0xc1, 0xc5, 0x03, 0x01, 0xd5,                         // rol ebp,3 / add ebp,edx
                             0x81, 0x05, 0,    0,    3,    0,    1, 37,  11, 205,  // add dword [kData],imm
                             0x49, 0x0f, 0x85, 0,    0,    0,    0, 0xf4});        // dec ecx / jnz / hlt
    store_le_n(&code[code.size() - 5], 4, 0u - static_cast<u32>(code.size() - 1));
    m.put(kCode, code);
    m.put32(kData, 0x80417fff);
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) m.cpu.s.gpr[n] = 0x01020304 * n;
    }
    m.cpu.s.gpr[kEcx] = rounds;
    m.run(1'000'000);
    CHECK(m.cpu.s.halted);
  };
  BareMachine<Interp> a;
  BareMachine<ComparedEngine> b;
  run(a);
  run(b);
  CHECK(a.cpu.s.reg32(kEbp) == b.cpu.s.reg32(kEbp));
  CHECK(a.clock.count() == b.clock.count());
  CHECK(a.state() == b.state());
  const bool same_ram = a.ram == b.ram;  // not in CHECK, which would print megabytes
  CHECK(same_ram);
}

}  // namespace

TEST_CASE("flags of CMP with memory outlive an LEA that is made as an ADD with its operands exchanged") {
  // mov bl,[kData] / cmp bl,[kData+1] / jne next / setge al / movzx eax,al / lea eax,[eax+eax-1]
  both({0x8a, 0x1d, 0,    0,    3,    0,    0x3a, 0x1d, 1,    0,    3,    0,
        0x75, 0x00, 0x0f, 0x9d, 0xc0, 0x0f, 0xb6, 0xc0, 0x8d, 0x44, 0x00, 0xff});
}

#ifdef XLAT_JIT_X64
namespace {

// A jump leads to linear 9000h, which is physical A000h and B000h in turn; EBX counts how often
// the code there found CF set and, in its upper half, which it was.
template <class EngineType>
u64 remapped_rounds() {
  BareMachine<EngineType> m;
  m.flat32(kCode, kStack);
  for (u32 page = 0; page < 1024; ++page) m.put32(0x2000 + 4 * page, page << 12 | 7);
  m.put32(0x2000 + 4 * 9, 0xa000 | 7);
  m.put32(0x1000, 0x2000 | 7);
  m.cpu.s.cr3 = 0x1000;
  m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Pg);
  m.put(kCode, {0x81, 0xf9, 50, 0, 0, 0, 0xe9, 0xf5, 0x0f, 0, 0});        // cmp ecx,50 / jmp 9000
  m.put(0xa000, {0x81, 0xd3, 0, 0, 1, 0, 0xe9, 0xf5, 0xf0, 0xff, 0xff});  // adc ebx,10000h / jmp 8100
  m.put(0xb000, {0x81, 0xd3, 0, 0, 0, 0, 0xe9, 0xf5, 0xf0, 0xff, 0xff});  // adc ebx,0 / jmp 8100
  m.put(0x8100, {0x81, 0x35, 0x24, 0x20, 0,    0,    0,    0x10, 0, 0,    // xor dword [2024],1000h
                 0x0f, 0x01, 0x3d, 0x00, 0x90, 0,    0,                   // invlpg [9000]
                 0x49, 0x0f, 0x85, 0xe8, 0xfe, 0xff, 0xff, 0xf4});        // dec ecx / jnz 8000 / hlt
  m.cpu.s.gpr[kEcx] = 300;
  m.cpu.s.gpr[kEbx] = 0;
  m.run(100'000);
  CHECK(m.cpu.s.halted);
  return m.cpu.s.reg32(kEbx);
}

}  // namespace

TEST_CASE("a jump into a page that is mapped elsewhere in turn hands on flags") {
  constexpr u32 kExpected = 150 << 16 | 49;
  CHECK(remapped_rounds<Interp>() == kExpected);
  CHECK(remapped_rounds<test::HotJit>() == kExpected);
}
#endif
