// Where a sound device's samples go: an audio backend of the host, or a test.
#pragma once

#include <span>

#include "base/types.h"

namespace xlat {

// Takes one stream of mono samples without gaps, the first of them at virtual time 0. What arrives is a function of
// virtual time alone; the sink never decides when.
class AudioSink {
 public:
  virtual ~AudioSink() = default;
  // Samples a second, kMinRate to kMaxRate.
  virtual u32 rate() const = 0;
  virtual void play(std::span<const i16> samples) = 0;
  // So many samples of zero.
  virtual void silence(u64 samples) = 0;

  static constexpr u32 kMinRate = 4000, kMaxRate = 384'000;
};

}  // namespace xlat
