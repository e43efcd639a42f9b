// Tables of an image in memory: those used last stay, those changed are written when their owner says so.
#pragma once

#include <list>
#include <set>
#include <unordered_map>
#include <vector>

#include "block/storage.h"

namespace xlat {

// Tables of one size, each known by where it lies in the file. A changed table is never thrown out: the owner, who
// knows in which order tables may be written, looks at crowded() and writes them.
class TableCache {
 public:
  TableCache(u64 table_bytes, u64 most_bytes);

  // The table at `offset`, read if need be. Valid until the next call of this function or of fresh().
  Result<std::span<u8>> get(Storage& file, u64 offset);
  // A new table of zeros there, changed.
  std::span<u8> fresh(u64 offset);
  void changed(u64 offset);
  bool has(u64 offset) const { return tables_.contains(offset); }
  bool any_changed() const { return !changed_.empty(); }
  bool crowded() const { return changed_.size() * 2 > most_; }
  // In the order they lie in the file.
  Status write_changed(Storage& file);
  // The table there is no more.
  void forget(u64 offset);
  void clear();

 private:
  struct Table {
    std::vector<u8> bytes;
    std::list<u64>::iterator use;
  };
  Table& add(u64 offset);

  u64 table_bytes_, most_;  // most_: tables
  std::unordered_map<u64, Table> tables_;
  std::list<u64> used_;  // offsets, the one used last first
  std::set<u64> changed_;
};

}  // namespace xlat
