// The register state in which a directly booted kernel starts.
#pragma once

#include "base/types.h"

namespace xlat {

// 32-bit protected mode, paging off, interrupts off, A20 on, EFLAGS 2. CS is `code_selector`, every other segment
// `data_selector`, both flat 4 GiB and present in the GDT, which lies in guest memory. Registers not named are zero.
struct BootEntry {
  u32 eip = 0;
  u32 eax = 0, ebx = 0, esi = 0, esp = 0;
  u16 code_selector = 0, data_selector = 0;
  u32 gdt_base = 0;
  u16 gdt_limit = 0;
};

}  // namespace xlat
