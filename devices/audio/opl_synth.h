// The sound of an OPL3, from a library: registers in, frames out.
#pragma once

#include <memory>
#include <span>

#include "base/archive.h"
#include "devices/audio/audio_sink.h"

namespace xlat {

class OplSynth {
 public:
  // 14.318 MHz / 288.
  static constexpr u32 kRate = 49716;

  virtual ~OplSynth() = default;
  // `reg` 0 to 1FFh: the second bank is 100h and on.
  virtual void write(unsigned reg, u8 value) = 0;
  virtual void render(std::span<AudioFrame> frames) = 0;
  virtual void serialize(Archive& ar) = 0;
};

// A fresh chip. Null where the library was not there when xlat was built.
std::unique_ptr<OplSynth> make_opl_synth();
bool opl_synth_available();

}  // namespace xlat
