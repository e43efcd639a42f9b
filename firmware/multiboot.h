// Starting Multiboot kernels, versions 1 (specification 0.6.96) and 2 (2.0).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "firmware/boot_plan.h"
#include "firmware/elf_image.h"

namespace xlat {

// True when a header of that version with the right checksum lies where it has to.
bool looks_like_multiboot(std::span<const u8> kernel);
bool looks_like_multiboot2(std::span<const u8> kernel);

struct MultibootModule {
  std::vector<u8> bytes;
  std::string command_line;  // file name and arguments
};

// Loads the modules that -initrd "a,b arguments" names; ",," stands for a comma in a name.
Result<std::vector<MultibootModule>> load_multiboot_modules(std::string_view option);

struct MultibootBoot {
  std::span<const u8> kernel;
  std::span<const MultibootModule> modules;
  std::string_view command_line;  // by custom the kernel's file name in front
  std::span<const u8> rsdp;  // ACPI's root pointer as the firmware placed it; version 2 hands it on. Empty for none
};

Result<BootPlan> plan_multiboot(const MultibootBoot& boot, std::span<const E820Entry> map);
Result<BootPlan> plan_multiboot2(const MultibootBoot& boot, std::span<const E820Entry> map);

// The four addresses a header of either version may give in place of ELF headers.
struct MultibootAddresses {
  u64 header, load;
  u64 load_end, bss_end;  // 0: the rest of the file; no bss
};
// Loads the kernel whose header lies at byte `at` of the file by them.
Result<LoadedImage> load_by_addresses(std::span<const u8> kernel, u32 at, const MultibootAddresses& addresses,
                                      const FreeMemory& memory);

// Hands out memory from an address on, and fills it; both versions place modules and information so.
class BootArena {
 public:
  BootArena(const FreeMemory& memory, u64 at);
  // Above the kernel and above 1 MiB.
  static BootArena behind(const LoadedImage& image, const FreeMemory& memory);
  // Address of `bytes` fresh bytes, or nothing.
  std::optional<u32> take(u64 bytes, u64 align);
  std::optional<u32> put(std::vector<u8> bytes, u64 align);
  std::optional<u32> text(std::string_view s);
  // Modules at page boundaries; their first and last byte beyond, in order.
  struct Placed {
    u32 start, end;
  };
  Result<std::vector<Placed>> put_modules(std::span<const MultibootModule> modules);
  // Where the option ROM's own data lie nothing can be loaded: takes from the image what is to be there, and has the
  // ROM move it last.
  Status put_aside(LoadedImage& image, const FreeMemory& memory);
  Error no_room(const char* what) const;
  // Kernel, what was placed here and a stack, which a kernel starts with; `magic` in EAX, `info` in EBX.
  Result<BootPlan> plan(LoadedImage image, u32 magic, u32 info);

  std::vector<BootPart> parts;

 private:
  u64 at_, end_;
  BootEntry aside_;  // its copy_ fields
};

// KiB between 1 MiB and the first hole above it.
u32 upper_memory_kib(const FreeMemory& memory);

}  // namespace xlat
