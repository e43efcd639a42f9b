// The sound cards on PCI, ES1370 and AC97, by their registers: tones, positions, interrupts, damage.
#include <catch2/catch.hpp>
#include <random>

#include "base/bits.h"
#include "devices/audio/ac97.h"
#include "devices/audio/es1370.h"
#include "tests/support/recording.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct Lines : IrqSink {
  bool level[4] = {};
  void set_irq(unsigned line, bool on) override { level[line] = on; }
};

constexpr u64 kMs = 1'000'000;
constexpr u64 kSecond = 1000 * kMs;

template <class Card>
struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(0x40000);
  Lines lines;
  std::shared_ptr<Recording> sink = std::make_shared<Recording>(44100);
  AudioMixer mixer{clock, "snd", sink};
  PciBus bus{ports, memory};
  Card card{memory, clock, &mixer};

  Rig() {
    memory.map_ram(0, ram.size(), ram.data());
    for (unsigned n = 0; n < 4; ++n) bus.connect_pirq(n, IrqLine(lines, n));
    bus.add(1, 0, card);
    config(0x10, 0xc000), config(0x14, 0xd000), config(4, 5);
  }
  void config(unsigned reg, u32 value) {
    ports.write(0xcf8, 4, 0x80000800 | reg);
    ports.write(0xcfc, 4, value);
  }
  u32 identity() {
    ports.write(0xcf8, 4, 0x80000800);
    return ports.read(0xcfc, 4);
  }
  bool interrupt() const { return lines.level[0]; }
  void out(unsigned port, u32 value, unsigned width = 4) { ports.write(static_cast<u16>(port), width, value); }
  u32 in(unsigned port, unsigned width = 4) { return ports.read(static_cast<u16>(port), width); }
  void to(u64 ns) { run_clock(clock, ns); }
  void archive(Archive& ar) { clock.serialize(ar), mixer.serialize(ar), bus.serialize(ar), card.serialize(ar); }

  // 16-bit stereo; the right side is an octave above.
  void fill_tone(u32 at, unsigned frames, unsigned periods) {
    for (unsigned n = 0; n < frames; ++n) {
      const double phase = 2 * std::numbers::pi * periods * n / frames;
      store_le<u16>(&ram[at + 4 * n], static_cast<u16>(static_cast<i16>(std::lround(9000 * std::sin(phase)))));
      store_le<u16>(&ram[at + 4 * n + 2], static_cast<u16>(static_cast<i16>(std::lround(5000 * std::sin(2 * phase)))));
    }
  }
  void check_tone(double hz, double from, double until, double left_height = 9000) {
    mixer.finish();
    const auto left = part(left_of(sink->frames), 44100, from, until);
    const auto right = part(right_of(sink->frames), 44100, from, until);
    CHECK(pitch(left, 44100) == Approx(hz).epsilon(1e-3));
    CHECK(pitch(right, 44100) == Approx(2 * hz).epsilon(1e-3));
    CHECK(peak(left) == Approx(left_height).epsilon(0.02));
    CHECK(roughness(left, hz, 44100) < 60);
    CHECK(roughness(right, 2 * hz, 44100) < 60);
  }
};

using EsRig = Rig<Es1370>;

void open_codec(EsRig& r) {
  for (const u16 value : {0x0000, 0x0100, 0x0206, 0x0306, 0x0406, 0x0506, 0x1060, 0x110c}) r.out(0xc010, value, 2);
}

// DAC2: 16-bit stereo at 44.1 kHz (1411200 / 32) from `frames` at 8000h, an interrupt each `period`.
void start_dac2(EsRig& r, unsigned frames, unsigned period) {
  r.out(0xc00c, 0xc);
  r.out(0xc038, 0x8000), r.out(0xc03c, frames - 1);
  r.out(0xc028, period - 1);
  r.out(0xc020, 0x020c);  // DAC2: stereo, 16 bits, interrupt
  r.out(0xc000, 30u << 16 | 0x20);
}

