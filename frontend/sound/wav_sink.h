// -audiodev wav: sound as a WAV file, valid at every moment.
#pragma once

#include <vector>

#include "frontend/sound/host_sink.h"

namespace xlat {

class WavSink final : public HostSink {
 public:
  explicit WavSink(AudioSettings settings) : settings_(std::move(settings)) {}
  ~WavSink() override;

  // start() empties the file.
  Status open() override;
  Status start() override;
  std::string status() const override;

  u32 rate() const override { return settings_.rate; }
  void play(std::span<const AudioFrame> frames) override;
  void silence(u64 frames) override;

 private:
  static constexpr u32 kHeaderBytes = 44;
  // The sizes in the header have 32 bits; what comes later is not recorded.
  static constexpr u64 kMostData = 0xffff'ff00 - kHeaderBytes;

  u32 frame_bytes() const { return settings_.channels * settings_.bits / 8; }
  u64 frames_left() const { return (kMostData - written_ - buffer_.size()) / frame_bytes(); }
  void put_sample(int sample);
  void flush();
  bool put(std::span<const u8> bytes, u64 at);
  bool put_header();
  void failed();

  AudioSettings settings_;
  int fd_ = -1;
  bool created_ = false, started_ = false, broken_ = false;
  u64 written_ = 0;  // bytes of samples in the file
  std::vector<u8> buffer_;
};

}  // namespace xlat
