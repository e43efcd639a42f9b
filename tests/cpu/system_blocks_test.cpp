// Instructions that change flags, segments and privilege in the middle of a block, with interrupts that come whenever
// they like: both engines must agree wherever they stop.
#include <catch2/catch.hpp>
#include <random>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"

using namespace xlat;

namespace {

constexpr u32 kDirectory = 0x1000, kTable = 0x2000, kGdt = 0x3000, kIdt = 0x4000, kHandlers = 0x5000;
constexpr u32 kCode = 0x8000, kTss = 0x6000, kData = 0x20000;

template <class EngineType>
struct Scene : test::BareMachine<EngineType> {
  Scene() : test::BareMachine<EngineType>(1 << 20) {
    this->cpu.pins.interrupt_acknowledge = [this] {
      this->cpu.set_irq(Cpu::kPinIntr, false);
      return u8{0x30};
    };
  }

  void descriptor(u32 n, u32 low, u32 high) {
    this->put32(kGdt + 8 * n, low);
    this->put32(kGdt + 8 * n + 4, high);
  }

  void set_up(u32 seed) {
    std::mt19937 rng(seed);
    const auto random = [&] { return static_cast<u32>(rng()); };
    this->interp.blocks().clear();
    std::fill(this->ram.begin(), this->ram.end(), u8{0});
    this->clock.set_count(0);
    this->flat32(kCode, 0xf000);
    this->cpu.set_irq(Cpu::kPinIntr, false);
    CpuState& s = this->cpu.s;
    const bool user = random() % 3 == 0;
    for (u32 at = 0x30000; at < 0x33000; ++at) this->ram[at] = static_cast<u8>(at >> 12);
    for (u32 page = 0; page < 1024; ++page) this->put32(kTable + 4 * page, page << 12 | 7);
    this->put32(kDirectory, kTable | 7);
    // Code and data of both levels in the order SYSENTER wants, then some that are not flat, not there, not accessed.
    descriptor(1, 0x0000ffff, 0x00cf9b00);
    descriptor(2, 0x0000ffff, 0x00cf9300);
    descriptor(3, 0x0000ffff, 0x00cffb00);
    descriptor(4, 0x0000ffff, 0x00cff300);
    descriptor(5, 0x0000ffff, 0x00c0f301);
    descriptor(6, 0x0000ffff, 0x00cf7300);
    descriptor(7, 0x0000ffff, 0x00cff200);
    descriptor(8, kTss << 16 | 0x67, 0x00008b00);
    descriptor(9, 0x00000fff, 0x00c0f300);
    this->put32(kTss + 4, 0xe000);
    this->put32(kTss + 8, 0x10);
    for (u32 vector = 0; vector < 64; ++vector) {
      this->put32(kIdt + 8 * vector, 8 << 16 | (kHandlers + 8 * vector));
      this->put32(kIdt + 8 * vector + 4, 0x8e00);
      // The interrupt returns; what faults counts and goes on behind the program.
      if (vector == 0x30) {
        this->put(kHandlers + 8 * vector, {0x45, 0xcf});
      } else {
        this->put(kHandlers + 8 * vector, {0x47, 0xf4});
      }
    }
    s.gdtr = {kGdt, 0x4f};
    s.idtr = {kIdt, 0x1ff};
    s.tr.load(0x40, {kTss << 16 | 0x67, 0x00008b00});
    s.sysenter_cs = random() % 8 ? 8 : 0;
    s.sysenter_esp = 0xd000;
    s.cr3 = kDirectory;
    if (random() % 4 == 0) s.cr0 |= kCr0Am;
    s.cr4 = random() % 4 == 0 ? u32{kCr4Tsd} : 0;
    s.tsc_offset = random();
    this->cpu.write_cr0(s.cr0 | kCr0Pg | kCr0Wp);
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) s.gpr[n] = random() & 0xffff;
    }
    const u32 iopl = random() % 2 ? u32{kIopl} : 0;
    s.flags.set((random() & (kArithFlags | kIf | kDf)) | iopl | kFlagsFixed1);
    if (user) {
      s.seg[kCs].load(0x1b, {0x0000ffff, 0x00cffb00});
      for (const SegReg n : {kSs, kDs, kEs}) s.seg[n].load(0x23, {0x0000ffff, 0x00cff300});
      this->cpu.set_cpl(3);
    }
    this->cpu.update_tables();

