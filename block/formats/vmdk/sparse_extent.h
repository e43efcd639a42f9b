// A file of a VMDK in which the disk's grains lie by two levels of tables.
#pragma once

#include "block/image_driver.h"
#include "block/mapped_image.h"
#include "block/table_cache.h"

namespace xlat::vmdk {

inline constexpr u64 kHeaderBytes = 512, kGrainTableEntries = 512, kDescriptorSectors = 20;
inline constexpr u64 kUsualGrain = 128;  // sectors
enum Flag : u32 { kNewlines = 1, kSecondDirectory = 2, kZeroedGrains = 4, kCompressed = 1 << 16, kMarkers = 1 << 17 };

struct SparseHeader {
  u32 version = 1, flags = kNewlines | kSecondDirectory;
  u64 capacity = 0, grain = kUsualGrain;  // sectors
  u64 descriptor_at = 0, descriptor_sectors = 0;
  u64 second_directory = 0, directory = 0, overhead = 0;  // sectors
  static Result<SparseHeader> read(Storage& file);
  std::vector<u8> encode() const;
  u64 directory_entries() const { return (capacity + grain * kGrainTableEntries - 1) / (grain * kGrainTableEntries); }
};

class SparseExtent final : public MappedImage {
 public:
  static Result<std::unique_ptr<SparseExtent>> open(std::unique_ptr<Storage> file, bool read_only);
  // A new one: header, both directories and all grain tables. `descriptor` may be empty.
  static Status create(Storage& file, u64 bytes, std::string_view descriptor, bool compressed, bool zeroed_grains);
  ~SparseExtent() override { (void)flush(); }

  using MappedImage::set_backing_image;
  std::string_view format() const override { return "vmdk"; }
  ImageDetails details() const override {
    return {.cluster_bytes = block_, .backing_file = {}, .backing_format = {}, .specific = {}, .parts = {}};
  }
  Status write(u64 offset, std::span<const u8> from) override;
  Status write_compressed(u64 offset, std::span<const u8> cluster) override;
  const SparseHeader& header() const { return header_; }
  bool compressed() const { return header_.flags & kCompressed; }
  Storage& file() { return *file_; }

 protected:
  Result<Place> find(u64 block) override;
  Result<u64> take_room(u64 block) override;
  Status link(u64 block, Place place) override;
  bool map_changed() const override { return tables_.any_changed() || second_tables_.any_changed(); }
  Status write_map() override;
  bool can_link_zero() const override { return header_.flags & kZeroedGrains; }
  Status read_packed(u64 block, u64 in_block, std::span<u8> to) override;

 private:
  SparseExtent(std::unique_ptr<Storage> file, SparseHeader header, bool read_only, std::vector<u32> directory,
               std::vector<u32> second);
  Result<u32> entry(u64 block);

  SparseHeader header_;
  std::vector<u32> directory_, second_;  // sectors of grain tables
  TableCache tables_, second_tables_;
  u64 end_ = 0;
  u64 unpacked_at_ = 0;
  std::vector<u8> unpacked_;
};

}  // namespace xlat::vmdk
