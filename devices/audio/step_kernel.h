// How a step of a voice's level looks at the mixer's rate: band-limited, so that it carries no frequency either cannot.
#pragma once

#include <memory>
#include <vector>

#include "base/types.h"

namespace xlat {

// A stream of frames is a sum of steps, one where each frame begins, by the difference to the one before. A step is the
// running sum of the shifted windowed sincs that interpolate a steady stream, so that for one it is just that: sinc
// interpolation, at the lower of the two rates' bandwidths. As each step ends at exactly its height, a level is kept
// exactly whatever the rates of the frames before and after it, and nothing clicks where a rate changes.
class StepKernel {
 public:
  // Zero crossings on either side of the step, and its height far behind it.
  static constexpr unsigned kCrossings = 16;
  static constexpr unsigned kShift = 30;

  StepKernel(u32 from_rate, u32 to_rate);

  // Frames on either side of the step in which the level still moves.
  unsigned reach() const { return reach_; }
  // The step's height `distance` 10^-9ths of a frame behind it, as a part of 2^kShift.
  i64 at(i64 distance) const {
    if (distance <= -span_) return 0;
    if (distance >= span_) return i64{1} << kShift;
    const i64 index = (distance + span_) * scale_ >> kScale;
    const std::size_t whole = static_cast<std::size_t>(index >> kFraction);
    if (whole + 1 >= table_->size()) return i64{1} << kShift;
    const i64 low = (*table_)[whole], part = index & ((1 << kFraction) - 1);
    return low + (((*table_)[whole + 1] - low) * part >> kFraction);
  }

 private:
  static constexpr unsigned kPerCrossing = 512, kFraction = 12, kScale = 36;

  unsigned reach_;
  i64 span_;   // the same in 10^-9ths of a frame
  i64 scale_;  // table entries, with kFraction + kScale fractional bits, to a 10^-9th of a frame
  std::shared_ptr<const std::vector<i32>> table_;
};

}  // namespace xlat
