// Comparing, describing and shrinking programs.
#include "oracle.h"

#include <algorithm>

#include "base/bits.h"
#include "cpu/disasm.h"

namespace xlat::test {

namespace {

// Tags but for what empty and full mean.
u32 empties(const u8* image) {
  const u32 tag = load_le<u16>(image + 8);
  return tag & tag >> 1 & 0x5555;
}

// Tries changes of a program and keeps those that leave a difference.
class Shrinker {
 public:
  Shrinker(Program program, const Judge& judge) : best_(std::move(program)), judge_(judge) {}

  Program run() {
    for (bool again = true; again;) {
      again = drop_units();
      again |= drop_instructions();
    }
    drop_prefixes();
    simplify_start();
    simplify_data();
    return std::move(best_);
  }

 private:
  bool keep_if_differs(Program candidate) {
    if (!judge_(candidate).differs()) return false;
    best_ = std::move(candidate);
    return true;
  }

  // Halves first, then ever smaller runs, then single units.
  bool drop_units() {
    bool changed = false;
    for (std::size_t run = std::max<std::size_t>(best_.units.size() / 2, 1); run > 0; run /= 2) {
      for (std::size_t at = best_.units.size(); at > 0;) {
        at = at > run ? at - run : 0;
        Program candidate = best_;
        auto& units = candidate.units;
        const std::size_t end = std::min(at + run, units.size());
        units.erase(units.begin() + static_cast<std::ptrdiff_t>(at), units.begin() + static_cast<std::ptrdiff_t>(end));
        if (!units.empty() && keep_if_differs(std::move(candidate))) changed = true;
      }
    }
    return changed;
  }

  bool drop_instructions() {
    bool changed = false;
    for (std::size_t u = 0; u < best_.units.size(); ++u) {
      if (best_.units[u].jumps) continue;
      for (std::size_t n = best_.units[u].insns.size(); n > 0 && best_.units[u].insns.size() > 1; --n) {
        Program candidate = best_;
        auto& insns = candidate.units[u].insns;
        insns.erase(insns.begin() + static_cast<std::ptrdiff_t>(n - 1));
        if (keep_if_differs(std::move(candidate))) changed = true;
      }
    }
    return changed;
  }

  // The operand-size prefix stays: the effect on the flags rests on it.
  void drop_prefixes() {
    static constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0xf0, 0xf2, 0xf3};
    for (std::size_t u = 0; u < best_.units.size(); ++u) {
      if (best_.units[u].jumps) continue;
      for (std::size_t n = 0; n < best_.units[u].insns.size(); ++n) {
        for (std::size_t at = 0; at + 1 < best_.units[u].insns[n].size();) {
          const u8 b = best_.units[u].insns[n][at];
          const bool known = std::find(std::begin(kPrefixes), std::end(kPrefixes), b) != std::end(kPrefixes);
          if (!known && b != 0x66) break;
          Program candidate = best_;
          auto& insn = candidate.units[u].insns[n];
          insn.erase(insn.begin() + static_cast<std::ptrdiff_t>(at));
          if (!known || !keep_if_differs(std::move(candidate))) ++at;
        }
      }
    }
  }

  // Registers, x87 registers, flags and loaded constants become zero where they do not matter.
  void simplify_start() {
    const auto try_start = [&](auto change) {
      Program candidate = best_;
      change(candidate.start);
      keep_if_differs(std::move(candidate));
    };
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) try_start([&](UserState& s) { s.gpr[n] = 0; });
    }
    try_start([](UserState& s) { s.eflags = kFlagsFixed1; });
    try_start([](UserState& s) { std::fill(s.fpu.begin() + 28, s.fpu.end(), u8{0}); });
    for (unsigned n = 0; n < 8; ++n) {
      try_start([&](UserState& s) { std::fill_n(s.fpu.begin() + 28 + 10 * n, 10, u8{0}); });
    }
    try_start([](UserState& s) { store_le<u16>(s.fpu.data() + 4, 0); });
    try_start([](UserState& s) { store_le<u16>(s.fpu.data() + 8, 0xffff); });
    try_start([](UserState& s) { store_le<u16>(s.fpu.data(), 0x037f); });
    for (std::size_t u = 0; u < best_.units.size(); ++u) {
      if (best_.units[u].jumps) continue;
      for (std::size_t n = 0; n < best_.units[u].insns.size(); ++n) {
        const auto& insn = best_.units[u].insns[n];
        if (insn.size() != 5 || insn[0] < 0xb8 || insn[0] > 0xbf || insn[0] == 0xbc) continue;  // mov r32, imm32
        Program candidate = best_;
        auto& changed = candidate.units[u].insns[n];
        std::fill(changed.begin() + 1, changed.end(), u8{0});
        keep_if_differs(std::move(candidate));
      }
    }
  }

  void simplify_data() { clear(0, static_cast<u32>(best_.data.size())); }
  void clear(u32 at, u32 bytes) {
    const auto first = best_.data.begin() + at;
    if (std::all_of(first, first + bytes, [](u8 b) { return b == 0; })) return;
    Program candidate = best_;
    std::fill_n(candidate.data.begin() + at, bytes, u8{0});
    if (keep_if_differs(std::move(candidate)) || bytes == 1) return;
    clear(at, bytes / 2);
    clear(at + bytes / 2, bytes - bytes / 2);
  }

  Program best_;
  const Judge& judge_;
};

}  // namespace

