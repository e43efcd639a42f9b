// The Sound Blaster 16 by its ports: DSP commands, DMA at exact times, interrupts, ADPCM, mixer, FM, MPU-401.
#include "devices/audio/sb16.h"

#include <catch2/catch.hpp>
#include <random>

#include "base/bits.h"
#include "tests/support/recording.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct Lines : IrqSink {
  std::array<bool, 16> level{};
  std::array<unsigned, 16> rises{};
  void set_irq(unsigned line, bool on) override {
    if (on && !level[line]) ++rises[line];
    level[line] = on;
  }
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
  Sb16 card{ports, clock, dma, [this](unsigned n) { return IrqLine(lines, n); }, &mixer, Sb16Config{}};

  Rig() { memory.map_ram(0, ram.size(), ram.data()); }
  void out(unsigned port, unsigned value) { ports.write(static_cast<u16>(port), 1, value & 0xff); }
  u8 in(unsigned port) { return static_cast<u8>(ports.read(static_cast<u16>(port), 1)); }
  void dsp(std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes) out(0x22c, b);
  }
  u8 answer() {
    CHECK((in(0x22e) & 0x80) != 0);
    return in(0x22a);
  }
  bool reset_dsp() {
    out(0x226, 1);
    out(0x226, 0);
    return in(0x22e) & 0x80 && in(0x22a) == 0xaa;
  }
  void mix(u8 reg, u8 value) { out(0x224, reg), out(0x225, value); }
  u8 mix(u8 reg) { return out(0x224, reg), in(0x225); }
  // Channel 1 for bytes, channel 5 for words; read transfers, auto-init if asked.
  void dma8(u16 address, u16 bytes, bool again, u8 type = 0x08) {
    out(0x0a, 5), out(0x0c, 0), out(0x0b, 0x41u | type | (again ? 0x10 : 0)), out(0x83, 1);
    out(2, address), out(2, address >> 8), out(3, bytes - 1u), out(3, (bytes - 1u) >> 8), out(0x0a, 1);
  }
  void dma16(u16 word, u16 words, bool again) {  // in the first 128 KiB
    out(0xd4, 5), out(0xd8, 0), out(0xd6, again ? 0x59 : 0x49), out(0x8b, 0);
    out(0xc4, word), out(0xc4, word >> 8), out(0xc6, words - 1u), out(0xc6, (words - 1u) >> 8), out(0xd4, 1);
  }
  unsigned count8() {
    out(0x0c, 0);
    const unsigned low = in(3);
    return low | in(3) << 8;
  }
  void to(u64 ns) { run_clock(clock, ns); }
  template <class F>
  void archive(Archive& ar, F&& also) {
    clock.serialize(ar), mixer.serialize(ar), dma.serialize(ar), card.serialize(ar);
    also(ar);
  }
};

constexpr u64 kMs = 1'000'000;
constexpr u64 kSecond = 1000 * kMs;

// A whole number of periods of an 8-bit tone at 10000h.
void fill_tone8(Rig& r, unsigned bytes, unsigned periods, double height = 100) {
  for (unsigned n = 0; n < bytes; ++n) {
    r.ram[0x10000 + n] =
        static_cast<u8>(std::lround(128 + height * std::sin(2 * std::numbers::pi * periods * n / bytes)));
  }
}

}  // namespace

