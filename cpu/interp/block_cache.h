// Decoded blocks, found by physical address and mode, dropped when their bytes are written.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "cpu/cpu.h"
#include "cpu/decoder.h"
#include "cpu/interp/block_table.h"
#include "cpu/interp/code_pages.h"
#include "cpu/interp/insn_pool.h"

namespace xlat {

// A run of instructions that ends at a branch, at an instruction after which code may decode differently, or at the end
// of the page. One that crosses into the next page stands alone in its block.
struct Block {
  // Where its bytes are in this process, and its second page if it lies in two; 0: not known.
  std::uintptr_t host = 0, host2 = 0;
  mutable std::span<const Insn> insns;  // empty: they were let go, see BlockCache::insns()
  // For an engine that translates blocks: how often it came by here, and what it made of the block.
  mutable void* translation = nullptr;
  mutable u32 heat = 0;
  mutable u8 versions_lost = 0;  // translations that went as there were too many
  u32 bytes = 0;
  CodeMode mode;
  u8 count = 0;         // instructions
  u8 rewritten = 0;     // times code in its page had been written when it was decoded, up to CodePages::kMostWrites
  bool branch = false;  // the last instruction sets EIP itself
  bool valid = true;
  mutable bool by_ir = false;  // translating it costs more than usual
  mutable bool apart = false;  // its accesses are to be checked each by itself
  bool once = false;           // not kept, as its bytes may change unseen: run where it was found, never translated
  u64 serial = 0;              // no two blocks of a cache ever have the same
  u64 phys = 0;
  u64 phys2 = 0;  // of the second page's first byte, if the block lies in two

  bool two_pages() const { return (phys & 0xfff) + bytes > 4096; }
  // Calls fn(page number, first byte, bytes) for the one or two pages it lies in.
  void each_part(auto&& fn) const {
    const unsigned first = static_cast<unsigned>(std::min<u64>(bytes, 4096 - (phys & 0xfff)));
    fn(phys >> 12, static_cast<unsigned>(phys & 0xfff), first);
    if (bytes > first) fn(phys2 >> 12, 0u, bytes - first);
  }
};

class BlockCache {
 public:
  // The function pointer of each decoded instruction, by encoding and width in bytes.
  using HandlerOf = void (*(*)(u16 encoding, unsigned width, Rep rep))();

  BlockCache(Cpu& cpu, HandlerOf handler_of);

  // The block at CS:EIP, decoded now if need be. Null if fetching faults; the fault is then raised.
  const Block* find(u32 ip) {
    const CodeMode mode = cpu_.s.mode();
    const u32 linear = cpu_.s.seg[kCs].base + ip;
    const Near& near = near_[slot(linear)];
    if (near.linear == linear && near.key == key(mode) && near.block->valid) {
      // The TLB must still lead to the pages where the block was found.
      const Block& block = *near.block;
      if (block.host == host_of(linear) && (block.host2 == 0 || block.host2 == host_of((linear | 0xfff) + 1))) {
        return &block;
      }
    }
    return find_slow(linear, mode);
  }

  // The index in the TLB of the page behind that of `linear`.
  static std::size_t page_after(u32 linear) { return ((linear >> 12) + 1) & (Tlb::kEntries - 1); }

  struct Counters {
    u64 decoded = 0;      // blocks
    u64 clears = 0;       // of the whole cache
    u64 code_writes = 0;  // stores to bytes of blocks
    u64 dropped = 0;      // blocks, because of them
  };
  const Counters& counters() const { return counters_; }
  std::size_t size() const { return blocks_.size(); }

  // The block's instructions, decoded again if they were let go.
  std::span<const Insn> insns(const Block& block);
  // For who has made something else of them.
  void let_insns_go(const Block& block) {
    if (!block.insns.empty()) insns_.give_back(std::exchange(block.insns, {}));
  }

  // Forgets everything.
  void clear();
  // Called for each block that is forgotten and has a translation.
  std::function<void(const Block&)> on_drop = [](const Block&) {};

 private:
  struct Near {
    u32 linear = 0;
    u32 key = ~u32{0};  // no block has this
    const Block* block = nullptr;
  };
  static constexpr unsigned kNearSlotsLog2 = 15;
  static constexpr unsigned kMaxInsns = InsnPool::kMostInsns;
  static constexpr std::size_t kMaxBlocks = 1 << 20;
  static constexpr std::size_t kMaxDropped = 1024;
  static constexpr std::uintptr_t kNowhere = ~std::uintptr_t{0};

  static std::size_t slot(u32 linear) { return hash_slot(linear, kNearSlotsLog2); }
  static u64 block_key(u64 phys, CodeMode mode) { return phys << 8 | mode.key(); }
  // User code needs its own near entries, as its right to fetch differs.
  u32 key(CodeMode mode) const { return mode.key() | (cpu_.user() ? 0x100u : 0); }
  // Where the TLB says that a byte of code is; of no use where it says nothing.
  std::uintptr_t host_of(u32 linear) const {
    const std::uintptr_t addend = cpu_.read_table()[linear >> 12];
    return addend == 0 ? kNowhere : addend + linear;
  }
  const Block* find_slow(u32 linear, CodeMode mode);
  Block* decode(u32 linear, u64 phys, CodeMode mode);
  void decode_again(const Block& block);
  // Completes an instruction `at` bytes into its block.
  void place(Insn& insn, unsigned at) const {
    insn.off = static_cast<u16>(at);
    insn.handler = handler_of_(insn.encoding, insn.width, insn.rep);
  }
  Block* keep_once(std::unique_ptr<Block> block);
  bool second_page(u32 linear, u64& phys2);
  void drop(u64 phys, unsigned bytes);
  void drop_block(Block* block);
  void make_room();
  Cpu& cpu_;
  HandlerOf handler_of_;
  Decoder decoder_;
  std::array<Insn, kMaxInsns> decoded_;  // of the block being decoded
  InsnPool insns_;
  std::unique_ptr<Block> once_;  // the latest one that is not kept
  std::vector<Near> near_{std::size_t{1} << kNearSlotsLog2};
  BlockTable blocks_;  // by block_key()
  CodePages pages_;
  std::vector<std::unique_ptr<Block>> dropped_blocks_;  // near_ and the loop may still point to them
  Counters counters_;
};

}  // namespace xlat