using AcRig = Rig<Ac97>;

void start_pcm_out(AcRig& r, unsigned buffers, unsigned frames_each) {
  r.out(0xc002, 0, 2), r.out(0xc018, 0x0808, 2);
  for (unsigned n = 0; n < 32; ++n) {
    store_le<u32>(&r.ram[0x1000 + 8 * n], 0x8000 + 4 * frames_each * (n % buffers));
    store_le<u32>(&r.ram[0x1004 + 8 * n], 2 * frames_each | 0x80000000);
  }
  r.out(0xd01b, 2, 1);
  r.out(0xd010, 0x1000);
  r.out(0xd015, 31, 1);
  r.out(0xd01b, 0x1d, 1);
}

}  // namespace

TEST_CASE("es1370: a tone, where it has got to, and its interrupts") {
  EsRig r;
  CHECK(r.identity() == 0x50001274);
  open_codec(r);
  r.fill_tone(0x8000, 4410, 50);
  start_dac2(r, 4410, 441);
  r.to(5 * kMs);
  CHECK((r.in(0xc03c) >> 16) == 220);
  CHECK((r.in(0xc028) >> 16) == 440 - 220);
  CHECK_FALSE(r.interrupt());
  unsigned interrupts = 0;
  for (u64 ms = 6; ms <= 1000; ++ms) {
    r.to(ms * kMs);
    if (!r.interrupt()) continue;
    CHECK(r.in(0xc004) == 0x80000062);
    r.out(0xc020, 0x000c), r.out(0xc020, 0x020c);
    CHECK(r.in(0xc004) == 0x60);
    ++interrupts;
  }
  CHECK(interrupts == 100);
  r.check_tone(500, 0.1, 0.9);
  r.out(0xc000, 0);
  r.to(2 * kSecond);
  CHECK(r.clock.next_deadline() == Clock::kNever);
}

TEST_CASE("es1370: both DACs, rates, bytes, pause, stop mode, recording, the mute of the codec") {
  EsRig r;
  for (unsigned n = 0; n < 2048; ++n) {
    r.ram[0x8000 + n] = static_cast<u8>(std::lround(128 + 80 * std::sin(2 * std::numbers::pi * 32 * n / 2048)));
  }
  r.out(0xc00c, 0xc, 1);
  r.out(0xc030, 0x8000), r.out(0xc034, 511);
  r.out(0xc024, 99);
  r.out(0xc020, 0x100 | 0x2000);  // DAC1: bytes, interrupt, stops after the count
  r.out(0xc000, 0x40 | 2 << 12);  // 22050 Hz
  r.to(100u * kSecond / 22050 + 1000);
  CHECK(r.interrupt());
  CHECK((r.in(0xc000) & 0x40) == 0);
  r.mixer.finish();
  CHECK(peak(left_of(r.sink->frames)) == 0);  // muted since the reset
  open_codec(r);
  r.out(0xc020, 0x000);
  CHECK_FALSE(r.interrupt());
  r.out(0xc000, 0x40 | 2 << 12);
  r.to(kSecond);
  r.mixer.finish();
  CHECK(pitch(part(left_of(r.sink->frames), 44100, 0.1, 0.9), 44100) == Approx(32 * 22050.0 / 2048).epsilon(1e-3));
  r.out(0xc020, 0x800);  // pause
  const u32 position = r.in(0xc034);
  r.to(2 * kSecond);
  CHECK(r.in(0xc034) == position);
  r.out(0xc00c, 0xd);
  r.out(0xc030, 0x20000), r.out(0xc034, 15);
  std::fill_n(r.ram.begin() + 0x20000, 80, u8{0x55});
  r.out(0xc02c, 15);
  r.out(0xc020, 0x430);
  r.out(0xc000, 0x10);
  r.to(3 * kSecond);
  CHECK(r.interrupt());
  CHECK(r.ram[0x2003f] == 0);
  CHECK(r.ram[0x20040] == 0x55);
}

