// The cylinders, heads and sectors of a hard disk that is only an image: a guess, the same as QEMU's, as operating
// systems installed there have written it into their partition tables.
#pragma once

#include <span>

#include "base/types.h"

namespace xlat {

// What the BIOS makes of a geometry beyond its own limit of 1024 cylinders, by the numbers CMOS 39h has for it.
enum class DiskTranslation : u8 { kNone, kLba, kLarge, kRevisedChs };

struct DiskGeometry {
  // What the drive says in IDENTIFY: 1-16383, 1-16, 1-63.
  u16 cylinders = 1;
  u8 heads = 16, sectors = 63;
  DiskTranslation translation = DiskTranslation::kNone;
};

// `first_sector` may hold a partition table, by whose ends of partitions the disk was formatted with.
DiskGeometry guess_geometry(u64 sectors, std::span<const u8, 512> first_sector);

}  // namespace xlat
