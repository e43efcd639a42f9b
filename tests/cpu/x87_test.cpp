// Every x87 instruction against the host's own, bit for bit: registers, status word, memory and flags.
#include <catch2/catch.hpp>

#if defined(__x86_64__)

#include "jit/eval.h"
#include "tests/support/x87_oracle.h"

using namespace xlat;
using namespace xlat::test;

namespace {

// Processors differ in C1 after FCOMI; here it is cleared, as the manual says.
u16 defined_status(const std::vector<u8>& instruction) {
  const bool fcomi = (instruction[0] & 0xfb) == 0xdb && (instruction[1] & 0xf8) >= 0xe8;
  return fcomi ? 0xfdff : 0xffff;
}

void compare(const std::vector<std::vector<u8>>& instructions, unsigned times, bool all_masked) {
  CHECK(count_differences(instructions, times, all_masked, defined_status) == 0);
}

// All that are exact; with [eax] as memory operand.
std::vector<std::vector<u8>> exact_instructions() {
  std::vector<std::vector<u8>> list;
  const auto add = [&](unsigned opcode, unsigned modrm) {
    list.push_back({static_cast<u8>(opcode), static_cast<u8>(modrm)});
  };
  for (unsigned opcode = 0xd8; opcode <= 0xdf; ++opcode) {
    for (unsigned reg = 0; reg < 8; ++reg) {
      const bool arithmetic = (opcode & 1) == 0;
      const bool control = (opcode == 0xd9 && (reg == 1 || reg >= 4)) ||
                           (opcode == 0xdb && (reg == 1 || reg == 4 || reg == 6)) ||
                           (opcode == 0xdd && (reg == 1 || reg >= 4)) || (opcode == 0xdf && reg == 1);
      if (arithmetic || !control) add(opcode, reg << 3);
    }
  }
  for (unsigned opcode : {0xd8, 0xdc}) {
    for (unsigned modrm = 0xc0; modrm <= 0xff; modrm += 8) add(opcode, modrm | (opcode == 0xd8 ? 1 : 2));
    add(opcode, 0xc0);
    add(opcode, 0xe8);
  }
  for (unsigned modrm : {0xc1, 0xc9, 0xd1, 0xd9, 0xe1, 0xe9, 0xf1, 0xf9, 0xc0}) add(0xde, modrm);
  for (unsigned modrm : {0xc1, 0xc9, 0xd1, 0xd9, 0xe9}) add(0xda, modrm);
  for (unsigned modrm : {0xc1, 0xc9, 0xd1, 0xd9, 0xe9, 0xf1}) add(0xdb, modrm);
  for (unsigned modrm : {0xc1, 0xd1, 0xd9, 0xe1, 0xe9, 0xc9, 0xd0, 0xd8}) add(0xdd, modrm);
  for (unsigned modrm : {0xc1, 0xc9, 0xd1, 0xd9, 0xe9, 0xf1}) add(0xdf, modrm);
  for (unsigned modrm : {0xc0, 0xc1, 0xc9, 0xd9, 0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb,
                         0xec, 0xed, 0xee, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xfa, 0xfc, 0xfd, 0xd0}) {
    add(0xd9, modrm);
  }
  return list;
}

}  // namespace

TEST_CASE("x87 instructions agree with the host, exceptions masked") { compare(exact_instructions(), 3000, true); }
TEST_CASE("x87 instructions agree with the host, some exceptions unmasked") {
  compare(exact_instructions(), 3000, false);
}
TEST_CASE("x87 instructions, lifted, agree with the host") {
  CHECK(count_differences<jit::EvalEngine>(exact_instructions(), 100, false, defined_status) == 0);
}
TEST_CASE("x87 instructions agree with the host, at length", "[.long]") {
  compare(exact_instructions(), 300000, true);
  compare(exact_instructions(), 300000, false);
}

#endif