TEST_CASE("sb16: reset, version, identification") {
  Rig r;
  CHECK(r.reset_dsp());
  r.dsp({0xe1});
  CHECK(r.answer() == 4);
  CHECK(r.answer() == 5);
  CHECK((r.in(0x22e) & 0x80) == 0);
  r.dsp({0xe0, 0xa5});
  CHECK(r.answer() == 0x5a);
  r.dsp({0xe4, 0x77, 0xe8});
  CHECK(r.answer() == 0x77);
  r.dsp({0xe3});
  std::string text;
  while (r.in(0x22e) & 0x80) text += static_cast<char>(r.in(0x22a));
  CHECK(text.substr(0, 24) == "COPYRIGHT (C) CREATIVE T");
  r.dsp({0xd1, 0xd8});
  CHECK(r.answer() == 0xff);
  r.dsp({0xd3, 0xd8});
  CHECK(r.answer() == 0x00);
  r.dma8(0, 1, false, 0x04);
  r.dsp({0xe2, 0x00});
  CHECK(r.ram[0x10000] == static_cast<u8>(0xaa + 0x96));
  CHECK((r.in(0x22c) & 0x80) == 0);
}

TEST_CASE("sb16: interrupts are raised, routed and acknowledged") {
  Rig r;
  r.reset_dsp();
  r.dsp({0xf2});
  CHECK(r.lines.level[5]);
  CHECK(r.mix(0x82) == 1);
  r.mix(0x80, 0x04);  // IRQ 7
  CHECK_FALSE(r.lines.level[5]);
  CHECK(r.lines.level[7]);
  r.in(0x22f);
  CHECK(r.lines.level[7]);
  r.in(0x22e);
  CHECK_FALSE(r.lines.level[7]);
  r.dsp({0xf3});
  CHECK(r.mix(0x82) == 2);
  r.in(0x22e);
  CHECK(r.lines.level[7]);
  r.in(0x22f);
  CHECK_FALSE(r.lines.level[7]);
  r.mix(0, 0);
  CHECK(r.mix(0x80) == 0x04);  // outlives the mixer's reset
  CHECK(r.mix(0x81) == 0x22);
}

TEST_CASE("sb16: a single-cycle block takes its time, and its interrupt comes at its end") {
  Rig r;
  r.reset_dsp();
  fill_tone8(r, 1000, 10);
  r.dma8(0, 1000, false);
  r.dsp({0x40, 256 - 100, 0x14, 0xe7, 0x03});  // 10 kHz: 100 ms
  r.to(50 * kMs + 1);
  CHECK(r.count8() == 499);  // seen without waiting for a timer
  CHECK((r.in(0x08) & 2) == 0);
  r.to(100 * kMs - 1);
  CHECK_FALSE(r.lines.level[5]);
  r.to(100 * kMs);
  CHECK(r.lines.level[5]);
  CHECK(r.count8() == 0xffff);
  CHECK((r.in(0x08) & 2) != 0);
  r.in(0x22e);
  r.to(kSecond);
  CHECK(r.lines.rises[5] == 1);
  CHECK(r.clock.next_deadline() == Clock::kNever);
  CHECK(r.sink->frames.back() == AudioFrame{});
}

