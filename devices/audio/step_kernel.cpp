// The table of a step: a Kaiser-windowed sinc, summed up.
#include "devices/audio/step_kernel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "devices/audio/audio_sink.h"

namespace xlat {

namespace {

// 6 dB down at 9/10 of the lower rate's bandwidth; what folds back is 72 dB down.
constexpr double kCutoff = 0.90, kBeta = 7.0;

// Modified Bessel function of the first kind, order 0, by its series.
double bessel0(double x) {
  double sum = 1, term = 1;
  for (unsigned n = 1; n < 40; ++n) {
    term *= (x / (2 * n)) * (x / (2 * n));
    sum += term;
  }
  return sum;
}

// From kCrossings before the middle to as many behind it, `per_crossing` points each.
std::vector<double> windowed_sinc(unsigned per_crossing) {
  constexpr double kEnd = StepKernel::kCrossings;
  std::vector<double> points;
  for (unsigned n = 0; n <= 2 * StepKernel::kCrossings * per_crossing; ++n) {
    const double x = static_cast<double>(n) / per_crossing - kEnd;
    const double angle = std::numbers::pi * kCutoff * x;
    const double sinc = angle == 0 ? 1 : std::sin(angle) / angle;
    const double inside = std::max(0.0, 1 - (x / kEnd) * (x / kEnd));
    points.push_back(kCutoff * sinc * bessel0(kBeta * std::sqrt(inside)) / bessel0(kBeta));
  }
  return points;
}

// For frames that are `stride` zero crossings long.
std::vector<i32> step_table(double stride, unsigned per_crossing, unsigned shift) {
  static const std::vector<double> kSinc = windowed_sinc(per_crossing);
  std::vector<double> sum(kSinc.size());
  const double back = stride * per_crossing;
  for (std::size_t n = 0; n < sum.size(); ++n) {
    const double before = static_cast<double>(n) - back;
    double height = stride * kSinc[n];
    if (before >= 0) {
      const std::size_t whole = static_cast<std::size_t>(before);
      const double part = before - static_cast<double>(whole);
      height += sum[whole] + (part > 0 ? (sum[whole + 1] - sum[whole]) * part : 0);
    }
    sum[n] = height;
  }
  // The sum of the sincs is one but for a ripple 70 dB down, which is taken out in proportion.
  std::vector<i32> table;
  table.reserve(sum.size());
  for (const double height : sum) {
    table.push_back(static_cast<i32>(std::llround(std::ldexp(height / sum.back(), static_cast<int>(shift)))));
  }
  return table;
}

}  // namespace

StepKernel::StepKernel(u32 from_rate, u32 to_rate) {
  from_rate = std::clamp(from_rate, AudioSink::kMinRate, AudioSink::kMaxRate);
  // Distances are counted in periods of the lower rate.
  const double widen = std::max(1.0, static_cast<double>(to_rate) / from_rate);
  const double stride = std::min(1.0, static_cast<double>(to_rate) / from_rate);
  constexpr std::size_t kEntries = std::size_t{2} * kCrossings * kPerCrossing;
  reach_ = static_cast<unsigned>(std::ceil(kCrossings * widen));
  span_ = static_cast<i64>(kCrossings * widen * 1e9);
  scale_ = static_cast<i64>(std::ldexp(static_cast<double>(kEntries), kFraction + kScale) /
                            (2.0 * static_cast<double>(span_)));
  // One table does for all rates below the mixer's.
  static const auto kUpward = std::make_shared<const std::vector<i32>>(step_table(1.0, kPerCrossing, kShift));
  table_ = stride == 1.0 ? kUpward : std::make_shared<const std::vector<i32>>(step_table(stride, kPerCrossing, kShift));
}

}  // namespace xlat
