// AK4531, the mixer chip behind an ES1370: write-only registers, of which the two DACs' volumes are heard.
#pragma once

#include <array>
#include <cmath>

#include "base/archive.h"
#include "devices/audio/audio_mixer.h"

namespace xlat {

// Asahi Kasei AK4531 data sheet: attenuators of 2 dB a step, bit 7 mutes.
class Ak4531 {
 public:
  enum Register : u8 { kMaster = 0x00, kVoice = 0x02, kFm = 0x04, kSwitch1 = 0x10, kSwitch2 = 0x11, kReset = 0x16 };

  void reset() {
    registers_ = {};
    for (unsigned n = 0; n < 0x10; ++n) registers_[n] = 0x80;
  }
  void write(u8 reg, u8 value) {
    if (reg == kReset && !(value & 1)) reset();  // RSTN
    if (reg < registers_.size()) registers_[reg] = value;
  }
  // Of the second DAC (the chip's voice input) and of the first (its FM input), left and right.
  std::array<u32, 2> voice() const { return volume(kVoice, registers_[kSwitch2] >> 2); }
  std::array<u32, 2> fm() const { return volume(kFm, registers_[kSwitch1] >> 5); }
  void serialize(Archive& ar) { ar(registers_); }

 private:
  // `switches`: bit 1 lets the left side to the output, bit 0 the right. Six steps of an input are its 0 dB.
  std::array<u32, 2> volume(u8 input, unsigned switches) const {
    std::array<u32, 2> out{};
    for (unsigned side = 0; side < 2; ++side) {
      const u8 master = registers_[kMaster + side], own = registers_[input + side];
      if ((master | own) & 0x80 || !(switches >> (1 - side) & 1)) continue;
      const int steps = (master & 0x1f) + (own & 0x1f) - 6;
      out[side] = static_cast<u32>(std::lround(AudioVoice::kFull * std::pow(10.0, -0.1 * steps)));
    }
    return out;
  }

  std::array<u8, 0x20> registers_{};
};

}  // namespace xlat
