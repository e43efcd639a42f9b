// The PC speaker by its ports: pitch, exact edges, silence, independence of when samples are made.
#include "devices/audio/pc_speaker.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct Recorder : AudioSink {
  std::vector<i16> samples;
  u64 silent = 0;
  u32 rate_ = 44100;
  explicit Recorder(u32 rate) : rate_(rate) {}
  u32 rate() const override { return rate_; }
  void play(std::span<const AudioFrame> more) override {
    for (const AudioFrame& frame : more) {
      CHECK(frame.left == frame.right);
      samples.push_back(frame.left);
    }
  }
  void silence(u64 n) override {
    silent += n;
    samples.resize(samples.size() + n);
  }
};

struct NoNmi : IrqSink {
  void set_irq(unsigned, bool) override {}
};

struct Rig {
  explicit Rig(u32 hz = 44100) : rate(hz) {}
  u32 rate;
  PortBus ports;
  Clock clock;
  NoNmi nmi;
  std::shared_ptr<Recorder> sink = std::make_shared<Recorder>(rate);
  Recorder& recorder = *sink;
  AudioMixer mixer{clock, "snd", sink};
  Pit8254 pit{ports, clock};
  Port61 port61{ports, clock, pit, IrqLine(nmi, 0)};
  PcSpeaker speaker{clock, pit, port61, &mixer};

  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  void count(u8 control, unsigned divisor) {
    out(0x43, control);
    out(0x42, static_cast<u8>(divisor));
    out(0x42, static_cast<u8>(divisor >> 8));
  }
  void to(u64 ns) { run_clock(clock, ns); }
};

unsigned crossings(const std::vector<i16>& samples) {
  unsigned n = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) n += (samples[i - 1] < 0) != (samples[i] < 0);
  return n;
}

}  // namespace

