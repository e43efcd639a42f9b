// Opening, reading and writing, and the way from the disk's offsets to the file's.
#include "block/formats/qcow2/image.h"

#include <algorithm>

#include "base/bits.h"
#include "block/codecs.h"

namespace xlat::qcow2 {

namespace {

constexpr u64 kL2Memory = u64{32} << 20, kRefcountMemory = u64{16} << 20;

}  // namespace

Image::Image(ImageRequest request, Header header)
    : file_(std::move(request.file)),
      header_(std::move(header)),
      read_only_(request.read_only()),
      l2_(header_.cluster_bytes(), kL2Memory),
      refcounts_(header_.cluster_bytes(), kRefcountMemory) {}

Image::~Image() {
  if (read_only_) return;
  // What was freed is written down last: nothing refers to it any more.
  if (write_tables()) (void)write_refcounts();
}

Result<std::unique_ptr<BlockImage>> Image::open(ImageRequest request) {
  auto header = Header::read(*request.file);
  if (!header) return header.error();
  const auto open_backing = request.open_backing;
  const bool repair = request.repair;
  const std::string snapshot = request.snapshot;
  std::unique_ptr<Image> image(new Image(std::move(request), std::move(*header)));
  if (Status s = image->load(); !s) return s.error();
  if ((image->header_.incompatible & kCorrupt) && !image->read_only_ && !repair) {
    return error("'{}': qcow2: Image is corrupt; cannot be opened read/write", image->path());
  }
  if (open_backing && !image->header_.backing_file.empty()) {
    auto backing = open_backing(image->header_.backing_file, image->header_.backing_format);
    if (!backing) return backing.error();
    image->backing_ = std::move(*backing);
  }
  if (!snapshot.empty()) {
    if (Status s = image->show(snapshot); !s) return s.error();
  }
  if (image->read_only_) return std::unique_ptr<BlockImage>(std::move(image));
  // Features that nobody here keeps up to date are not valid once something is written.
  if (image->header_.autoclear != 0) {
    image->header_.autoclear = 0;
    if (Status s = image->write_header(); !s) return s.error();
  }
  if ((image->header_.incompatible & kDirty) && !repair) {
    auto report = image->check(Repair::kAll);
    if (!report) return report.error();
    if (report->corruptions > report->corruptions_fixed) {
      return error("'{}': the image was not closed properly and could not be repaired", image->path());
    }
  }
  return std::unique_ptr<BlockImage>(std::move(image));
}

Error Image::damaged(const std::string& what) const {
  return Error{fmt::format("'{}': the qcow2 image is damaged: {}", path(), what), EIO};
}

Status Image::load() {
  const u64 cluster = cluster_bytes();
  if (header_.size > (u64{1} << 62)) return error("'{}': the image says it has {} bytes", path(), header_.size);
  if (u64{header_.l1_entries} * 8 > kMostL1Bytes) return error("'{}': Active L1 table too large", path());
  if (header_.l1_entries < l1_for(header_.size)) return error("'{}': L1 table is too small", path());
  if (header_.l1_offset % cluster || header_.l1_offset > kOffsetMask)
    return error("'{}': Active L1 table offset invalid", path());
  if (header_.refcount_table_clusters == 0 && !read_only_) {
    return error("'{}': Image does not contain a reference count table", path());
  }
  if (header_.refcount_table_clusters * cluster > kMostRefcountTableBytes) {
    return error("'{}': Image reference count table is too large", path());
  }
  if (header_.refcount_table_offset % cluster || header_.refcount_table_offset > kOffsetMask) {
    return error("'{}': Reference count table offset invalid", path());
  }
  auto l1 = read_l1(header_.l1_offset, header_.l1_entries);
  if (!l1) return l1.error();
  l1_ = std::move(*l1);
  virgin_ = align_up(file_->size(), cluster);
  if (Status s = load_refcount_table(); !s) return s;
  return load_snapshots();
}

Result<Image::L1> Image::read_l1(u64 offset, u64 entries) const {
  L1 l1(entries);
  std::vector<u8> bytes(entries * 8);
  if (offset + bytes.size() > file_->size())
    return damaged(fmt::format("an L1 table at {} ends behind the file's end", offset));
  if (Status s = file_->read(offset, bytes); !s) return s.error();
  for (u64 n = 0; n < entries; ++n) l1[n] = load_be<u64>(&bytes[n * 8]);
  return l1;
}

Status Image::write_l1(u64 offset, const L1& l1) const {
  std::vector<u8> bytes(l1.size() * 8);
  for (u64 n = 0; n < l1.size(); ++n) store_be<u64>(&bytes[n * 8], l1[n]);
  return file_->write(offset, bytes);
}

Kind Image::kind_of(u64 entry) const {
  if (entry & kFlagCompressed) return Kind::kCompressed;
  const bool somewhere = entry & kOffsetMask;
  if ((entry & kFlagZero) && header_.version >= 3) return somewhere ? Kind::kZeroAllocated : Kind::kZero;
  return somewhere ? Kind::kData : Kind::kUnallocated;
}

Result<Mapping> Image::map(const L1& l1, u64 offset, u64 bytes) {
  const u64 cluster = cluster_bytes(), in_cluster = offset % cluster;
  const u64 l1_index = offset / l2_covers();
  bytes = std::min(bytes, l2_covers() - offset % l2_covers());
  const u64 table_at = l1_index < l1.size() ? l1[l1_index] & kOffsetMask : 0;
  if (table_at == 0) return Mapping{.bytes = bytes};
  if (table_at % cluster) return damaged(fmt::format("an L2 table at {:#x}", table_at));
  auto table = l2_.get(*file_, table_at);
  if (!table) return table.error();
  const u64 first = offset / cluster % l2_entries();
  const u64 most = (in_cluster + bytes + cluster - 1) / cluster;
  Mapping m;
  m.entry = load_be<u64>(&(*table)[first * 8]);
  m.kind = kind_of(m.entry);
  if (m.kind == Kind::kCompressed) {
    m.bytes = std::min(bytes, cluster - in_cluster);
    return m;
  }
  const u64 base = m.entry & kOffsetMask;
  if (base % cluster) return damaged(fmt::format("a cluster of the disk at {:#x}", base));
  u64 n = 1;
  for (; n < most; ++n) {
    const u64 next = load_be<u64>(&(*table)[(first + n) * 8]);
    if (kind_of(next) != m.kind || ((next ^ m.entry) & kFlagCopied)) break;
    if (base && (next & kOffsetMask) != base + n * cluster) break;
  }
  m.bytes = std::min(bytes, n * cluster - in_cluster);
  if (base) m.host = base + in_cluster;
  return m;
}

Status Image::read(u64 offset, std::span<u8> to) {
  if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
  return read_by(l1_, offset, to);
}

Status Image::read_by(const L1& l1, u64 offset, std::span<u8> to) {
  while (!to.empty()) {
    const auto m = map(l1, offset, to.size());
    if (!m) return m.error();
    const Mapping& here = m.value();
    const std::span<u8> part = to.first(here.bytes);
    Status s;
    switch (here.kind) {
      case Kind::kData: s = file_->read(here.host, part); break;
      case Kind::kCompressed: s = read_compressed(here.entry, offset % cluster_bytes(), part); break;
      case Kind::kUnallocated: s = read_backing(offset, part); break;
      case Kind::kZero:
      case Kind::kZeroAllocated: std::fill(part.begin(), part.end(), u8{0}); break;
    }
    if (!s) return s;
    to = to.subspan(here.bytes);
    offset += here.bytes;
  }
  return {};
}

Status Image::read_backing(u64 offset, std::span<u8> to) {
  // What is behind the disk's end (the state of a machine) or behind the backing file's is not in it.
  const u64 end = backing_ ? std::min(size(), backing_->size()) : 0;
  const u64 present = offset < end ? std::min<u64>(to.size(), end - offset) : 0;
  std::fill(to.begin() + static_cast<std::ptrdiff_t>(present), to.end(), u8{0});
  return present ? backing_->read(offset, to.first(present)) : Status();
}

Image::Packed Image::packed(u64 entry) const {
  const unsigned offset_bits = 62 - (header_.cluster_bits - 8);
  const u64 offset = entry & mask(offset_bits);
  const u64 sectors = bits(entry, offset_bits, header_.cluster_bits - 8) + 1;
  return {offset, sectors * 512 - offset % 512};
}

Status Image::read_compressed(u64 entry, u64 in_cluster, std::span<u8> to) {
  if (unpacked_entry_ != entry) {
    const Packed where = packed(entry);
    if (where.offset >= file_->size()) return damaged(fmt::format("a compressed cluster at {:#x}", where.offset));
    std::vector<u8> bytes(where.bytes);
    if (Status s = file_->read(where.offset, bytes); !s) return s;
    unpacked_.resize(cluster_bytes());
    unpacked_entry_ = 0;
    if (!decompress(header_.zstd ? Codec::kZstd : Codec::kDeflate, bytes, unpacked_)) {
      return damaged(fmt::format("a compressed cluster at {:#x} cannot be unpacked", where.offset));
    }
    unpacked_entry_ = entry;
  }
  std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(in_cluster), to.size(), to.begin());
  return {};
}

