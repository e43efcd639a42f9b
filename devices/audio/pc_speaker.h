// The PC speaker's sound: counter 2 of the 8254, gated by port 61h, as samples.
#pragma once

#include <vector>

#include "devices/audio/audio_mixer.h"
#include "devices/chipset/port61.h"

namespace xlat {

// Each sample is the mean of the speaker's line over its time, every edge placed to the nanosecond, followed by a
// high pass at 10 Hz (a speaker does not hold a level). Samples are made at the mixer's rate, up to now before anything
// changes the line, and when the mixer asks for them while it moves.
class PcSpeaker final : public Device {
 public:
  static constexpr i32 kAmplitude = 16000;

  // `mixer` outlives the speaker, or is null: then nothing is done.
  PcSpeaker(Clock& clock, Pit8254& pit, Port61& port61, AudioMixer* mixer);
  ~PcSpeaker() override;

  std::string_view name() const override { return "pcspk"; }
  void reset() override {}
  void serialize(Archive& ar) override;

  // Makes all samples that are complete now.
  void catch_up();

 private:
  // The line moving for longer than this without a look is no run of ours but a damaged snapshot.
  static constexpr u64 kMostGap = 10 * kNanosPerSecond;
  static constexpr std::size_t kMostBuffer = 4096;

  void line(u64 ns, bool high);
  void sample();
  void flush();
  bool moving() const;

  Clock& clock_;
  Pit8254& pit_;
  Port61& port61_;
  AudioMixer* mixer_;
  AudioVoice voice_;
  u64 done_ = 0;  // virtual time up to which the line was looked at
  // The sample under way, in parts of 10^-9 of it: how much of it has passed, and for how much of it the line was high.
  u64 passed_ = 0, high_ = 0;
  i64 before_ = 0;    // the line's level in the last sample
  i64 filtered_ = 0;  // the high pass's output, 16 fractional bits
  u64 frame_ = 0;     // the mixer's number of the next sample
  std::vector<i16> buffer_;
};

}  // namespace xlat
