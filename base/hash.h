// Which slot of a table of 2^n a number goes to.
#pragma once

#include "base/types.h"

namespace xlat {

// Multiplicative hashing: the upper bits of the product.
inline constexpr u32 kHash = 0x9e3779b1;
constexpr u32 hash_slot(u32 value, unsigned log2) { return value * kHash >> (32 - log2); }

}  // namespace xlat
