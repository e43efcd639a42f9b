// Reading and writing by a map of blocks.
#include "block/mapped_image.h"

#include <algorithm>
#include <cerrno>

#include "base/bits.h"

namespace xlat {

namespace {
constexpr u64 kPiece = u64{1} << 20;
}

Error MappedImage::damaged(const std::string& what) const {
  return Error{fmt::format("'{}': the {} image is damaged: {}", path(), format(), what), EIO};
}

Status MappedImage::check_write(u64 offset, u64 bytes) const {
  if (Status s = check_image_range(*this, "write", offset, bytes); !s) return s;
  if (read_only_) return error("'{}' is open read-only; nothing was written", path());
  return {};
}

Status MappedImage::read_packed(u64, u64, std::span<u8>) { return damaged("a block is compressed"); }

Result<bool> MappedImage::is_here(u64, u64, u64&) { return true; }

bool MappedImage::backing_has(u64 offset) const { return backing_ && backing_start_ + offset < backing_->size(); }

Status MappedImage::read_backing(u64 offset, std::span<u8> to) {
  const u64 from = backing_start_ + offset, end = backing_ ? backing_->size() : 0;
  const u64 present = from < end ? std::min<u64>(to.size(), end - from) : 0;
  std::fill(to.begin() + static_cast<std::ptrdiff_t>(present), to.end(), u8{0});
  return present ? backing_->read(from, to.first(present)) : Status();
}

Status MappedImage::read(u64 offset, std::span<u8> to) {
  if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
  while (!to.empty()) {
    const u64 block = offset / block_, in_block = offset % block_;
    u64 n = std::min<u64>(to.size(), block_ - in_block);
    const auto place = find(block);
    if (!place) return place.error();
    Kind kind = place.value().kind;
    if (kind == Kind::kData) {
      const auto here = is_here(block, in_block, n);
      if (!here) return here.error();
      if (!here.value()) kind = Kind::kNone;
    }
    const std::span<u8> part = to.first(n);
    Status s;
    switch (kind) {
      case Kind::kData: s = file_->read(place.value().host + in_block, part); break;
      case Kind::kPacked: s = read_packed(block, in_block, part); break;
      case Kind::kZero: std::fill(part.begin(), part.end(), u8{0}); break;
      case Kind::kNone: s = read_backing(offset, part); break;
    }
    if (!s) return s;
    to = to.subspan(n);
    offset += n;
  }
  return {};
}

Status MappedImage::write(u64 offset, std::span<const u8> from) {
  if (Status s = check_write(offset, from.size()); !s) return s;
  while (!from.empty()) {
    const u64 in_block = offset % block_, n = std::min<u64>(from.size(), block_ - in_block);
    if (Status s = write_block(offset / block_, in_block, from.first(n)); !s) return s;
    from = from.subspan(n);
    offset += n;
  }
  return {};
}

Status MappedImage::write_block(u64 block, u64 in_block, std::span<const u8> from) {
  const auto found = find(block);
  if (!found) return found.error();
  Place place = found.value();
  written_ = true;
  if (place.kind == Kind::kPacked) {
    return error("'{}': a block that is compressed cannot be written again; convert the image", path());
  }
  const u64 part = part_bytes(), disk = block * block_;
  // Parts of the block that are written only partly keep what they had.
  const u64 first = align_down(in_block, part), end = std::min(align_up(in_block + from.size(), part), block_);
  const bool fresh = place.kind != Kind::kData;
  if (fresh) {
    const auto host = take_room(block);
    if (!host) return host.error();
    place = {Kind::kData, host.value()};
  }
  const bool keeps_zeros = found.value().kind == Kind::kZero || !backing_has(disk);
  const auto keep = [&](u64 at, u64 bytes) -> Status {
    if (bytes == 0 || keeps_zeros) return {};
    u64 n = bytes;
    const auto here = fresh ? Result<bool>(false) : is_here(block, at, n);
    if (!here) return here.error();
    return here.value() ? Status() : copy_backing(disk + at, place.host + at, bytes);
  };
  if (Status s = keep(first, in_block - first); !s) return s;
  if (Status s = keep(in_block + from.size(), end - in_block - from.size()); !s) return s;
  if (Status s = file_->write(place.host + in_block, from); !s) return s;
  if (fresh) {
    // Zeros up to its end, without writing them.
    if (file_->size() < place.host + block_) {
      if (Status s = file_->resize(place.host + block_); !s) return s;
    }
    if (Status s = link(block, place); !s) return s;
  }
  return wrote(block, first, end - first);
}

Status MappedImage::copy_backing(u64 disk, u64 host, u64 bytes) {
  std::vector<u8> buffer(std::min(bytes, kPiece));
  while (bytes > 0) {
    const std::span<u8> piece = std::span(buffer).first(std::min(bytes, kPiece));
    if (Status s = read_backing(disk, piece); !s) return s;
    if (Status s = file_->write(host, piece); !s) return s;
    disk += piece.size();
    host += piece.size();
    bytes -= piece.size();
  }
  return {};
}

Status MappedImage::flush() {
  if (read_only_) return {};
  if (map_changed()) {
    if (Status s = file_->flush(); !s) return s;
    if (Status s = write_map(); !s) return s;
  }
  written_ = false;
  return file_->flush();
}

Result<Extent> MappedImage::status(u64 offset, u64 bytes) {
  if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
  if (bytes == 0) return Extent{};
  Extent all;
  // Blocks that follow one another are one extent.
  while (all.bytes < bytes) {
    const u64 at = offset + all.bytes, block = at / block_, in_block = at % block_;
    u64 n = std::min(bytes - all.bytes, block_ - in_block);
    const auto place = find(block);
    if (!place) return place.error();
    Extent next{.bytes = n};
    Kind kind = place.value().kind;
    if (kind == Kind::kData) {
      const auto here = is_here(block, in_block, n);
      if (!here) return here.error();
      if (!here.value()) kind = Kind::kNone;
      next.bytes = n;
    }
    if (kind == Kind::kData) {
      next.at = place.value().host + in_block;
      const Extent below = file_->status(*next.at, n);
      next.zero = below.zero;
      next.bytes = std::clamp<u64>(below.bytes, 1, n);
    } else if (kind != Kind::kPacked) {
      next.data = false;
      next.allocated = kind == Kind::kZero;
      next.zero = kind == Kind::kZero || !backing_has(at);
    }
    if (all.bytes == 0) {
      all = next;
    } else if (next.data == all.data && next.zero == all.zero && next.allocated == all.allocated &&
               next.at.has_value() == all.at.has_value() && (!all.at || *all.at + all.bytes == *next.at) &&
               kind != Kind::kPacked) {
      all.bytes += next.bytes;
    } else {
      break;
    }
    if (next.bytes < n) break;
  }
  return all;
}

Status MappedImage::write_zeroes(u64 offset, u64 bytes, bool unmap) {
  if (Status s = check_write(offset, bytes); !s) return s;
  while (bytes > 0) {
    const u64 block = offset / block_, in_block = offset % block_, n = std::min(bytes, block_ - in_block);
    const auto found = find(block);
    if (!found) return found.error();
    const Place place = found.value();
    const bool zero = place.kind == Kind::kZero || (place.kind == Kind::kNone && !backing_has(offset));
    const bool whole = in_block == 0 && (n == block_ || offset + n == size_);
    Status s;
    if (zero) {
    } else if (place.kind == Kind::kNone && whole && can_link_zero()) {
      s = link(block, {Kind::kZero, 0});
    } else if (place.kind == Kind::kData && !backing_) {
      s = file_->write_zeroes(place.host + in_block, n, unmap);
    } else {
      s = BlockImage::write_zeroes(offset, n, unmap);
    }
    if (!s) return s;
    offset += n;
    bytes -= n;
  }
  return {};
}

Status MappedImage::make_empty() { return BlockImage::make_empty(); }

}  // namespace xlat
