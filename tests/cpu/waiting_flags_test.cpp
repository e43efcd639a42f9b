// Flags that one block makes and a later one looks at, over links: differences that lockstep found.
#include <catch2/catch.hpp>

#include "../support/bare_cpu.h"
#include "../support/compared_engine.h"

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
