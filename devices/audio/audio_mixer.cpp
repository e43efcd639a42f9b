// Steps of the voices added up into frames.
#include "devices/audio/audio_mixer.h"

#include <fmt/format.h>

#include <algorithm>

namespace xlat {

namespace {
// A damaged snapshot may make them wrap.
void add(i64& sum, i64 change) { sum = static_cast<i64>(static_cast<u64>(sum) + static_cast<u64>(change)); }
}  // namespace

AudioMixer::AudioMixer(Clock& clock, std::string id, std::shared_ptr<AudioSink> sink)
    : clock_(clock),
      id_(std::move(id)),
      sink_(std::move(sink)),
      rate_(std::clamp(sink_->rate(), AudioSink::kMinRate, AudioSink::kMaxRate)),
      timer_(clock, [this] { catch_up(); }) {}

AudioMixer::~AudioMixer() { finish(); }

std::shared_ptr<const StepKernel> AudioMixer::kernel(u32 from_rate) {
  auto& known = kernels_[from_rate];
  if (known) return known;
  auto made = known = std::make_shared<const StepKernel>(from_rate, rate_);
  if (kernels_.size() > kMostKernels) kernels_.clear();  // voices keep those in use
  return made;
}

bool AudioMixer::moving() const {
  return !changes_.empty() || level_ != Pair{} ||
         std::any_of(voices_.begin(), voices_.end(), [](const AudioVoice* voice) { return voice->busy_; });
}

// Nothing was to come up to now, so what is up to now is silence.
void AudioMixer::wake() {
  if (timer_.pending()) return;
  const u64 now = clock_.now();
  hand_on(frame_at(now - std::min(now, kLag)));
  timer_.schedule(now + kInterval);
}

bool AudioMixer::reserve(u64 frame) {
  if (frame < done_) return true;
  const u64 waiting = frame - done_ + 1;
  if (waiting > kMostWaiting) return false;
  if (changes_.size() < waiting) changes_.resize(static_cast<std::size_t>(waiting));
  return true;
}

void AudioMixer::jump(u64 frame, const Pair& height) {
  wake();
  if (!reserve(frame)) return;
  for (unsigned side = 0; side < 2; ++side) {
    const i64 change = height[side] << StepKernel::kShift;
    add(frame < done_ ? level_[side] : changes_[static_cast<std::size_t>(frame - done_)][side], change);
  }
}

void AudioMixer::step(u64 at, const StepKernel& kernel, const Pair& height) {
  wake();
  const auto position = (unsigned __int128){at} * rate_;
  const u64 frame = static_cast<u64>(position / kNanosPerSecond);
  const i64 part = static_cast<i64>(static_cast<u64>(position % kNanosPerSecond));
  const i64 reach = static_cast<i64>(kernel.reach()) + 1;
  if (!reserve(frame + static_cast<u64>(reach))) return;
  i64 before = 0;
  for (i64 n = -reach; n <= reach; ++n) {
    const i64 reached = kernel.at(n * static_cast<i64>(kNanosPerSecond) - part);
    const i64 change = reached - before;
    before = reached;
    if (change == 0) continue;
    const i64 index = static_cast<i64>(frame - done_) + n;
    Pair& to = index < 0 ? level_ : changes_[static_cast<std::size_t>(index)];
    add(to[0], height[0] * change);
    add(to[1], height[1] * change);
  }
}

void AudioMixer::hand_on(u64 until) {
  while (done_ < until) {
    if (changes_.empty() && level_ == Pair{}) {
      sink_->silence(until - done_);
      done_ = until;
      return;
    }
    constexpr u64 kMostAtOnce = 65536;
    const std::size_t count = static_cast<std::size_t>(std::min(until - done_, kMostAtOnce));
    out_.clear();
    for (std::size_t n = 0; n < count; ++n) {
      std::array<i16, 2> sides{};
      for (unsigned side = 0; side < 2; ++side) {
        if (n < changes_.size()) add(level_[side], changes_[n][side]);
        const i64 rounded = ((level_[side] >> (StepKernel::kShift - 1)) + 1) >> 1;
        sides[side] = static_cast<i16>(std::clamp<i64>(rounded, -32768, 32767));
      }
      out_.push_back({sides[0], sides[1]});
    }
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(std::min(count, changes_.size())));
    done_ += count;
    sink_->play(out_);
  }
}

void AudioMixer::ask_voices() {
  for (AudioVoice* voice : voices_) {
    if (voice->busy_ && voice->catch_up_) voice->catch_up_();
  }
}

