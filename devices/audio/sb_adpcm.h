// Creative's ADPCM of 4, 2.6 and 2 bits a sample.
#pragma once

#include <algorithm>
#include <array>

#include "base/types.h"

namespace xlat {

// Each code has a sign and a size; the size is scaled by a step that grows after the largest size and shrinks after
// zero. Decoding begins from a reference, an 8-bit unsigned sample.
class SbAdpcm {
 public:
  enum class Kind : u8 { kNone, kTwo, kThree, kFour };  // kThree: 3, 3 and 2 bits a byte

  void start(u8 reference) { sample_ = reference, step_ = 0; }
  static unsigned samples_in_byte(Kind kind) { return kind == Kind::kTwo ? 4 : kind == Kind::kThree ? 3 : 2; }

  // The n-th sample of a byte.
  u8 decode(Kind kind, u8 byte, unsigned n) {
    switch (kind) {
      case Kind::kTwo: return advance((byte >> (6 - 2 * n)) & 3, 1, 1, kSteps2);
      case Kind::kThree: {
        const unsigned code = n == 0 ? byte >> 5 : n == 1 ? (byte >> 2) & 7 : (byte & 3) << 1;
        return advance(code, 2, 3, kSteps3);
      }
      default: return advance((byte >> (4 - 4 * n)) & 15, 3, 5, kSteps4);
    }
  }

  template <class Archive>
  void serialize(Archive& ar) {
    ar(sample_).range(step_, u8{0}, u8{5});
  }

 private:
  static constexpr std::array<u8, 6> kSteps2 = {1, 2, 4, 8, 16, 32};
  static constexpr std::array<u8, 5> kSteps3 = {1, 2, 4, 8, 10};
  static constexpr std::array<u8, 4> kSteps4 = {1, 2, 4, 8};

  template <std::size_t N>
  u8 advance(unsigned code, unsigned size_bits, unsigned grows_from, const std::array<u8, N>& steps) {
    step_ = std::min<u8>(step_, N - 1);
    const int size = static_cast<int>(code & ((1u << size_bits) - 1)), step = steps[step_];
    const int change = size * step + step / 2;
    sample_ = static_cast<u8>(std::clamp(sample_ + (code >> size_bits ? -change : change), 0, 255));
    if (static_cast<unsigned>(size) >= grows_from) {
      step_ = static_cast<u8>(std::min<std::size_t>(step_ + 1u, N - 1));
    } else if (size == 0 && step_ > 0) {
      --step_;
    }
    return sample_;
  }

  u8 sample_ = 0x80, step_ = 0;
};

}  // namespace xlat
