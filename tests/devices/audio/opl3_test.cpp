// The OPL3: detection, timers, tones, and what becomes of them in a snapshot.
#include "devices/audio/opl3.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/recording.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct Rig {
  Clock clock;
  PortBus ports;
  std::shared_ptr<Recording> sink = std::make_shared<Recording>(44100);
  AudioMixer mixer{clock, "snd", sink};
  AdLib card{ports, clock, &mixer};

  void set(unsigned reg, u8 value) {
    const u16 base = reg < 0x100 ? 0x388 : 0x38a;
    ports.write(base, 1, reg & 0xff);
    ports.write(static_cast<u16>(base + 1), 1, value);
  }
  u8 status() { return static_cast<u8>(ports.read(0x388, 1)); }
  void to(u64 ns) { run_clock(clock, ns); }
  // A sine on channel 0: F-number 0x244, block 4 give 440 Hz.
  void note(bool on) {
    set(0x20, 0x21), set(0x23, 0x21);
    set(0x40, 0x3f), set(0x43, 0x00);
    set(0x60, 0xf0), set(0x63, 0xf0);
    set(0x80, 0x0f), set(0x83, 0x0f);
    set(0xc0, 0x30);
    set(0xa0, 0x44), set(0xb0, on ? 0x32 : 0x12);
  }
};

constexpr u64 kSecond = kNanosPerSecond;

}  // namespace

TEST_CASE("opl3: timers by virtual time") {
  Rig r;
  CHECK(r.status() == 0);
  r.set(2, 0xfe), r.set(3, 0xff);
  r.set(4, 0x03);
  r.to(159'999);
  CHECK(r.status() == 0);
  r.to(160'000);
  CHECK(r.status() == 0xc0);
  r.to(320'000);
  CHECK(r.status() == 0xe0);
  r.set(4, 0x80);
  CHECK(r.status() == 0);
  r.to(400'000);
  CHECK(r.status() == 0);
  r.to(480'000);
  CHECK(r.status() == 0xc0);  // it has gone on counting
  r.set(4, 0x60), r.set(4, 0x80);
  r.to(kSecond);
  CHECK(r.status() == 0);
  r.set(4, 0x41);  // masked
  r.to(2 * kSecond);
  CHECK(r.status() == 0);
}

TEST_CASE("opl3: a note has its pitch, ends, and silence costs nothing") {
  if (!opl_synth_available()) return;
  Rig r;
  r.to(kSecond);
  CHECK(r.clock.next_deadline() == Clock::kNever);
  r.note(true);
  r.to(2 * kSecond);
  r.note(false);
  r.to(4 * kSecond);
  CHECK(r.clock.next_deadline() == Clock::kNever);
  r.mixer.finish();
  const auto left = left_of(r.sink->frames);
  CHECK(peak(part(left, 44100, 0, 0.99)) == 0);
  const auto tone = part(left, 44100, 1.1, 1.9);
  const double expected = 0x244 * 49716.0 * 16 / (1 << 20);
  CHECK(pitch(tone, 44100) == Approx(expected).epsilon(1e-3));
  CHECK(peak(tone) > 2000);
  CHECK(roughness(tone, expected, 44100) < 100);
  CHECK(left.back() == 0);
}

TEST_CASE("opl3: a loaded chip plays the notes anew") {
  if (!opl_synth_available()) return;
  Rig r;
  r.note(true);
  r.to(kSecond);
  Archive saved = Archive::saver();
  r.clock.serialize(saved), r.mixer.serialize(saved), r.card.serialize(saved);
  Rig other;
  Archive ar = Archive::loader(saved.bytes());
  other.clock.serialize(ar), other.mixer.serialize(ar), other.card.serialize(ar);
  REQUIRE(ar.ok());
  other.to(2 * kSecond);
  other.mixer.finish();
  CHECK(pitch(part(left_of(other.sink->frames), 44100, 0.1, 0.9), 44100) == Approx(440).epsilon(2e-3));
}

TEST_CASE("opl3: what is heard does not depend on when one looks") {
  if (!opl_synth_available()) return;
  const auto play = [](bool look) {
    Rig r;
    std::mt19937 rng(1), looks(2);
    for (unsigned n = 0; n < 300; ++n) {
      const u64 at = u64{n} * 3'000'000;
      while (look && looks() % 3) {
        r.to(std::min(at, r.clock.now() + looks() % 2'000'000));
        looks() % 2 ? r.mixer.catch_up() : void(r.status());
      }
      r.to(at);
      r.set(rng() % 0x200, static_cast<u8>(rng()));
      if (n % 10 == 0) r.note(n % 20 == 0);
    }
    r.mixer.finish();
    return r.sink->frames;
  };
  CHECK(play(false) == play(true));
}