Result<Extent> Image::status(u64 offset, u64 bytes) {
  if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
  if (bytes == 0) return Extent{};
  const auto mapped = map(l1_, offset, bytes);
  if (!mapped) return mapped.error();
  const Mapping& m = mapped.value();
  Extent extent{.bytes = m.bytes};
  switch (m.kind) {
    case Kind::kData: {
      extent.at = m.host;
      // What was only reserved is a hole in the file.
      const Extent below = file_->status(m.host, m.bytes);
      extent.zero = below.zero;
      extent.bytes = std::clamp<u64>(below.bytes, 1, m.bytes);
      break;
    }
    case Kind::kCompressed: break;
    case Kind::kZeroAllocated: extent.at = m.host; [[fallthrough]];
    case Kind::kZero:
      extent.data = false;
      extent.zero = true;
      break;
    case Kind::kUnallocated: {
      extent.allocated = extent.data = false;
      extent.zero = !backing_has(offset);
      if (!extent.zero) extent.bytes = std::min(extent.bytes, std::min(size(), backing_->size()) - offset);
      break;
    }
  }
  return extent;
}

Status Image::check_write(u64 offset, u64 bytes) const {
  if (Status s = check_image_range(*this, "write", offset, bytes); !s) return s;
  if (read_only_) return error("'{}' is open read-only; nothing was written", path());
  return {};
}

