// Zeros, discards, other sizes, another backing file: what changes tables and not data.
#include <algorithm>
#include <cerrno>

#include "base/bits.h"
#include "block/formats/qcow2/image.h"

namespace xlat::qcow2 {

Status Image::link_zero(u64 offset, u64 bytes, bool unmap) {
  const u64 cluster = cluster_bytes();
  for (u64 at = offset; at < offset + bytes;) {
    const auto mapped = map(l1_, at, offset + bytes - at);
    if (!mapped) return mapped.error();
    const Mapping& m = mapped.value();
    const bool zero_already = m.kind == Kind::kZero || (m.kind == Kind::kUnallocated && !backing_has(at)) ||
                              (m.kind == Kind::kZeroAllocated && !unmap);
    for (u64 n = 0; !zero_already && n < m.bytes; n += cluster) {
      const bool keep = !unmap && m.in_place();
      const u64 entry = keep ? ((m.host + n) | kFlagCopied | kFlagZero) : u64{kFlagZero};
      if (Status s = link(at + n, entry); !s) return s;
      if (Status s = write_tables_if_crowded(); !s) return s;
    }
    at += m.bytes;
  }
  return {};
}

Status Image::forget(u64 offset, u64 bytes) {
  for (u64 at = offset; at < offset + bytes;) {
    const auto mapped = map(l1_, at, offset + bytes - at);
    if (!mapped) return mapped.error();
    const Mapping& m = mapped.value();
    for (u64 n = 0; m.kind != Kind::kUnallocated && n < m.bytes; n += cluster_bytes()) {
      if (Status s = link(at + n, 0); !s) return s;
      if (Status s = write_tables_if_crowded(); !s) return s;
    }
    at += m.bytes;
  }
  return {};
}

Status Image::write_zeroes(u64 offset, u64 bytes, bool unmap) {
  if (Status s = check_write(offset, bytes); !s) return s;
  const u64 cluster = cluster_bytes(), end = offset + bytes;
  // The disk may end within its last cluster.
  const u64 first = align_up(offset, cluster), last = end == size() ? align_up(end, cluster) : align_down(end, cluster);
  if (first >= last) return write_part_zero(offset, bytes);
  if (Status s = write_part_zero(offset, first - offset); !s) return s;
  if (header_.version >= 3) {
    if (Status s = link_zero(first, last - first, unmap); !s) return s;
  } else if (!backing_ || first >= backing_->size()) {
    if (Status s = forget(first, last - first); !s) return s;
  } else if (Status s = BlockImage::write_zeroes(first, std::min(last, end) - first, unmap); !s) {
    return s;
  }
  return end > last ? write_part_zero(last, end - last) : Status();
}

Status Image::write_part_zero(u64 offset, u64 bytes) {
  while (bytes > 0) {
    const auto mapped = map(l1_, offset, bytes);
    if (!mapped) return mapped.error();
    const Mapping& m = mapped.value();
    const bool zero = m.kind == Kind::kZero || m.kind == Kind::kZeroAllocated ||
                      (m.kind == Kind::kUnallocated && !backing_has(offset));
    if (!zero) {
      if (Status s = write_at(offset, std::vector<u8>(m.bytes)); !s) return s;
    }
    offset += m.bytes;
    bytes -= m.bytes;
  }
  return {};
}

Status Image::discard(u64 offset, u64 bytes) {
  if (Status s = check_write(offset, bytes); !s) return s;
  const u64 cluster = cluster_bytes(), end = offset + bytes;
  const u64 first = align_up(offset, cluster), last = end == size() ? align_up(end, cluster) : align_down(end, cluster);
  if (first >= last) return {};
  if (!backing_) return forget(first, last - first);
  return header_.version >= 3 ? link_zero(first, last - first, true) : Status();
}

Status Image::make_empty() {
  if (read_only_) return error("'{}' is open read-only", path());
  if (Status s = forget(0, align_up(size(), cluster_bytes())); !s) return s;
  return flush();
}

Status Image::grow_l1(u64 entries) {
  if (entries <= l1_.size()) return {};
  if (entries * 8 > kMostL1Bytes) {
    return Error{
        fmt::format("'{}': the disk would need an L1 table of more than {} bytes; make an image with larger clusters",
                    path(), kMostL1Bytes),
        EFBIG};
  }
  const u64 cluster = cluster_bytes();
  const u64 clusters = (entries * 8 + cluster - 1) / cluster, old_bytes = align_up(l1_.size() * 8, cluster);
  const auto at = allocate(clusters);
  if (!at) return at.error();
  // The new table says what the old one will say: what it refers to must be there first.
  if (Status s = write_tables(); !s) return s;
  if (Status s = write_refcounts(); !s) return s;
  L1 grown = l1_;
  grown.resize(entries);
  L1 padded = grown;
  padded.resize(clusters * cluster / 8);
  if (Status s = write_l1(at.value(), padded); !s) return s;
  if (Status s = file_->flush(); !s) return s;
  u8 field[12];
  store_be<u32>(&field[0], static_cast<u32>(entries));
  store_be<u64>(&field[4], at.value());
  if (Status s = write_field(kL1At, field); !s) return s;
  if (header_.l1_offset && old_bytes) free_later(header_.l1_offset, old_bytes);
  l1_ = std::move(grown);
  header_.l1_entries = static_cast<u32>(entries);
  header_.l1_offset = at.value();
  return {};
}

Status Image::resize(u64 bytes) {
  if (read_only_) return error("'{}' is open read-only", path());
  if (bytes % 512) return error("The new size must be a multiple of 512");
  const u64 old = size();
  if (!snapshots_.empty() && header_.version < 3) return error("Can't resize a version 2 image which has snapshots");
  if (bytes < old) {
    const u64 cluster = cluster_bytes();
    if (Status s = forget(align_up(bytes, cluster), align_up(old, cluster) - align_up(bytes, cluster)); !s) return s;
    if (Status s = write_part_zero(bytes, std::min(old, align_up(bytes, cluster)) - bytes); !s) return s;
  } else if (Status s = grow_l1(l1_for(bytes)); !s) {
    return s;
  }
  if (Status s = write_tables(); !s) return s;
  u8 field[8];
  store_be<u64>(field, bytes);
  if (Status s = write_field(kSizeAt, field); !s) return s;
  header_.size = bytes;
  // Of a backing file that is longer, nothing comes to light.
  if (backing_ && backing_->size() > old && bytes > old) {
    if (Status s = write_zeroes(old, std::min(bytes, backing_->size()) - old, true); !s) return s;
  }
  return flush();
}

Status Image::set_backing(const std::string& file, const std::string& format) {
  if (read_only_) return error("'{}' is open read-only", path());
  Header changed = header_;
  changed.backing_file = file;
  changed.backing_format = format;
  std::swap(header_, changed);
  if (Status s = write_header(); !s) {
    std::swap(header_, changed);
    return s;
  }
  return file_->flush();
}

}  // namespace xlat::qcow2
