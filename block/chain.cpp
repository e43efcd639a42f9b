// Walking down a chain of images.
#include "block/chain.h"

#include <algorithm>

namespace xlat {

Result<ChainExtent> chain_status(BlockImage& image, u64 offset, u64 bytes, const BlockImage* base) {
  ChainExtent found{{}, &image, 0};
  for (;;) {
    auto extent = found.image->status(offset, bytes);
    if (!extent) return extent.error();
    found.extent = *extent;
    if (found.extent.bytes == 0) found.extent.bytes = bytes;
    BlockImage* below = found.image->backing();
    if (found.extent.allocated || !below || below == base) return found;
    bytes = found.extent.bytes;
    if (offset >= below->size()) {
      // Behind its end there are zeros.
      found.extent.zero = true;
      return found;
    }
    bytes = std::min(bytes, below->size() - offset);
    found.image = below;
    ++found.depth;
  }
}

Status commit_chain(BlockImage& top, BlockImage& base, const std::function<void(double)>& told) {
  constexpr u64 kPiece = u64{1} << 20;
  if (base.size() < top.size()) {
    if (Status s = base.resize(top.size()); !s) return s;
  }
  std::vector<u8> buffer(kPiece);
  for (u64 at = 0; at < top.size();) {
    told(static_cast<double>(at) / static_cast<double>(top.size()));
    const auto found = chain_status(top, at, std::min(kPiece * 64, top.size() - at), &base);
    if (!found) return found.error();
    const Extent& extent = found.value().extent;
    if (!extent.allocated) {
      at += extent.bytes;
    } else if (extent.zero) {
      if (Status s = base.write_zeroes(at, extent.bytes, true); !s) return s;
      at += extent.bytes;
    } else {
      const u64 n = std::min(extent.bytes, kPiece);
      if (Status s = top.read(at, std::span(buffer).first(n)); !s) return s;
      if (Status s = base.write(at, std::span(buffer).first(n)); !s) return s;
      at += n;
    }
  }
  told(1);
  return base.flush();
}

}  // namespace xlat
