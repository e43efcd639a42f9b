// Repeated string instructions that make many iterations at once must end as if made one by one, wherever they stop.
#include <catch2/catch.hpp>
#include <random>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"

using namespace xlat;

namespace {

constexpr u32 kDirectory = 0x1000, kTable = 0x2000, kGdt = 0x3000, kIdt = 0x4000, kHandlers = 0x5000;
constexpr u32 kCode = 0x8000, kData = 0x10000, kPages = 8;
constexpr u64 kDevice = 0x100000;

// Answers by address, so that reading it twice or in another order shows in the log.
struct Device : IoHandler {
  std::vector<u64> accesses;
  u32 read(u64 offset, unsigned width) override {
    accesses.push_back(offset << 8 | width);
    return 0;
  }
  void write(u64 offset, unsigned width, u32 value) override {
    accesses.push_back(u64{value} << 32 | offset << 8 | width | 0x80);
  }
};

// Flat paged code; data pages may be absent, read-only, or a device's. A fault halts.
template <class EngineType>
struct Scene : test::BareMachine<EngineType> {
  Scene() : test::BareMachine<EngineType>(kDevice) { this->memory.map_io(kDevice, 0x1000, device, kWidthsAll); }

  void set_up(u32 seed, std::initializer_list<u8> code, bool real) {
    std::mt19937 rng(seed);
    const auto random = [&] { return static_cast<u32>(rng()); };
    this->interp.blocks().clear();
    std::fill(this->ram.begin(), this->ram.end(), u8{0});
    this->clock.set_count(0);
    device.accesses.clear();
    real ? this->real16(0, kCode, 0x7000) : this->flat32(kCode, 0x7000);
    CpuState& s = this->cpu.s;
    // Long stretches of equal elements, now and then another one.
    for (u32 at = kData; at < kData + kPages * 0x1000; ++at) this->ram[at] = random() % 400 == 0 ? 1 : 0;
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) s.gpr[n] = random();
    }
    s.gpr[kEax] = random() % 3 ? 0 : 1;
    s.gpr[kEcx] = random() % 4 ? random() % 6000 : random() % 4;
    s.gpr[kEsi] = kData + random() % (kPages * 0x1000);
    s.gpr[kEdi] = random() % 2 ? s.gpr[kEsi] + random() % 64 - 32 : kData + random() % (kPages * 0x1000);
    s.flags.set((random() & kArithFlags) | kFlagsFixed1 | (random() % 3 == 0 ? kDf : 0));
    if (real) {
      s.seg[kDs].load_real(kData >> 4);
      s.seg[kEs].load_real(kData >> 4);
      s.gpr[kEsi] &= 0xffff;
      s.gpr[kEdi] &= 0xffff;
      s.idtr = {0, 0x3ff};
      for (u32 vector = 0; vector < 256; ++vector) this->put32(4 * vector, kHandlers);
      this->put(kHandlers, {0xf4});
    } else {
      for (u32 page = 0; page < 1024; ++page) this->put32(kTable + 4 * page, page << 12 | 7);
      const u32 special = (kData >> 12) + random() % kPages, kind = random() % 5;
      if (kind == 1) this->put32(kTable + 4 * special, special << 12 | 6);
      if (kind == 2) this->put32(kTable + 4 * special, special << 12 | 5);
      if (kind == 3) this->put32(kTable + 4 * special, kDevice | 7);
      // A page with code that has run.
      if (kind == 4) {
        const u32 at = special << 12 | 0x7f0;
        s.ip = at;
        this->put(at, {0xe9});
        this->put32(at + 1, kCode - at - 5);
      }
      this->put32(kDirectory, kTable | 7);
      this->put32(kGdt + 8, 0x0000ffff);
      this->put32(kGdt + 12, 0x00cf9b00);
      for (u32 vector = 0; vector < 32; ++vector) {
        this->put32(kIdt + 8 * vector, 8 << 16 | kHandlers);
        this->put32(kIdt + 8 * vector + 4, 0x8e00);
      }
      this->put(kHandlers, {0xf4});
      s.gdtr = {kGdt, 0xff};
      s.idtr = {kIdt, 0x7ff};
      s.cr3 = kDirectory;
      // Sometimes a segment that ends within the data.
      if (random() % 4 == 0) s.seg[kEs].load(16, {(kData + random() % 0x8000) & 0xffff, 0x00419300});
      this->cpu.write_cr0(s.cr0 | kCr0Pg | kCr0Wp);
      this->cpu.flush_tlb();
    }
    this->put(kCode, code);
    this->put(kCode + 4, {0x40, 0xf4});
    for (u32 at = kCode + static_cast<u32>(code.size()); at < kCode + 4; ++at) this->put(at, {0x90});
    // Pages the TLB has already, so that runs can begin at once.
    if (random() % 2) {
      for (u32 page = 0; page < kPages; ++page) {
        this->cpu.load_slow(kData + page * 0x1000, 1, false);
        this->cpu.clear_fault();
      }
      device.accesses.clear();
    }
  }

  void run_by(u64 slice) {
    for (unsigned n = 0; n < 30000 && !this->cpu.s.halted; ++n) this->run(slice);
  }

  Device device;
};