TEST_CASE("pc speaker: 440 Hz for a second") {
  Rig rig;
  rig.count(0xb6, Pit8254::kHz / 440);
  rig.out(0x61, 3);
  rig.to(1'000'000'000);
  rig.out(0x61, 0);
  rig.mixer.finish();
  CHECK(rig.recorder.samples.size() == 44100);
  CHECK(std::abs(static_cast<int>(crossings(rig.recorder.samples)) - 880) <= 1);
  const auto [low, high] = std::minmax_element(rig.recorder.samples.begin() + 10000, rig.recorder.samples.end());
  CHECK(*high > PcSpeaker::kAmplitude * 2 / 5);
  CHECK(*low < -PcSpeaker::kAmplitude * 2 / 5);
  rig.to(3'000'000'000);
  rig.mixer.finish();
  CHECK(rig.recorder.samples.size() == 3 * 44100);
  CHECK(rig.recorder.samples.back() == 0);
  CHECK(rig.recorder.silent > 44100);
  CHECK(rig.clock.next_deadline() == Clock::kNever);  // nothing happens in silence
}

TEST_CASE("pc speaker: a level that stays is silence without events") {
  Rig rig;
  rig.out(0x43, 0xb6);  // OUT is high
  rig.out(0x61, 2);
  rig.to(2'000'000'000);
  CHECK(rig.clock.next_deadline() == Clock::kNever);
  CHECK(rig.recorder.samples[1] > PcSpeaker::kAmplitude * 9 / 10);
  rig.to(u64{3600} * 1'000'000'000);
  rig.mixer.finish();
  CHECK(rig.recorder.samples.size() == u64{3600} * 44100);
}

TEST_CASE("pc speaker: edges by port 61h are placed to the nanosecond") {
  Rig rig{10'000};      // a sample is 100,000 ns
  rig.out(0x43, 0xb0);  // mode 0 without a count: OUT is low
  rig.to(300'000);
  rig.out(0x43, 0xb6);  // mode 3, not counting: OUT is high
  rig.to(310'007);
  rig.out(0x61, 2);
  rig.to(360'008);
  rig.out(0x61, 0);
  rig.to(1'000'000);
  rig.mixer.finish();
  REQUIRE(rig.recorder.samples.size() == 10);
  CHECK(rig.recorder.samples[2] == 0);
  CHECK(rig.recorder.samples[3] == PcSpeaker::kAmplitude * 50'001 / 100'000);
  CHECK(rig.recorder.samples[4] < 0);  // the high pass swings back
  CHECK(rig.recorder.samples[4] > -100);
}

TEST_CASE("pc speaker: the duty of short pulses is heard") {
  Rig rig;
  rig.count(0xb4, 4);  // mode 2: one CLK in four low
  rig.out(0x61, 3);
  rig.to(1'000'000);
  rig.mixer.finish();
  // Three quarters of the amplitude at once, then the high pass takes it away slowly.
  CHECK(rig.recorder.samples[1] > PcSpeaker::kAmplitude * 74 / 100);
  CHECK(rig.recorder.samples[1] < PcSpeaker::kAmplitude * 76 / 100);
  rig.to(2'000'000'000);
  const i64 sum = std::accumulate(rig.recorder.samples.end() - 4410, rig.recorder.samples.end(), i64{0});
  CHECK(std::abs(sum / 4410) < 5);
}

TEST_CASE("pc speaker: what is heard does not depend on when one looks") {
  const auto play = [](bool look) {
    Rig rig;
    std::mt19937 script(3), looks(4);
    u64 now = 0;
    for (int n = 0; n < 2000; ++n) {
      const u64 next = now + script() % 400'000;
      while (look && looks() % 4) {
        now = std::min(next, now + looks() % 100'000);
        rig.to(now);
        switch (looks() % 4) {
          case 0: rig.speaker.catch_up(); break;
          case 1: rig.ports.read(0x42, 1), rig.ports.read(0x42, 1); break;
          case 2: rig.ports.read(0x61, 1); break;
          case 3: rig.out(0x43, 0x00); break;  // latches counter 0
        }
      }
      now = next;
      rig.to(now);
      switch (script() % 4) {
        case 0: rig.count(static_cast<u8>(0xb0 | (script() % 6) << 1), script() % 3000); break;
        case 1: rig.out(0x61, script() % 4); break;
        case 2: rig.count(0xb6, 200 + script() % 3000); break;
        case 3:
          rig.out(0x42, static_cast<u8>(script()));
          rig.out(0x42, static_cast<u8>(script() % 16));
          break;
      }
    }
    rig.mixer.finish();
    return rig.recorder.samples;
  };
  const auto plain = play(false);
  CHECK(plain.size() > 10'000);
  CHECK(crossings(plain) > 100);
  CHECK(plain == play(true));
}

TEST_CASE("pc speaker: saved and loaded in the middle of a tone") {
  const auto save = [](Rig& rig) {
    Archive ar = Archive::saver();
    rig.clock.serialize(ar), rig.pit.serialize(ar), rig.port61.serialize(ar), rig.mixer.serialize(ar);
    rig.speaker.serialize(ar);
    return ar.bytes();
  };
  Rig rig;
  rig.count(0xb6, 1000);
  rig.out(0x61, 3);
  rig.to(123'456'789);
  const auto bytes = save(rig);
  const std::size_t before = rig.recorder.samples.size();
  rig.to(200'000'000);
  rig.mixer.finish();
  Rig other;
  Archive ar = Archive::loader(bytes);
  other.clock.serialize(ar), other.pit.serialize(ar), other.port61.serialize(ar), other.mixer.serialize(ar);
  other.speaker.serialize(ar);
  REQUIRE(ar.ok());
  other.to(200'000'000);
  other.mixer.finish();
  const std::vector<i16> after(rig.recorder.samples.begin() + static_cast<std::ptrdiff_t>(before),
                               rig.recorder.samples.end());
  CHECK(other.recorder.samples == after);
}
