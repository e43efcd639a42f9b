// The Gravis Ultrasound by its ports: memory, DMA, voices, ramps, timers, interrupts.
#include "devices/audio/gus.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/recording.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct Lines : IrqSink {
  std::array<bool, 16> level{};
  void set_irq(unsigned line, bool on) override { level[line] = on; }
};

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(0x40000);
  Dma8237 dma{ports, memory};
  Lines lines;
  std::shared_ptr<Recording> sink = std::make_shared<Recording>(44100);
  AudioMixer mixer{clock, "snd", sink};
  Gus card{ports, clock, dma, [this](unsigned n) { return IrqLine(lines, n); }, &mixer, GusConfig{}};

  Rig() {
    memory.map_ram(0, ram.size(), ram.data());
    out(0x240, 0x08);  // line out, latches
    set8(0x4c, 7);
  }
  void out(unsigned port, unsigned value, unsigned width = 1) { ports.write(static_cast<u16>(port), width, value); }
  u32 in(unsigned port, unsigned width = 1) { return ports.read(static_cast<u16>(port), width); }
  void set8(u8 reg, unsigned value) { out(0x343, reg), out(0x345, value); }
  void set16(u8 reg, unsigned value) { out(0x343, reg), out(0x344, value, 2); }
  u8 get8(u8 reg) { return out(0x343, reg), static_cast<u8>(in(0x345)); }
  u16 get16(u8 reg) { return out(0x343, reg), static_cast<u16>(in(0x344, 2)); }
  void at(u32 address) { set16(0x43, address & 0xffff), set8(0x44, address >> 16); }
  void place(u8 reg, u32 address) { set16(reg, address >> 7), set16(static_cast<u8>(reg + 1), address << 9 & 0xffff); }
  // Voice 0 loops over [0, size) one sample a frame.
  void loop(u32 size, u8 control) {
    out(0x342, 0);
    set16(1, 1 << 10);
    place(2, 0), place(4, size), place(0x0a, 0);
    set16(9, 0xfff0), set8(0x0c, 7);
    set8(0, control);
  }
  void to(u64 ns) { run_clock(clock, ns); }
};

constexpr u64 kMs = 1'000'000, kSecond = 1000 * kMs;

}  // namespace

TEST_CASE("gus: memory by the port and by DMA") {
  Rig r;
  r.at(0x12345), r.out(0x347, 0x5a);
  r.at(0x12346), r.out(0x347, 0xa5);
  r.at(0x12345);
  CHECK(r.in(0x347) == 0x5a);
  r.at(0x12346);
  CHECK(r.in(0x347) == 0xa5);
  for (unsigned n = 0; n < 300; ++n) r.ram[0x10000 + n] = static_cast<u8>(n);
  r.out(0x0a, 7), r.out(0x0c, 0), r.out(0x0b, 0x4b), r.out(0x82, 1);
  r.out(6, 0), r.out(6, 0), r.out(7, 299 & 0xff), r.out(7, 299 >> 8), r.out(0x0a, 3);
  r.set16(0x42, 0x2000);
  r.set8(0x41, 0xa1);  // to the card, inverted, with an interrupt
  CHECK(r.in(0x246) == 0x80);
  CHECK(r.lines.level[7]);
  CHECK((r.get8(0x41) & 0x40) != 0);
  CHECK((r.get8(0x41) & 0x40) == 0);
  CHECK_FALSE(r.lines.level[7]);
  r.at(0x20000 + 299);
  CHECK(r.in(0x347) == ((299 & 0xff) ^ 0x80));
}

TEST_CASE("gus: a voice loops with its pitch and without a gap") {
  Rig r;
  for (unsigned n = 0; n < 1000; ++n) {
    r.at(n);
    r.out(0x347, static_cast<u8>(static_cast<i8>(std::lround(100 * std::sin(2 * std::numbers::pi * n / 100)))));
  }
  r.loop(1000, 0x08);
  CHECK(r.get8(0x8e) == 0xcd);
  r.to(kSecond);
  r.mixer.finish();
  const auto left = part(left_of(r.sink->frames), 44100, 0.05, 0.95);
  CHECK(pitch(left, 44100) == Approx(441).epsilon(1e-4));
  CHECK(roughness(left, 441, 44100) < 600);
  CHECK(peak(left) > 15000);
  r.set8(0x0c, 0);   // all left
  r.set8(0x0e, 27);  // 28 voices: half the rate
  r.to(2 * kSecond);
  r.mixer.finish();
  CHECK(pitch(part(left_of(r.sink->frames), 44100, 1.05, 1.95), 44100) == Approx(220.5).epsilon(1e-3));
  CHECK(peak(part(right_of(r.sink->frames), 44100, 1.05, 1.95)) == 0);
  r.set8(0, 3);
  r.to(3 * kSecond);
  CHECK(r.clock.next_deadline() == Clock::kNever);
}

