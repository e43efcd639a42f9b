// Compressed blocks of a size that is known, as disk formats have them.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace xlat {

enum class Codec : u8 { kDeflate, kZlib, kZstd, kBzip2 };

// Fills `to` exactly. False if `from` is damaged or has less in it; what follows its end is ignored.
bool decompress(Codec codec, std::span<const u8> from, std::span<u8> to);
// Empty if it does not get smaller than `from`, unless `even_larger`. Not for bzip2.
std::vector<u8> compress(Codec codec, std::span<const u8> from, bool even_larger = false);

}  // namespace xlat
