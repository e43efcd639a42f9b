// The machine's sound outputs by their ids.
#pragma once

#include "devices/audio/audio_mixer.h"

namespace xlat {

// As the frontend names them; without a sink what plays there is not heard.
struct AudioOutput {
  std::string id;
  std::shared_ptr<AudioSink> sink;
};

class AudioBackends final : public Device {
 public:
  AudioBackends(Clock& clock, const std::vector<AudioOutput>& outputs) : outputs_(outputs) {
    for (const AudioOutput& output : outputs) {
      mixers_.push_back(output.sink ? std::make_unique<AudioMixer>(clock, output.id, output.sink) : nullptr);
    }
  }

  // Null for an id nobody has, and for an output without a sink.
  AudioMixer* find(std::string_view id) const {
    for (std::size_t n = 0; n < outputs_.size(); ++n) {
      if (outputs_[n].id == id) return mixers_[n].get();
    }
    return nullptr;
  }
  bool has(std::string_view id) const {
    for (const AudioOutput& output : outputs_) {
      if (output.id == id) return true;
    }
    return false;
  }
  // The id a sound card without audiodev= plays to; empty if there is none.
  std::string first() const { return outputs_.empty() ? std::string() : outputs_.front().id; }
  const std::vector<AudioOutput>& outputs() const { return outputs_; }

  std::string_view name() const override { return "audio"; }
  void reset() override {}
  void serialize(Archive& ar) override {
    for (auto& mixer : mixers_) {
      if (mixer) mixer->serialize(ar);
    }
  }

 private:
  std::vector<AudioOutput> outputs_;
  std::vector<std::unique_ptr<AudioMixer>> mixers_;
};

}  // namespace xlat
