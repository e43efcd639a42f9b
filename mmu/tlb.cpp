// Flat TLB tables, mapped lazily by the host. Linux hosts: mmap.
#include "mmu/tlb.h"

#include <sys/mman.h>

namespace xlat {

Tlb::Tlb() {
  void* memory =
      mmap(nullptr, kTables * kTableBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT(memory != MAP_FAILED);
  for (unsigned n = 0; n < kTables; ++n) tables_[n] = static_cast<std::uintptr_t*>(memory) + n * kEntries;
}

Tlb::~Tlb() { munmap(tables_[0], kTables * kTableBytes); }

void Tlb::fill(Table table, u32 linear, u8* host_page, bool global) {
  Uses& uses = global ? global_ : local_;
  if (uses[0].size() + uses[1].size() >= kMostUsed) flush();  // flush_page leaves dead uses behind
  ++counters_.fills;
  const u32 page = linear >> 12;
  std::uintptr_t& entry = tables_[table][page];
  const std::uintptr_t addend = reinterpret_cast<std::uintptr_t>(host_page) - (std::uintptr_t{page} << 12);
  if (entry == addend) return;
  // One that led elsewhere may stand among the global ones: then it goes with both.
  if (entry == 0 || !global) uses[table & 1].push_back(page << 2 | table);
  entry = addend;
}

void Tlb::clear(Uses& uses) {
  for (std::vector<u32>& used : uses) {
    for (const u32 use : used) tables_[use & 3][use >> 2] = 0;
    used.clear();
  }
}

void Tlb::flush_local() {
  ++counters_.local_flushes;
  clear(local_);
}

void Tlb::flush() {
  ++counters_.flushes;
  clear(local_);
  clear(global_);
}

void Tlb::flush_page(u32 linear) {
  ++counters_.page_flushes;
  for (std::uintptr_t* table : tables_) table[linear >> 12] = 0;
}

void Tlb::drop_writes_to(const u8* host_page) {
  const auto host = reinterpret_cast<std::uintptr_t>(host_page);
  for (Uses* uses : {&local_, &global_}) {
    std::erase_if((*uses)[1], [&](u32 use) {
      std::uintptr_t& entry = tables_[use & 3][use >> 2];
      if (entry + (std::uintptr_t{use >> 2} << 12) != host) return false;
      entry = 0;
      return true;
    });
  }
}

}  // namespace xlat
