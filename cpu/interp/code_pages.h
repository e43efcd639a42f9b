// Which blocks lie in which lines of memory: what a write to code asks.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "mmu/code_watch.h"

namespace xlat {

struct Block;

// Each line of 64 bytes has a list of the blocks with bytes in it. Lines with blocks are watched.
class CodePages {
 public:
  explicit CodePages(CodeWatch& watch) : watch_(watch) {}

  static constexpr u8 kMostWrites = 255;

  void add(Block& block);
  // Lines without code left are no longer watched, so that data between code soon costs nothing.
  void remove(const Block& block);
  // [phys, phys + bytes), which lie in one page, are written: the blocks that have bytes there, each once.
  std::vector<Block*> written(u64 phys, unsigned bytes);
  void clear();

 private:
  static constexpr unsigned kLineLog2 = 6, kLines = 4096 >> kLineLog2;
  struct Node {
    Block* block;
    u32 next;  // of the line, as in Page::first
  };
  struct Page {
    std::array<u32, kLines> first{};  // index of the first node plus one; 0: none
    u8 writes = 0;                    // that hit blocks
  };
  // Calls fn(page number, line) for each line the block has bytes in.
  static void each_line(const Block& block, auto&& fn);

  CodeWatch& watch_;
  std::unordered_map<u64, Page> pages_;  // by page number
  std::vector<Node> nodes_;
  u32 free_ = 0;  // nodes not in use, linked likewise
};

}  // namespace xlat
