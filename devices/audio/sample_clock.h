// When the samples of a stream at a steady rate are due.
#pragma once

#include "base/clock.h"

namespace xlat {

// The rate is a fraction, samples in seconds: a crystal and its divider give none that is whole. Sample n, counted from
// 0, is taken n + 1 periods after the start, so that a block of N is over N periods after it.
class SampleClock {
 public:
  void start(u64 now, u32 samples, u32 seconds = 1) {
    start_ = now;
    taken_ = 0;
    samples_ = samples ? samples : 1;
    seconds_ = seconds ? seconds : 1;
  }
  // The time of the n-th sample from the next one on, the next being 0.
  u64 time_of(u64 n) const {
    const unsigned __int128 parts = (unsigned __int128){taken_ + n + 1} * seconds_ * kNanosPerSecond;
    return start_ + static_cast<u64>((parts + samples_ - 1) / samples_);
  }
  // Samples due by `now` and not yet taken.
  u64 due(u64 now) const {
    if (now < start_) return 0;
    const unsigned __int128 passed =
        (unsigned __int128){now - start_} * samples_ / ((unsigned __int128){seconds_} * kNanosPerSecond);
    return passed > taken_ ? static_cast<u64>(passed - taken_) : 0;
  }
  // Whether the next sample is due within a second of now, as it is unless a damaged snapshot says otherwise.
  bool fits(u64 now) const {
    const auto next = (unsigned __int128){taken_ + 1} * seconds_ * kNanosPerSecond / samples_ + start_;
    return next + kNanosPerSecond > now && next < (unsigned __int128){now} + kNanosPerSecond;
  }
  void take(u64 n) { taken_ += n; }
  u32 hz() const { return samples_ / seconds_; }

  void serialize(Archive& ar) {
    constexpr u64 kMost = u64{1} << 62;
    ar.range(start_, u64{0}, kMost).range(taken_, u64{0}, kMost);
    ar.range(samples_, 1u, 1u << 30).range(seconds_, 1u, 1u << 20);
  }

 private:
  u64 start_ = 0, taken_ = 0;
  u32 samples_ = 44100, seconds_ = 1;
};

}  // namespace xlat
