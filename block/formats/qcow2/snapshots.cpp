// Internal snapshots: copies of the L1 table, whose clusters are then used once more. The state of a machine lies in
// the same tables, behind the end of the disk.
#include <algorithm>
#include <array>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/formats/qcow2/image.h"

namespace xlat::qcow2 {

namespace {

// Limits of QEMU's, so that what is made here can be opened there.
constexpr u32 kMostSnapshots = 65536;
constexpr u64 kMostTableBytes = u64{1024} * kMostSnapshots, kMostExtraBytes = 1024;
constexpr u64 kFixedBytes = 40, kKnownExtraBytes = 24;

}  // namespace

Status Image::load_snapshots() {
  if (header_.snapshots == 0) return {};
  if (header_.snapshots > kMostSnapshots) return error("'{}': Snapshot table too large", path());
  if (header_.snapshots_offset % cluster_bytes() || header_.snapshots_offset > kOffsetMask) {
    return error("'{}': Snapshot table offset invalid", path());
  }
  u64 at = header_.snapshots_offset;
  const u64 file_bytes = file_->size();
  for (u32 n = 0; n < header_.snapshots; ++n) {
    std::array<u8, kFixedBytes> raw{};
    if (at > file_bytes) return damaged("the snapshot table ends behind the file's end");
    if (Status s = file_->read(at, raw); !s) return s;
    Snapshot snapshot;
    SnapshotInfo& info = snapshot.info;
    snapshot.l1_offset = load_be<u64>(&raw[0]);
    snapshot.l1_entries = load_be<u32>(&raw[8]);
    const u64 id_bytes = load_be<u16>(&raw[12]), name_bytes = load_be<u16>(&raw[14]);
    info.date_seconds = load_be<u32>(&raw[16]);
    info.date_nanoseconds = load_be<u32>(&raw[20]);
    info.vm_clock_ns = load_be<u64>(&raw[24]);
    info.vm_state_bytes = load_be<u32>(&raw[32]);
    info.disk_bytes = size();
    const u64 extra_bytes = load_be<u32>(&raw[36]);
    if (extra_bytes > kMostExtraBytes) return damaged(fmt::format("too much extra data in snapshot {}", n + 1));
    std::vector<u8> rest(extra_bytes + id_bytes + name_bytes);
    if (Status s = file_->read(at + kFixedBytes, rest); !s) return s;
    if (extra_bytes >= 8) info.vm_state_bytes = load_be<u64>(&rest[0]);
    if (extra_bytes >= 16) info.disk_bytes = load_be<u64>(&rest[8]);
    if (extra_bytes >= 24) {
      info.icount = load_be<u64>(&rest[16]);
      snapshot.more.assign(rest.begin() + kKnownExtraBytes, rest.begin() + static_cast<std::ptrdiff_t>(extra_bytes));
    }
    const char* text = reinterpret_cast<const char*>(rest.data()) + extra_bytes;
    info.id.assign(text, id_bytes);
    info.name.assign(text + id_bytes, name_bytes);
    if (u64{snapshot.l1_entries} * 8 > kMostL1Bytes || snapshot.l1_offset % cluster_bytes() ||
        snapshot.l1_offset > kOffsetMask || info.disk_bytes > (u64{1} << 62)) {
      return damaged(fmt::format("the L1 table of snapshot '{}'", info.name));
    }
    snapshots_.push_back(std::move(snapshot));
    at += align_up(kFixedBytes + rest.size(), 8);
    if (at - header_.snapshots_offset > kMostTableBytes) return error("'{}': Snapshot table is too large", path());
  }
  snapshots_bytes_ = at - header_.snapshots_offset;
  return {};
}

// To a new place, so that the old table is valid until the header names the new one.
Status Image::write_snapshots(const std::vector<Snapshot>& all) {
  std::vector<u8> table;
  for (const Snapshot& snapshot : all) {
    const SnapshotInfo& info = snapshot.info;
    const std::size_t start = table.size(), extra = kKnownExtraBytes + snapshot.more.size();
    table.resize(start + kFixedBytes + kKnownExtraBytes);
    u8* raw = &table[start];
    store_be<u64>(raw, snapshot.l1_offset);
    store_be<u32>(raw + 8, snapshot.l1_entries);
    store_be<u16>(raw + 12, static_cast<u16>(info.id.size()));
    store_be<u16>(raw + 14, static_cast<u16>(info.name.size()));
    store_be<u32>(raw + 16, info.date_seconds);
    store_be<u32>(raw + 20, info.date_nanoseconds);
    store_be<u64>(raw + 24, info.vm_clock_ns);
    store_be<u32>(raw + 32, info.vm_state_bytes > 0xffffffff ? 0 : static_cast<u32>(info.vm_state_bytes));
    store_be<u32>(raw + 36, static_cast<u32>(extra));
    store_be<u64>(raw + 40, info.vm_state_bytes);
    store_be<u64>(raw + 48, info.disk_bytes);
    store_be<u64>(raw + 56, info.icount);
    table.insert(table.end(), snapshot.more.begin(), snapshot.more.end());
    table.insert(table.end(), info.id.begin(), info.id.end());
    table.insert(table.end(), info.name.begin(), info.name.end());
    table.resize(align_up(table.size(), 8));
  }
  if (table.size() > kMostTableBytes || all.size() > kMostSnapshots) return error("'{}': too many snapshots", path());
  u64 at = 0;
  if (!table.empty()) {
    const auto fresh = allocate((table.size() + cluster_bytes() - 1) / cluster_bytes());
    if (!fresh) return fresh.error();
    at = fresh.value();
    if (Status s = file_->write(at, table); !s) return s;
  }
  if (Status s = write_tables(); !s) return s;
  if (Status s = file_->flush(); !s) return s;
  u8 field[12];
  store_be<u32>(&field[0], static_cast<u32>(all.size()));
  store_be<u64>(&field[4], at);
  if (Status s = write_field(kSnapshotsAt, field); !s) return s;
  if (snapshots_bytes_) free_later(header_.snapshots_offset, snapshots_bytes_);
  header_.snapshots = static_cast<u32>(all.size());
  header_.snapshots_offset = at;
  snapshots_bytes_ = table.size();
  return {};
}

std::vector<SnapshotInfo> Image::list() const {
  std::vector<SnapshotInfo> all;
  for (const Snapshot& snapshot : snapshots_) all.push_back(snapshot.info);
  return all;
}

Result<std::size_t> Image::find(std::string_view which) const {
  for (const auto member : {&SnapshotInfo::id, &SnapshotInfo::name}) {
    for (std::size_t n = 0; n < snapshots_.size(); ++n) {
      if (snapshots_[n].info.*member == which) return n;
    }
  }
  return error("'{}': there is no snapshot '{}'", path(), which);
}

// Every cluster that the tables name, and the L2 tables themselves.
Status Image::refer_tree(const L1& l1, i64 delta) {
  for (const u64 l1_entry : l1) {
    const u64 at = l1_entry & kOffsetMask;
    if (at == 0) continue;
    if (at % cluster_bytes()) return damaged(fmt::format("an L2 table at {:#x}", at));
    const auto table = l2_.get(*file_, at);
    if (!table) return table.error();
    for (u64 n = 0; n < l2_entries(); ++n) {
      const u64 entry = load_be<u64>(&table.value()[n * 8]);
      if (delta < 0) {
        free_entry_later(entry);
      } else if (Status s = refer_entry(entry, delta); !s) {
        return s;
      }
    }
    if (delta < 0) {
      free_later(at, cluster_bytes());
    } else if (Status s = refer(at / cluster_bytes(), delta); !s) {
      return s;
    }
    if (Status s = write_tables_if_crowded(); !s) return s;
  }
  return {};
}

// "Copied" says that a cluster is used once, and only here, so that it may be written in place.
Status Image::set_copied_flags() {
  const auto corrected = [this](u64 entry, u64 at) -> Result<u64> {
    const auto used = references(at / cluster_bytes());
    if (!used) return used.error();
    return used.value() == 1 ? entry | kFlagCopied : entry & ~kFlagCopied;
  };
  for (u64& l1_entry : l1_) {
    const u64 at = l1_entry & kOffsetMask;
    if (at == 0) continue;
    if (at % cluster_bytes()) return damaged(fmt::format("an L2 table at {:#x}", at));
    const auto table = l2_.get(*file_, at);
    if (!table) return table.error();
    for (u64 n = 0; n < l2_entries(); ++n) {
      u8* raw = &table.value()[n * 8];
      const u64 entry = load_be<u64>(raw);
      if ((entry & kFlagCompressed) || !(entry & kOffsetMask)) continue;
      const auto right = corrected(entry, entry & kOffsetMask);
      if (!right) return right.error();
      if (right.value() == entry) continue;
      store_be<u64>(raw, right.value());
      l2_.changed(at);
    }
    const auto right = corrected(l1_entry, at);
    if (!right) return right.error();
    l1_changed_ |= right.value() != l1_entry;
    l1_entry = right.value();
    if (Status s = write_tables_if_crowded(); !s) return s;
  }
  return {};
}

Status Image::forget_vm_state() {
  const u64 start = vm_state_at(size()), end = l1_.size() * l2_covers();
  return end > start ? forget(start, end - start) : Status();
}

Status Image::create(SnapshotInfo info, std::span<const u8> vm_state) {
  if (read_only_) return error("'{}' is open read-only; no snapshot was made", path());
  if (info.id.size() > 0xffff || info.name.size() > 0xffff) return error("the snapshot's name is too long");
  if (info.id.empty()) {
    u64 most = 0;
    for (const Snapshot& s : snapshots_) most = std::max(most, parse_number(s.info.id).value_or(0));
    info.id = fmt::format("{}", most + 1);
  }
  for (const Snapshot& s : snapshots_) {
    if (s.info.id == info.id) return error("'{}': there is a snapshot with id '{}' already", path(), info.id);
  }
  if (snapshots_.size() >= kMostSnapshots) return error("'{}': there are {} snapshots already", path(), kMostSnapshots);
  info.vm_state_bytes = vm_state.size();
  info.disk_bytes = size();
  const u64 state_at = vm_state_at(size());
  if (Status s = forget_vm_state(); !s) return s;
  if (!vm_state.empty()) {
    if (Status s = grow_l1(l1_for(state_at + vm_state.size())); !s) return s;
    if (Status s = write_at(state_at, vm_state); !s) return s;
  }
  if (Status s = write_tables(); !s) return s;

  Snapshot snapshot{std::move(info), 0, static_cast<u32>(l1_.size()), {}};
  const auto at = allocate(std::max<u64>((l1_.size() * 8 + cluster_bytes() - 1) / cluster_bytes(), 1));
  if (!at) return at.error();
  snapshot.l1_offset = at.value();
  if (Status s = refer_tree(l1_, 1); !s) return s;
  // Refcounts reach the disk first; whoever stops here leaves clusters that are counted too often.
  if (Status s = write_refcounts(); !s) return s;
  if (Status s = set_copied_flags(); !s) return s;
  if (Status s = write_tables(); !s) return s;
  if (Status s = write_l1(snapshot.l1_offset, l1_); !s) return s;
  std::vector<Snapshot> all = snapshots_;
  all.push_back(std::move(snapshot));
  if (Status s = write_snapshots(all); !s) return s;
  snapshots_ = std::move(all);
  if (Status s = forget_vm_state(); !s) return s;
  return flush();
}

Result<std::vector<u8>> Image::load_state(std::string_view which) {
  const auto n = find(which);
  if (!n) return n.error();
  const Snapshot& snapshot = snapshots_[n.value()];
  const u64 bytes = snapshot.info.vm_state_bytes, at = vm_state_at(snapshot.info.disk_bytes);
  if (bytes > u64{snapshot.l1_entries} * l2_covers() || at > u64{snapshot.l1_entries} * l2_covers() - bytes ||
      bytes > file_->size() * 1024) {
    return damaged(fmt::format("snapshot '{}' says it has {} bytes of a machine's state", snapshot.info.name, bytes));
  }
  auto l1 = read_l1(snapshot.l1_offset, snapshot.l1_entries);
  if (!l1) return l1.error();
  std::vector<u8> state(bytes);
  if (Status s = read_by(*l1, at, state); !s) return s.error();
  return state;
}

// Reads are from there from now on.
Status Image::show(std::string_view which) {
  const auto n = find(which);
  if (!n) return n.error();
  const Snapshot& snapshot = snapshots_[n.value()];
  auto l1 = read_l1(snapshot.l1_offset, snapshot.l1_entries);
  if (!l1) return l1.error();
  l1_ = std::move(*l1);
  header_.size = snapshot.info.disk_bytes;
  read_only_ = true;
  return {};
}

Status Image::apply(std::string_view which) {
  if (read_only_) return error("'{}' is open read-only; no snapshot was applied", path());
  const auto n = find(which);
  if (!n) return n.error();
  const Snapshot snapshot = snapshots_[n.value()];
  auto wanted = read_l1(snapshot.l1_offset, snapshot.l1_entries);
  if (!wanted) return wanted.error();
  if (snapshot.info.disk_bytes != size()) {
    if (Status s = resize(snapshot.info.disk_bytes & ~u64{511}); !s) return s;
  }
  if (Status s = grow_l1(wanted->size()); !s) return s;
  wanted->resize(l1_.size());
  if (Status s = write_tables(); !s) return s;
  if (Status s = refer_tree(*wanted, 1); !s) return s;
  if (Status s = write_refcounts(); !s) return s;
  for (u64& entry : *wanted) entry &= ~kFlagCopied;
  const L1 old = std::exchange(l1_, std::move(*wanted));
  l1_changed_ = true;
  if (Status s = refer_tree(old, -1); !s) return s;
  if (Status s = write_tables(); !s) return s;  // the new L1 table, and then what the old one had is free
  unpacked_entry_ = 0;
  if (Status s = set_copied_flags(); !s) return s;
  if (Status s = forget_vm_state(); !s) return s;
  return flush();
}

Status Image::remove(std::string_view which) {
  if (read_only_) return error("'{}' is open read-only; no snapshot was removed", path());
  const auto n = find(which);
  if (!n) return n.error();
  std::vector<Snapshot> all = snapshots_;
  const Snapshot gone = all[n.value()];
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(n.value()));
  auto l1 = read_l1(gone.l1_offset, gone.l1_entries);
  if (!l1) return l1.error();
  if (Status s = write_snapshots(all); !s) return s;
  snapshots_ = std::move(all);
  if (Status s = refer_tree(*l1, -1); !s) return s;
  free_later(gone.l1_offset, std::max<u64>(u64{gone.l1_entries} * 8, 1));
  if (Status s = write_tables(); !s) return s;
  if (Status s = set_copied_flags(); !s) return s;
  return flush();
}

}  // namespace xlat::qcow2
