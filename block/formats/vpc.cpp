// vpc: Virtual PC's and Hyper-V's VHD, by Microsoft's "Virtual Hard Disk Image Format Specification" 1.0. The numbers
// are big-endian.
#include <algorithm>
#include <array>
#include <bit>
#include <ctime>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/image_driver.h"
#include "block/mapped_image.h"
#include "block/table_cache.h"
#include "block/utf16.h"

namespace xlat {

namespace {

using namespace std::string_view_literals;

constexpr u64 kFooterBytes = 512, kDynamicBytes = 1024, kBlock = 2 << 20;
constexpr u32 kNone = 0xffffffff;
constexpr u64 kMostSectors = 0xff000000, kMostGeometry = u64{65535} * 16 * 255;
constexpr u64 kMostTableBytes = u64{256} << 20;
constexpr i64 kEpoch = 946684800;  // 2000-01-01, where its time begins
enum Type : u32 { kFixed = 2, kDynamic = 3, kDifferencing = 4 };

// Byte offsets in the footer.
enum Footer : std::size_t {
  kFeaturesAt = 8,
  kVersionAt = 12,
  kDataOffsetAt = 16,
  kTimeAt = 24,
  kCreatorAt = 28,
  kCreatorVersionAt = 32,
  kCreatorOsAt = 36,
  kOriginalSizeAt = 40,
  kSizeAt = 48,
  kCylindersAt = 56,
  kHeadsAt = 58,
  kSectorsAt = 59,
  kTypeAt = 60,
  kSumAt = 64,
  kUuidAt = 68
};
// And in the header of what is not fixed.
enum Dynamic : std::size_t {
  kTableAt = 16,
  kDynVersionAt = 24,
  kEntriesAt = 28,
  kBlockAt = 32,
  kDynSumAt = 36,
  kParentUuidAt = 40,
  kParentNameAt = 64,
  kLocatorsAt = 576
};

void set_sum(std::span<u8> bytes, std::size_t at) {
  store_be<u32>(&bytes[at], 0);
  u32 sum = 0;
  for (const u8 b : bytes) sum += b;
  store_be<u32>(&bytes[at], ~sum);
}

struct Geometry {
  u64 cylinders, heads, sectors;
  u64 total() const { return cylinders * heads * sectors; }
};

// The specification's appendix.
Geometry geometry_of(u64 total) {
  total = std::min(total, kMostGeometry);
  u64 sectors = 17, heads = 0, tracks = total / 17;
  if (total > u64{65535} * 16 * 63) {
    sectors = 255, heads = 16, tracks = total / sectors;
  } else {
    heads = std::max<u64>((tracks + 1023) / 1024, 4);
    if (tracks >= heads * 1024 || heads > 16) sectors = 31, heads = 16, tracks = total / sectors;
    if (tracks >= heads * 1024) sectors = 63, heads = 16, tracks = total / sectors;
  }
  return {tracks / heads, heads, sectors};
}

// Who made it tells which of the two sizes counts.
u64 disk_sectors(std::span<const u8> footer) {
  const u64 by_size = load_be<u64>(&footer[kSizeAt]) / 512;
  const u64 by_geometry = u64{load_be<u16>(&footer[kCylindersAt])} * footer[kHeadsAt] * footer[kSectorsAt];
  for (const std::string_view exact : {"win "sv, "qem2"sv, "d2v "sv, "tap\0"sv, "CTXS"sv}) {
    if (has_magic(footer, kCreatorAt, exact)) return by_size;
  }
  return by_geometry == kMostGeometry ? by_size : by_geometry;
}

class FixedVhd final : public MappedImage {
 public:
  FixedVhd(ImageRequest request, u64 size)
      : MappedImage(std::move(request.file), size, std::max<u64>(size, 512), request.read_only()) {}
  std::string_view format() const override { return "vpc"; }

 protected:
  Result<Place> find(u64) override { return Place{Kind::kData, 0}; }
  Result<u64> take_room(u64) override { return damaged("it has a fixed size"); }
  Status link(u64, Place) override { return {}; }
  bool map_changed() const override { return false; }
  Status write_map() override { return {}; }
};

class DynamicVhd final : public MappedImage {
 public:
  DynamicVhd(ImageRequest request, u64 size, u64 block, std::vector<u8> footer, u64 table_at, std::vector<u32> table)
      : MappedImage(std::move(request.file), size, block, request.read_only()),
        bitmap_bytes_(align_up(block / 512 / 8, 512)),
        footer_(std::move(footer)),
        table_at_(table_at),
        table_(std::move(table)),
        bitmaps_(bitmap_bytes_, u64{4} << 20) {
    // The footer's place, and so behind the parent's names as well.
    end_ = align_up(std::max(table_at_ + table_.size() * 4, file_->size() - kFooterBytes), 512);
    for (const u32 n : table_) {
      if (n != kNone) end_ = std::max(end_, u64{n} * 512 + bitmap_bytes_ + block_);
    }
  }
  ~DynamicVhd() override { (void)flush(); }
  std::string_view format() const override { return "vpc"; }
  ImageDetails details() const override {
    return {.cluster_bytes = block_, .backing_file = parent_name_, .backing_format = {}, .specific = {}, .parts = {}};
  }
  Result<Extent> status(u64 offset, u64 bytes) override {
    auto extent = MappedImage::status(offset, bytes);
    if (extent && !differencing_) extent->allocated = true;  // there is nothing below
    return extent;
  }
  void set_parent(std::string name, std::unique_ptr<BlockImage> parent) {
    differencing_ = true;
    parent_name_ = std::move(name);
    parent_ = std::move(parent);
    set_backing_image(parent_.get());
  }

