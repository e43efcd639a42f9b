// Whether bytes are all zeros, as fast as memory.
#pragma once

#include <cstring>
#include <span>

#include "base/types.h"

namespace xlat {

inline bool all_zero(std::span<const u8> bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace xlat