Status Image::write(u64 offset, std::span<const u8> from) {
  if (Status s = check_write(offset, from.size()); !s) return s;
  return write_at(offset, from);
}

Status Image::write_at(u64 offset, std::span<const u8> from) {
  while (!from.empty()) {
    const auto mapped = map(l1_, offset, from.size());
    if (!mapped) return mapped.error();
    const Mapping& m = mapped.value();
    const std::span<const u8> part = from.first(m.bytes);
    if (m.in_place()) {
      if (is_metadata(m.host, m.bytes)) {
        return damaged(
            fmt::format("the cluster for offset {} is one of the image's own tables ({:#x})", offset, m.host));
      }
      if (Status s = file_->write(m.host, part); !s) return s;
    } else if (Status s = write_new(offset, part); !s) {
      return s;
    }
    if (Status s = write_tables_if_crowded(); !s) return s;
    from = from.subspan(m.bytes);
    offset += m.bytes;
  }
  return {};
}

// To clusters of one L2 table that cannot be written in place.
Status Image::write_new(u64 offset, std::span<const u8> from) {
  const u64 cluster = cluster_bytes();
  // A table that is needed comes before the data, so that these lie together.
  if (const auto table = writable_l2(offset / l2_covers()); !table) return table.error();
  while (!from.empty()) {
    const u64 in_cluster = offset % cluster;
    if (in_cluster != 0 || from.size() < cluster) {
      const u64 n = std::min<u64>(from.size(), cluster - in_cluster);
      const auto old = map(l1_, offset, n);
      if (!old) return old.error();
      if (Status s = write_part(offset, from.first(n), old.value()); !s) return s;
      from = from.subspan(n);
      offset += n;
      continue;
    }
    // As many whole clusters as come to lie one after another go in one write.
    u64 first = 0, n = 0;
    std::optional<u64> other;
    for (; n < from.size() / cluster; ++n) {
      const auto at = allocate();
      if (!at) {
        if (n == 0) return at.error();
        break;
      }
      if (n == 0) {
        first = at.value();
      } else if (at.value() != first + n * cluster) {
        other = at.value();
        break;
      }
    }
    // It is taken again first thing in the next round.
    if (other) {
      if (Status s = refer(*other / cluster, -1); !s) return s;
    }
    if (Status s = file_->write(first, from.first(n * cluster)); !s) {
      for (u64 k = 0; k < n; ++k) (void)refer(first / cluster + k, -1);
      return s;
    }
    for (u64 k = 0; k < n; ++k) {
      if (Status s = link(offset + k * cluster, (first + k * cluster) | kFlagCopied); !s) return s;
    }
    from = from.subspan(n * cluster);
    offset += n * cluster;
  }
  return {};
}

// Less than a cluster: around it stays what was there.
Status Image::write_part(u64 offset, std::span<const u8> from, const Mapping& old) {
  const u64 cluster = cluster_bytes(), in_cluster = offset % cluster, start = offset - in_cluster;
  const bool reuse = old.kind == Kind::kZeroAllocated && (old.entry & kFlagCopied);
  const u64 virgin = virgin_;
  u64 at = old.entry & kOffsetMask;
  if (!reuse) {
    const auto fresh = allocate();
    if (!fresh) return fresh.error();
    at = fresh.value();
  } else if (is_metadata(at, cluster)) {
    return damaged(fmt::format("the cluster for offset {} is one of the image's own tables ({:#x})", start, at));
  }
  const bool zeros = old.kind == Kind::kZero || old.kind == Kind::kZeroAllocated ||
                     (old.kind == Kind::kUnallocated && !backing_has(start));
  Status s;
  if (zeros && !reuse && at >= virgin) {
    s = file_->write(at + in_cluster, from);
  } else {
    std::vector<u8> whole(cluster);
    if (!zeros) s = read_by(l1_, start, whole);
    std::copy(from.begin(), from.end(), whole.begin() + static_cast<std::ptrdiff_t>(in_cluster));
    if (s) s = file_->write(at, whole);
  }
  if (!s) {
    if (!reuse) (void)refer(at / cluster, -1);
    return s;
  }
  return link(start, at | kFlagCopied);
}