 protected:
  Result<Place> find(u64 block) override {
    return table_[block] == kNone ? Place{} : Place{Kind::kData, u64{table_[block]} * 512 + bitmap_bytes_};
  }
  // The footer is the last thing in the file, and there is one at any moment.
  Result<u64> take_room(u64) override {
    const u64 at = end_, end = at + bitmap_bytes_ + block_;
    if (end / 512 >= kNone) return Error{fmt::format("'{}': the image is full", path()), EFBIG};
    if (Status s = file_->write(end, footer_); !s) return s.error();
    // All sectors count, or none yet where there is a parent.
    if (Status s = file_->write(at, std::vector<u8>(bitmap_bytes_, differencing_ ? 0 : 0xff)); !s) return s.error();
    bitmaps_.forget(at);
    end_ = end;
    return at + bitmap_bytes_;
  }
  Status link(u64 block, Place place) override {
    table_[block] = static_cast<u32>((place.host - bitmap_bytes_) / 512);
    changed_first_ = std::min(changed_first_, block);
    changed_end_ = std::max(changed_end_, block + 1);
    return {};
  }
  bool map_changed() const override { return changed_end_ != 0 || bitmaps_.any_changed(); }
  Status write_map() override {
    if (bitmaps_.any_changed()) {
      if (Status s = bitmaps_.write_changed(*file_); !s) return s;
      if (Status s = file_->flush(); !s) return s;
    }
    if (changed_end_ == 0) return {};
    std::vector<u8> entries((changed_end_ - changed_first_) * 4);
    for (u64 n = changed_first_; n < changed_end_; ++n) store_be<u32>(&entries[(n - changed_first_) * 4], table_[n]);
    if (Status s = file_->write(table_at_ + changed_first_ * 4, entries); !s) return s;
    changed_first_ = ~u64{0};
    changed_end_ = 0;
    return {};
  }
  u64 part_bytes() const override { return differencing_ ? 512 : block_; }
  Result<bool> is_here(u64 block, u64 in_block, u64& bytes) override {
    if (!differencing_) return true;
    const auto bitmap = bitmaps_.get(*file_, u64{table_[block]} * 512);
    if (!bitmap) return bitmap.error();
    const auto has = [&](u64 sector) { return (bitmap.value()[sector / 8] >> (7 - sector % 8) & 1) != 0; };
    const u64 first = in_block / 512, end = (in_block + bytes + 511) / 512;
    u64 n = first + 1;
    while (n < end && has(n) == has(first)) ++n;
    bytes = std::min(bytes, n * 512 - in_block);
    return has(first);
  }
  Status wrote(u64 block, u64 in_block, u64 bytes) override {
    if (!differencing_) return {};
    const u64 at = u64{table_[block]} * 512;
    const auto bitmap = bitmaps_.get(*file_, at);
    if (!bitmap) return bitmap.error();
    for (u64 n = in_block / 512; n < (in_block + bytes) / 512; ++n)
      bitmap.value()[n / 8] |= static_cast<u8>(0x80 >> n % 8);
    bitmaps_.changed(at);
    return bitmaps_.crowded() ? flush() : Status();
  }

