// ELF program headers. Tool Interface Standard, ELF 1.2; the 64-bit form by the System V ABI.
#include "firmware/elf_image.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace xlat {

bool looks_like_elf(std::span<const u8> kernel) {
  constexpr u8 kMagic[4] = {0x7f, 'E', 'L', 'F'};
  return kernel.size() >= 52 && std::memcmp(kernel.data(), kMagic, 4) == 0;
}

Status add_segment(LoadedImage& image, std::span<const u8> kernel, u64 from, u64 file_bytes, u64 to, u64 memory_bytes,
                   const FreeMemory& memory) {
  if (file_bytes == 0) from = 0;  // only zeros; where they would lie in the file means nothing
  if (from > kernel.size() || file_bytes > kernel.size() - from) {
    return error("the kernel is truncated: a segment ends at byte {}, the file has {}", from + file_bytes,
                 kernel.size());
  }
  if (!memory.has_ram(to, memory_bytes)) {
    return error("the kernel wants memory from {:#x} to {:#x}, and what there is ends at {:#x}{}", to,
                 to + memory_bytes, memory.end_of(to), to >= 0x100000 ? "; give the machine more with -m" : "");
  }
  const auto at = kernel.begin() + static_cast<std::ptrdiff_t>(from);
  image.parts.push_back(
      {static_cast<u32>(to), static_cast<u32>(memory_bytes), {at, at + static_cast<std::ptrdiff_t>(file_bytes)}, 0});
  image.start = image.end == 0 ? to : std::min(image.start, to);
  image.end = std::max(image.end, to + memory_bytes);
  return {};
}

Result<LoadedImage> load_elf(std::span<const u8> kernel, bool allow_64, const FreeMemory& memory) {
  if (!looks_like_elf(kernel)) return error("the kernel is no ELF file and its Multiboot header has no addresses");
  const bool is64 = kernel[4] == 2;
  const u16 machine = load_le<u16>(&kernel[18]);
  if (kernel[5] != 1 || (is64 ? machine != 62 || kernel.size() < 64 : machine != 3)) {
    return error("the kernel is an ELF file, but not for x86");
  }
  if (is64 && !allow_64) return error("the Multiboot kernel is a 64-bit ELF file; Multiboot 1 starts 32-bit ones");
  const auto word = [&](const u8* at) { return is64 ? load_le<u64>(at) : load_le<u32>(at); };
  const u64 entry = word(&kernel[24]), table = word(&kernel[is64 ? 32 : 28]);
  const u64 entry_bytes = load_le<u16>(&kernel[is64 ? 54 : 42]), count = load_le<u16>(&kernel[is64 ? 56 : 44]);
  if (count == 0 || entry_bytes < (is64 ? 56u : 32u)) return error("the kernel has no ELF program headers");
  if (table > kernel.size() || count * entry_bytes > kernel.size() - table) {
    return error("the kernel is truncated: its ELF program headers lie at {}, the file has {} bytes", table,
                 kernel.size());
  }
  LoadedImage image;
  u64 physical_entry = entry;
  for (u64 i = 0; i < count; ++i) {
    const u8* p = &kernel[table + i * entry_bytes];
    if (load_le<u32>(p) != 1) continue;  // PT_LOAD
    const u64 offset = word(p + (is64 ? 8 : 4)), vaddr = word(p + (is64 ? 16 : 8)), paddr = word(p + (is64 ? 24 : 12));
    const u64 file_bytes = word(p + (is64 ? 32 : 16)), memory_bytes = word(p + (is64 ? 40 : 20));
    if (memory_bytes < file_bytes) return error("the kernel's ELF segment {} is larger in the file than in memory", i);
    if (memory_bytes == 0) continue;
    if (image.parts.size() >= kMostBootParts / 2) return error("the kernel has more than {} ELF segments", i);
    if (Status s = add_segment(image, kernel, offset, file_bytes, paddr, memory_bytes, memory); !s) return s.error();
    if (entry >= vaddr && entry - vaddr < memory_bytes) physical_entry = entry - vaddr + paddr;
  }
  if (image.parts.empty()) return error("the kernel has no ELF segment to load");
  image.entry = static_cast<u32>(physical_entry);
  return image;
}

}  // namespace xlat
