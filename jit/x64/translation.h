// A translated block and the ways out of it.
#pragma once

#include <memory>
#include <vector>

#include "base/hash.h"
#include "cpu/interp/interp.h"
#include "jit/x64/registers.h"

namespace xlat::jit::x64 {

struct Translation;

// A jump to a block whose address is known. Until it is linked it goes to its stub, which leaves to the engine. Places
// in code are CodeCache's; 0: there is none. One cache line.
struct Exit {
  Translation* owner = nullptr;
  Translation* target = nullptr;  // where it is linked to
  Exit* next_incoming = nullptr;  // of the target
  u32 ip = 0;                     // EIP it goes to
  u32 site = 0;                   // the 32-bit displacement of the jump
  u32 guard = 0;                  // the 64-bit TLB entry compared first; 0: the target lies in the owner's page
  u32 stub = 0;
  // An indirect jump's site, linked to where it went last; 0: an exit that always goes to `ip`. The displacement of
  // the jump taken for other targets.
  u32 miss = 0;
  // A jump that goes by way of cold code, which ends with the jump at `last`; 0: it goes to its target itself.
  // First, at `store`, the flags go to memory, if they are not there already and the target does not overwrite them;
  // then, at `check`, the guard is compared, if there is one. `needs`: guest registers that the recipe of the flags is
  // made of.
  u32 last = 0, store = 0, check = 0;
  u8 misses = 0;
  u8 needs = 0;
  bool returns = false;  // from a call; found by the return table even when the owner is dropped

  // What a site compares lies at fixed distances from its guard: the EIP, and which entry of the TLB it is.
  static constexpr u32 kNowhere = ~u32{0};
  static constexpr u32 kIpToGuard = 12, kGuardToPage = 12;
};
static_assert(sizeof(Exit) == 64);

// What a translation takes for granted beside its bytes: if two contexts are equal, so is the host code.
struct Context {
  CodeMode mode;
  u8 flat = 0;  // bit n: segment register n has base 0 and no limits
  u32 cs_base = 0, cs_limit = 0;
  bool operator==(const Context&) const = default;
};

struct Translation {
  const Block* block = nullptr;
  u32 ip = 0;
  u32 context = 0;  // number of its Context
  u64 entry2 = 0;   // the TLB's entry of the second page if the block lies in two; compared when it is entered
  Translation* next = nullptr;  // another translation of the same block
  u32 samples = 0;              // slices that ended in it
  std::size_t index = 0;        // in the engine's list
  u32 rests = 0;                // times the interpreter took over the rest of the block, since so many instructions
  u64 rests_since = 0;
  const u8 *code = nullptr, *cold = nullptr;
  u32 code_bytes = 0, cold_bytes = 0;
  bool overwrites_flags = false;  // see HostCode
  u8 changed_before = 0;
  bool uses_fpu = false;                   // by x87 or MMX instructions that the host executes
  std::vector<Exit> exits;                 // made once: others point to them
  Exit* incoming = nullptr;                // those linked to this translation
  bool broken = false;                     // made wrong, see JitOptions::break_from
  std::unique_ptr<Interp::CodeText> text;  // while the engine is watched
};

// One place an indirect jump may lead to, found by its EIP.
struct JumpEntry {
  u64 key = 0;           // as key_of(); 0: empty
  u64 table_offset = 0;  // of the target page's entry in the TLB
  u64 addend = 0;        // what that entry has to be
  const u8* code = nullptr;

  static u64 key_of(u32 ip, u32 context) { return u64{context} << 32 | ip; }  // contexts count from 1
};
inline constexpr unsigned kJumpEntriesLog2 = 15;
inline constexpr u32 jump_slot(u32 ip) { return hash_slot(ip, kJumpEntriesLog2); }
static_assert(sizeof(JumpEntry) == 32);

// The copy of Stubs::indirect for a translation.
inline const u8* indirect_of(const Stubs& stubs, const Translation& t) {
  return stubs.indirect_copy[hash_slot(t.ip, kIndirectCopiesLog2)];
}

}  // namespace xlat::jit::x64
