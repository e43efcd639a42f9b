// Flat TLB tables, mapped lazily by the host. Linux hosts: mmap.
#include "mmu/tlb.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace xlat {

Tlb::Tlb() {
  void* memory =
      mmap(nullptr, kTables * kTableBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  for (unsigned n = 0; n < kTables; ++n) tables_[n] = static_cast<std::uintptr_t*>(memory) + n * kEntries;
}

Tlb::~Tlb() { munmap(tables_[0], kTables * kTableBytes); }

void Tlb::fill(Table table, u32 linear, u8* host_page, bool global, u32 page_bytes) {
  Uses& uses = global ? global_ : local_;
  if (uses.size() >= kMostUsed) flush();  // flush_page leaves dead uses behind
  ++counters_.fills;
  const u32 page = linear >> 12;
  std::uintptr_t& entry = tables_[table][page];
  const std::uintptr_t addend = reinterpret_cast<std::uintptr_t>(host_page) - (std::uintptr_t{page} << 12);
  if (page_bytes > 4096) {
    u32& large = large_[linear >> kRegionLog2];
    large = std::max(large, page_bytes);
    any_large_ = true;
  }
  if (entry == addend) return;
  for (std::uintptr_t* other : tables_) {
    if (other[page] != addend) other[page] = 0;
  }
  const u32 use = page << 2 | table;
  if (table & 1) {
    u32& latest = uses.latest[slot_of(reinterpret_cast<std::uintptr_t>(host_page))];
    uses.writes.push_back({use, latest});
    latest = static_cast<u32>(uses.writes.size());
  } else if (entry == 0 || !global) {
    // One that led elsewhere may stand among the global ones: then it goes with both.
    uses.reads.push_back(use);
  }
  entry = addend;
}

void Tlb::clear(Uses& uses) {
  for (const u32 use : uses.reads) tables_[use & 3][use >> 2] = 0;
  for (const Uses::Write& use : uses.writes) tables_[use.entry & 3][use.entry >> 2] = 0;
  if (!uses.writes.empty()) uses.latest.fill(0);
  uses.reads.clear();
  uses.writes.clear();
}

void Tlb::flush_local() {
  ++counters_.local_flushes;
  clear(local_);
}

void Tlb::flush() {
  ++counters_.flushes;
  clear(local_);
  clear(global_);
  if (std::exchange(any_large_, false)) large_.fill(0);
}

void Tlb::flush_page(u32 linear) {
  ++counters_.page_flushes;
  const u32 bytes = std::max(large_[linear >> kRegionLog2], 4096u);
  const u32 first = (linear & ~(bytes - 1)) >> 12, pages = bytes >> 12;
  for (std::uintptr_t* table : tables_) {
    for (u32 page = first; page < first + pages; ++page) {
      if (table[page] != 0) table[page] = 0;  // tables that were never written stay untouched
    }
  }
}

void Tlb::drop_writes_to(const u8* host_page) {
  for (Uses* uses : {&local_, &global_}) drop_writes_to(reinterpret_cast<std::uintptr_t>(host_page), *uses);
}

void Tlb::drop_writes_to(std::uintptr_t host_page, Uses& uses) {
  u32* link = &uses.latest[slot_of(host_page)];
  while (*link != 0) {
    Uses::Write& use = uses.writes[*link - 1];
    const u32 page = use.entry >> 2;
    std::uintptr_t& entry = tables_[use.entry & 3][page];
    // Those that lead nowhere by now leave the chain too.
    if (entry != 0 && entry + (std::uintptr_t{page} << 12) != host_page) {
      link = &use.before;
      continue;
    }
    entry = 0;
    const bool last = *link == uses.writes.size();
    *link = use.before;
    if (last) uses.writes.pop_back();
  }
}

}  // namespace xlat
