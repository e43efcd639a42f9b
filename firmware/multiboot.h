// Booting Multiboot 1 kernels (Multiboot Specification 0.6.96) without firmware.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "firmware/boot_entry.h"
#include "firmware/e820.h"

namespace xlat {

// True when a header with the right checksum lies in the first 8192 bytes.
bool looks_like_multiboot(std::span<const u8> kernel);

struct MultibootModule {
  std::vector<u8> bytes;
  std::string command_line;  // file name and arguments
};

// Loads the modules that -initrd "a,b arguments" names; ",," stands for a comma in a name.
Result<std::vector<MultibootModule>> load_multiboot_modules(std::string_view option);

struct MultibootBoot {
  std::span<const u8> kernel;
  std::vector<MultibootModule> modules;
  std::string_view command_line;  // by custom the kernel's file name in front
  std::vector<E820Entry> memory_map;
  u32 boot_device = 0x8000ffff;  // first hard disk, no partition
};

// Fills `ram` (byte 0 is physical address 0). Nothing of use is in it when it fails.
Result<BootEntry> load_multiboot(const MultibootBoot& boot, std::span<u8> ram);

}  // namespace xlat