Result<std::span<u8>> Image::writable_l2(u64 l1_index) {
  if (l1_index >= l1_.size()) {
    if (Status s = grow_l1(l1_index + 1); !s) return s.error();
  }
  const u64 old = l1_[l1_index] & kOffsetMask;
  if (old % cluster_bytes()) return damaged(fmt::format("an L2 table at {:#x}", old));
  if (old && (l1_[l1_index] & kFlagCopied)) {
    if (is_metadata(old, cluster_bytes()) && !l2_.has(old)) {
      return damaged(fmt::format("an L2 table is one of the image's other tables ({:#x})", old));
    }
    return l2_.get(*file_, old);
  }
  std::vector<u8> copy;
  if (old) {
    const auto table = l2_.get(*file_, old);
    if (!table) return table.error();
    copy.assign(table.value().begin(), table.value().end());
  }
  const auto at = allocate();
  if (!at) return at.error();
  const std::span<u8> fresh = l2_.fresh(at.value());
  std::copy(copy.begin(), copy.end(), fresh.begin());
  l1_[l1_index] = at.value() | kFlagCopied;
  l1_changed_ = true;
  if (old) free_later(old, cluster_bytes());
  return fresh;
}

Status Image::link(u64 offset, u64 entry) {
  const auto table = writable_l2(offset / l2_covers());
  if (!table) return table.error();
  u8* at = &table.value()[offset / cluster_bytes() % l2_entries() * 8];
  const u64 old = load_be<u64>(at);
  if (old == entry) return {};
  store_be<u64>(at, entry);
  l2_.changed(l1_[offset / l2_covers()] & kOffsetMask);
  if (unpacked_entry_ == old) unpacked_entry_ = 0;
  // A cluster that only changes its flags stays where it is.
  const bool same = !((old | entry) & kFlagCompressed) && (old & kOffsetMask) == (entry & kOffsetMask);
  if (!same) free_entry_later(old);
  return {};
}

Status Image::write_compressed(u64 offset, std::span<const u8> cluster) {
  if (Status s = check_write(offset, cluster.size()); !s) return s;
  if (offset % cluster_bytes()) return error("'{}': compressed data must begin at a cluster", path());
  std::vector<u8> whole(cluster.begin(), cluster.end());
  whole.resize(cluster_bytes());  // the disk's last one may be shorter
  const std::vector<u8> small = compress(header_.zstd ? Codec::kZstd : Codec::kDeflate, whole);
  if (small.empty()) return write_at(offset, cluster);
  if (const auto table = writable_l2(offset / l2_covers()); !table) return table.error();
  const auto at = allocate_bytes(small.size());
  if (!at) return at.error();
  if (Status s = file_->write(at.value(), small); !s) return s;
  const unsigned offset_bits = 62 - (header_.cluster_bits - 8);
  const u64 sectors = (at.value() % 512 + small.size() + 511) / 512 - 1;
  if (Status s = link(offset, kFlagCompressed | sectors << offset_bits | at.value()); !s) return s;
  return write_tables_if_crowded();
}

ImageDetails Image::details() const {
  ImageDetails d{.cluster_bytes = cluster_bytes(),
                 .dirty = (header_.incompatible & kDirty) != 0,
                 .backing_file = header_.backing_file,
                 .backing_format = header_.backing_format,
                 .specific = {},
                 .parts = {}};
  d.specific.emplace_back("compat", std::string(header_.version == 2 ? "0.10" : "1.1"));
  d.specific.emplace_back("compression type", std::string(header_.zstd ? "zstd" : "zlib"));
  if (header_.version == 3) d.specific.emplace_back("lazy refcounts", (header_.compatible & kLazyRefcounts) != 0);
  d.specific.emplace_back("refcount bits", u64{1} << header_.refcount_order);
  if (header_.version == 3) {
    d.specific.emplace_back("corrupt", (header_.incompatible & kCorrupt) != 0);
    d.specific.emplace_back("extended l2", false);
  }
  return d;
}

}  // namespace xlat::qcow2
