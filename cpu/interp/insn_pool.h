// Room for the decoded instructions of blocks: one of each cache line, and next to each other in the order of decoding.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "cpu/insn.h"

namespace xlat {

class InsnPool {
 public:
  static constexpr std::size_t kMostInsns = 64;  // of one block

  // A copy that stays where it is until it is given back.
  std::span<const Insn> add(std::span<const Insn> insns) {
    std::vector<Insn*>& free = free_[insns.size()];
    Insn* to = nullptr;
    if (!free.empty()) {
      to = free.back();
      free.pop_back();
    } else {
      if (left_ < insns.size()) {
        chunks_.push_back(std::make_unique<Insn[]>(kChunk));
        left_ = kChunk;
      }
      to = &chunks_.back()[kChunk - left_];
      left_ -= insns.size();
    }
    std::copy(insns.begin(), insns.end(), to);
    return {to, insns.size()};
  }
  void give_back(std::span<const Insn> insns) { free_[insns.size()].push_back(const_cast<Insn*>(insns.data())); }

 private:
  static constexpr std::size_t kChunk = 1024;  // instructions

  std::vector<std::unique_ptr<Insn[]>> chunks_;
  std::size_t left_ = 0;                                 // of the last chunk
  std::array<std::vector<Insn*>, kMostInsns + 1> free_;  // by number of instructions
};

}  // namespace xlat
