// Paging: linear to physical addresses by the tables in memory. SDM vol. 3, chapter 4.
#pragma once

#include <array>

#include "mmu/address_space.h"

namespace xlat {

// The processor state paging depends on, so that a walk needs no processor.
struct PagingContext {
  u64 cr0 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  std::array<u64, 4> pdpte{};  // loaded by MOV CR3 in PAE mode (SDM vol. 3, 4.4.1)
  unsigned max_phys_bits = 36;
  u64 a20_mask = ~u64{0};  // what the processor's address lines leave of a table's address
  bool pse36 = false;      // 4 MiB pages may lie above 4 GiB
};

enum class Access : u8 { kRead, kWrite, kExecute };

// Error code bits of #PF. SDM vol. 3, 4.7.
enum PageFaultBits : u32 { kPfPresent = 1, kPfWrite = 2, kPfUser = 4, kPfReserved = 8, kPfFetch = 16 };

struct WalkResult {
  bool ok = false;
  u64 phys = 0;           // of the address itself, not its page
  u32 error_code = 0;     // when not ok
  bool writable = false;  // this privilege may write and the page is dirty: a write entry may be cached
  bool global = false;    // bit G of the last entry, if CR4.PGE is set
  bool executable = true;
  u32 page_bytes = 4096;  // 2 or 4 MiB for large pages
};

// Translates `linear` for an access by user code (CPL 3) or by supervisor code. Sets accessed and dirty bits unless
// `probe` is set. Without paging (CR0.PG = 0) the answer is the address itself.
WalkResult walk(const PagingContext& context, AddressSpace& memory, u32 linear, Access access, bool user,
                bool probe = false);

}  // namespace xlat
