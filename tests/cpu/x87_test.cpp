// Every x87 instruction against the host's own, bit for bit: registers, status word, memory and flags.
#include <catch2/catch.hpp>

#if defined(__x86_64__)

#include <fmt/format.h>

#include "tests/support/bare_cpu.h"
#include "tests/support/host_x87.h"

using namespace xlat;
using namespace xlat::test;

namespace {

std::string text(const F80& v) { return fmt::format("{:04x}:{:016x}", v.sign_exp, v.mantissa); }

bool is_empty(const FpuState& f, unsigned n) { return ((f.tag >> (2 * n)) & 3) == 3; }

std::string text(const FloatMachine& m) {
  std::string s = fmt::format("cw {:04x} sw {:04x} tag {:04x} fl {:04x} mem {:04x}:{:016x}", m.fpu.control, m.fpu.status, m.fpu.tag,
                              m.eflags & 0x8d5, m.memory[1] & 0xffff, m.memory[0]);
  for (unsigned n = 0; n < 8; ++n) {
    const unsigned r = (m.fpu.top() + n) & 7;
    if (n < 2 || n == 7) s += fmt::format(" st{} {}{}", n, text(m.fpu.regs[r]), is_empty(m.fpu, r) ? "(empty)" : "");
  }
  return s;
}

struct Guest {
  explicit Guest(const std::vector<std::vector<u8>>& instructions) {
    machine.flat32(0x1000, 0x8000);
    machine.cpu.s.cr0 |= kCr0Ne;
    for (std::size_t n = 0; n < instructions.size(); ++n) machine.put(static_cast<u32>(0x10000 + 16 * n), instructions[n]);
  }
  void run(std::size_t n, FloatMachine& m) {
    CpuState& s = machine.cpu.s;
    s.fpu = m.fpu;
    s.ip = 0x10000 + 16 * n;
    s.gpr[kEax] = 0x2000;
    s.flags.set_some(kArithFlags, m.eflags);
    for (unsigned k = 0; k < 4; ++k) machine.put32(0x2000 + 4 * k, static_cast<u32>(m.memory[k / 2] >> (32 * (k & 1))));
    machine.run(1);
    for (unsigned k = 0; k < 2; ++k) m.memory[k] = machine.get32(0x2000 + 8 * k) | u64{machine.get32(0x2004 + 8 * k)} << 32;
    m.eflags = s.flags.get();
    m.fpu = s.fpu;
  }
  BareCpu machine;
};

bool same(const FloatMachine& a, const FloatMachine& b, u16 status_mask) {
  if (a.fpu.control != b.fpu.control || ((a.fpu.status ^ b.fpu.status) & status_mask)) return false;
  if (((a.eflags ^ b.eflags) & kArithFlags) || a.memory[0] != b.memory[0] || a.memory[1] != b.memory[1]) return false;
  for (unsigned n = 0; n < 8; ++n) {
    if (is_empty(a.fpu, n) != is_empty(b.fpu, n) || a.fpu.regs[n] != b.fpu.regs[n]) return false;
  }
  return true;
}

// Processors differ in C1 after FCOMI; here it is cleared, as the manual says.
u16 defined_status(const std::vector<u8>& instruction) {
  const bool fcomi = (instruction[0] & 0xfb) == 0xdb && (instruction[1] & 0xf8) >= 0xe8;
  return fcomi ? 0xfdff : 0xffff;
}

void compare(const std::vector<std::vector<u8>>& instructions, unsigned times, bool all_masked) {
  const HostX87 host(instructions);
  Guest guest(instructions);
  FloatSource source(20240131);
  unsigned wrong = 0;
  for (std::size_t n = 0; n < instructions.size(); ++n) {
    unsigned wrong_here = 0;
    for (unsigned k = 0; k < times; ++k) {
      const FloatMachine before = source.machine(all_masked);
      FloatMachine expected = before, got = before;
      host.run(n, expected);
      guest.run(n, got);
      if (same(expected, got, defined_status(instructions[n]))) continue;
      if (wrong_here++ < 2) {
        fmt::print(stderr, "{:02x}\n  in   {}\n  host {}\n  xlat {}\n", fmt::join(instructions[n], " "), text(before),
                   text(expected), text(got));
      }
    }
    if (wrong_here) fmt::print(stderr, "{:02x}: {} of {} differ\n", fmt::join(instructions[n], " "), wrong_here, times);
    wrong += wrong_here;
  }
  CHECK(wrong == 0);
}

// All that are exact; with [eax] as memory operand.
std::vector<std::vector<u8>> exact_instructions() {
  std::vector<std::vector<u8>> list;
  const auto add = [&](unsigned opcode, unsigned modrm) { list.push_back({static_cast<u8>(opcode), static_cast<u8>(modrm)}); };
  for (unsigned opcode = 0xd8; opcode <= 0xdf; ++opcode) {
    for (unsigned reg = 0; reg < 8; ++reg) {
      const bool arithmetic = (opcode & 1) == 0;
      const bool control = (opcode == 0xd9 && (reg == 1 || reg >= 4)) || (opcode == 0xdb && (reg == 1 || reg == 4 || reg == 6)) ||
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
  for (unsigned modrm : {0xc0, 0xc1, 0xc9, 0xd9, 0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xf4, 0xf5, 0xf6,
                         0xf7, 0xf8, 0xfa, 0xfc, 0xfd, 0xd0}) {
    add(0xd9, modrm);
  }
  return list;
}

}  // namespace

TEST_CASE("x87 instructions agree with the host, exceptions masked") { compare(exact_instructions(), 3000, true); }
TEST_CASE("x87 instructions agree with the host, some exceptions unmasked") { compare(exact_instructions(), 3000, false); }
TEST_CASE("x87 instructions agree with the host, at length", "[.long]") {
  compare(exact_instructions(), 300000, true);
  compare(exact_instructions(), 300000, false);
}

#endif
