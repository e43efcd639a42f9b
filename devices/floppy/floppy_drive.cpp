// Formats by size, and the sectors of a disk.
#include "devices/floppy/floppy_drive.h"

#include <algorithm>
#include <array>

#include "base/bits.h"

namespace xlat {

namespace {

constexpr u64 kSectorBytes = 512;

constexpr u8 rates(std::initializer_list<FloppyRate> list) {
  u8 set = 0;
  for (const FloppyRate r : list) set = static_cast<u8>(set | 1 << r);
  return set;
}

// Double-density 5.25-inch disks come at 250 kbit/s in a drive of their own and at 300 kbit/s in a faster turning one.
constexpr u8 kDouble525 = rates({kRate250K, kRate300K});
constexpr u8 kDouble35 = rates({kRate250K}), kHigh = rates({kRate500K}), kExtra = rates({kRate1M});

constexpr FloppyFormat kFormats[] = {
    {40, 1, 8, FloppyType::k360K, kDouble525},  // 160 KB
    {40, 1, 9, FloppyType::k360K, kDouble525},  // 180 KB
    {40, 2, 8, FloppyType::k360K, kDouble525},  // 320 KB
    {40, 2, 9, FloppyType::k360K, kDouble525},  // 360 KB
    {80, 2, 8, FloppyType::k720K, kDouble35},   // 640 KB
    {80, 2, 9, FloppyType::k720K, kDouble35},   // 720 KB
    {80, 2, 10, FloppyType::k720K, kDouble35},  // 800 KB
    {82, 2, 10, FloppyType::k720K, kDouble35},  // 820 KB
    {80, 2, 15, FloppyType::k1200K, kHigh},     // 1.2 MB
    {80, 2, 18, FloppyType::k1440K, kHigh},     // 1.44 MB
    {82, 2, 18, FloppyType::k1440K, kHigh},     // 1.48 MB
    {80, 2, 20, FloppyType::k1440K, kHigh},     // 1.6 MB
    {80, 2, 21, FloppyType::k1440K, kHigh},     // 1.68 MB, the Distribution Media Format
    {82, 2, 21, FloppyType::k1440K, kHigh},     // 1.72 MB
    {83, 2, 21, FloppyType::k1440K, kHigh},     // 1.74 MB
    {80, 2, 22, FloppyType::k1440K, kHigh},     // 1.76 MB
    {80, 2, 23, FloppyType::k1440K, kHigh},     // 1.84 MB
    {80, 2, 24, FloppyType::k1440K, kHigh},     // 1.92 MB
    {80, 2, 36, FloppyType::k2880K, kExtra},    // 2.88 MB
    {80, 2, 39, FloppyType::k2880K, kExtra},    // 3.12 MB
    {80, 2, 40, FloppyType::k2880K, kExtra},    // 3.2 MB
    {80, 2, 44, FloppyType::k2880K, kExtra},    // 3.52 MB
    {80, 2, 48, FloppyType::k2880K, kExtra},    // 3.84 MB
};

bool is_525(FloppyType type) { return type == FloppyType::k360K || type == FloppyType::k1200K; }

// The last cylinder the carriage reaches: a few more than are meant to be used.
u8 last_cylinder(FloppyType type) { return type == FloppyType::k360K ? 42 : 84; }

}  // namespace

std::optional<FloppyFormat> floppy_format(u64 bytes) {
  for (const FloppyFormat& f : kFormats) {
    if (f.bytes() == bytes) return f;
  }
  return std::nullopt;
}

FloppyFormat fitting_floppy_format(u64 bytes, std::span<const u8> first_sector) {
  if (const auto whole = floppy_format(bytes)) return *whole;
  // FAT: a jump, 512 bytes a sector, a media descriptor, and the number of sectors.
  if (first_sector.size() >= 22) {
    const u8* b = first_sector.data();
    const bool fat = (b[0] == 0xeb || b[0] == 0xe9) && load_le<u16>(b + 11) == 512 && b[21] >= 0xf0;
    const u64 claimed = fat ? u64{load_le<u16>(b + 19)} * 512 : 0;
    if (const auto format = floppy_format(claimed); format && claimed > bytes) return *format;
  }
  constexpr u64 k1440 = u64{1440} << 10, k2880 = u64{2880} << 10;
  return *floppy_format(bytes < k1440 ? k1440 : k2880);
}

Result<FloppyFormat> floppy_format_of(BlockImage& image) {
  std::array<u8, 512> first{};
  const std::span<u8> part = std::span(first).first(std::min<u64>(first.size(), image.size()));
  if (Status s = image.read(0, part); !s) return s.error();
  return fitting_floppy_format(image.size(), first);
}

FloppyDrive::FloppyDrive(Clock& clock, FloppyType type, DiskSetup setup, Disk::Done done)
    : type_(type), disk_(clock, nullptr, std::move(setup), std::move(done)) {}

std::string FloppyDrive::describe() const {
  switch (type_) {
    case FloppyType::k360K: return "360 KB 5.25-inch";
    case FloppyType::k1200K: return "1.2 MB 5.25-inch";
    case FloppyType::k720K: return "720 KB 3.5-inch";
    case FloppyType::k1440K: return "1.44 MB 3.5-inch";
    case FloppyType::k2880K: return "2.88 MB 3.5-inch";
    case FloppyType::kNone: break;
  }
  return "no";
}

Status FloppyDrive::insert(std::unique_ptr<BlockImage> image) {
  const auto format = floppy_format_of(*image);
  if (!format) return format.error();
  if (is_525(format.value().drive) != is_525(type_) || format.value().drive > type_) {
    return error("floppy image '{}' has {} KB, which is no disk for a {} drive; start xlat with an image of that size",
                 image->path(), image->size() / 1024, describe());
  }
  disk_.exchange(std::move(image));
  format_ = format.value();
  marks_.assign(format_.total_sectors(), false);
  changed_ = true;
  return {};
}

bool FloppyDrive::eject(bool) {
  if (disk_.present()) changed_ = true;
  disk_.exchange(nullptr);
  format_ = {};
  marks_.clear();
  return true;
}

void FloppyDrive::step(int cylinders) {
  if (cylinders == 0) return;
  cylinder_ = static_cast<u8>(std::clamp(cylinder_ + cylinders, 0, int{last_cylinder(type_)}));
  if (disk_.present()) changed_ = false;
}

std::optional<u32> FloppyDrive::find(unsigned head, unsigned record) const {
  if (cylinder_ >= format_.cylinders || head >= format_.heads || record < 1 || record > format_.sectors) {
    return std::nullopt;
  }
  return (u32{cylinder_} * format_.heads + head) * format_.sectors + record - 1;
}

void FloppyDrive::read(u32 sector) {
  const u64 offset = u64{sector} * kSectorBytes, size = disk_.size();
  disk_.read(0, offset, offset < size || !disk_.present() ? kSectorBytes : 0);
}

void FloppyDrive::write(u32 sector, std::span<const u8, 512> from, bool deleted) {
  if (sector < marks_.size()) marks_[sector] = deleted;
  disk_.write(0, u64{sector} * kSectorBytes, {from.begin(), from.end()});
}

void FloppyDrive::serialize(Archive& ar) {
  ar.range(cylinder_, u8{0}, last_cylinder(type_));
  ar(changed_);
  disk_.serialize(ar);
  // The marks are the disk's: a snapshot is loaded with the disk that was in the drive.
  u32 count = static_cast<u32>(marks_.size());
  ar.range(count, u32{0}, kMostSectors);
  for (u32 n = 0; n < count; n += 8) {
    u8 byte = 0;
    for (u32 k = 0; k < 8 && n + k < marks_.size(); ++k) byte = static_cast<u8>(byte | marks_[n + k] << k);
    ar(byte);
    for (u32 k = 0; k < 8 && n + k < marks_.size(); ++k) marks_[n + k] = (byte >> k) & 1;
  }
}

}  // namespace xlat
