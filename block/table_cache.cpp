// A map and a list in the order of use.
#include "block/table_cache.h"

#include <algorithm>

namespace xlat {

TableCache::TableCache(u64 table_bytes, u64 most_bytes)
    : table_bytes_(table_bytes), most_(std::max<u64>(most_bytes / table_bytes, 4)) {}

TableCache::Table& TableCache::add(u64 offset) {
  for (auto old = used_.end(); tables_.size() >= most_ && old != used_.begin();) {
    --old;
    if (changed_.contains(*old)) continue;
    tables_.erase(*old);
    old = used_.erase(old);
  }
  used_.push_front(offset);
  Table& table = tables_[offset];
  table.bytes.assign(table_bytes_, 0);
  table.use = used_.begin();
  return table;
}

Result<std::span<u8>> TableCache::get(Storage& file, u64 offset) {
  const auto found = tables_.find(offset);
  if (found != tables_.end()) {
    used_.splice(used_.begin(), used_, found->second.use);
    return std::span<u8>(found->second.bytes);
  }
  std::vector<u8> bytes(table_bytes_);
  if (Status s = file.read(offset, bytes); !s) return s.error();
  Table& table = add(offset);
  table.bytes = std::move(bytes);
  return std::span<u8>(table.bytes);
}

std::span<u8> TableCache::fresh(u64 offset) {
  forget(offset);
  Table& table = add(offset);
  changed_.insert(offset);
  return table.bytes;
}

void TableCache::changed(u64 offset) { changed_.insert(offset); }

Status TableCache::write_changed(Storage& file) {
  while (!changed_.empty()) {
    const u64 offset = *changed_.begin();
    if (Status s = file.write(offset, tables_.at(offset).bytes); !s) return s;
    changed_.erase(changed_.begin());
  }
  return {};
}

void TableCache::forget(u64 offset) {
  const auto found = tables_.find(offset);
  if (found == tables_.end()) return;
  used_.erase(found->second.use);
  tables_.erase(found);
  changed_.erase(offset);
}

void TableCache::clear() {
  tables_.clear();
  used_.clear();
  changed_.clear();
}

}  // namespace xlat