void AudioMixer::catch_up() {
  const u64 now = clock_.now();
  // Before the voices are asked, so that none of them wakes a mixer that is at work.
  if (!timer_.pending() || timer_.deadline() <= now) timer_.schedule(now + kInterval);
  ask_voices();
  hand_on(frame_at(now - std::min(now, kLag)));
  if (moving()) return;
  timer_.cancel();
  sink_->rest();
}

void AudioMixer::finish() {
  ask_voices();
  hand_on(frame_at(clock_.now()));
}

std::string AudioMixer::dump() const {
  std::string text;
  for (const AudioVoice* voice : voices_) {
    text += fmt::format("  {}: {} Hz, volume {}%/{}%{}\n", voice->name_, voice->rate_,
                        u64{voice->volume_[0]} * 100 / AudioVoice::kFull,
                        u64{voice->volume_[1]} * 100 / AudioVoice::kFull, voice->busy_ ? ", playing" : "");
  }
  return text;
}

void AudioMixer::serialize(Archive& ar) {
  ar.section("audio", 1);
  u32 rate = rate_, voices = static_cast<u32>(voices_.size());
  u64 waiting = changes_.size();
  ar(rate)(voices)(done_)(level_).range(waiting, u64{0}, u64{kMostWaiting});
  if (voices != voices_.size()) ar.fail("another number of sound devices plays on this -audiodev");
  if (!ar.ok()) return;
  changes_.resize(static_cast<std::size_t>(waiting));
  for (Pair& change : changes_) {
    ar(change);
    if (!ar.ok()) break;
  }
  for (AudioVoice* voice : voices_) voice->serialize(ar);
  timer_.serialize(ar);
  if (!ar.loading()) return;
  const u64 now = clock_.now();
  // What was saved at another rate, or does not fit the time, is let go; the voices begin at rest.
  if (ar.ok() && rate == rate_ && done_ <= frame_at(now) && frame_at(now) - done_ < kMostWaiting) return;
  changes_.clear();
  level_ = {};
  done_ = frame_at(now - std::min(now, kLag));
  for (AudioVoice* voice : voices_) voice->heard_ = {}, voice->level_ = {};
  if (moving() && !timer_.pending()) timer_.schedule(now);
}

AudioVoice::AudioVoice(AudioMixer* mixer, std::string name, std::function<void()> catch_up)
    : mixer_(mixer), name_(std::move(name)), catch_up_(std::move(catch_up)) {
  if (mixer_) mixer_->voices_.push_back(this);
}

AudioVoice::~AudioVoice() {
  if (mixer_) std::erase(mixer_->voices_, this);
}

void AudioVoice::set_rate(u32 hz) {
  if (hz == rate_) return;
  rate_ = hz;
  kernel_.reset();
}

std::array<i64, 2> AudioVoice::change_to(AudioFrame level) {
  level_ = level;
  const auto scaled = [](i16 value, u32 volume) {
    return static_cast<i32>(std::clamp<i64>(i64{value} * volume / kFull, -(1 << 20), 1 << 20));
  };
  const std::array<i32, 2> next{scaled(level.left, volume_[0]), scaled(level.right, volume_[1])};
  const std::array<i64, 2> change{next[0] - heard_[0], next[1] - heard_[1]};
  heard_ = next;
  return change;
}

void AudioVoice::set_volume(u32 left, u32 right) {
  if (volume_ == std::array{left, right}) return;
  volume_ = {left, right};
  if (mixer_) frame(mixer_->clock_.now(), level_);
}

void AudioVoice::frame(u64 at, AudioFrame level) {
  if (!mixer_) return;
  const auto change = change_to(level);
  if (change[0] == 0 && change[1] == 0) return;
  if (!kernel_) kernel_ = mixer_->kernel(rate_);
  mixer_->step(at, *kernel_, change);
}

void AudioVoice::frames(u64 first, std::span<const i16> mono) {
  if (!mixer_) return;
  for (const i16 value : mono) {
    const auto change = change_to({value, value});
    if (change[0] != 0 || change[1] != 0) mixer_->jump(first, change);
    ++first;
  }
}

void AudioVoice::set_busy(bool busy) {
  busy_ = busy;
  if (mixer_ && busy) mixer_->wake();
}

void AudioVoice::serialize(Archive& ar) {
  std::string name = name_;
  ar.text(name, 64);
  if (name != name_) ar.fail("other sound devices play on this -audiodev");
  ar(rate_)(volume_)(level_.left)(level_.right)(heard_)(busy_);
  if (!ar.loading()) return;
  kernel_.reset();
  for (i32& side : heard_) side = std::clamp(side, -(1 << 20), 1 << 20);
}

}  // namespace xlat
