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

void Tlb::fill(Table table, u32 linear, u8* host_page) {
  if (used_.size() >= kMostUsed) flush();  // flush_page leaves dead uses behind
  ++counters_.fills;
  const u32 page = linear >> 12;
  std::uintptr_t& entry = tables_[table][page];
  if (entry == 0) used_.push_back(page << 2 | table);
  entry = reinterpret_cast<std::uintptr_t>(host_page) - (std::uintptr_t{page} << 12);
}

void Tlb::flush() {
  ++counters_.flushes;
  for (const u32 use : used_) tables_[use & 3][use >> 2] = 0;
  used_.clear();
}

void Tlb::flush_page(u32 linear) {
  ++counters_.page_flushes;
  for (std::uintptr_t* table : tables_) table[linear >> 12] = 0;
}

void Tlb::drop_writes_to(const u8* host_page) {
  const auto host = reinterpret_cast<std::uintptr_t>(host_page);
  for (const u32 use : used_) {
    if (!(use & 1)) continue;
    std::uintptr_t& entry = tables_[use & 3][use >> 2];
    if (entry + (std::uintptr_t{use >> 2} << 12) == host) entry = 0;
  }
}

}  // namespace xlat
