// Where the mixed sound of a machine goes: an audio back end of the host, or a test.
#pragma once

#include <span>

#include "base/types.h"

namespace xlat {

struct AudioFrame {
  i16 left = 0, right = 0;
  bool operator==(const AudioFrame&) const = default;
};

// Takes one stream of stereo frames without gaps, the first of them at virtual time 0. What arrives is a function of
// virtual time alone; the sink never decides when.
class AudioSink {
 public:
  virtual ~AudioSink() = default;
  // Frames a second, kMinRate to kMaxRate.
  virtual u32 rate() const = 0;
  virtual void play(std::span<const AudioFrame> frames) = 0;
  // So many frames of zero.
  virtual void silence(u64 frames) = 0;
  // Nothing sounds: frames come again, silent ones first, when something does.
  virtual void rest() {}

  static constexpr u32 kMinRate = 4000, kMaxRate = 384'000;
};

}  // namespace xlat
