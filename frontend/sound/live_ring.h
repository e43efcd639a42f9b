// Between the machine, which makes frames as virtual time passes, and a sound card, which takes them by its own clock.
#pragma once

#include <array>
#include <mutex>
#include <span>
#include <vector>

#include "devices/audio/audio_sink.h"

namespace xlat {

// The two clocks differ by little and for ever, and frames come in lumps. What is taken is read a little faster or
// slower, by at most kMostBend, as the mean of the fill is above or below `target`; so nothing clicks. When there is
// too little it fades out and begins anew with `target` frames; when there is far too much, the oldest are left out.
class LiveRing {
 public:
  explicit LiveRing(std::size_t target);

  // ---- The machine's thread ----
  void put(std::span<const AudioFrame> frames);
  void silence(u64 frames);
  // Running empty is no fault from now on until more comes.
  void rest();

  // ---- The sound card's thread ----
  void take(std::span<AudioFrame> frames);

  struct Counts {
    u64 underruns = 0, overruns = 0, fill = 0;
  };
  Counts counts() const;
  std::size_t target() const { return target_; }

 private:
  static constexpr double kBend = 0.008, kMostBend = 0.02, kSmoothing = 0.02;
  static constexpr std::size_t kFade = 128;  // frames

  void append(AudioFrame frame) {
    ring_[(begin_ + fill_) % ring_.size()] = frame;
    ++fill_;
  }
  void make_room();
  AudioFrame interpolate() const;

  const std::size_t target_;
  mutable std::mutex mutex_;
  std::vector<AudioFrame> ring_;
  std::size_t begin_ = 0, fill_ = 0;
  double position_ = 0;  // between the second and the third of the frames in the ring
  double mean_;          // of the fill
  double gain_ = 0;
  AudioFrame last_;
  bool playing_ = false, resting_ = true;
  Counts counts_;
};

}  // namespace xlat
