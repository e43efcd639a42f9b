// What of an ELF kernel goes where in physical memory.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "firmware/boot_plan.h"

namespace xlat {

struct LoadedImage {
  std::vector<BootPart> parts;
  u32 entry = 0;
  u64 start = 0, end = 0;  // of all of it, the first byte beyond included
};

bool looks_like_elf(std::span<const u8> kernel);

// The PT_LOAD segments of an ELF file for x86, 32-bit or (if `allow_64`) 64-bit, by their physical addresses. The entry
// point may be given as a virtual one.
Result<LoadedImage> load_elf(std::span<const u8> kernel, bool allow_64, const FreeMemory& memory);

// One piece of the file, [from, from + file_bytes), followed by zeros up to `memory_bytes`.
Status add_segment(LoadedImage& image, std::span<const u8> kernel, u64 from, u64 file_bytes, u64 to, u64 memory_bytes,
                   const FreeMemory& memory);

}  // namespace xlat