TEST_CASE("ac97: codec registers") {
  AcRig r;
  CHECK(r.identity() == 0x24158086);
  CHECK((r.in(0xd030) & 0x100) != 0);
  CHECK(r.in(0xc07c, 2) == 0x8384);
  CHECK(r.in(0xc002, 2) == 0x8000);
  r.out(0xc002, 0x2020, 2);  // a sixth bit, as drivers try
  CHECK(r.in(0xc002, 2) == 0x1f1f);
  CHECK(r.in(0xc026, 2) == 0x000f);
  r.out(0xc02c, 22050, 2);
  CHECK(r.in(0xc02c, 2) == 22050);
  r.out(0xc02a, 0, 2);
  CHECK(r.in(0xc02c, 2) == 48000);
  r.out(0xc02c, 22050, 2);
  CHECK(r.in(0xc02c, 2) == 48000);
  CHECK(r.in(0xd034, 1) == 0);
  CHECK(r.in(0xd034, 1) == 1);
  r.in(0xc002, 2);
  CHECK(r.in(0xd034, 1) == 0);
  r.out(0xc000, 0, 2);
  CHECK(r.in(0xc002, 2) == 0x8000);
}

TEST_CASE("ac97: a tone through the descriptor list") {
  AcRig r;
  r.fill_tone(0x8000, 4800, 50);
  start_pcm_out(r, 10, 480);  // 10 ms a buffer
  r.to(5 * kMs);
  CHECK(r.in(0xd014, 1) == 0);
  CHECK(r.in(0xd018, 2) == 480);
  CHECK_FALSE(r.interrupt());
  unsigned buffers = 0;
  for (u64 ms = 6; ms <= 1000; ++ms) {
    r.to(ms * kMs);
    if (!r.interrupt()) continue;
    CHECK((r.in(0xd016, 2) & 8) != 0);
    CHECK((r.in(0xd030) & 0x40) != 0);
    r.out(0xd016, 0x1c, 2);
    CHECK_FALSE(r.interrupt());
    // The tenth buffer is followed by the first of the tone again, as 32 is no multiple of 10.
    ++buffers;
    r.out(0xd015, (r.in(0xd014, 1) + 31) % 32, 1);
    for (unsigned n = 0; n < 32; ++n) {
      const unsigned current = r.in(0xd014, 1);
      store_le<u32>(&r.ram[0x1000 + 8 * ((current + n) % 32)], 0x8000 + 4 * 480 * ((buffers + n) % 10));
    }
  }
  CHECK(buffers == 100);
  r.check_tone(500, 0.1, 0.9);
}

TEST_CASE("ac97: the last buffer halts, a new last one goes on, and the rate counts") {
  AcRig r;
  r.fill_tone(0x8000, 4800, 50);
  r.out(0xc02c, 24000, 2);
  start_pcm_out(r, 10, 480);
  r.out(0xd015, 1, 1);
  r.to(39 * kMs);
  CHECK((r.in(0xd016, 2) & 1) == 0);
  r.to(40 * kMs);
  CHECK((r.in(0xd016, 2) & 0x0f) == 0x0f);
  CHECK(r.in(0xd014, 1) == 1);
  r.to(kSecond);
  CHECK(r.clock.next_deadline() == Clock::kNever);
  r.out(0xd015, 3, 1);
  CHECK(r.in(0xd014, 1) == 2);
  r.to(kSecond + 30 * kMs);
  CHECK(r.in(0xd014, 1) == 3);
  r.out(0xd01b, 0, 1);  // pause in the middle
  const u32 left = r.in(0xd018, 2);
  r.to(2 * kSecond);
  CHECK(r.in(0xd018, 2) == left);
  CHECK((r.in(0xd016, 2) & 1) == 1);
  r.out(0xd01b, 1, 1);
  r.to(2 * kSecond + 5 * kMs);
  CHECK(r.in(0xd018, 2) == left - 240);
  r.out(0xd01b, 0, 1), r.out(0xd01b, 2, 1);
  CHECK(r.in(0xd014, 1) == 0);
  CHECK(r.in(0xd010) == 0);
}

