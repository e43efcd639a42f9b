// info mem and info tlb: what the page tables map.
#include "frontend/monitor_commands.h"

namespace xlat {

namespace {

// Page table bits. SDM vol. 3, tables 4-4 to 4-11.
constexpr u64 kPresent = 1, kWrite = 2, kUser = 4, kPwt = 8, kPcd = 16, kAccessed = 32, kDirty = 64, kLarge = 128,
              kGlobal = 256, kNoExecute = u64{1} << 63;

// A page as its last entry describes it, the rights being those of all levels.
struct MappedPage {
  u32 linear;
  u64 phys;
  u64 entry;
  bool writable, user, no_execute;
};

// Calls `each` for every mapped page in order; at most 2^20 of them.
template <class Each>
void for_each_page(Pc& pc, Each each) {
  const CpuState& s = pc.cpu.s;
  const bool pae = s.cr4 & kCr4Pae;
  const unsigned entry_bytes = pae ? 8 : 4;
  const unsigned entries = pae ? 512 : 1024;
  const unsigned large_shift = pae ? 21 : 22;
  const u64 address_mask = pae ? (u64{1} << 52) - 4096 : 0xfffff000;
  for (unsigned directory = 0; directory < (pae ? 4u : 1u); ++directory) {
    if (pae && !(s.pdpte[directory] & kPresent)) continue;
    const u64 table = (pae ? s.pdpte[directory] : u64{s.cr3}) & address_mask;
    for (unsigned i = 0; i < entries; ++i) {
      const u64 pde = pc.memory.read(table + i * entry_bytes, entry_bytes);
      if (!(pde & kPresent)) continue;
      const u32 base = static_cast<u32>((directory << 30) | (i << large_shift));
      if ((pde & kLarge) && (pae || (s.cr4 & kCr4Pse))) {
        u64 phys = pde & address_mask & ~((u64{1} << large_shift) - 1);
        if (!pae) phys |= (pde >> 13 & 0xff) << 32;  // PSE-36
        each(MappedPage{base, phys, pde, (pde & kWrite) != 0, (pde & kUser) != 0, pae && (pde & kNoExecute)},
             u64{1} << large_shift);
        continue;
      }
      for (unsigned k = 0; k < entries; ++k) {
        const u64 pte = pc.memory.read((pde & address_mask) + k * entry_bytes, entry_bytes);
        if (!(pte & kPresent)) continue;
        const u64 both = pde & pte;
        each(MappedPage{base | k << 12, pte & address_mask, pte & ~kLarge, (both & kWrite) != 0, (both & kUser) != 0,
                        pae && ((pde | pte) & kNoExecute)},
             u64{4096});
      }
    }
  }
}

}  // namespace

std::string info_tlb(MonitorContext& context, std::string_view) {
  Pc& pc = context.machine.pc();
  if (!(pc.cpu.s.cr0 & kCr0Pg)) return "PG disabled\n";
  std::string out;
  for_each_page(pc, [&](const MappedPage& p, u64) {
    const auto flag = [&](u64 bit, char letter) { return p.entry & bit ? letter : '-'; };
    out += fmt::format("{:016x}: {:016x} {}{}{}{}{}{}{}{}{}\n", p.linear, p.phys, p.no_execute ? 'X' : '-',
                       flag(kGlobal, 'G'), flag(kLarge, 'P'), flag(kDirty, 'D'), flag(kAccessed, 'A'), flag(kPcd, 'C'),
                       flag(kPwt, 'T'), p.user ? 'U' : '-', p.writable ? 'W' : '-');
  });
  return out;
}

std::string info_mem(MonitorContext& context, std::string_view) {
  Pc& pc = context.machine.pc();
  if (!(pc.cpu.s.cr0 & kCr0Pg)) return "PG disabled\n";
  std::string out;
  u64 start = 0, end = 0;
  bool user = false, writable = false;
  const auto flush = [&] {
    if (end == start) return;
    out +=
        fmt::format("{:016x}-{:016x} {:016x} {}r{}\n", start, end, end - start, user ? 'u' : '-', writable ? 'w' : '-');
  };
  for_each_page(pc, [&](const MappedPage& p, u64 bytes) {
    if (p.linear != end || p.user != user || p.writable != writable || end == start) {
      flush();
      start = p.linear;
      user = p.user;
      writable = p.writable;
    }
    end = p.linear + bytes;
  });
  flush();
  return out;
}

}  // namespace xlat