void same(auto& a, auto& b) {
  REQUIRE(a.cpu.s.halted);
  REQUIRE(a.cpu.s == b.cpu.s);
  REQUIRE(a.clock.count() == b.clock.count());
  REQUIRE(a.ram == b.ram);
  REQUIRE(a.device.accesses == b.device.accesses);
}

void compare(std::initializer_list<u8> code, bool real) {
  Scene<Interp> whole, one_by_one;
  Scene<test::ComparedEngine> other;
  for (u32 seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed << " code " << std::hex << int{code.begin()[1]} << " " << int{code.begin()[0]} << " real "
                 << real);
    whole.set_up(seed, code, real);
    one_by_one.set_up(seed, code, real);
    other.set_up(seed, code, real);
    whole.run_by(100000);
    one_by_one.run_by(1);
    other.run_by(1 + seed * 37);
    same(whole, one_by_one);
    same(whole, other);
  }
}

}  // namespace

TEST_CASE("REP makes many iterations at once as it makes them one by one") {
  for (const bool real : {false, true}) {
    for (const u8 rep : {u8{0xf3}, u8{0xf2}}) {
      for (const u8 opcode : {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}) {
        compare({rep, static_cast<u8>(opcode)}, real);
        compare({0x66, rep, static_cast<u8>(opcode)}, real);
        if (opcode >= 0xa6 && opcode != 0xaa && opcode != 0xab) compare({0x67, rep, static_cast<u8>(opcode)}, real);
      }
    }
  }
}

TEST_CASE("REPNE SCASB and REPE CMPSB find what they look for, with the flags of that comparison") {
  test::BareMachine<test::ComparedEngine> m;
  m.flat32(kCode, 0x7000);
  m.put(kCode, {0xf2, 0xae, 0xf3, 0xa6, 0xf4});
  m.ram[kData + 3000] = 7;
  m.ram[kData + 0x2000 + 77] = 0x90;
  CpuState& s = m.cpu.s;
  s.gpr[kEax] = 7;
  s.gpr[kEcx] = 5000;
  s.gpr[kEdi] = kData;
  s.gpr[kEsi] = kData + 0x2000;
  m.run(3001);
  CHECK(s.ip == kCode + 2);
  CHECK(s.gpr[kEdi] == kData + 3001);
  CHECK(s.gpr[kEcx] == 1999);
  CHECK(s.flags.zf());
  m.run(78);
  CHECK(s.ip == kCode + 4);
  CHECK(s.gpr[kEdi] == kData + 3001 + 78);
  CHECK(s.gpr[kEcx] == 1999 - 78);
  CHECK((s.flags.get() & kArithFlags) == (kSf | kPf));  // 90h - 0
}

