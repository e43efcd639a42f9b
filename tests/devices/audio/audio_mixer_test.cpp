// The mixer: rates, levels, steps, silence, and that nothing depends on when one looks.
#include "devices/audio/audio_mixer.h"

#include <catch2/catch.hpp>
#include <random>

#include "devices/audio/sample_clock.h"
#include "tests/support/recording.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

// Plays a tone at a rate of its own.
struct Tone {
  Tone(Clock& c, AudioMixer* mixer, u32 hz, double tone, double height = 10000)
      : clock(c), rate(hz), pitch_hz(tone), amplitude(height), voice(mixer, "tone", [this] { catch_up(); }) {
    times.start(clock.now(), hz);
    voice.set_rate(hz);
    voice.set_busy(true);
  }
  void catch_up() {
    for (u64 due = times.due(clock.now()); due > 0; --due) {
      const double phase = 2 * std::numbers::pi * pitch_hz * static_cast<double>(n++) / rate;
      const i16 value = static_cast<i16>(std::lround(amplitude * std::sin(phase)));
      voice.frame(times.time_of(0), {value, static_cast<i16>(-value)});
      times.take(1);
    }
  }
  Clock& clock;
  u32 rate;
  double pitch_hz, amplitude;
  u64 n = 0;
  SampleClock times;
  AudioVoice voice;
};

struct Rig {
  explicit Rig(u32 hz = 44100) : sink(std::make_shared<Recording>(hz)), mixer(clock, "snd", sink) {}
  Clock clock;
  std::shared_ptr<Recording> sink;
  AudioMixer mixer;
  void to(u64 ns) { run_clock(clock, ns); }
};

constexpr u64 kSecond = kNanosPerSecond;

}  // namespace

TEST_CASE("mixer: a tone of any rate comes out with its pitch and height, without a gap") {
  for (const u32 out : {8000u, 44100u, 48000u, 96000u}) {
    for (const u32 in : {5512u, 8000u, 11025u, 22050u, 44100u, 45454u, 48000u}) {
      CAPTURE(in, out);
      Rig rig(out);
      Tone tone(rig.clock, &rig.mixer, in, 441);
      rig.to(kSecond);
      rig.mixer.finish();
      REQUIRE(rig.sink->frames.size() == out);
      const auto left = part(left_of(rig.sink->frames), out, 0.1, 0.9);
      CHECK(pitch(left, out) == Approx(441).epsilon(1e-5));
      CHECK(peak(left) == Approx(10000).epsilon(0.01));
      CHECK(roughness(left, 441, out) < 20);
      CHECK(rig.sink->frames[out / 2].right == Approx(-rig.sink->frames[out / 2].left).margin(1));
    }
  }
}

TEST_CASE("mixer: what neither rate can carry is not heard") {
  Rig rig(8000);
  Tone tone(rig.clock, &rig.mixer, 44100, 6000);  // would fold back to 2000 Hz
  rig.to(kSecond);
  rig.mixer.finish();
  CHECK(peak(part(left_of(rig.sink->frames), 8000, 0.1, 0.9)) < 15);
}

TEST_CASE("mixer: a level is kept exactly, and rates may change under it") {
  Rig rig;
  AudioVoice voice(&rig.mixer, "level", [] {});
  voice.set_busy(true);
  for (u64 n = 1; n < 1000; ++n) {
    voice.set_rate(static_cast<u32>(5000 + 37 * n));
    voice.frame(n * 1'000'000, {12345, -54});
  }
  rig.to(kSecond);
  rig.mixer.finish();
  for (std::size_t n = 441; n < 44100; ++n) REQUIRE((rig.sink->frames[n] == AudioFrame{12345, -54}));
  voice.frame(kSecond, {});
  voice.set_busy(false);
  rig.to(2 * kSecond);
  rig.mixer.finish();
  CHECK(rig.sink->frames.back() == AudioFrame{});
  CHECK(rig.clock.next_deadline() == Clock::kNever);
}

TEST_CASE("mixer: a tone goes on smoothly where its rate changes") {
  Rig rig;
  AudioVoice voice(&rig.mixer, "tone", [] {});
  voice.set_busy(true);
  u64 at = 0;
  for (unsigned n = 0; n < 20'000; ++n) {
    const u32 hz = n / 500 % 2 ? 44100 : 22050;
    voice.set_rate(hz);
    at += kSecond / hz;
    if (at > kSecond) break;
    if (at > rig.clock.now()) rig.to(at);
    const double level = 10000 * std::sin(2 * std::numbers::pi * 300 * static_cast<double>(at) / 1e9);
    voice.frame(at, {static_cast<i16>(std::lround(level)), 0});
  }
  rig.mixer.finish();
  const auto left = part(left_of(rig.sink->frames), 44100, 0.05, 0.5);
  CHECK(pitch(left, 44100) == Approx(300).epsilon(1e-3));
  CHECK(roughness(left, 300, 44100) < 200);  // a click at its height would be 10000
}

