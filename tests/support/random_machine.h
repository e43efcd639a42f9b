// A processor in a random state of any mode, with random memory, descriptor tables, page tables and interrupts: what
// random code is run on.
#pragma once

#include <algorithm>
#include <random>
#include <span>

#include "bare_cpu.h"
#include "base/bits.h"

namespace xlat::test {

inline constexpr u32 kRandomRam = 1 << 20;

// Ports that answer something other than ones, the same to both engines.
struct Noise : IoHandler {
  u32 read(u64 offset, unsigned width) override { return static_cast<u32>(offset * 0x9e3779b1 + width); }
  void write(u64, unsigned, u32) override {}
};

// Opcodes that reach further than random ones: gates, tables, system registers, string instructions.
inline constexpr u8 kInteresting[][4] = {
    {0x0f, 0x01, 0x10, 0x90}, {0x0f, 0x22, 0xc0, 0x90}, {0x0f, 0x00, 0xd8, 0x90}, {0xcf, 0x90, 0x90, 0x90},
    {0xcb, 0x90, 0x90, 0x90}, {0xf3, 0xa5, 0xf3, 0xaa}, {0xcd, 0x20, 0x90, 0x90}, {0x8e, 0xd8, 0x8e, 0xc0},
    {0x8e, 0xd0, 0x0f, 0xb2}, {0x9d, 0x9c, 0x61, 0x60}, {0xc8, 0x10, 0x00, 0x1f}, {0xff, 0x18, 0xff, 0x28},
    {0x0f, 0x22, 0xd8, 0x90}, {0x0f, 0x22, 0xe0, 0x90}, {0x0f, 0x23, 0xf8, 0x90}, {0x0f, 0xae, 0x00, 0x9b},
    {0xdd, 0x30, 0xdd, 0x20}, {0x0f, 0x30, 0x0f, 0x32}, {0xfb, 0xf4, 0xfa, 0x90}, {0x0f, 0x34, 0x0f, 0x35},
};

template <class EngineType>
class RandomMachine : public BareMachine<EngineType> {
 public:
  RandomMachine() : BareMachine<EngineType>(kRandomRam) {
    this->ports.map(0, 0x8000, noise_, kWidthsAll);
    this->cpu.pins.shutdown = [this] { this->interp.stop(); };
  }

  // `code`, if there is any, is what the processor runs first, unless paging hides it.
  void run(u32 seed, std::span<const u8> code = {}) {
    std::mt19937 rng(seed);
    const auto random = [&] { return static_cast<u32>(rng()); };
    this->interp.blocks().clear();
    std::vector<u8> bytes(kRandomRam);
    // Much of the time goes here: a generator that is quick, also where each comparison is watched by a fuzzer.
    u64 word = random();
    for (u32 n = 0; n < kRandomRam; n += 8) {
      word = word * 6364136223846793005 + 1442695040888963407;
      store_le<u64>(&bytes[n], word ^ word >> 33);
    }
    for (unsigned n = 0; n < 4000; ++n) {
      const auto& snippet = kInteresting[random() % std::size(kInteresting)];
      std::copy(std::begin(snippet), std::end(snippet), bytes.begin() + random() % (kRandomRam - 4));
    }
    std::copy(bytes.begin(), bytes.end(), this->ram.begin());
    this->cpu.reset();
    this->clock.set_count(0);
    CpuState& s = this->cpu.s;
    for (unsigned n = 0; n < 8; ++n) s.gpr[n] = random() % 3 ? random() & 0xfffff : random();
    s.flags.set((random() & 0x3f7fd7 & ~u32{kVm}) | kFlagsFixed1);
    s.ip = random() & 0xffff;
    for (Segment& seg : s.seg) seg.load_real(static_cast<u16>(random()));
    s.idtr = {random() & 0xffff0, static_cast<u16>(random())};
    const unsigned mode = random() % 5;
    if (mode >= 1) protect(random, mode);
    const u32 at = s.seg[kCs].base + static_cast<u32>(s.ip);
    if (at < kRandomRam) {
      std::copy_n(code.begin(), std::min<std::size_t>(code.size(), kRandomRam - at), this->ram.begin() + at);
    }
    this->cpu.update_tables();
    for (unsigned slice = 0; slice < 20; ++slice) {
      if (random() % 4 == 0) this->cpu.set_irq(Cpu::kPinIntr, random() % 2);
      if (random() % 8 == 0) this->cpu.set_irq(Cpu::kPinNmi, random() % 2);
      if (random() % 8 == 0) this->cpu.set_a20(random() % 2);
      step(100);
      s.halted = false;
    }
  }

 private:
  void step(u64 n) { this->BareMachine<EngineType>::run(n); }

  // 1: 16-bit protected, 2: 32-bit, 3: 32-bit with paging, 4: VM86.
  void protect(auto& random, unsigned mode) {
    CpuState& s = this->cpu.s;
    s.gdtr = {random() & 0xfff00, static_cast<u16>(random())};
    s.cr0 = kCr0Pe | kCr0Et | (random() & (kCr0Mp | kCr0Em | kCr0Ts | kCr0Ne | kCr0Wp | kCr0Am));
    s.cr4 = random() & (kCr4Tsd | kCr4De | kCr4Pse | kCr4Pae | kCr4Pge | kCr4Osfxsr);
    const u8 cpl = random() % 2 ? 0 : static_cast<u8>(random() % 4);
    for (unsigned n = 0; n < kSegRegs; ++n) {
      const u32 type = n == kCs ? 0x9b : 0x93;
      const bool flat = random() % 2;
      const u32 high =
          (mode >= 2 ? 0x00c00000u : 0u) | (type | static_cast<u32>(cpl) << 5) << 8 | (flat ? 0x000f0000 : 0);
      const u32 base = flat ? 0 : random() & 0xffff0;
      s.seg[n].load(static_cast<u16>((random() & 0xfff8) | cpl), {base << 16 | 0xffff, high | (base >> 16 & 0xff)});
    }
    s.ip = random() & 0xfffff;
    s.cpl = cpl;
    s.tr.load(0x28, {0x00000067 | random() << 16, 0x8b00 | (random() & 0xf)});
    if (random() % 2) s.dr[7] = random() & 0xffff23ff;
    for (unsigned n = 0; n < 4; ++n) s.dr[n] = random() & 0xfffff;
    if (mode == 4) {
      for (Segment& seg : s.seg) seg.load_v86(static_cast<u16>(random()));
      s.flags.set_system(kVm | kIopl, kVm | (random() & kIopl));
      s.cpl = 3;
      s.ip &= 0xffff;
    }
    if (mode == 3) {
      // A directory and tables of mostly present entries; the walk also meets random ones.
      const u32 directory = random() & 0xff000;
      for (u32 n = 0; n < 1024; ++n)
        this->put32(directory + 4 * n, (random() & 0xff000) | (random() % 8 ? 7 : random() & 0xfff));
      s.cr3 = directory;
      if (s.cr4 & kCr4Pae) {
        for (unsigned n = 0; n < 4; ++n) s.pdpte[n] = (random() & 0xff000) | 1;
        s.efer = random() % 2 ? u32{kEferNxe} : 0;
      }
      s.cr0 |= kCr0Pg;
      this->cpu.flush_tlb();
    }
  }

  Noise noise_;
};

}  // namespace xlat::test
