// A sound output of the machine (an -audiodev): what its devices play, brought to one rate and mixed.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "devices/audio/audio_sink.h"
#include "devices/audio/step_kernel.h"
#include "devices/device.h"

namespace xlat {

class AudioVoice;

// Everything is counted in integers from virtual time 0, so the frames that come out do not depend on when somebody
// looks. Frames are final when no step that is still to come can reach back to them, kLag after their time. Every
// 10 ms of virtual time the mixer asks its voices for what they have and hands on what is final; while nothing sounds
// it does nothing. Frame n belongs to virtual time n / rate.
class AudioMixer final : public Device {
 public:
  AudioMixer(Clock& clock, std::string id, std::shared_ptr<AudioSink> sink);
  // Hands on the rest.
  ~AudioMixer() override;

  const std::string& id() const { return id_; }
  u32 rate() const { return rate_; }
  // The frame under way at virtual time `ns`.
  u64 frame_at(u64 ns) const { return static_cast<u64>((unsigned __int128){ns} * rate_ / kNanosPerSecond); }

  // Takes what the voices have up to now.
  void catch_up();
  // As catch_up(), and hands on everything before now, final or not.
  void finish();
  // One line a voice, for the monitor.
  std::string dump() const;

  std::string_view name() const override { return "audio"; }
  void reset() override {}
  void serialize(Archive& ar) override;

 private:
  friend class AudioVoice;
  static constexpr u64 kInterval = 10'000'000;  // ns
  static constexpr u64 kLag = u64{StepKernel::kCrossings} * kNanosPerSecond / AudioSink::kMinRate;
  // More than this many frames wait only after a damaged snapshot.
  static constexpr std::size_t kMostWaiting = std::size_t{1} << 20;
  static constexpr std::size_t kMostKernels = 32;

  using Pair = std::array<i64, 2>;

  std::shared_ptr<const StepKernel> kernel(u32 from_rate);
  // A step of the mix at `at` ns, or at the start of `frame`.
  void step(u64 at, const StepKernel& kernel, const Pair& height);
  void jump(u64 frame, const Pair& height);
  // The frames that wait are at least so many.
  bool reserve(u64 frame);
  void wake();
  void hand_on(u64 until);
  void ask_voices();
  bool moving() const;

  Clock& clock_;
  std::string id_;
  std::shared_ptr<AudioSink> sink_;
  u32 rate_;
  Timer timer_;
  std::vector<AudioVoice*> voices_;
  std::map<u32, std::shared_ptr<const StepKernel>> kernels_;
  u64 done_ = 0;               // frames handed on
  Pair level_{};               // of the mix behind them, with StepKernel::kShift fractional bits
  std::vector<Pair> changes_;  // what each of the next frames adds to it
  std::vector<AudioFrame> out_;
};

// What a device plays on a mixer. Between its frames a voice keeps its level. Without a mixer it is silent and its
// device behaves the same.
class AudioVoice {
 public:
  static constexpr u32 kFull = 65536;

  // `catch_up` brings the frames up to now; it is asked for while the voice is busy. A device that goes does so before.
  AudioVoice(AudioMixer* mixer, std::string name, std::function<void()> catch_up);
  ~AudioVoice();
  AudioVoice(const AudioVoice&) = delete;
  AudioVoice& operator=(const AudioVoice&) = delete;

  const AudioMixer* mixer() const { return mixer_; }

  // Frames a second from the next one on. It sets the bandwidth; when a frame comes is what frame() says.
  void set_rate(u32 hz);
  // Of kFull, as of now. Frames before now must have been given.
  void set_volume(u32 left, u32 right);
  // From virtual time `at` on the voice is at this level. Times do not go back.
  void frame(u64 at, AudioFrame level);
  // Frames that are at the mixer's rate already, from its frame number `first` on.
  void frames(u64 first, std::span<const i16> mono);
  // Frames are to come as time passes.
  void set_busy(bool busy);

 private:
  friend class AudioMixer;
  std::array<i64, 2> change_to(AudioFrame level);
  void serialize(Archive& ar);

  AudioMixer* mixer_;
  std::string name_;
  std::function<void()> catch_up_;
  std::shared_ptr<const StepKernel> kernel_;  // null: to be looked up
  u32 rate_ = 44100;
  std::array<u32, 2> volume_{kFull, kFull};
  AudioFrame level_;            // as the device gave it
  std::array<i32, 2> heard_{};  // and as it is in the mix
  bool busy_ = false;
};

}  // namespace xlat