TEST_CASE("ac97: recording gives silence, a list of nothing is no hang") {
  AcRig r;
  std::fill(r.ram.begin(), r.ram.end(), u8{0x55});
  store_le<u32>(&r.ram[0x1000], 0x20000);
  store_le<u32>(&r.ram[0x1004], 0x80000010);
  r.out(0xd000, 0x1000), r.out(0xd005, 0, 1), r.out(0xd00b, 0x11, 1);
  r.to(10 * kMs);
  CHECK(r.interrupt());
  CHECK((r.in(0xd030) & 0x20) != 0);
  CHECK(r.ram[0x2001f] == 0);
  CHECK(r.ram[0x20020] == 0x55);
  std::fill_n(r.ram.begin() + 0x2000, 256, u8{0});
  r.out(0xd010, 0x2000), r.out(0xd015, 31, 1), r.out(0xd01b, 1, 1);
  r.to(20 * kMs);
  CHECK((r.in(0xd016, 2) & 1) == 1);
}

TEMPLATE_TEST_CASE("PCI sound: saved and loaded in the middle of a tone", "", Es1370, Ac97) {
  using R = Rig<TestType>;
  R r;
  r.fill_tone(0x8000, 4800, 60);
  if constexpr (std::is_same_v<TestType, Es1370>) {
    open_codec(r);
    start_dac2(r, 4800, 480);
  } else {
    start_pcm_out(r, 10, 480);
  }
  r.to(123'456'789);
  Archive saved = Archive::saver();
  r.archive(saved);
  const std::size_t before = r.sink->frames.size();
  r.to(kSecond / 4);
  r.mixer.finish();
  R other;
  other.ram = r.ram;
  other.memory.map_ram(0, other.ram.size(), other.ram.data());
  Archive ar = Archive::loader(saved.bytes());
  other.archive(ar);
  REQUIRE(ar.ok());
  other.to(kSecond / 4);
  other.mixer.finish();
  CHECK(peak(left_of(other.sink->frames)) > 8000);
  CHECK(std::equal(other.sink->frames.begin(), other.sink->frames.end(),
                   r.sink->frames.begin() + static_cast<std::ptrdiff_t>(before), r.sink->frames.end()));
}

TEMPLATE_TEST_CASE("PCI sound: whatever is written or loaded does no harm", "", Es1370, Ac97) {
  std::mt19937 rng(3);
  for (unsigned round = 0; round < 60; ++round) {
    Rig<TestType> r;
    for (u8& byte : r.ram) byte = static_cast<u8>(rng());
    for (unsigned n = 0; n < 3000; ++n) {
      const unsigned port = (rng() % 2 ? 0xc000 : 0xd000) + rng() % 80;
      const unsigned width = 1u << rng() % 3;
      const u32 value = rng() % 2 ? static_cast<u32>(rng()) : static_cast<u32>(rng()) & 0x3ffff;
      rng() % 3 ? r.out(port, value, width) : void(r.in(port, width));
      if (rng() % 16 == 0) r.to(r.clock.now() + rng() % 3'000'000);
    }
    Archive saved = Archive::saver();
    r.archive(saved);
    std::vector<u8> bytes = saved.bytes();
    for (unsigned n = 0; n < 6; ++n) {
      bytes[bytes.size() - 1 - rng() % std::min<std::size_t>(bytes.size(), 600)] ^= static_cast<u8>(1u << rng() % 8);
    }
    Archive ar = Archive::loader(bytes);
    r.archive(ar);
    r.to(r.clock.now() + 20 * kMs);
  }
}