TEST_CASE("sb16: tones by auto-init DMA have their pitch and no gap") {
  SECTION("8-bit mono, time constant") {
    Rig r;
    r.reset_dsp();
    fill_tone8(r, 2000, 40);
    r.dma8(0, 2000, true);
    r.dsp({0x40, 256 - 50, 0x48, 0xe7, 0x03, 0x1c});  // 20 kHz, blocks of 1000
    r.to(kSecond);
    CHECK(r.lines.rises[5] == 1);  // not acknowledged: the line stays
    r.mixer.finish();
    const auto left = part(left_of(r.sink->frames), 44100, 0.05, 0.95);
    CHECK(pitch(left, 44100) == Approx(400).epsilon(1e-4));
    CHECK(peak(left) == Approx(25600).epsilon(0.02));
    CHECK(roughness(left, 400, 44100) < 800);  // eight bits are rough; a gap would be 25600
  }
  SECTION("16-bit signed stereo") {
    Rig r;
    r.reset_dsp();
    for (unsigned n = 0; n < 4410; ++n) {
      const double phase = 2 * std::numbers::pi * 50 * n / 4410;
      store_le<u16>(&r.ram[0x8000 + 4 * n], static_cast<u16>(static_cast<i16>(std::lround(9000 * std::sin(phase)))));
      store_le<u16>(&r.ram[0x8002 + 4 * n],
                    static_cast<u16>(static_cast<i16>(std::lround(5000 * std::sin(2 * phase)))));
    }
    r.dma16(0x4000, 8820, true);
    r.dsp({0x41, 44100 >> 8, 44100 & 0xff, 0xb6, 0x30, 4409 & 0xff, 4409 >> 8});
    unsigned interrupts = 0;
    for (u64 ms = 1; ms <= 1000; ++ms) {
      r.to(ms * kMs);
      if (!r.lines.level[5]) continue;
      CHECK(r.mix(0x82) == 2);
      r.in(0x22f);
      ++interrupts;
    }
    CHECK(interrupts == 20);  // every 2205 frames
    r.mixer.finish();
    const auto left = part(left_of(r.sink->frames), 44100, 0.05, 0.95);
    const auto right = part(right_of(r.sink->frames), 44100, 0.05, 0.95);
    CHECK(pitch(left, 44100) == Approx(500).epsilon(1e-4));
    CHECK(pitch(right, 44100) == Approx(1000).epsilon(1e-4));
    CHECK(roughness(left, 500, 44100) < 40);
    CHECK(roughness(right, 1000, 44100) < 40);
    CHECK(peak(right) == Approx(5000).epsilon(0.01));
  }
}

TEST_CASE("sb16: pause, continue, leave auto-init") {
  Rig r;
  r.reset_dsp();
  fill_tone8(r, 1000, 10);
  r.dma8(0, 1000, true);
  r.dsp({0x41, 10000 >> 8, 10000 & 0xff, 0xc6, 0x00, 0xe7, 0x03});
  r.to(40 * kMs);
  r.dsp({0xd0});
  r.to(500 * kMs);
  CHECK(r.count8() == 599);
  r.dsp({0xd5, 0xd6});  // those of words do nothing
  r.dsp({0xd4});
  r.to(560 * kMs);
  CHECK(r.lines.rises[5] == 1);
  r.in(0x22e);
  r.dsp({0xda});
  r.to(660 * kMs);
  CHECK(r.lines.rises[5] == 2);
  r.in(0x22e);
  r.to(2 * kSecond);
  CHECK(r.lines.rises[5] == 2);
  CHECK(r.clock.next_deadline() == Clock::kNever);
}

TEST_CASE("sb16: a masked channel makes the DSP wait; silence needs none") {
  Rig r;
  r.reset_dsp();
  r.dsp({0x40, 156, 0x14, 99, 0});
  r.to(kSecond);
  CHECK_FALSE(r.lines.level[5]);
  r.dma8(0, 100, false);
  r.to(kSecond + 10 * kMs);
  CHECK(r.lines.level[5]);
  r.in(0x22e);
  r.dsp({0x80, 0x0f, 0x27});  // 10,000 samples
  r.to(2 * kSecond + 9 * kMs);
  CHECK_FALSE(r.lines.level[5]);
  r.to(2 * kSecond + 10 * kMs);
  CHECK(r.lines.level[5]);
}

TEST_CASE("sb16: recording gives silence") {
  Rig r;
  r.reset_dsp();
  std::fill_n(r.ram.begin() + 0x10000, 256, u8{0x11});
  r.dma8(0, 100, false, 0x04);
  r.dsp({0x40, 156, 0x24, 99, 0});
  r.to(10 * kMs);
  CHECK(r.lines.level[5]);
  CHECK(r.ram[0x10063] == 0x80);
  CHECK(r.ram[0x10064] == 0x11);
  r.dsp({0x20});
  CHECK(r.answer() == 0x80);
}

