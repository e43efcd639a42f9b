// Booting a Linux kernel without firmware, by the 32-bit boot protocol (Documentation/arch/x86/boot.rst).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "firmware/boot_entry.h"
#include "firmware/e820.h"

namespace xlat {

// True when the bytes carry the setup header's magic; load_linux says what is wrong with those that do.
bool looks_like_linux(std::span<const u8> kernel);

struct LinuxBoot {
  std::span<const u8> kernel;
  std::span<const u8> initrd;  // empty for none
  std::string_view command_line;
  std::vector<E820Entry> memory_map;
  u32 rsdp_address = 0;  // 0 for none
};

// Fills `ram` (byte 0 is physical address 0) with kernel, initrd, command line, boot parameters and GDT. Nothing is
// written when it fails.
Result<BootEntry> load_linux(const LinuxBoot& boot, std::span<u8> ram);

}  // namespace xlat