Program shrink(Program program, const Judge& judge) { return Shrinker(std::move(program), judge).run(); }

std::string compare(const UserState& host, const UserState& guest, u32 flags) {
  std::string text;
  const auto differs = [&](std::string_view what, u64 a, u64 b) {
    if (a != b) text += fmt::format("{}: host {:x}, xlat {:x}\n", what, a, b);
  };
  if (host.trap != guest.trap) text += fmt::format("trap: host {}, xlat {}\n", host.trap, guest.trap);
  if (host.trap != UserState::kNoTrap) {
    differs("at", host.trap_ip, guest.trap_ip);
    differs("error code", host.trap_code, guest.trap_code);
  }
  for (unsigned n = 0; n < 8; ++n) differs(kGprNames[n], host.gpr[n], guest.gpr[n]);
  for (unsigned n = 0; n < 6; ++n) {
    if (n != kCs) differs(kSegNames[n], host.seg[n], guest.seg[n]);
  }
  const u32 eflags = flags & 0xffff;
  if ((host.eflags ^ guest.eflags) & eflags) {
    text += fmt::format("eflags: host {:08x}, xlat {:08x}, defined {:08x}\n", host.eflags, guest.eflags, eflags);
  }
  const u8 *a = host.fpu.data(), *b = guest.fpu.data();
  const u32 codes = host.trap == UserState::kNoTrap ? flags >> 16 & 0x4700 : 0;
  differs("x87 control", load_le<u16>(a), load_le<u16>(b));
  differs("x87 status", load_le<u16>(a + 4) & (0xb8ff | codes), load_le<u16>(b + 4) & (0xb8ff | codes));
  differs("x87 empty registers", empties(a), empties(b));
  for (unsigned n = 0; n < 8; ++n) {
    const u8 *x = a + 28 + 10 * n, *y = b + 28 + 10 * n;
    if (std::equal(x, x + 10, y)) continue;
    text += fmt::format("st{}: host {:04x}:{:016x}, xlat {:04x}:{:016x}\n", n, load_le<u16>(x + 8), load_le<u64>(x),
                        load_le<u16>(y + 8), load_le<u64>(y));
  }
  return text;
}

std::string describe(const Program& program) {
  std::string text = disassemble(program.code(), Native::kCode, 32);
  text += fmt::format("bytes: {{0x{:02x}}}\n", fmt::join(program.code(), ", 0x"));
  const UserState& s = program.start;
  for (unsigned n = 0; n < 8; ++n) text += fmt::format("{} {:08x}{}", kGprNames[n], s.gpr[n], n == 7 ? "\n" : "  ");
  text += fmt::format("eflags {:08x}", s.eflags);
  for (unsigned n = 0; n < 6; ++n) text += fmt::format("  {} {:02x}", kSegNames[n], s.seg[n]);
  text += fmt::format("\nx87 control {:04x} status {:04x} tag {:04x}", load_le<u16>(s.fpu.data()),
                      load_le<u16>(s.fpu.data() + 4), load_le<u16>(s.fpu.data() + 8));
  for (unsigned n = 0; n < 8; ++n) {
    const u8* r = s.fpu.data() + 28 + 10 * n;
    if (load_le<u64>(r) || load_le<u16>(r + 8))
      text += fmt::format("  st{} {:04x}:{:016x}", n, load_le<u16>(r + 8), load_le<u64>(r));
  }
  text += "\n";
  unsigned lines = 0;
  for (u32 at = 0; at < program.data.size(); at += 16) {
    const auto first = program.data.begin() + at;
    if (std::all_of(first, first + 16, [](u8 b) { return b == 0; })) continue;
    if (++lines > 16) return text + "...\n";
    text += fmt::format("{:08x}: {:02x}\n", Native::kData + at, fmt::join(first, first + 16, " "));
  }
  return text;
}

}  // namespace xlat::test
