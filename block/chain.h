// Images together with what they are based on.
#pragma once

#include <functional>

#include "block/block_image.h"

namespace xlat {

struct ChainExtent {
  Extent extent;
  BlockImage* image = nullptr;  // whose it is: the first that has something there, or the last of the chain
  unsigned depth = 0;           // of that one; 0 is the image asked
};

// Whose the bytes from `offset` on are. `base`, and what is below it, is not looked at.
Result<ChainExtent> chain_status(BlockImage& image, u64 offset, u64 bytes, const BlockImage* base = nullptr);

// Writes what `top` and those between have to `base`, which then has at least their size. `told`: the part done, 0
// to 1.
Status commit_chain(BlockImage& top, BlockImage& base, const std::function<void(double)>& told);

}  // namespace xlat
