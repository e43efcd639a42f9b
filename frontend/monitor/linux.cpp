// info linux.
#include "frontend/monitor/commands.h"
#include "frontend/monitor/guest_linux.h"

namespace xlat {

std::string info_linux(MonitorContext& context, std::string_view) {
  const auto found = find_linux(context.machine.pc());
  if (!found) return "no Linux in memory, or one that has not started yet\n";
  std::string out = fmt::format("{}\nbanner at physical {:08x}", found->banner, found->banner_phys);
  if (found->page_offset) {
    out += fmt::format(", linear {:08x}", found->banner_phys + *found->page_offset);
  }
  out += "\n";
  if (found->stext && found->page_offset) {
    // CONFIG_PHYSICAL_START of most kernels; the text begins at a multiple of CONFIG_PHYSICAL_ALIGN, 2 MiB or more.
    constexpr u32 kUsualStart = 0x1000000, kAlign = 0x200000;
    const u32 base = *found->stext & ~(kAlign - 1);
    out += fmt::format(
        "text at linear {:08x}, physical {:08x}; linked to {:08x} as most kernels are, it was moved by {:#x}\n", base,
        base - *found->page_offset, *found->page_offset + kUsualStart, base - *found->page_offset - kUsualStart);
  } else {
    out += "where its text lies is not known: the kernel has no VMCOREINFO\n";
  }
  if (!found->log) return out + fmt::format("its log cannot be read: {}\n", found->no_log);
  return out + "its log:\n" + *found->log;
}

}  // namespace xlat
