// The option ROM's list, map and checksums.
#include "firmware/boot_plan.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/boot_rom_bin.h"

namespace xlat {

namespace {

constexpr std::size_t kPnpHeader = 0x1c, kPnpBytes = 32, kPnpChecksum = 9;
constexpr u32 kDmaRead = 2, kDmaSelect = 8;
constexpr u32 kModeReal = 0, kModeProtected = 1, kModeNothing = 2;

// Makes the bytes' sum a multiple of 256 by the one at `at`.
void make_sum_zero(std::span<u8> bytes, std::size_t at) {
  u8 sum = 0;
  bytes[at] = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  bytes[at] = static_cast<u8>(-sum);
}

}  // namespace

std::vector<u8> boot_rom() {
  std::vector<u8> rom(std::begin(kBootRomBin), std::end(kBootRomBin));
  make_sum_zero(std::span(rom).subspan(kPnpHeader, kPnpBytes), kPnpChecksum);
  make_sum_zero(rom, rom.size() - 1);
  return rom;
}

std::vector<u8> boot_list(const BootPlan* plan) {
  std::vector<u8> list(kBootBufferBytes);
  store_le<u32>(&list[4], !plan ? kModeNothing : plan->entry.protected_mode ? kModeProtected : kModeReal);
  if (!plan) return list;
  ASSERT(plan->parts.size() <= kMostBootParts);
  const BootEntry& entry = plan->entry;
  store_le<u32>(&list[0], static_cast<u32>(plan->parts.size()));
  store_le<u32>(&list[8], entry.eip);
  store_le<u32>(&list[12], entry.eax);
  store_le<u32>(&list[16], entry.ebx);
  store_le<u32>(&list[20], entry.esp);
  store_le<u16>(&list[24], entry.ds);
  store_le<u16>(&list[26], entry.cs);
  store_le<u32>(&list[28], entry.copy_from);
  store_le<u32>(&list[32], entry.copy_to);
  store_le<u32>(&list[36], entry.copy_bytes);
  for (std::size_t n = 0; n < plan->parts.size(); ++n) {
    const BootPart& part = plan->parts[n];
    const u32 key = part.key ? part.key : static_cast<u32>(kBootPartKey + n);
    u8* row = &list[kBootListRows + 12 * n];
    store_le<u32>(row, part.address);
    store_le<u32>(row + 4, part.bytes);
    store_le<u32>(row + 8, key << 16 | kDmaSelect | kDmaRead);
  }
  return list;
}

std::vector<E820Entry> parse_boot_map(std::span<const u8> bytes) {
  std::vector<E820Entry> map;
  for (std::size_t at = 0; at + 20 <= bytes.size(); at += 20) {
    E820Entry entry;
    entry.address = load_le<u64>(&bytes[at]);
    entry.bytes = load_le<u64>(&bytes[at + 8]);
    entry.type = static_cast<E820Type>(load_le<u32>(&bytes[at + 16]));
    if (entry.bytes != 0) map.push_back(entry);
  }
  return map;
}

u64 FreeMemory::end_of(u64 address) const {
  for (const E820Entry& entry : map_) {
    if (entry.type != E820Type::kRam || address < entry.address || address - entry.address >= entry.bytes) continue;
    return entry.address + std::min(entry.bytes, ~entry.address);
  }
  return address;
}

bool FreeMemory::has_ram(u64 address, u64 bytes) const {
  const u64 end = end_of(address);
  return address <= end && bytes <= end - address;
}

bool FreeMemory::has(u64 address, u64 bytes) const {
  u64 end = end_of(address);
  if (end == low_end()) end -= std::min<u64>(end, kBootScratchBytes);
  return address <= end && bytes <= end - address;
}

}  // namespace xlat
