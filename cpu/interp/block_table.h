// The blocks of a cache by physical address and mode: a flat table, since each block is looked up several times before
// it is worth more than that.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/types.h"

namespace xlat {

struct Block;

// Open addressing with linear probing, at most half full; a removal moves what follows it, so that a search ends at the
// first empty slot.
class BlockTable {
 public:
  std::size_t size() const { return size_; }

  Block* find(u64 key) const {
    for (std::size_t n = home(key);; n = next(n)) {
      if (!slots_[n].block || slots_[n].key == key) return slots_[n].block;
    }
  }
  // `key` must not be there yet.
  void insert(u64 key, std::unique_ptr<Block> block);
  // `key` must be there.
  std::unique_ptr<Block> remove(u64 key);
  // All of them; none is left.
  std::vector<std::unique_ptr<Block>> take_all();
  void for_each(auto&& fn) const {
    for (const Slot& slot : slots_) {
      if (slot.block) fn(*slot.block);
    }
  }

  BlockTable() = default;
  ~BlockTable() { take_all(); }
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;

 private:
  struct Slot {
    u64 key = 0;
    Block* block = nullptr;  // owned; null: empty
  };
  // slots_ has 2^log2_
  static constexpr unsigned kFirstLog2 = 12;

  std::size_t home(u64 key) const { return (key * 0x9e3779b97f4a7c15) >> (64 - log2_); }
  std::size_t next(std::size_t n) const { return (n + 1) & (slots_.size() - 1); }
  void put(Slot slot);

  unsigned log2_ = kFirstLog2;
  std::vector<Slot> slots_{std::size_t{1} << kFirstLog2};
  std::size_t size_ = 0;
};

}  // namespace xlat
