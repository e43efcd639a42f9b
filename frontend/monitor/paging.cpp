// info mem, info tlb and pagewalk: what the page tables map.
#include "frontend/monitor/commands.h"
#include "frontend/monitor/expression.h"

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

namespace {

std::string entry_flags(u64 entry, bool last, bool pae) {
  if (!(entry & kPresent)) return "not present";
  std::string text = entry & kWrite ? "RW" : "RO";
  text += entry & kUser ? " U" : " S";
  static constexpr struct {
    u64 bit;
    const char* name;
    bool last_only;
  } kFlags[] = {
      {kPwt, "PWT", false}, {kPcd, "PCD", false}, {kAccessed, "A", false}, {kDirty, "D", true}, {kGlobal, "G", true}};
  for (const auto& flag : kFlags) {
    if ((entry & flag.bit) && (last || !flag.last_only)) text += fmt::format(" {}", flag.name);
  }
  if (pae && (entry & kNoExecute)) text += " NX";
  return text;
}

// What code of this privilege may do, as the processor works it out.
std::string rights(Pc& pc, u32 linear, bool user) {
  std::string text;
  static constexpr std::pair<Access, const char*> kAccesses[] = {
      {Access::kRead, "read"}, {Access::kWrite, "write"}, {Access::kExecute, "execute"}};
  for (const auto& [access, name] : kAccesses) {
    if (!walk(pc.cpu.paging(), pc.memory, linear, access, user, true).ok) continue;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

std::string monitor_pagewalk(MonitorContext& context, std::string_view arguments) {
  Pc& pc = context.machine.pc();
  const CpuState& s = pc.cpu.s;
  auto address = evaluate_expression(arguments, pc.cpu);
  if (!address) return fmt::format("pagewalk: {}\n", address.error().message);
  if (!arguments.empty()) return fmt::format("pagewalk: extraneous characters at the end of line: '{}'\n", arguments);
  const auto linear = static_cast<u32>(*address);
  if (!(s.cr0 & kCr0Pg)) return fmt::format("paging is off (CR0.PG = 0): {:08x} is physical\n", linear);

  const bool pae = s.cr4 & kCr4Pae;
  const unsigned entry_bytes = pae ? 8 : 4, large_shift = pae ? 21 : 22;
  const u64 address_mask = pae ? (u64{1} << 52) - 4096 : 0xfffff000;
  std::string out = fmt::format("{:08x}: CR3 {:08x}, {}\n", linear, s.cr3, pae ? "PAE" : "32-bit paging");
  u64 table = s.cr3 & address_mask;
  if (pae) {
    const u64 pdpte = s.pdpte[linear >> 30];
    out += fmt::format("PDPTE[{:x}]          {:016x}  {}\n", linear >> 30, pdpte,
                       pdpte & kPresent ? "present, as MOV CR3 loaded it" : "not present");
    if (!(pdpte & kPresent)) return out + "not mapped\n";
    table = pdpte & address_mask;
  }
  const auto entry_of = [&](const char* name, u32 index, bool last_if_large) {
    const u64 at = table + index * entry_bytes;
    const u64 entry = pc.memory.read(at, entry_bytes);
    const bool large = last_if_large && (entry & kLarge) && (pae || (s.cr4 & kCr4Pse));
    out += fmt::format("{}[{:x}] at {:09x}  {:0{}x}  {}{}\n", name, index, at, entry, 2 * entry_bytes,
                       entry_flags(entry, large || !last_if_large, pae),
                       large ? fmt::format(", a page of {} MiB", pae ? 2 : 4) : "");
    return std::pair(entry, large);
  };
  const auto [pde, large] = entry_of("PDE", (linear >> large_shift) & (pae ? 511 : 1023), true);
  if (!(pde & kPresent)) return out + "not mapped\n";
  if (!large) {
    table = pde & address_mask;
    const auto [pte, unused] = entry_of("PTE", (linear >> 12) & (pae ? 511 : 1023), false);
    (void)unused;
    if (!(pte & kPresent)) return out + "not mapped\n";
  }
  u64 phys = 0;
  if (!pc.cpu.peek_physical(linear, phys)) return out + "reserved bits are set: every access is a page fault\n";
  return out + fmt::format("physical {:09x}; supervisor: {}; user: {}\n", phys, rights(pc, linear, false),
                           rights(pc, linear, true));
}

}  // namespace xlat