namespace {

// One byte after the other, as the manual has it.
void movs_by_bytes(std::vector<u8>& ram, u32 from, u32 to, u32 count, unsigned bytes, bool down) {
  for (u32 n = 0; n < count; ++n) {
    const u32 at = down ? 0 - n * bytes : n * bytes;
    u8 element[4];
    for (unsigned b = 0; b < bytes; ++b) element[b] = ram[from + at + b];
    for (unsigned b = 0; b < bytes; ++b) ram[to + at + b] = element[b];
  }
}

}  // namespace

TEST_CASE("REP MOVS over its own source, up and down") {
  test::BareMachine<test::ComparedEngine> m(1 << 18);
  for (const bool down : {false, true}) {
    for (const unsigned bytes : {1u, 2u, 4u}) {
      for (i32 distance = -9; distance <= 9; ++distance) {
        for (const u32 count : {1u, 5u, 3000u}) {
          INFO("down " << down << " bytes " << bytes << " distance " << distance << " count " << count);
          m.interp.blocks().clear();
          m.flat32(kCode, 0x7000);
          if (bytes == 2) m.put(kCode, {0x66, 0xf3, 0xa5, 0xf4});
          if (bytes != 2) m.put(kCode, {0xf3, static_cast<u8>(bytes == 1 ? 0xa4 : 0xa5), 0x90, 0xf4});
          CpuState& s = m.cpu.s;
          const u32 from = down ? kData + 0x5003 : kData + 0x103, to = from + static_cast<u32>(distance);
          s.gpr[kEsi] = from;
          s.gpr[kEdi] = to;
          s.gpr[kEcx] = count;
          s.flags.set(kFlagsFixed1 | (down ? kDf : 0));
          for (u32 at = 0; at < 0x8000; ++at) m.ram[kData + at] = static_cast<u8>(at * 7 + (at >> 8));
          // So that runs begin at once.
          for (u32 page = 0; page < kPages; ++page) {
            m.cpu.load_slow(kData + page * 0x1000, 1, false);
            m.cpu.store_slow(kData + page * 0x1000, 1, m.ram[kData + page * 0x1000], false);
          }
          std::vector<u8> expected = m.ram;
          movs_by_bytes(expected, from, to, count, bytes, down);
          const u64 start = m.clock.count();
          m.run(count);
          CHECK(m.clock.count() - start == count);
          CHECK(s.gpr[kEcx] == 0);
          const u32 moved = down ? 0 - count * bytes : count * bytes;
          CHECK(s.gpr[kEsi] == from + moved);
          CHECK(s.gpr[kEdi] == to + moved);
          CHECK(s.ip == kCode + (bytes == 2 ? 3 : 2));
          REQUIRE(m.ram == expected);
        }
      }
    }
  }
}

TEST_CASE("REPNE SCASB and REPE CMPSB downwards find what they look for") {
  test::BareMachine<test::ComparedEngine> m;
  m.flat32(kCode, 0x7000);
  m.put(kCode, {0xf2, 0xae, 0xf3, 0xa6, 0xf4});
  m.ram[kData + 10] = 7;
  m.ram[kData + 0x2000 - 77] = 0x90;
  CpuState& s = m.cpu.s;
  s.flags.set(kFlagsFixed1 | kDf);
  s.gpr[kEax] = 7;
  s.gpr[kEcx] = 5000;
  s.gpr[kEdi] = kData + 3010;
  s.gpr[kEsi] = kData + 0x2000;
  m.run(3001);
  CHECK(s.ip == kCode + 2);
  CHECK(s.gpr[kEdi] == kData + 9);
  CHECK(s.gpr[kEcx] == 1999);
  CHECK(s.flags.zf());
  m.run(78);
  CHECK(s.ip == kCode + 4);
  CHECK(s.gpr[kEdi] == kData + 9 - 78);
  CHECK(s.gpr[kEsi] == kData + 0x2000 - 78);
  CHECK(s.gpr[kEcx] == 1999 - 78);
  CHECK((s.flags.get() & kArithFlags) == (kSf | kPf));  // 90h - 0
}
