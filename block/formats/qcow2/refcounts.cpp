// Which clusters of the file are in use, and the order in which tables reach the disk.
#include <algorithm>

#include "base/bits.h"
#include "block/formats/qcow2/image.h"

namespace xlat::qcow2 {

namespace {
constexpr std::size_t kMostFrees = 1 << 20;  // before the tables are written
}

Status Image::load_refcount_table() {
  const u64 bytes = header_.refcount_table_clusters * cluster_bytes();
  std::vector<u8> raw(bytes);
  if (Status s = file_->read(header_.refcount_table_offset, raw); !s) return s;
  refcount_table_.resize(bytes / 8);
  for (u64 n = 0; n < refcount_table_.size(); ++n) {
    refcount_table_[n] = load_be<u64>(&raw[n * 8]) & ~u64{511};
    if (refcount_table_[n]) refcount_blocks_.insert(refcount_table_[n]);
  }
  return {};
}

Result<u64> Image::references(u64 cluster) {
  const u64 block = cluster / block_entries(), n = cluster % block_entries();
  const u64 at = block < refcount_table_.size() ? refcount_table_[block] : 0;
  if (at == 0) return u64{0};
  if (at % cluster_bytes()) return damaged(fmt::format("a refcount block at {:#x}", at));
  const auto table = refcounts_.get(*file_, at);
  if (!table) return table.error();
  const u8* raw = table.value().data();
  switch (header_.refcount_order) {
    case 3: return u64{raw[n]};
    case 4: return u64{load_be<u16>(raw + n * 2)};
    case 5: return u64{load_be<u32>(raw + n * 4)};
    case 6: return load_be<u64>(raw + n * 8);
    default: {
      const unsigned width = 1u << header_.refcount_order, per_byte = 8 / width;
      return bits(raw[n / per_byte], static_cast<unsigned>(n % per_byte) * width, width);
    }
  }
}

Status Image::set_references(u64 cluster, u64 count) {
  const u64 block = cluster / block_entries(), n = cluster % block_entries();
  const u64 at = block < refcount_table_.size() ? refcount_table_[block] : 0;
  if (at == 0 || at % cluster_bytes()) return damaged(fmt::format("cluster {} has no refcount", cluster));
  const auto table = refcounts_.get(*file_, at);
  if (!table) return table.error();
  u8* raw = table.value().data();
  switch (header_.refcount_order) {
    case 3: raw[n] = static_cast<u8>(count); break;
    case 4: store_be<u16>(raw + n * 2, static_cast<u16>(count)); break;
    case 5: store_be<u32>(raw + n * 4, static_cast<u32>(count)); break;
    case 6: store_be<u64>(raw + n * 8, count); break;
    default: {
      const unsigned width = 1u << header_.refcount_order, per_byte = 8 / width;
      const unsigned shift = static_cast<unsigned>(n % per_byte) * width;
      u8& byte = raw[n / per_byte];
      byte = static_cast<u8>((byte & ~(mask(width) << shift)) | count << shift);
    }
  }
  refcounts_.changed(at);
  if (count == 0) free_hint_ = std::min(free_hint_, cluster);
  return {};
}

Status Image::refer(u64 cluster, i64 delta) {
  const auto old = references(cluster);
  if (!old) return old.error();
  if (delta < 0 && old.value() == 0) return damaged(fmt::format("cluster {} is freed more often than used", cluster));
  if (delta > 0 && old.value() >= most_references()) {
    return Error{fmt::format("'{}': cluster {} is used more often than {} bits can count", path(), cluster,
                             1 << header_.refcount_order),
                 EINVAL};
  }
  return set_references(cluster, old.value() + static_cast<u64>(delta));
}

Status Image::refer_entry(u64 entry, i64 delta) {
  const u64 cluster = cluster_bytes();
  if (entry & kFlagCompressed) {
    const Packed where = packed(entry);
    for (u64 n = where.offset / cluster; n <= (where.offset + where.bytes - 1) / cluster; ++n) {
      if (Status s = refer(n, delta); !s) return s;
    }
    return {};
  }
  const u64 at = entry & kOffsetMask;
  if (at % cluster) return damaged(fmt::format("a cluster of the disk at {:#x}", at));
  return at ? refer(at / cluster, delta) : Status();
}

bool Image::is_metadata(u64 offset, u64 bytes) const {
  const u64 cluster = cluster_bytes();
  const auto meets = [&](u64 at, u64 n) { return n && offset < at + n && at < offset + bytes; };
  if (meets(0, cluster) || meets(header_.l1_offset, l1_.size() * 8) ||
      meets(header_.refcount_table_offset, refcount_table_.size() * 8) ||
      meets(header_.snapshots_offset, snapshots_bytes_)) {
    return true;
  }
  for (u64 at = align_down(offset, cluster); at < offset + bytes; at += cluster) {
    if (refcount_blocks_.contains(at) || l2_.has(at)) return true;
  }
  return false;
}

Result<u64> Image::allocate(u64 clusters) {
  const u64 cluster = cluster_bytes();
  if (clusters > block_entries() / 2) return allocate_at_end(clusters);
  u64 run = 0;
  for (u64 n = free_hint_; run < clusters; ++n) {
    const u64 block = n / block_entries();
    if (n > kOffsetMask / cluster) return Error{fmt::format("'{}': the image is full", path()), EFBIG};
    if (block >= refcount_table_.size()) {
      if (Status s = grow_refcount_table(block + 1); !s) return s.error();
    }
    if (refcount_table_[block] == 0) {
      // Nothing that it will count is in use yet; it counts itself first.
      if (Status s = add_block(block, n); !s) return s.error();
      run = 0;
      continue;
    }
    const auto used = references(n);
    if (!used) return used.error();
    run = used.value() == 0 ? run + 1 : 0;
    if (run < clusters) continue;
    const u64 first = n + 1 - clusters;
    if (is_metadata(first * cluster, clusters * cluster)) {
      return damaged(fmt::format("its refcounts say that a table at {:#x} is free", first * cluster));
    }
    for (u64 k = first; k <= n; ++k) {
      if (Status s = set_references(k, 1); !s) return s.error();
    }
    if (clusters == 1) free_hint_ = n + 1;
    virgin_ = std::max(virgin_, (n + 1) * cluster);
    return first * cluster;
  }
  return damaged("no cluster is free");
}

// Behind everything that any refcount block counts.
Result<u64> Image::allocate_at_end(u64 clusters) {
  u64 blocks = refcount_table_.size();
  while (blocks > 0 && refcount_table_[blocks - 1] == 0) --blocks;
  const u64 first = blocks * block_entries();
  u64 extra = 0;
  // The blocks that count the new clusters lie behind them and count each other.
  while ((first + clusters + extra + block_entries() - 1) / block_entries() - first / block_entries() > extra) ++extra;
  const u64 last_block = (first + clusters + extra + block_entries() - 1) / block_entries();
  if (last_block > refcount_table_.size()) {
    if (Status s = grow_refcount_table(last_block); !s) return s.error();
    return allocate_at_end(clusters);  // the table went where the end was
  }
  for (u64 block = first / block_entries(), n = first + clusters; block < last_block; ++block, ++n) {
    const u64 at = n * cluster_bytes();
    refcounts_.fresh(at);
    refcount_table_[block] = at;
    refcount_blocks_.insert(at);
  }
  refcount_table_changed_ = true;
  for (u64 n = first; n < first + clusters + (last_block - first / block_entries()); ++n) {
    if (Status s = set_references(n, 1); !s) return s.error();
  }
  virgin_ = std::max(virgin_, (first + clusters + extra) * cluster_bytes());
  return first * cluster_bytes();
}

Status Image::add_block(u64 block, u64 cluster) {
  const u64 at = cluster * cluster_bytes();
  if (is_metadata(at, cluster_bytes()))
    return damaged(fmt::format("its refcounts say that a table at {:#x} is free", at));
  refcounts_.fresh(at);
  refcount_table_[block] = at;
  refcount_blocks_.insert(at);
  refcount_table_changed_ = true;
  virgin_ = std::max(virgin_, at + cluster_bytes());
  return set_references(cluster, 1);
}

// To at least so many entries. The new table and the blocks that count it lie where the old one's reach ends.
Status Image::grow_refcount_table(u64 blocks) {
  const u64 cluster = cluster_bytes(), entries = block_entries();
  const u64 first_block = refcount_table_.size(), first = first_block * entries;
  u64 table_clusters = 0, new_blocks = 0;
  for (;;) {
    const u64 wanted = std::max(blocks, first_block + new_blocks);
    const u64 t = ((wanted + wanted / 2) * 8 + cluster - 1) / cluster;
    const u64 b = (t + new_blocks + entries - 1) / entries;
    if (t == table_clusters && b == new_blocks) break;
    table_clusters = std::max(t, table_clusters);
    new_blocks = std::max(b, new_blocks);
    if (table_clusters * cluster > kMostRefcountTableBytes) {
      return Error{fmt::format("'{}': the image cannot grow any more with clusters of {} bytes", path(), cluster),
                   EFBIG};
    }
  }
  // What the old table refers to must be on disk before the new one does.
  if (Status s = write_refcounts(); !s) return s;
  std::vector<u64> table = refcount_table_;
  table.resize(table_clusters * cluster / 8);
  for (u64 n = 0; n < new_blocks; ++n) table[first_block + n] = (first + n) * cluster;
  const u64 table_at = (first + new_blocks) * cluster;
  std::swap(refcount_table_, table);
  const auto undo = [&](const Status& s) {
    std::swap(refcount_table_, table);
    return s;
  };
  for (u64 n = 0; n < new_blocks; ++n) {
    refcounts_.fresh((first + n) * cluster);
    refcount_blocks_.insert((first + n) * cluster);
  }
  for (u64 n = first; n < first + new_blocks + table_clusters; ++n) {
    if (Status s = set_references(n, 1); !s) return undo(s);
  }
  virgin_ = std::max(virgin_, table_at + table_clusters * cluster);
  if (Status s = refcounts_.write_changed(*file_); !s) return undo(s);
  std::vector<u8> raw(refcount_table_.size() * 8);
  for (u64 n = 0; n < refcount_table_.size(); ++n) store_be<u64>(&raw[n * 8], refcount_table_[n]);
  if (Status s = file_->write(table_at, raw); !s) return undo(s);
  if (Status s = file_->flush(); !s) return undo(s);
  u8 field[12];
  store_be<u64>(&field[0], table_at);
  store_be<u32>(&field[8], static_cast<u32>(table_clusters));
  if (Status s = write_field(kRefcountTableAt, field); !s) return undo(s);
  free_later(header_.refcount_table_offset, header_.refcount_table_clusters * cluster);
  header_.refcount_table_offset = table_at;
  header_.refcount_table_clusters = static_cast<u32>(table_clusters);
  return {};
}

// Compressed clusters share clusters of the file.
Result<u64> Image::allocate_bytes(u64 bytes) {
  const u64 cluster = cluster_bytes();
  u64 start = packed_end_;
  if (start != 0) {
    const auto used = references(start / cluster);
    if (!used) return used.error();
    if (used.value() == 0 || used.value() >= most_references()) start = 0;
  }
  const u64 room = start ? cluster - start % cluster : 0;
  if (bytes <= room) {
    if (Status s = refer(start / cluster, 1); !s) return s.error();
  } else {
    const auto fresh = allocate();
    if (!fresh) return fresh.error();
    if (start && fresh.value() == align_up(start, cluster)) {
      if (Status s = refer(start / cluster, 1); !s) return s.error();
    } else {
      start = fresh.value();
    }
  }
  packed_end_ = (start + bytes) % cluster ? start + bytes : 0;
  return start;
}

void Image::free_later(u64 offset, u64 bytes) {
  for (u64 n = offset / cluster_bytes(); n < (offset + bytes + cluster_bytes() - 1) / cluster_bytes(); ++n) {
    frees_.push_back(n);
  }
}

void Image::free_entry_later(u64 entry) {
  if (entry & kFlagCompressed) {
    const Packed where = packed(entry);
    const u64 first = align_down(where.offset, cluster_bytes());
    free_later(first, where.offset + where.bytes - first);
  } else if (entry & kOffsetMask) {
    free_later(entry & kOffsetMask, cluster_bytes());
  }
}

Status Image::write_refcounts() {
  if (!refcounts_.any_changed() && !refcount_table_changed_) return {};
  if (Status s = refcounts_.write_changed(*file_); !s) return s;
  if (refcount_table_changed_) {
    if (Status s = file_->flush(); !s) return s;
    std::vector<u8> raw(refcount_table_.size() * 8);
    for (u64 n = 0; n < refcount_table_.size(); ++n) store_be<u64>(&raw[n * 8], refcount_table_[n]);
    if (Status s = file_->write(header_.refcount_table_offset, raw); !s) return s;
    refcount_table_changed_ = false;
  }
  return file_->flush();
}

Status Image::write_tables() {
  if (Status s = write_refcounts(); !s) return s;
  if (l2_.any_changed()) {
    if (Status s = l2_.write_changed(*file_); !s) return s;
    if (Status s = file_->flush(); !s) return s;
  }
  if (l1_changed_) {
    if (Status s = write_l1(header_.l1_offset, l1_); !s) return s;
    if (Status s = file_->flush(); !s) return s;
    l1_changed_ = false;
  }
  // Nothing on disk refers to these any more. Their refcounts may reach it at any time.
  std::vector<u64> frees = std::move(frees_);
  frees_.clear();
  std::sort(frees.begin(), frees.end());
  u64 hole = 0, hole_end = 0;  // clusters
  const auto punch = [&] {
    // To give room back is good, not needed.
    if (hole_end > hole) (void)file_->write_zeroes(hole * cluster_bytes(), (hole_end - hole) * cluster_bytes(), true);
  };
  for (const u64 n : frees) {
    if (Status s = refer(n, -1); !s) return s;
    const auto left = references(n);
    if (!left) return left.error();
    if (left.value() != 0) continue;
    refcounts_.forget(n * cluster_bytes());
    l2_.forget(n * cluster_bytes());
    if (packed_end_ / cluster_bytes() == n) packed_end_ = 0;
    if (n == hole_end) {
      ++hole_end;
      continue;
    }
    punch();
    hole = n;
    hole_end = n + 1;
  }
  punch();
  return {};
}

Status Image::write_tables_if_crowded() {
  return l2_.crowded() || refcounts_.crowded() || frees_.size() > kMostFrees ? write_tables() : Status();
}

Status Image::flush() {
  if (read_only_) return {};
  if (Status s = write_tables(); !s) return s;
  return file_->flush();
}

Status Image::write_field(u64 at, std::span<const u8> bytes) {
  if (Status s = file_->write(at, bytes); !s) return s;
  return file_->flush();
}

Status Image::write_header() {
  auto bytes = header_.encode();
  if (!bytes) return error("'{}': {}", path(), bytes.error().message);
  return file_->write(0, *bytes);
}

}  // namespace xlat::qcow2