TEST_CASE("gus: voices and ramps interrupt when they arrive") {
  Rig r;
  r.loop(441, 0x28);  // with interrupts: each 10 ms
  r.to(10 * kMs - 1);
  CHECK(r.in(0x246) == 0);
  r.to(10 * kMs);
  CHECK(r.in(0x246) == 0x20);
  CHECK(r.lines.level[7]);
  CHECK(r.get8(0x8f) == 0x60);
  CHECK_FALSE(r.lines.level[7]);
  r.to(20 * kMs);
  CHECK(r.get8(0x8f) == 0x60);
  r.set8(0, 3);
  r.set16(9, 0);
  r.set8(6, 0x01), r.set8(7, 0), r.set8(8, 0x10), r.set8(0x0d, 0x20);  // 256 steps up
  const u64 now = r.clock.now();
  r.to(now + 256 * kSecond / 44100 - 30'000);
  CHECK(r.in(0x246) == 0);
  r.to(now + 256 * kSecond / 44100 + 30'000);
  CHECK(r.in(0x246) == 0x40);
  CHECK(r.get8(0x8f) == 0xa0);
  CHECK(r.get8(0x8f) == 0xe0);
  CHECK(r.get16(0x89) == 0x1000);
  CHECK((r.get8(0x8d) & 1) == 1);
}

TEST_CASE("gus: one-shot voices stop, others go back and forth") {
  Rig r;
  r.loop(441, 0x00);
  r.to(20 * kMs);
  CHECK((r.get8(0x80) & 1) == 1);
  CHECK(r.get16(0x8a) == 441 >> 7);
  r.loop(441, 0x18);
  r.to(32 * kMs);
  CHECK((r.get8(0x80) & 0x40) != 0);
  r.to(42 * kMs);
  CHECK((r.get8(0x80) & 0x40) == 0);
}

TEST_CASE("gus: timers, and the latch of the interrupt") {
  Rig r;
  r.set8(0x45, 0x0c);
  r.set8(0x46, 256 - 10), r.set8(0x47, 256 - 10);
  r.out(0x248, 4), r.out(0x249, 3);
  r.to(800'000);
  CHECK(r.in(0x246) == 0x04);
  CHECK(r.in(0x248) == 0xc0);
  r.out(0x240, 0x48), r.out(0x24b, 5);  // IRQ 11
  CHECK_FALSE(r.lines.level[7]);
  CHECK(r.lines.level[11]);
  r.to(3'200'000);
  CHECK(r.in(0x246) == 0x0c);
  r.out(0x249, 0x80);
  CHECK(r.in(0x246) == 0);
  CHECK_FALSE(r.lines.level[11]);
  CHECK_FALSE(Gus::check({.irq = 4}).ok());
  CHECK_FALSE(Gus::check({.dma = 2}).ok());
}

TEST_CASE("gus: saved and loaded in the middle of a tone") {
  Rig r;
  for (unsigned n = 0; n < 1000; ++n) r.at(n), r.out(0x347, n * 7);
  r.loop(1000, 0x18);
  r.to(123'456'789);
  Archive saved = Archive::saver();
  r.clock.serialize(saved), r.mixer.serialize(saved), r.card.serialize(saved);
  const std::size_t before = r.sink->frames.size();
  r.to(kSecond / 4);
  r.mixer.finish();
  Rig other;
  Archive ar = Archive::loader(saved.bytes());
  other.clock.serialize(ar), other.mixer.serialize(ar), other.card.serialize(ar);
  REQUIRE(ar.ok());
  const std::size_t made = other.sink->frames.size();
  other.to(kSecond / 4);
  other.mixer.finish();
  CHECK(std::equal(other.sink->frames.begin() + static_cast<std::ptrdiff_t>(made), other.sink->frames.end(),
                   r.sink->frames.begin() + static_cast<std::ptrdiff_t>(before), r.sink->frames.end()));
}

TEST_CASE("gus: whatever is written or loaded does no harm") {
  std::mt19937 rng(11);
  for (unsigned round = 0; round < 12; ++round) {
    Rig r;
    for (unsigned n = 0; n < 4000; ++n) {
      const unsigned port = (rng() % 3 ? 0x340 : 0x240) + rng() % 16;
      if (rng() % 2) {
        r.out(0x343, rng() % 0x50), r.out(0x344, static_cast<u32>(rng()), 1 + rng() % 2);
      } else if (rng() % 2) {
        r.out(port, static_cast<u32>(rng()), 1u << rng() % 3);
      } else {
        r.in(port, 1u << rng() % 3);
      }
      if (rng() % 32 == 0) r.to(r.clock.now() + rng() % 2'000'000);
    }
    Archive saved = Archive::saver();
    r.clock.serialize(saved), r.mixer.serialize(saved), r.card.serialize(saved);
    std::vector<u8> bytes = saved.bytes();
    for (unsigned n = 0; n < 4; ++n) bytes[bytes.size() - 1 - rng() % 900] ^= static_cast<u8>(1u << rng() % 8);
    Archive ar = Archive::loader(bytes);
    r.clock.serialize(ar), r.mixer.serialize(ar), r.card.serialize(ar);
    r.to(r.clock.now() + 10 * kMs);
  }
}
