// Integration of the speaker's line over each sample.
#include "devices/audio/pc_speaker.h"

#include <algorithm>

namespace xlat {

PcSpeaker::PcSpeaker(Clock& clock, Pit8254& pit, Port61& port61, AudioMixer* mixer)
    : clock_(clock), pit_(pit), port61_(port61), mixer_(mixer), voice_(mixer, "pcspk", [this] { catch_up(); }) {
  if (!mixer_) return;
  pit_.before_change([this] { catch_up(); });
  port61_.before_change([this] { catch_up(); });
}

PcSpeaker::~PcSpeaker() {
  if (!mixer_) return;
  catch_up();
  pit_.before_change({});
  port61_.before_change({});
}

bool PcSpeaker::moving() const { return port61_.speaker_data() && !pit_.steady(2); }

void PcSpeaker::catch_up() {
  const u64 now = clock_.now();
  if (!mixer_ || now < done_) return;
  if (!port61_.speaker_data()) {
    line(now - done_, false);
  } else if (pit_.steady(2) || now - done_ <= kMostGap) {
    pit_.trace(2, done_, now, [this](u64 from, u64 to, bool high) { line(to - from, high); });
  } else {
    line(now - done_, false);
  }
  done_ = now;
  flush();
  const i64 rest = port61_.speaker() ? kAmplitude : 0;
  const bool changing = high_ != (before_ != 0 ? passed_ : 0);  // the sample under way is not as the last one
  voice_.set_busy(moving() || changing || filtered_ != 0 || before_ != rest);
}

// The line is at one level for `ns`.
void PcSpeaker::line(u64 ns, bool high) {
  unsigned __int128 left = static_cast<unsigned __int128>(ns) * mixer_->rate();
  while (left > 0) {
    if (passed_ == 0 && left >= kNanosPerSecond && filtered_ == 0 && before_ == (high ? kAmplitude : 0)) {
      flush();
      const u64 whole = static_cast<u64>(std::min<unsigned __int128>(left / kNanosPerSecond, u64{1} << 62));
      frame_ += whole;
      left -= static_cast<unsigned __int128>(whole) * kNanosPerSecond;
      continue;
    }
    const u64 part = static_cast<u64>(std::min<unsigned __int128>(left, kNanosPerSecond - passed_));
    left -= part;
    passed_ += part;
    if (high) high_ += part;
    if (passed_ == kNanosPerSecond) sample();
  }
}

void PcSpeaker::sample() {
  const i64 level = static_cast<i64>(high_ * kAmplitude / kNanosPerSecond);
  // First-order high pass; 2 pi * 10 Hz with 20 fractional bits. It comes to rest at zero exactly.
  constexpr i64 kCorner = 65'883'964;
  const i64 step = kCorner / mixer_->rate();
  i64 decay = filtered_ * step / (1 << 20);
  if (decay == 0 && filtered_ != 0) decay = filtered_ > 0 ? 1 : -1;
  filtered_ += (level - before_) * 65536 - decay;
  before_ = level;
  passed_ = high_ = 0;
  buffer_.push_back(static_cast<i16>(std::clamp<i64>(filtered_ / 65536, -32768, 32767)));
  if (buffer_.size() == kMostBuffer) flush();
}

void PcSpeaker::flush() {
  voice_.frames(frame_, buffer_);
  frame_ += buffer_.size();
  buffer_.clear();
}

void PcSpeaker::serialize(Archive& ar) {
  ar.section("pcspk", 1);
  ar(done_).range(passed_, u64{0}, kNanosPerSecond - 1);
  ar.range(high_, u64{0}, kNanosPerSecond - 1).range(before_, i64{0}, i64{kAmplitude});
  ar.range(filtered_, i64{-2} * kAmplitude * 65536, i64{2} * kAmplitude * 65536);
  if (!ar.loading()) return;
  high_ = std::min(high_, passed_);
  if (!mixer_) return;
  done_ = std::min(done_, clock_.now());
  frame_ = mixer_->frame_at(done_);
  const auto parts = static_cast<unsigned __int128>(done_) * mixer_->rate();
  passed_ = static_cast<u64>(parts % kNanosPerSecond);
}

}  // namespace xlat
