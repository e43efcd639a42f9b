// The guest side of comparisons with the host, and how differences are shown. x86-64 hosts only.
#pragma once

#if defined(__x86_64__)

#include <fmt/format.h>

#include "tests/support/bare_cpu.h"
#include "tests/support/host_x87.h"

namespace xlat::test {

inline std::string text(const F80& v) { return fmt::format("{:04x}:{:016x}", v.sign_exp, v.mantissa); }

inline bool is_empty(const FpuState& f, unsigned n) { return ((f.tag >> (2 * n)) & 3) == 3; }

inline std::string text(const FloatMachine& m) {
  std::string s = fmt::format("cw {:04x} sw {:04x} tag {:04x} fl {:04x} mem {:04x}:{:016x}", m.fpu.control,
                              m.fpu.status, m.fpu.tag, m.eflags & 0x8d5, m.memory[1] & 0xffff, m.memory[0]);
  for (unsigned n = 0; n < 8; ++n) {
    const unsigned r = (m.fpu.top() + n) & 7;
    if (n < 2 || n == 7) s += fmt::format(" st{} {}{}", n, text(m.fpu.regs[r]), is_empty(m.fpu, r) ? "(empty)" : "");
  }
  return s;
}

template <class EngineType>
struct FloatGuest {
  explicit FloatGuest(const std::vector<std::vector<u8>>& instructions) {
    machine.flat32(0x1000, 0x8000);
    machine.cpu.s.cr0 |= kCr0Ne;
    for (std::size_t n = 0; n < instructions.size(); ++n)
      machine.put(static_cast<u32>(0x10000 + 16 * n), instructions[n]);
  }
  void run(std::size_t n, FloatMachine& m) {
    CpuState& s = machine.cpu.s;
    s.fpu = m.fpu;
    s.ip = 0x10000 + 16 * n;
    s.gpr[kEax] = 0x2000;
    s.flags.set_some(kArithFlags, m.eflags);
    for (unsigned k = 0; k < 4; ++k) machine.put32(0x2000 + 4 * k, static_cast<u32>(m.memory[k / 2] >> (32 * (k & 1))));
    machine.run(1);
    for (unsigned k = 0; k < 2; ++k)
      m.memory[k] = machine.get32(0x2000 + 8 * k) | u64{machine.get32(0x2004 + 8 * k)} << 32;
    m.eflags = s.flags.get();
    m.fpu = s.fpu;
  }
  BareMachine<EngineType> machine;
};

inline bool same(const FloatMachine& a, const FloatMachine& b, u16 status_mask) {
  if (a.fpu.control != b.fpu.control || ((a.fpu.status ^ b.fpu.status) & status_mask)) return false;
  if (((a.eflags ^ b.eflags) & kArithFlags) || a.memory[0] != b.memory[0] || a.memory[1] != b.memory[1]) return false;
  for (unsigned n = 0; n < 8; ++n) {
    if (is_empty(a.fpu, n) != is_empty(b.fpu, n) || a.fpu.regs[n] != b.fpu.regs[n]) return false;
  }
  return true;
}

// Runs each instruction `times` times on both; how many results differ. `status_mask(instruction)`: defined bits.
template <class EngineType = Interp>
unsigned count_differences(const std::vector<std::vector<u8>>& instructions, unsigned times, bool all_masked,
                           u16 (*status_mask)(const std::vector<u8>&)) {
  const HostX87 host(instructions);
  FloatGuest<EngineType> guest(instructions);
  FloatSource source(20240131);
  unsigned wrong = 0;
  for (std::size_t n = 0; n < instructions.size(); ++n) {
    unsigned wrong_here = 0;
    for (unsigned k = 0; k < times; ++k) {
      const FloatMachine before = source.machine(all_masked);
      FloatMachine expected = before, got = before;
      host.run(n, expected);
      guest.run(n, got);
      if (same(expected, got, status_mask(instructions[n]))) continue;
      if (wrong_here++ < 2) {
        fmt::print(stderr, "{:02x}\n  in   {}\n  host {}\n  xlat {}\n", fmt::join(instructions[n], " "), text(before),
                   text(expected), text(got));
      }
    }
    if (wrong_here) fmt::print(stderr, "{:02x}: {} of {} differ\n", fmt::join(instructions[n], " "), wrong_here, times);
    wrong += wrong_here;
  }
  return wrong;
}

// Steps from a to b on the number line, up to 1000.
inline u64 distance(const F80& a, const F80& b) {
  if ((a.sign_exp ^ b.sign_exp) >> 15) return a.mantissa == 0 && b.mantissa == 0 ? 0 : 1000;
  const auto rank = [](const F80& v) {
    return static_cast<unsigned __int128>(v.sign_exp & 0x7fff) << 63 | (v.mantissa & ~u64{0} >> 1);
  };
  const auto x = rank(a), y = rank(b), d = x > y ? x - y : y - x;
  return d > 1000 ? 1000 : static_cast<u64>(d);
}

}  // namespace xlat::test

#endif
