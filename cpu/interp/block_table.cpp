// Inserting into and removing from the table of blocks.
#include "cpu/interp/block_table.h"

#include "cpu/interp/block_cache.h"

namespace xlat {

void BlockTable::put(Slot slot) {
  std::size_t n = home(slot.key);
  while (slots_[n].block) n = next(n);
  slots_[n] = slot;
}

void BlockTable::insert(u64 key, std::unique_ptr<Block> block) {
  if (2 * ++size_ > slots_.size()) {
    ++log2_;
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(std::size_t{1} << log2_));
    for (const Slot& slot : old) {
      if (slot.block) put(slot);
    }
  }
  put({key, block.release()});
}

std::unique_ptr<Block> BlockTable::remove(u64 key) {
  std::size_t hole = home(key);
  while (slots_[hole].key != key || !slots_[hole].block) {
    ASSERT(slots_[hole].block);
    hole = next(hole);
  }
  std::unique_ptr<Block> block(slots_[hole].block);
  --size_;
  // What stands behind moves into the hole, unless its search begins behind the hole.
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t n = next(hole); slots_[n].block; n = next(n)) {
    if (((n - home(slots_[n].key)) & mask) < ((n - hole) & mask)) continue;
    slots_[hole] = slots_[n];
    hole = n;
  }
  slots_[hole] = {};
  return block;
}

std::vector<std::unique_ptr<Block>> BlockTable::take_all() {
  std::vector<std::unique_ptr<Block>> all;
  all.reserve(size_);
  for (Slot& slot : slots_) {
    if (slot.block) all.emplace_back(slot.block);
    slot = {};
  }
  size_ = 0;
  return all;
}

}  // namespace xlat
