// A floppy drive and the disk in it: head position, disk change line, and sectors of an image by their geometry.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/archive.h"
#include "base/result.h"
#include "devices/block/disk.h"
#include "devices/block/medium_drive.h"

namespace xlat {

// By the numbers the CMOS uses at 10h.
enum class FloppyType : u8 { kNone = 0, k360K = 1, k1200K = 2, k720K = 3, k1440K = 4, k2880K = 5 };

// Data rates as the DSR's and CCR's two low bits choose them.
enum FloppyRate : u8 { kRate500K = 0, kRate300K = 1, kRate250K = 2, kRate1M = 3 };

// How a disk is formatted: sectors of 512 bytes, MFM, numbered from 1 on each track.
struct FloppyFormat {
  u8 cylinders = 0, heads = 0, sectors = 0;
  FloppyType drive = FloppyType::kNone;  // the least drive that takes it
  u8 rates = 0;                          // set of 1 << FloppyRate that read it

  u32 total_sectors() const { return u32{cylinders} * heads * sectors; }
  u64 bytes() const { return u64{total_sectors()} * 512; }
};

// The format of a whole disk of so many bytes.
std::optional<FloppyFormat> floppy_format(u64 bytes);
// The same, and for every other size the disk that such an image is the beginning of: the one its FAT file system says
// (`first_sector` may be shorter or empty), else the least of 1.44 and 2.88 MB that it fits on. What the image does not
// have reads as zeros and cannot be written; what is beyond 2.88 MB is not there.
FloppyFormat fitting_floppy_format(u64 bytes, std::span<const u8> first_sector);
// That of an image; fails if it cannot be read.
Result<FloppyFormat> floppy_format_of(BlockImage& image);

class FloppyDrive : public MediumDrive {
 public:
  static constexpr u32 kMostSectors = 80 * 2 * 48;

  // `done` gets the requests of read() and write() when they are over.
  FloppyDrive(
      Clock& clock, FloppyType type, DiskSetup setup = {}, Disk::Done done = [](DiskRequest&) {});

  FloppyType type() const { return type_; }
  // The largest disk the drive takes, "1.44 MB 3.5-inch".
  std::string describe() const;

  // Puts a disk in; fails if it does not fit the drive or cannot be read. A disk that was in it comes out.
  Status insert(std::unique_ptr<BlockImage> image) override;
  bool eject(bool force = false) override;
  bool removable() const override { return true; }
  BlockImage* image() const override { return disk_.image(); }
  bool has_disk() const { return disk_.present(); }
  // All zeros without a disk.
  const FloppyFormat& format() const { return format_; }
  bool write_protected() const { return disk_.present() && disk_.read_only(); }

  // The head's carriage. A step with a disk in the drive clears the disk change line.
  void step(int cylinders);
  u8 cylinder() const { return cylinder_; }
  bool disk_changed() const { return changed_; }

  // The address of sector `record` under head `head` of the current cylinder, or nothing.
  std::optional<u32> find(unsigned head, unsigned record) const;
  // `sector` came from find().
  void read(u32 sector);  // what the image does not have is missing in the request's data
  void write(u32 sector, std::span<const u8, 512> from, bool deleted);
  // Of a reset.
  void drop() { disk_.drop(); }
  // Has a deleted data mark. An image has no place for marks: they are kept until the disk is taken out.
  bool deleted(u32 sector) const { return sector < marks_.size() && marks_[sector]; }

  void serialize(Archive& ar);

 private:
  FloppyType type_;
  Disk disk_;
  FloppyFormat format_;
  std::vector<bool> marks_;
  u8 cylinder_ = 0;
  bool changed_ = true;
};

}  // namespace xlat
