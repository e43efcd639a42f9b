// The ring before a sound card: latency, drifting clocks, running empty.
#include "frontend/sound/live_ring.h"

#include <catch2/catch.hpp>

#include "tests/support/recording.h"

namespace xlat {

namespace {

// A tone made in lumps of `made` frames against a card that takes `taken` of them in the same time, scaled by `drift`.
std::vector<double> through(LiveRing& ring, double drift, unsigned seconds) {
  constexpr unsigned kRate = 44100, kMade = 441, kPeriod = 256;
  std::vector<double> heard;
  std::vector<AudioFrame> in(kMade), out(kPeriod);
  double phase = 0, owed = 0;
  for (unsigned n = 0; n < seconds * kRate / kMade; ++n) {
    for (AudioFrame& frame : in) {
      phase += 2 * std::numbers::pi * 441 / kRate;
      frame.left = frame.right = static_cast<i16>(std::lround(10000 * std::sin(phase)));
    }
    ring.put(in);
    for (owed += kMade * drift; owed >= kPeriod; owed -= kPeriod) {
      ring.take(out);
      for (const AudioFrame& frame : out) heard.push_back(frame.left);
    }
  }
  return heard;
}

}  // namespace

TEST_CASE("live ring: clocks that drift apart are followed without a click", "[sound]") {
  for (const double drift : {0.99, 0.999, 0.9995, 1.0, 1.0005, 1.001, 1.004}) {
    CAPTURE(drift);
    LiveRing ring(1300);
    const auto heard = through(ring, drift, 20);
    const LiveRing::Counts counts = ring.counts();
    CHECK(counts.underruns == 0);
    CHECK(counts.overruns == 0);
    CHECK(counts.fill < 44100 * 80 / 1000);
    CHECK(roughness(part(heard, 44100, 1, 19), 441, 44100) < 60);
  }
}

TEST_CASE("live ring: it begins with what it is to be ahead by, and fades when it runs empty", "[sound]") {
  LiveRing ring(1000);
  std::vector<AudioFrame> out(256);
  ring.silence(u64{1} << 40);
  ring.take(out);
  CHECK(ring.counts().fill <= 1000);
  const auto heard = through(ring, 1.0, 1);
  CHECK(peak(heard) > 9000);
  std::vector<double> tail;
  for (unsigned n = 0; n < 20; ++n) {
    ring.take(out);
    for (const AudioFrame& frame : out) tail.push_back(frame.left);
  }
  CHECK(ring.counts().underruns == 1);
  CHECK(tail.back() == 0);
  CHECK(roughness(tail, 441, 44100) < 700);
  through(ring, 1.0, 1);
  ring.rest();
  for (unsigned n = 0; n < 20; ++n) ring.take(out);
  CHECK(ring.counts().underruns == 1);  // running empty at rest is none
}

TEST_CASE("live ring: a machine that runs ahead loses its oldest frames, not the newest", "[sound]") {
  LiveRing ring(500);
  const std::vector<AudioFrame> much(100'000, AudioFrame{1, 1});
  ring.put(much);
  CHECK(ring.counts().overruns > 0);
  CHECK(ring.counts().fill <= 8 * ring.target());
  // A card that takes much at once finds what there is, and then nothing.
  ring.put({much.data(), 3900});
  std::vector<AudioFrame> out(100);
  for (unsigned n = 0; n < 200; ++n) ring.take(out);
  std::vector<AudioFrame> all(3700);
  ring.put({much.data(), 3900});
  ring.take(all);
  for (unsigned n = 0; n < 20; ++n) {
    ring.take(out);
    CHECK(ring.counts().fill < 4 * ring.target());
  }
}

}  // namespace xlat
