// Adding blocks to their lines and taking them out again.
#include "cpu/interp/code_pages.h"

#include <algorithm>
#include <utility>

#include "cpu/interp/block_cache.h"

namespace xlat {

void CodePages::each_line(const Block& block, auto&& fn) {
  block.each_part([&](u64 page, unsigned first, unsigned bytes) {
    for (unsigned line = first >> kLineLog2; line <= (first + bytes - 1) >> kLineLog2; ++line) fn(page, line);
  });
}

void CodePages::add(Block& block) {
  block.each_part([&](u64 page, unsigned first, unsigned bytes) { watch_.watch(page << 12 | first, bytes); });
  each_line(block, [&](u64 number, unsigned line) {
    Page& page = pages_[number];
    block.rewritten = std::max(block.rewritten, page.writes);
    u32 node = free_;
    if (node != 0) {
      free_ = nodes_[node - 1].next;
    } else {
      nodes_.emplace_back();
      node = static_cast<u32>(nodes_.size());
    }
    nodes_[node - 1] = {&block, page.first[line]};
    page.first[line] = node;
  });
}

void CodePages::remove(const Block& block) {
  each_line(block, [&](u64 number, unsigned line) {
    const auto at = pages_.find(number);
    ASSERT(at != pages_.end());
    Page& page = at->second;
    u32* link = &page.first[line];
    while (nodes_[*link - 1].block != &block) link = &nodes_[*link - 1].next;
    const u32 node = *link;
    *link = nodes_[node - 1].next;
    nodes_[node - 1].next = std::exchange(free_, node);
    if (page.first[line] == 0) watch_.forget_line(number << 12 | line << kLineLog2);
  });
}

std::vector<Block*> CodePages::written(u64 phys, unsigned bytes) {
  std::vector<Block*> found;
  const u64 number = phys >> 12;
  const auto at = pages_.find(number);
  if (at == pages_.end()) return found;
  const unsigned begin = phys & 0xfff, end = begin + bytes;
  for (unsigned line = begin >> kLineLog2; line <= (end - 1) >> kLineLog2; ++line) {
    for (u32 node = at->second.first[line]; node != 0; node = nodes_[node - 1].next) {
      Block* const block = nodes_[node - 1].block;
      bool overlaps = false;
      block->each_part([&](u64 page, unsigned first, unsigned length) {
        overlaps = overlaps || (page == number && begin < first + length && end > first);
      });
      if (overlaps && std::find(found.begin(), found.end(), block) == found.end()) found.push_back(block);
    }
  }
  if (!found.empty() && at->second.writes < kMostWrites) ++at->second.writes;
  return found;
}

void CodePages::clear() {
  for (const auto& [number, page] : pages_) watch_.forget_page(number << 12);
  pages_.clear();
  nodes_.clear();
  free_ = 0;
}

}  // namespace xlat