TEST_CASE("sb16: direct mode plays what is written when it is written") {
  Rig r;
  r.reset_dsp();
  for (unsigned n = 0; n < 8000; ++n) {
    r.to(u64{n} * 125'000);
    r.dsp({0x10, static_cast<unsigned>(std::lround(128 + 100 * std::sin(2 * std::numbers::pi * 300 * n / 8000)))});
  }
  r.to(kSecond);
  r.mixer.finish();
  CHECK(pitch(part(left_of(r.sink->frames), 44100, 0.1, 0.9), 44100) == Approx(300).epsilon(1e-3));
}

TEST_CASE("sb16: ADPCM") {
  SbAdpcm a;
  a.start(0x80);
  // Four bits: sizes times the step, and half of it; 5 and more make it grow, 0 makes it shrink.
  CHECK(a.decode(SbAdpcm::Kind::kFour, 0x73, 0) == 0x87);
  CHECK(a.decode(SbAdpcm::Kind::kFour, 0x73, 1) == 0x87 + 3 * 2 + 1);
  CHECK(a.decode(SbAdpcm::Kind::kFour, 0xf0, 0) == 0x8e - 15);
  CHECK(a.decode(SbAdpcm::Kind::kFour, 0xf0, 1) == 0x7f + 2);
  a.start(0x80);
  CHECK(a.decode(SbAdpcm::Kind::kThree, 0b011'111'01, 0) == 0x83);
  CHECK(a.decode(SbAdpcm::Kind::kThree, 0b011'111'01, 1) == 0x83 - 7);
  CHECK(a.decode(SbAdpcm::Kind::kThree, 0b011'111'01, 2) == 0x7c + 10);
  a.start(0x80);
  CHECK(a.decode(SbAdpcm::Kind::kTwo, 0b01'11'00'00, 0) == 0x81);
  CHECK(a.decode(SbAdpcm::Kind::kTwo, 0b01'11'00'00, 1) == 0x81 - 3);
  // By DMA: the reference byte, then 99 bytes of two samples each.
  Rig r;
  r.reset_dsp();
  r.ram[0x10000] = 0x80;
  std::fill_n(r.ram.begin() + 0x10001, 99, u8{0x19});
  r.dma8(0, 100, false);
  r.dsp({0x40, 156, 0x75, 99, 0});
  r.to(19'900'000 - 1);
  CHECK_FALSE(r.lines.level[5]);
  r.to(19'900'000);
  CHECK(r.lines.level[5]);
}

TEST_CASE("sb16: volumes act") {
  Rig r;
  r.reset_dsp();
  fill_tone8(r, 1000, 100);
  r.dma8(0, 1000, true);
  const auto height = [&r] {
    r.to(r.clock.now() + 200 * kMs);
    r.mixer.finish();
    const auto end = left_of({r.sink->frames.end() - 2205, r.sink->frames.end()});
    return peak(end);
  };
  r.dsp({0x40, 206, 0x48, 0xe7, 0x03, 0x1c});
  CHECK(height() == Approx(25600).epsilon(0.02));
  r.mix(0x32, 21 << 3);  // -20 dB
  CHECK(height() == Approx(2560).epsilon(0.03));
  r.mix(0x41, 0x40);  // twice
  CHECK(height() == Approx(5120).epsilon(0.03));
  r.mix(0x22, 0x0f);  // left master off by the Pro's register
  CHECK(r.mix(0x30) == 0x08);
  CHECK(r.mix(0x31) == 0xf8);
  CHECK(height() < 30);
  r.mix(0, 0);
  CHECK(height() == Approx(25600).epsilon(0.02));
}

TEST_CASE("sb16: MPU-401 acknowledges commands") {
  Rig r;
  CHECK((r.in(0x331) & 0xc0) == 0x80);
  r.out(0x331, 0xff);
  CHECK((r.in(0x331) & 0x80) == 0);
  CHECK(r.lines.level[5]);
  CHECK(r.mix(0x82) == 4);
  CHECK(r.in(0x330) == 0xfe);
  CHECK_FALSE(r.lines.level[5]);
  r.out(0x331, 0x3f);
  CHECK(r.in(0x330) == 0xfe);
  r.out(0x330, 0x90);
  CHECK((r.in(0x331) & 0xc0) == 0x80);
}

TEST_CASE("sb16: settings that no card has") {
  CHECK(Sb16::check({}).ok());
  CHECK_FALSE(Sb16::check({.irq = 3}).ok());
  CHECK_FALSE(Sb16::check({.dma = 2}).ok());
  CHECK_FALSE(Sb16::check({.dma16 = 4}).ok());
  CHECK(Sb16::check({.irq = 10, .dma = 3, .dma16 = 7}).ok());
}

TEST_CASE("sb16: saved and loaded in the middle of a tone") {
  const auto nothing = [](Archive&) {};
  Rig r;
  r.reset_dsp();
  fill_tone8(r, 3000, 60);
  r.dma8(0, 3000, true);
  r.dsp({0x40, 206, 0x48, 0xe7, 0x03, 0x1c});
  r.to(123'456'789);
  Archive saved = Archive::saver();
  r.archive(saved, nothing);
  const std::size_t before = r.sink->frames.size();
  r.to(kSecond / 2);
  r.mixer.finish();
  Rig other;
  other.ram = r.ram;
  other.memory.map_ram(0, other.ram.size(), other.ram.data());
  Archive ar = Archive::loader(saved.bytes());
  other.archive(ar, nothing);
  REQUIRE(ar.ok());
  other.to(kSecond / 2);
  other.mixer.finish();
  CHECK(other.sink->frames.size() == r.sink->frames.size() - before);
  CHECK(std::equal(other.sink->frames.begin(), other.sink->frames.end(),
                   r.sink->frames.begin() + static_cast<std::ptrdiff_t>(before)));
}

TEST_CASE("sb16: whatever is written or loaded does no harm") {
  std::mt19937 rng(7);
  for (unsigned round = 0; round < 60; ++round) {
    Rig r;
    for (u8& byte : r.ram) byte = static_cast<u8>(rng());
    for (unsigned n = 0; n < 3000; ++n) {
      static constexpr u16 kFirst[] = {0x220, 0x22c, 0x224, 0x330, 0x388, 0x00, 0xc0, 0x80};
      const u16 port = static_cast<u16>(kFirst[rng() % 8] + rng() % 16);
      const unsigned width = 1u << rng() % 3;
      if (rng() % 3) {
        r.ports.write(rng() % 3 ? 0x22c : port, width, static_cast<u32>(rng()));
      } else {
        r.ports.read(port, width);
      }
      if (rng() % 16 == 0) r.to(r.clock.now() + rng() % 3'000'000);
    }
    Archive saved = Archive::saver();
    r.archive(saved, [](Archive&) {});
    std::vector<u8> bytes = saved.bytes();
    for (unsigned n = 0; n < 6; ++n) {
      const std::size_t from_end = std::min<std::size_t>(bytes.size(), 1500);
      bytes[bytes.size() - 1 - rng() % from_end] ^= static_cast<u8>(1u << rng() % 8);
    }
    Archive ar = Archive::loader(bytes);
    r.archive(ar, [](Archive&) {});
    r.to(r.clock.now() + 20 * kMs);
  }
}

TEST_CASE("sb16: FM at its own ports and at 388h") {
  Rig r;
  CHECK((r.in(0x388) & 0xe6) == 0);
  for (const u16 base : {u16{0x388}, u16{0x220}, u16{0x228}}) {
    const auto fm = [&](u8 reg, u8 value) { r.out(base, reg), r.out(base + 1u, value); };
    fm(4, 0x60), fm(4, 0x80);
    CHECK(r.in(base) == 0);
    fm(2, 0xff), fm(4, 0x21);
    r.to(r.clock.now() + 80'000);
    CHECK(r.in(base) == 0xc0);
    fm(4, 0x60), fm(4, 0x80);
    CHECK(r.in(base) == 0);
  }
}