    std::vector<u8> code;
    const auto add = [&](std::initializer_list<u32> bytes) {
      for (const u32 b : bytes) code.push_back(static_cast<u8>(b));
    };
    const auto add32 = [&](u32 v) { add({v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff, v >> 24}); };
    static constexpr u8 kSelectors[] = {0x23, 0x23, 0x10, 0x2b, 0x33, 0x3b, 0x08, 0x1b, 0, 3, 0x4b, 0x53, 0x40};
    const auto selector = [&] { return u32{kSelectors[random() % std::size(kSelectors)]}; };
    for (unsigned n = 0; n < 40; ++n) {
      switch (random() % 26) {
        case 0: add({0x9c}); break;
        case 1: add({0x9c, 0x9d}); break;
        case 2:
          add({0x9c, 0x81, 0x34, 0x24}), add32(random() % 3 ? random() & 0xcd5 : random() & 0x247fd5), add({0x9d});
          break;
        case 3: add({0x66, 0x9c, 0x66, 0x9d}); break;
        case 4: random() % 3 ? add({0x40}) : add({0xfa}); break;
        case 5: random() % 3 ? add({0x41}) : add({0xfb}); break;
        case 6: add({0x9c, 0xfa, 0x01, 0xd8, 0x9d}); break;
        case 7:
        case 8:
          add({0xb8}), add32(selector());
          add({0x8e, std::initializer_list<u32>{0xd8, 0xc0, 0xe0, 0xe8}.begin()[random() % 4]});
          break;
        case 9: add({0x1e, 0x07}); break;
        case 10: add({0x6a, selector(), 0x0f, 0xa1}); break;
        case 11: add({0xb8}), add32(selector()), add({0x0f, 0x00, 0xe8 - 8 * (random() % 2)}); break;
        case 12: add({0x9f, 0x9e}); break;
        case 13: add({0xbe}), add32(kData + 4 * (random() & 0xff)), add({0x8b, 0x06, 0x01, 0x46, 0x04}); break;
        case 14: add({0xd9, 0xe8, 0xdc, 0x05}), add32(kData), add({0xdd, 0xd8}); break;
        case 15: add({0x39, 0xd8, 0x0f, 0x9c, 0xc1}); break;
        case 16: add({0x64, 0x8b, 0x15}), add32(random() & 0xff); break;
        case 17: add({0x0f, 0x31}); break;
        case 18: add({0x01, 0xd8, 0x0f, 0x31, 0x11, 0xc1}); break;
        case 19: {  // bit strings, of all four kinds
          add({0xbe}), add32(random() % 2 ? kData : 0x30000), add({0xb9}), add32((random() & 0x7ffff) - 0x40000);
          if (random() % 3 == 0) add({0x66});
          add({0x0f, 0xa3 + 8 * (random() % 4), random() % 2 ? 0x0eu : 0x4eu});
          if (code.back() == 0x4e) add({random() & 0xff});
          break;
        }
        case 20:  // strings
          add({0xbe}), add32(kData + (random() & 0x3fff)), add({0xbf}), add32(kData + (random() & 0x3fff));
          add({0xb9}), add32(random() & (random() % 2 ? 7 : 0xfff));
          if (random() % 3 == 0) add({0x66});
          add({0xf2 + random() % 2,
               std::initializer_list<u32>{0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xae, 0xaf}.begin()[random() % 8]});
          break;
        case 21:  // another page there, and only then used
          if (user && random() % 8) break;
          add({0xc7, 0x05}), add32(kTable + 4 * 0x30), add32(0x30000 + (random() % 3 << 12) + (random() % 8 ? 7 : 6));
          add({0x0f, 0x01, 0x3d}), add32(0x30000), add({0x8b, 0x1d}), add32(0x30004);
          break;
        case 22: add({0x8b, 0x1d}), add32(0x30004), add({0x01, 0x1d}), add32(0x30008); break;
        default: add({0x01, 0xd8, 0x83, 0xd2, random() & 0x7f}); break;
      }
    }
    // To the other level and back, or the end.
    const u32 at = kCode + static_cast<u32>(code.size());
    if (user) {
      s.sysenter_eip = at + 2;
      add({0x0f, 0x34});
    }
    add({0x40, 0xba}), add32(kCode + static_cast<u32>(code.size()) + 11), add({0xb9}), add32(0xc000), add({0x0f, 0x35});
    add({0x42, 0x83, 0xc3, 0x01, 0xf4});
    this->put(kCode, code);
  }
};

}  // namespace

