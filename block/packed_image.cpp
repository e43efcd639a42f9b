// One chunk is kept unpacked.
#include "block/packed_image.h"

#include <algorithm>

namespace xlat {

std::vector<Chunk>::const_iterator PackedImage::chunk_at(u64 offset) const {
  return std::partition_point(chunks_.begin(), chunks_.end(),
                              [&](const Chunk& c) { return c.start + c.bytes <= offset; });
}

Status PackedImage::unpack(const Chunk& chunk) {
  if (unpacked_start_ == chunk.start) return {};
  std::vector<u8> raw(chunk.packed);
  if (Status s = file_->read(chunk.at, raw); !s) return s;
  unpacked_.resize(chunk.bytes);
  unpacked_start_ = ~u64{0};
  if (!decompress(chunk.codec, raw, unpacked_)) {
    return error("'{}': the {} image is damaged: a chunk at {:#x} cannot be unpacked", path(), format_, chunk.at);
  }
  unpacked_start_ = chunk.start;
  return {};
}

Status PackedImage::read(u64 offset, std::span<u8> to) {
  if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
  while (!to.empty()) {
    const auto chunk = chunk_at(offset);
    const bool inside = chunk != chunks_.end() && chunk->start <= offset;
    const u64 end = inside ? chunk->start + chunk->bytes : chunk != chunks_.end() ? chunk->start : size_;
    const std::span<u8> part = to.first(std::min<u64>(to.size(), end - offset));
    if (!inside || chunk->kind == Chunk::Kind::kZero) {
      std::fill(part.begin(), part.end(), u8{0});
    } else if (chunk->kind == Chunk::Kind::kRaw) {
      if (Status s = file_->read(chunk->at + (offset - chunk->start), part); !s) return s;
    } else {
      if (Status s = unpack(*chunk); !s) return s;
      std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(offset - chunk->start), part.size(), part.begin());
    }
    to = to.subspan(part.size());
    offset += part.size();
  }
  return {};
}

Result<Extent> PackedImage::status(u64 offset, u64 bytes) {
  if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
  const auto chunk = chunk_at(offset);
  const bool inside = chunk != chunks_.end() && chunk->start <= offset;
  const u64 end = inside ? chunk->start + chunk->bytes : chunk != chunks_.end() ? chunk->start : size_;
  const bool zero = !inside || chunk->kind == Chunk::Kind::kZero;
  Extent extent{.bytes = std::min(bytes, end - offset), .data = !zero, .zero = zero};
  if (inside && chunk->kind == Chunk::Kind::kRaw) extent.at = chunk->at + (offset - chunk->start);
  return extent;
}

}  // namespace xlat
