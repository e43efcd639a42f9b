// Filling, steering and interpolating.
#include "frontend/sound/live_ring.h"

#include <algorithm>
#include <cmath>

namespace xlat {

LiveRing::LiveRing(std::size_t target)
    : target_(std::max<std::size_t>(target, 64)), mean_(static_cast<double>(target_)) {
  ring_.resize(8 * target_);
}

// A card that has stopped taking, or a machine that has run ahead: the newest are kept, as many as there should be.
void LiveRing::make_room() {
  const std::size_t drop = fill_ - target_;
  begin_ = (begin_ + drop) % ring_.size();
  fill_ -= drop;
  gain_ = 0;
  mean_ = static_cast<double>(target_);
  ++counts_.overruns;
}

void LiveRing::put(std::span<const AudioFrame> frames) {
  const std::lock_guard lock(mutex_);
  resting_ = false;
  for (const AudioFrame frame : frames) {
    if (fill_ == ring_.size()) make_room();
    append(frame);
  }
}

// A pause needs no more than what the card is to be ahead of the machine by.
void LiveRing::silence(u64 frames) {
  const std::lock_guard lock(mutex_);
  resting_ = false;
  for (u64 n = std::min<u64>(frames, target_); n > 0; --n) {
    if (fill_ == ring_.size()) make_room();
    append({});
  }
}

void LiveRing::rest() {
  const std::lock_guard lock(mutex_);
  resting_ = true;
}

// Cubic (Catmull-Rom) between the second and the third of four frames.
AudioFrame LiveRing::interpolate() const {
  const auto at = [this](std::size_t n) { return ring_[(begin_ + n) % ring_.size()]; };
  const AudioFrame a = at(0), b = at(1), c = at(2), d = at(3);
  const auto side = [t = position_, gain = gain_](double p, double q, double r, double s) {
    const double value = q + 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
    return static_cast<i16>(std::clamp(std::lround(value * gain), -32768l, 32767l));
  };
  return {side(a.left, b.left, c.left, d.left), side(a.right, b.right, c.right, d.right)};
}

void LiveRing::take(std::span<AudioFrame> frames) {
  const std::lock_guard lock(mutex_);
  const double target = static_cast<double>(target_);
  if (!playing_ && fill_ >= target_) {
    playing_ = true;
    mean_ = static_cast<double>(fill_);
    gain_ = 0;
  }
  mean_ += (static_cast<double>(fill_) - mean_) * kSmoothing;
  if (playing_ && mean_ > 4 * target && fill_ > target_) make_room();
  const double step = 1 + std::clamp((mean_ - target) / target * kBend, -kMostBend, kMostBend);
  for (AudioFrame& frame : frames) {
    if (playing_ && fill_ < 5) {
      playing_ = false;
      fill_ = 0;
      if (!resting_) ++counts_.underruns;
    }
    if (!playing_) {  // what was heard last dies away
      last_ = {static_cast<i16>(last_.left * 31 / 32), static_cast<i16>(last_.right * 31 / 32)};
      frame = last_;
      continue;
    }
    if (gain_ < 1) gain_ = std::min(1.0, gain_ + 1.0 / kFade);
    frame = last_ = interpolate();
    position_ += step;
    while (position_ >= 1) {
      position_ -= 1;
      begin_ = (begin_ + 1) % ring_.size();
      --fill_;
    }
  }
}

LiveRing::Counts LiveRing::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.fill = fill_;
  return counts;
}

}  // namespace xlat