TEST_CASE("Flags, segments and system calls in the middle of blocks, with interrupts at any time") {
  Scene<Interp> a;
  Scene<test::ComparedEngine> b;
  for (u32 seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    a.set_up(seed);
    b.set_up(seed);
    std::mt19937 rng(seed);
    for (unsigned slice = 0; slice < 40 && !a.cpu.s.halted; ++slice) {
      const u64 n = rng() % (u64{2} << rng() % 8) + 1;
      const bool irq = rng() % 4 == 0;
      if (irq) a.cpu.set_irq(Cpu::kPinIntr, true);
      if (irq) b.cpu.set_irq(Cpu::kPinIntr, true);
      a.run(n);
      b.run(n);
      INFO("slice " << slice);
      REQUIRE(a.cpu.s == b.cpu.s);
      REQUIRE(a.clock.count() == b.clock.count());
    }
    REQUIRE(a.ram == b.ram);
  }
}

TEST_CASE("Code that ran while data breakpoints hid the TLB is looked up again without them") {
  test::BareMachine<test::ComparedEngine> m(1 << 20);
  m.flat32(kData, 0xf000);
  for (u32 page = 0; page < 1024; ++page) m.put32(kTable + 4 * page, page << 12 | 7);
  m.put32(kDirectory, kTable | 7);
  m.put32(kGdt + 8, 0x0000ffff);
  m.put32(kGdt + 12, 0x00cf9b00);
  m.put32(kIdt + 8 * kPF, 8 << 16 | kHandlers);
  m.put32(kIdt + 8 * kPF + 4, 0x8e00);
  m.put(kHandlers, {0xf4});
  m.put(kData, {0xf4});
  CpuState& s = m.cpu.s;
  s.gdtr = {kGdt, 0xf};
  s.idtr = {kIdt, 0xff};
  s.cr3 = kDirectory;
  m.cpu.write_cr0(s.cr0 | kCr0Pg);
  for (const u32 dr7 : {0u, 0x00010001u}) {
    m.cpu.write_dr(7, dr7);
    s.halted = false;
    s.ip = kData;
    m.run(4);
    CHECK(s.ip == kData + 1);
  }
  m.cpu.write_dr(7, 0);
  m.put32(kTable + 4 * (kData >> 12), 0);
  m.cpu.flush_tlb();
  s.halted = false;
  s.ip = kData;
  m.run(4);
  CHECK(s.cr2 == kData);
  CHECK(s.ip == kHandlers + 1);
}

TEST_CASE("What follows INVLPG is fetched by the new tables") {
  test::BareMachine<test::ComparedEngine> m(1 << 20);
  for (unsigned round = 0; round < 3; ++round) {
    m.interp.blocks().clear();
    m.flat32(kCode, 0xf000);
    for (u32 page = 0; page < 1024; ++page) m.put32(kTable + 4 * page, page << 12 | 7);
    m.put32(kDirectory, kTable | 7);
    // The same in both pages but for what comes last: MOV [entry], EBX; INVLPG [ECX]; INC EAX or INC EDX; HLT.
    for (const u32 at : {kCode, kData}) {
      m.put(at, {0x89, 0x1d, 0, 0, 0, 0, 0x0f, 0x01, 0x39, static_cast<u8>(at == kCode ? 0x40 : 0x42), 0xf4});
      m.put32(at + 2, kTable + 4 * (kCode >> 12));
    }
    CpuState& s = m.cpu.s;
    s.cr3 = kDirectory;
    m.cpu.write_cr0(s.cr0 | kCr0Pg);
    s.gpr[kEbx] = kData | 7;
    s.gpr[kEcx] = kCode;
    s.gpr[kEax] = s.gpr[kEdx] = 0;
    m.run(10);
    CHECK(s.halted);
    CHECK(s.gpr[kEax] == 0);
    CHECK(s.gpr[kEdx] == 1);
  }
}