 private:
  u64 bitmap_bytes_;
  std::vector<u8> footer_;
  u64 table_at_;
  std::vector<u32> table_;  // sector of a block's bitmap, behind which it lies
  TableCache bitmaps_;
  u64 end_ = 0;  // where the footer is
  u64 changed_first_ = ~u64{0}, changed_end_ = 0;
  bool differencing_ = false;
  std::string parent_name_;
  std::unique_ptr<BlockImage> parent_;
};

// The parent's name, by the first locator that can be used.
Result<std::string> parent_of(Storage& file, std::span<const u8> dynamic) {
  constexpr u64 kMostNameBytes = 4096;
  for (std::size_t n = 0; n < 8; ++n) {
    const u8* locator = &dynamic[kLocatorsAt + n * 24];
    const u64 bytes = load_be<u32>(locator + 8), at = load_be<u64>(locator + 16);
    const std::string_view kind(reinterpret_cast<const char*>(locator), 4);
    if (bytes == 0 || bytes > kMostNameBytes || (kind != "W2ru" && kind != "W2ku")) continue;
    std::vector<u8> raw(bytes);
    if (Status s = file.read(at, raw); !s) return s.error();
    std::string name = utf8_of(raw, false);
    std::replace(name.begin(), name.end(), '\\', '/');
    return name.starts_with("./") ? name.substr(2) : name;
  }
  return utf8_of(dynamic.subspan(kParentNameAt, 512), true);
}

Result<std::unique_ptr<BlockImage>> open_vpc(ImageRequest request) {
  const std::string path = request.file->path();
  const u64 file_bytes = request.file->size();
  std::vector<u8> footer(kFooterBytes);
  if (Status s = request.file->read(0, footer); !s) return s.error();
  const bool at_start = has_magic(footer, 0, "conectix");
  if (!at_start) {
    if (file_bytes < kFooterBytes) return error("'{}': File too small for a VHD header", path);
    if (Status s = request.file->read(file_bytes - kFooterBytes, footer); !s) return s.error();
    if (!has_magic(footer, 0, "conectix")) return error("'{}': invalid VPC image", path);
  }
  const u32 type = load_be<u32>(&footer[kTypeAt]);
  const u64 size = disk_sectors(footer) * 512;
  if (disk_sectors(footer) > kMostSectors) return error("'{}': the VHD says it has {} sectors", path, size / 512);
  if (type == kFixed || !at_start) {
    if (type != kFixed) return error("'{}': the VHD is not fixed and has no header at its start", path);
    if (size > file_bytes) return error("'{}': the file ends within the disk; it is cut off", path);
    return std::unique_ptr<BlockImage>(new FixedVhd(std::move(request), size));
  }
  if (type != kDynamic && type != kDifferencing) return error("'{}': unknown type {} of VHD", path, type);
  std::array<u8, kDynamicBytes> dynamic{};
  if (Status s = read_header(*request.file, "VHD header", load_be<u64>(&footer[kDataOffsetAt]), dynamic); !s)
    return s.error();
  if (!has_magic(dynamic, 0, "cxsparse")) return error("'{}': invalid VPC image: no dynamic disk header", path);
  const u64 block = load_be<u32>(&dynamic[kBlockAt]), entries = load_be<u32>(&dynamic[kEntriesAt]);
  const u64 table_at = load_be<u64>(&dynamic[kTableAt]);
  if (!std::has_single_bit(block) || block < 512) return error("'{}': Invalid block size {}", path, block);
  if (entries * 4 > kMostTableBytes) return error("'{}': Page Allocation Table too large", path);
  if (size > entries * block) return error("'{}': Page Allocation Table too small", path);
  if (table_at > file_bytes || entries * 4 > file_bytes - table_at)
    return error("'{}': the file ends within its block allocation table", path);
  std::vector<u8> raw(entries * 4);
  if (Status s = request.file->read(table_at, raw); !s) return s.error();
  std::vector<u32> table(entries);
  for (u64 n = 0; n < entries; ++n) table[n] = load_be<u32>(&raw[n * 4]);
  std::string parent_name;
  std::unique_ptr<BlockImage> parent;
  if (type == kDifferencing) {
    auto name = parent_of(*request.file, dynamic);
    if (!name) return name.error();
    parent_name = std::move(*name);
    if (request.open_backing) {
      auto opened = request.open_backing(parent_name, "");
      if (!opened) return opened.error();
      parent = std::move(*opened);
    }
  }
  auto image =
      std::make_unique<DynamicVhd>(std::move(request), size, block, std::move(footer), table_at, std::move(table));
  if (type == kDifferencing) image->set_parent(std::move(parent_name), std::move(parent));
  return std::unique_ptr<BlockImage>(std::move(image));
}

Status create_vpc(const CreateRequest& request) {
  ImageOptions options = request.options;
  const std::string subformat = take_option(options, "subformat").value_or("dynamic");
  if (subformat != "dynamic" && subformat != "fixed") return error("Invalid parameter '{}'", subformat);
  const auto force = take_switch(options, "force_size", false);
  if (!force) return force.error();
  const bool differencing = !request.backing_file.empty();
  if (differencing && subformat == "fixed") return error("subformat=fixed does not go with a backing file");

  // The geometry must hold the size that is wanted, so the disk may become larger.
  u64 sectors = (request.bytes + 511) / 512;
  Geometry geometry = geometry_of(sectors);
  if (!force.value()) {
    for (u64 n = 1; geometry.total() < sectors && sectors < kMostGeometry; ++n) geometry = geometry_of(sectors + n);
  }
  const bool exact = force.value() || differencing || geometry.total() >= kMostGeometry || sectors >= kMostGeometry;
  if (!exact) sectors = geometry.total();
  if (sectors > kMostSectors) return error("Disk size is too large, max size is 2040 GiB");

  std::vector<u8> footer(kFooterBytes);
  const auto text = [](std::span<u8> to, std::size_t at, std::string_view s) {
    std::copy(s.begin(), s.end(), &to[at]);
  };
  text(footer, 0, "conectix");
  store_be<u32>(&footer[kFeaturesAt], 2);
  store_be<u32>(&footer[kVersionAt], 0x10000);
  store_be<u64>(&footer[kDataOffsetAt], subformat == "fixed" ? ~u64{0} : kFooterBytes);
  store_be<u32>(&footer[kTimeAt], static_cast<u32>(std::time(nullptr) - kEpoch));
  // What readers take for the exact size, and what not.
  text(footer, kCreatorAt, exact ? "qem2" : "qemu");
  store_be<u16>(&footer[kCreatorVersionAt], 5);
  store_be<u16>(&footer[kCreatorVersionAt + 2], 3);
  text(footer, kCreatorOsAt, "Wi2k");
  store_be<u64>(&footer[kOriginalSizeAt], sectors * 512);
  store_be<u64>(&footer[kSizeAt], sectors * 512);
  store_be<u16>(&footer[kCylindersAt], static_cast<u16>(geometry.cylinders));
  footer[kHeadsAt] = static_cast<u8>(geometry.heads);
  footer[kSectorsAt] = static_cast<u8>(geometry.sectors);
  store_be<u32>(&footer[kTypeAt], subformat == "fixed" ? kFixed : differencing ? kDifferencing : kDynamic);
  const auto uuid = make_uuid();
  std::copy(uuid.begin(), uuid.end(), &footer[kUuidAt]);
  set_sum(footer, kSumAt);

  auto file = create_host_file(request.path);
  if (!file) return file.error();
  if (subformat == "fixed") return (*file)->write(sectors * 512, footer);
  const u64 entries = std::max<u64>((sectors * 512 + kBlock - 1) / kBlock, 1), table_at = kFooterBytes + kDynamicBytes;
  std::vector<u8> dynamic(kDynamicBytes);
  text(dynamic, 0, "cxsparse");
  store_be<u64>(&dynamic[8], ~u64{0});
  store_be<u64>(&dynamic[kTableAt], table_at);
  store_be<u32>(&dynamic[kDynVersionAt], 0x10000);
  store_be<u32>(&dynamic[kEntriesAt], static_cast<u32>(entries));
  store_be<u32>(&dynamic[kBlockAt], static_cast<u32>(kBlock));
  std::vector<u8> table(align_up(entries * 4, 512), 0xff), locator;
  if (differencing) {
    std::string name = request.backing_file;
    const std::vector<u8> shown = utf16_of(name, true);
    std::copy_n(shown.begin(), std::min<std::size_t>(shown.size(), 510), &dynamic[kParentNameAt]);
    const bool absolute = name.starts_with('/');
    if (!absolute) name = "./" + name;
    std::replace(name.begin(), name.end(), '/', '\\');
    locator = utf16_of(name, false);
    u8* row = &dynamic[kLocatorsAt];
    std::copy_n(absolute ? "W2ku" : "W2ru", 4, row);
    store_be<u32>(row + 4, static_cast<u32>(align_up(locator.size(), 512)));
    store_be<u32>(row + 8, static_cast<u32>(locator.size()));
    store_be<u64>(row + 16, table_at + table.size());
    locator.resize(align_up(locator.size(), 512));
  }
  set_sum(dynamic, kDynSumAt);
  table.insert(table.end(), locator.begin(), locator.end());
  if (Status s = (*file)->write(0, footer); !s) return s;
  if (Status s = (*file)->write(kFooterBytes, dynamic); !s) return s;
  if (Status s = (*file)->write(table_at, table); !s) return s;
  return (*file)->write(table_at + table.size(), footer);
}

using OptionKind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", OptionKind::kSize, "Virtual disk size"},
    {"subformat", OptionKind::kText,
     "Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed} "},
    {"force_size", OptionKind::kSwitch,
     "Force disk size calculation to use the actual size specified, rather than using the nearest CHS-based "
     "calculation"},
};

}  // namespace

extern const ImageDriver kVpcDriver{
    .name = "vpc",
    .describe = "a VHD image",
    .probe = [](std::span<const u8> head, std::string_view) { return has_magic(head, 0, "conectix"); },
    .open = open_vpc,
    .create = create_vpc,
    .options = kOptions,
    .has_backing = true};

}  // namespace xlat
