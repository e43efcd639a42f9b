// What sound devices play, kept for tests to measure: pitch, level, gaps.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "devices/audio/audio_sink.h"

namespace xlat {

struct Recording : AudioSink {
  explicit Recording(u32 hz = 44100) : hz_(hz) {}
  u32 rate() const override { return hz_; }
  void play(std::span<const AudioFrame> more) override { frames.insert(frames.end(), more.begin(), more.end()); }
  void silence(u64 n) override {
    silent += n;
    frames.resize(frames.size() + n);
  }
  void rest() override { ++rests; }

  std::vector<AudioFrame> frames;
  u64 silent = 0;
  unsigned rests = 0;

 private:
  u32 hz_;
};

inline std::vector<double> left_of(std::span<const AudioFrame> frames) {
  std::vector<double> out;
  for (const AudioFrame& f : frames) out.push_back(f.left);
  return out;
}
inline std::vector<double> right_of(std::span<const AudioFrame> frames) {
  std::vector<double> out;
  for (const AudioFrame& f : frames) out.push_back(f.right);
  return out;
}

// The part from `from` to `to`, in seconds.
inline std::vector<double> part(const std::vector<double>& x, double rate, double from, double to) {
  const auto at = [&](double s) {
    return x.begin() + static_cast<std::ptrdiff_t>(std::min(s * rate, static_cast<double>(x.size())));
  };
  return {at(from), at(to)};
}

// Of a tone, by its upward zero crossings, each placed between two samples.
inline double pitch(const std::vector<double>& x, double rate) {
  double first = -1, last = -1;
  int periods = -1;
  for (std::size_t n = 1; n < x.size(); ++n) {
    if (!(x[n - 1] < 0 && x[n] >= 0)) continue;
    last = static_cast<double>(n) - x[n] / (x[n] - x[n - 1]);
    if (periods++ < 0) first = last;
  }
  return periods > 0 ? periods * rate / (last - first) : 0;
}

inline double peak(const std::vector<double>& x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}

// How far each sample is from what a pure tone of this pitch goes on with, at most: clicks and gaps stick out.
inline double roughness(const std::vector<double>& x, double hz, double rate) {
  const double k = 2 * std::cos(2 * std::numbers::pi * hz / rate);
  double most = 0;
  for (std::size_t n = 1; n + 1 < x.size(); ++n) most = std::max(most, std::abs(x[n + 1] - k * x[n] + x[n - 1]));
  return most;
}

}  // namespace xlat