TEST_CASE("mixer: voices add up and are cut off at the top") {
  Rig rig;
  AudioVoice a(&rig.mixer, "a", [] {}), b(&rig.mixer, "b", [] {});
  a.frame(kSecond / 10, {20000, -20000});
  b.frame(kSecond / 10, {20000, -20000});
  rig.to(kSecond / 5);
  b.set_volume(AudioVoice::kFull / 4, AudioVoice::kFull / 2);
  rig.to(kSecond / 2);
  rig.mixer.finish();
  CHECK(rig.sink->frames[6000] == AudioFrame{32767, -32768});
  CHECK(rig.sink->frames[15000] == AudioFrame{25000, -30000});
}

TEST_CASE("mixer: silence costs nothing, and is not left out") {
  Rig rig;
  {
    Tone tone(rig.clock, &rig.mixer, 22050, 500);
    rig.to(kSecond);
    tone.voice.frame(rig.clock.now(), {});
    tone.voice.set_busy(false);
    rig.to(kSecond + kSecond / 10);
    CHECK(rig.clock.next_deadline() == Clock::kNever);
    CHECK(rig.sink->rests == 1);
  }
  rig.to(3600 * kSecond);
  Tone again(rig.clock, &rig.mixer, 22050, 500);
  rig.to(3601 * kSecond);
  rig.mixer.finish();
  CHECK(rig.sink->frames.size() == u64{3601} * 44100);
  CHECK(rig.sink->silent > u64{3598} * 44100);
  const std::vector<AudioFrame> end(rig.sink->frames.end() - 44100, rig.sink->frames.end());
  CHECK(pitch(left_of(end), 44100) == Approx(500).epsilon(1e-3));
}

TEST_CASE("mixer: what is heard does not depend on when one looks") {
  const auto play = [](bool look) {
    Rig rig;
    Tone a(rig.clock, &rig.mixer, 11111, 440), b(rig.clock, &rig.mixer, 44100, 1000);
    std::mt19937 rng(5);
    for (u64 now = 0; now < kSecond / 2;) {
      now += look ? rng() % 3'000'000 : 1'000'000;
      rig.to(std::min(now, kSecond / 2));
      if (look && rng() % 3 == 0) a.catch_up();
      if (look && rng() % 3 == 0) rig.mixer.catch_up();
    }
    rig.mixer.finish();
    return rig.sink->frames;
  };
  CHECK(play(false) == play(true));
}

TEST_CASE("mixer: saved and loaded in the middle of a tone") {
  Rig rig;
  Tone tone(rig.clock, &rig.mixer, 11025, 440);
  rig.to(kSecond / 3);
  Archive saved = Archive::saver();
  const auto all = [](Archive& ar, Rig& r, Tone& t) {
    r.clock.serialize(ar), r.mixer.serialize(ar), t.times.serialize(ar);
    ar(t.n);
  };
  all(saved, rig, tone);
  const std::size_t before = rig.sink->frames.size();
  rig.to(kSecond / 2);
  rig.mixer.finish();
  for (const u32 hz : {44100u, 48000u}) {
    Rig other(hz);
    Tone same(other.clock, &other.mixer, 11025, 440);
    Archive ar = Archive::loader(saved.bytes());
    all(ar, other, same);
    REQUIRE(ar.ok());
    other.to(kSecond / 2);
    other.mixer.finish();
    if (hz == 44100) {
      CHECK(std::equal(other.sink->frames.begin(), other.sink->frames.end(),
                       rig.sink->frames.begin() + static_cast<std::ptrdiff_t>(before), rig.sink->frames.end()));
    } else {  // another rate: the tone begins anew
      CHECK(pitch(part(left_of(other.sink->frames), hz, 0.02, 0.15), hz) == Approx(440).epsilon(1e-3));
    }
  }
  // Damage is refused, or does no harm.
  std::mt19937 rng(2);
  for (unsigned n = 0; n < 300; ++n) {
    std::vector<u8> bytes = saved.bytes();
    for (unsigned k = 0; k < 4; ++k) bytes[rng() % std::min<std::size_t>(bytes.size(), 400)] ^= static_cast<u8>(rng());
    Rig other;
    AudioVoice voice(&other.mixer, "tone", [] {});
    Archive ar = Archive::loader(bytes);
    Clock unused;
    unused.serialize(ar), other.mixer.serialize(ar);
    voice.frame(0, {1000, 1000});
    other.to(kSecond / 50);
  }
}

TEST_CASE("sample clock: times of a fraction of a rate, and those of damaged snapshots") {
  SampleClock times;
  times.start(1000, 44100);
  CHECK(times.due(1000 + kSecond - 1) == 44099);
  CHECK(times.due(1000 + kSecond) == 44100);
  CHECK(times.time_of(44099) == 1000 + kSecond);
  times.take(44100);
  CHECK(times.time_of(0) == 1000 + kSecond + 22676);
  CHECK(times.due(1000 + kSecond + 22675) == 0);
  CHECK(times.due(1000 + kSecond + 22676) == 1);
  CHECK(times.fits(kSecond));
  CHECK_FALSE(times.fits(3 * kSecond));
  CHECK_FALSE(times.fits(0));
  times.start(0, 1'411'200, 8193);
  CHECK(times.time_of(0) == 5'805'698);
  times.take(u64{1} << 62);
  CHECK_FALSE(times.fits(kSecond));
}
