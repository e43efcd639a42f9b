// The guess: partition table first, else 16 heads of 63 sectors.
#include "block/disk_geometry.h"

#include <algorithm>
#include <optional>

#include "base/bits.h"

namespace xlat {

namespace {

constexpr unsigned kMostCylinders = 16383, kBiosCylinders = 1024, kAtaHeads = 16, kTrack = 63;

struct Logical {
  unsigned cylinders, heads, sectors;
};

// A partition ends at the end of a cylinder: its last head and sector are the disk's.
std::optional<Logical> by_partitions(u64 disk_sectors, std::span<const u8, 512> mbr) {
  if (mbr[510] != 0x55 || mbr[511] != 0xaa) return std::nullopt;
  for (unsigned n = 0; n < 4; ++n) {
    const u8* entry = &mbr[446 + 16 * n];
    const unsigned last_head = entry[5], sectors = entry[6] & 63;
    if (load_le<u32>(entry + 12) == 0 || last_head == 0 || sectors == 0) continue;
    const u64 cylinders = disk_sectors / ((last_head + 1) * sectors);
    if (cylinders < 1 || cylinders > kMostCylinders) continue;
    return Logical{static_cast<unsigned>(cylinders), last_head + 1, sectors};
  }
  return std::nullopt;
}

DiskGeometry by_size(u64 sectors) {
  DiskGeometry g;
  // At least two, even where there is less than one.
  g.cylinders = static_cast<u16>(std::clamp<u64>(sectors / (kAtaHeads * kTrack), 2, kMostCylinders));
  return g;
}

}  // namespace

DiskGeometry guess_geometry(u64 sectors, std::span<const u8, 512> first_sector) {
  const auto logical = by_partitions(sectors, first_sector);
  if (logical && logical->heads <= kAtaHeads) {
    // What the partitions were made with fits the drive itself.
    return {static_cast<u16>(logical->cylinders), static_cast<u8>(logical->heads), static_cast<u8>(logical->sectors),
            DiskTranslation::kNone};
  }
  DiskGeometry g = by_size(sectors);
  if (logical) {
    // More heads than a drive has: a BIOS translated. Doubling heads goes as far as 1024 cylinders of 128.
    const bool doubled = unsigned{g.cylinders} * g.heads <= 131072;
    g.translation = doubled ? DiskTranslation::kLarge : DiskTranslation::kLba;
  } else if (g.cylinders > kBiosCylinders) {
    g.translation = DiskTranslation::kLba;
  }
  return g;
}

}  // namespace xlat
