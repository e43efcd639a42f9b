// A hash of numbers and bytes in the order they are added.
#pragma once

#include <cstring>

#include "base/types.h"

namespace xlat {

// Bytes in four lanes, as fast as memory. Not the same on hosts of another byte order.
class Hasher {
 public:
  void add(u64 value) { lanes_[0] = mix(lanes_[0], value); }
  void add(const u8* bytes, std::size_t count) {
    for (; count >= 32; bytes += 32, count -= 32) {
      for (unsigned n = 0; n < 4; ++n) {
        u64 value;
        std::memcpy(&value, bytes + 8 * n, 8);
        lanes_[n] = mix(lanes_[n], value);
      }
    }
    for (; count > 0; ++bytes, --count) add(*bytes);
  }
  u64 value() const { return mix(mix(mix(lanes_[0], lanes_[1]), lanes_[2]), lanes_[3]); }

 private:
  static u64 mix(u64 hash, u64 value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
  }
  u64 lanes_[4] = {1, 2, 3, 4};
};

}  // namespace xlat
