// The software TLB for 32-bit linear addresses: flat tables from page number to host address.
#pragma once

#include <array>
#include <vector>

#include "base/hash.h"
#include "base/types.h"

namespace xlat {

// Four tables: read and write, for supervisor and for user code. An entry is host address minus linear address, zero
// for "take the slow path"; so a hit costs one load, one test and one add. Entries are filled only for RAM (and, for
// reads, ROM); write entries only for dirty pages without watched code.
class Tlb {
 public:
  enum Table : unsigned { kSupervisorRead, kSupervisorWrite, kUserRead, kUserWrite, kTables };

  static constexpr std::size_t kEntries = std::size_t{1} << 20;
  // The write table of a privilege lies right behind its read table, so that one base register serves both.
  static constexpr std::size_t kTableBytes = kEntries * sizeof(std::uintptr_t);

  Tlb();
  ~Tlb();
  Tlb(const Tlb&) = delete;
  Tlb& operator=(const Tlb&) = delete;

  static constexpr Table table_for(bool user, bool write) {
    return static_cast<Table>((user ? 2 : 0) + (write ? 1 : 0));
  }

  // The addends of one table, indexed by linear >> 12.
  std::uintptr_t* addends(Table table) { return tables_[table]; }

  struct Counters {
    u64 fills = 0;          // entries, each after a miss
    u64 flushes = 0;        // of everything
    u64 local_flushes = 0;  // of all but global pages
    u64 page_flushes = 0;   // of one page
  };
  const Counters& counters() const { return counters_; }

  // A global page (SDM vol. 3, 4.10.2.4) stays when address spaces are switched. `page_bytes` is the size of the
  // guest's page, of which the entry is for 4 KiB. All entries for these lead to one host page: those that lead
  // elsewhere go.
  void fill(Table table, u32 linear, u8* host_page, bool global = false, u32 page_bytes = 4096);
  void flush();
  void flush_local();
  // Drops all of the page of `linear`, whatever its size.
  void flush_page(u32 linear);
  // Drops the write entries that lead to this host page.
  void drop_writes_to(const u8* host_page);

 private:
  static constexpr std::size_t kMostUsed = std::size_t{1} << 16;
  static constexpr unsigned kSlotsLog2 = 10;
  // The entries that were filled, as page << 2 | table, so that a flush costs what was filled. Those of write tables
  // are chained by the host page they led to: when it becomes code, they are found without looking at all.
  struct Uses {
    struct Write {
      u32 entry;
      u32 before;  // the next one of its slot, plus one; 0: none
    };
    std::vector<u32> reads;
    std::vector<Write> writes;
    std::array<u32, 1 << kSlotsLog2> latest{};  // by slot, plus one

    std::size_t size() const { return reads.size() + writes.size(); }
  };
  static u32 slot_of(std::uintptr_t host_page) { return hash_slot(static_cast<u32>(host_page >> 12), kSlotsLog2); }
  static constexpr unsigned kRegionLog2 = 22;  // of the largest page
  void clear(Uses& uses);
  void drop_writes_to(std::uintptr_t host_page, Uses& uses);

  std::uintptr_t* tables_[kTables];
  // For each 4 MiB of linear addresses the size of the largest page that an entry was filled from, if it is a large
  // one.
  std::array<u32, std::size_t{1} << (32 - kRegionLog2)> large_{};
  bool any_large_ = false;
  Counters counters_;
  Uses local_, global_;  // by how it was filled last
};

}  // namespace xlat
