// Decoding blocks and forgetting them.
#include "cpu/interp/block_cache.h"

#include <algorithm>

#include "cpu/disasm.h"

namespace xlat {

BlockCache::BlockCache(Cpu& cpu, HandlerOf handler_of)
    : cpu_(cpu), handler_of_(handler_of), decoder_(cpu.model().decoder_features()), pages_(cpu.memory().code_watch()) {
  cpu_.on_code_written = [this](u64 phys, unsigned bytes) { drop(phys, bytes); };
}

void BlockCache::clear() {
  ++counters_.clears;
  std::fill(near_.begin(), near_.end(), Near{});
  pages_.clear();
  for (std::unique_ptr<Block>& block : blocks_.take_all()) {
    block->valid = false;
    if (block->translation) on_drop(*block);
    dropped_blocks_.push_back(std::move(block));
  }
  cpu_.leave_block();
}

// Blocks that were not translated run rarely: they go first.
void BlockCache::make_room() {
  std::vector<Block*> idle;
  blocks_.for_each([&](Block& block) {
    if (!block.translation) idle.push_back(&block);
  });
  if (idle.size() < kMaxBlocks / 4) return clear();
  for (Block* block : idle) drop_block(block);
}

const Block* BlockCache::find_slow(u32 linear, CodeMode mode) {
  if (blocks_.size() >= kMaxBlocks) make_room();
  if (dropped_blocks_.size() >= kMaxDropped) {
    std::fill(near_.begin(), near_.end(), Near{});  // and between blocks none of them runs
    for (const auto& block : dropped_blocks_) let_insns_go(*block);
    dropped_blocks_.clear();
  }
  u64 phys = 0;
  if (!cpu_.translate_code(linear, phys)) return nullptr;
  Block* block = blocks_.find(block_key(phys, mode));
  if (block && block->two_pages()) {
    // The second page must still be the one the block was decoded from, and be executable.
    u64 phys2 = 0;
    if (!second_page(linear, phys2)) return nullptr;
    if (phys2 != block->phys2) {
      drop_block(block);
      block = nullptr;
    }
  }
  if (!block) {
    block = decode(linear, phys, mode);
    if (!block || block->once) return block;
  }
  // What the TLB does not have must be looked up each time. Nor may the block's place become kNowhere then: it would
  // be found where the TLB has nothing.
  const std::uintptr_t host = host_of(linear), host2 = block->two_pages() ? host_of((linear | 0xfff) + 1) : 0;
  if (host == kNowhere || host2 == kNowhere) return block;
  block->host = host;
  block->host2 = host2;
  near_[slot(linear)] = {linear, key(mode), block};
  return block;
}

// Where the rest of an instruction at the end of a page lies. Bytes beyond CS.limit are not fetched.
bool BlockCache::second_page(u32 linear, u64& phys2) {
  const CpuState& s = cpu_.s;
  if (s.ip + (4096 - (linear & 0xfff)) > s.seg[kCs].limit) {
    cpu_.raise(kGP, 0);
    return false;
  }
  return cpu_.translate_code((linear | 0xfff) + 1, phys2);
}

Block* BlockCache::decode(u32 linear, u64 phys, CodeMode mode) {
  AddressSpace& memory = cpu_.memory();
  auto block = std::make_unique<Block>();
  block->serial = counters_.decoded;
  block->phys = phys;
  block->mode = mode;
  u8 page[4096 + kMaxInsnBytes];
  const unsigned in_page = 4096 - (phys & 0xfff);
  // What an instruction in a device's memory does may change the one behind it, and reading there may have effects.
  block->once = !memory.page(phys).watchable();
  const unsigned most = block->once ? 1 : kMaxInsns;
  memory.read_block(phys, {page, std::min(in_page, most * kMaxInsnBytes)});
  std::size_t count = 0;
  unsigned at = 0;
  const auto table = encodings();
  while (at < in_page && count < most) {
    Insn& insn = decoded_[count];
    unsigned available = in_page - at;
    if (!decoder_.decode({page + at, std::min(available, kMaxInsnBytes)}, mode, insn)) {
      if (at != 0) break;  // the one that crosses the page starts its own block
      if (!second_page(linear, block->phys2)) return nullptr;
      memory.read_block(block->phys2, {page + in_page, kMaxInsnBytes});
      block->once = block->once || !memory.page(block->phys2).watchable();
      available += kMaxInsnBytes;
      const bool decoded = decoder_.decode({page, std::min(available, kMaxInsnBytes)}, mode, insn);
      ASSERT(decoded);
    }
    place(insn, at);
    at += insn.len;
    ++count;
    const u32 attributes = table[insn.encoding].attributes;
    block->branch = attributes & attr::Branch;
    if (attributes & (attr::Branch | attr::End)) break;
  }
  block->bytes = at;
  block->count = static_cast<u8>(count);
  block->insns = insns_.add({decoded_.data(), count});
  ++counters_.decoded;
  if (cpu_.log().enabled(LogItem::kInAsm)) {
    cpu_.log().line(LogItem::kInAsm, "----------------\nIN: {:08x}{}\n{}", linear, cpu_.log().symbol(linear),
                    disassemble({page, at}, linear, mode.cs32 ? 32 : 16));
  }
  if (block->once) return keep_once(std::move(block));

  pages_.add(*block);
  Block* raw = block.get();
  blocks_.insert(block_key(phys, mode), std::move(block));
  return raw;
}

// Its bytes are what they were, or it would have been dropped.
void BlockCache::decode_again(const Block& block) {
  u8 bytes[(kMaxInsns + 1) * kMaxInsnBytes];
  const unsigned in_page = 4096 - static_cast<unsigned>(block.phys & 0xfff);
  unsigned available = std::min(in_page, block.bytes + kMaxInsnBytes);
  cpu_.memory().read_block(block.phys, {bytes, available});
  if (block.two_pages()) {
    cpu_.memory().read_block(block.phys2, {bytes + available, kMaxInsnBytes});
    available += kMaxInsnBytes;
  }
  unsigned at = 0;
  for (std::size_t n = 0; n < block.count; ++n) {
    const std::span<const u8> rest{bytes + at, std::min(available - at, kMaxInsnBytes)};
    const bool decoded = decoder_.decode(rest, block.mode, decoded_[n]);
    ASSERT(decoded);
    place(decoded_[n], at);
    at += decoded_[n].len;
  }
  ASSERT(at == block.bytes);
  block.insns = insns_.add({decoded_.data(), block.count});
}

std::span<const Insn> BlockCache::insns(const Block& block) {
  if (block.insns.empty()) decode_again(block);
  return block.insns;
}

// The loop is between two blocks: the one before is not needed any more.
Block* BlockCache::keep_once(std::unique_ptr<Block> block) {
  if (once_) let_insns_go(*once_);
  once_ = std::move(block);
  return once_.get();
}

// Bytes are about to be written: every block that overlaps them goes.
void BlockCache::drop(u64 phys, unsigned bytes) {
  const std::vector<Block*> blocks = pages_.written(phys, bytes);
  if (blocks.empty()) return;
  ++counters_.code_writes;
  counters_.dropped += blocks.size();
  for (Block* block : blocks) drop_block(block);
}

void BlockCache::drop_block(Block* block) {
  block->valid = false;
  if (block->translation) on_drop(*block);
  pages_.remove(*block);
  dropped_blocks_.push_back(blocks_.remove(block_key(block->phys, block->mode)));
  ASSERT(dropped_blocks_.back().get() == block);
  cpu_.leave_block();
}

}  // namespace xlat
