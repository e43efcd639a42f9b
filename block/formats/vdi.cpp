// vdi: VirtualBox's disks. One map of blocks of 1 MiB behind the header.
#include <algorithm>
#include <array>
#include <set>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/image_driver.h"
#include "block/mapped_image.h"

namespace xlat {

namespace {

constexpr u32 kSignature = 0xbeda107f, kVersion = 0x00010001;
constexpr u32 kNone = 0xffffffff, kDiscarded = 0xfffffffe;
constexpr u64 kHeaderBytes = 512, kBlock = 1 << 20;
constexpr u32 kMostBlocks = 0x3fffffff;
enum Type : u32 { kDynamic = 1, kStatic = 2 };
// Byte offsets of the header's fields.
enum Field : std::size_t {
  kSignatureAt = 0x40,
  kVersionAt = 0x44,
  kHeaderSizeAt = 0x48,
  kTypeAt = 0x4c,
  kMapAt = 0x154,
  kDataAt = 0x158,
  kSectorBytesAt = 0x168,
  kDiskBytesAt = 0x170,
  kBlockBytesAt = 0x178,
  kBlocksAt = 0x180,
  kAllocatedAt = 0x184,
  kUuidAt = 0x188,
  kLastSnapshotAt = 0x198,
  kLinkAt = 0x1a8,
  kParentAt = 0x1b8,
};

class VdiImage final : public MappedImage {
 public:
  VdiImage(ImageRequest request, u64 size, u64 map_at, u64 data_at, std::vector<u32> map)
      : MappedImage(std::move(request.file), size, kBlock, request.read_only()),
        map_at_(map_at),
        data_at_(data_at),
        map_(std::move(map)) {
    for (const u32 n : map_) {
      if (n < kDiscarded) next_ = std::max(next_, n + 1), ++allocated_;
    }
  }
  ~VdiImage() override { (void)flush(); }
  std::string_view format() const override { return "vdi"; }
  ImageDetails details() const override {
    return {.cluster_bytes = kBlock, .backing_file = {}, .backing_format = {}, .specific = {}, .parts = {}};
  }

  Result<Extent> status(u64 offset, u64 bytes) override {
    auto extent = MappedImage::status(offset, bytes);
    if (extent) extent->allocated = true;  // there is nothing below
    return extent;
  }

  Result<CheckReport> check(Repair repair) override {
    if (repair != Repair::kNone) return error("This image format does not support repairs");
    CheckReport report;
    std::set<u32> seen;
    for (u64 n = 0; n < map_.size(); ++n) {
      if (map_[n] >= kDiscarded) continue;
      if (map_[n] >= map_.size()) {
        report.lines.push_back(fmt::format("ERROR: block index {} out of range, is {}", n, map_[n]));
        ++report.corruptions;
      } else if (!seen.insert(map_[n]).second) {
        report.lines.push_back(fmt::format("ERROR: block index {} also used by {}", map_[n], n));
        ++report.corruptions;
      }
    }
    std::array<u8, 4> said{};
    if (Status s = file_->read(kAllocatedAt, said); !s) return s.error();
    if (!map_changed() && load_le<u32>(&said[0]) != allocated_) {
      report.lines.push_back(
          fmt::format("ERROR: allocated blocks mismatch, is {}, should be {}", allocated_, load_le<u32>(&said[0])));
      ++report.corruptions;
    }
    return report;
  }

 protected:
  Result<Place> find(u64 block) override {
    const u32 n = map_[block];
    if (n == kNone) return Place{};
    if (n == kDiscarded) return Place{Kind::kZero};
    return Place{Kind::kData, data_at_ + n * kBlock};
  }
  Result<u64> take_room(u64) override {
    if (next_ >= kMostBlocks) return damaged("no more blocks can be added");
    return data_at_ + next_ * kBlock;
  }
  Status link(u64 block, Place place) override {
    map_[block] = static_cast<u32>((place.host - data_at_) / kBlock);
    next_ = std::max(next_, map_[block] + 1);
    ++allocated_;
    changed_first_ = std::min(changed_first_, block);
    changed_end_ = std::max(changed_end_, block + 1);
    return {};
  }
  bool map_changed() const override { return changed_end_ != 0; }
  // The count and the entries go in one write where the map follows the header, so that they do not contradict each
  // other.
  Status write_map() override {
    std::vector<u8> head(kHeaderBytes);
    if (Status s = file_->read(0, head); !s) return s;
    store_le<u32>(&head[kAllocatedAt], allocated_);
    std::vector<u8> entries((changed_end_ - changed_first_) * 4);
    for (u64 n = changed_first_; n < changed_end_; ++n) store_le<u32>(&entries[(n - changed_first_) * 4], map_[n]);
    const u64 at = map_at_ + changed_first_ * 4;
    constexpr u64 kOneWrite = 4096;
    if (map_at_ == kHeaderBytes && at + entries.size() <= kOneWrite) {
      std::vector<u8> all(at - kAllocatedAt);
      if (Status s = file_->read(kAllocatedAt, all); !s) return s;
      store_le<u32>(&all[0], allocated_);
      all.insert(all.end(), entries.begin(), entries.end());
      if (Status s = file_->write(kAllocatedAt, all); !s) return s;
    } else {
      if (Status s = file_->write(at, entries); !s) return s;
      if (Status s = file_->write(kAllocatedAt, std::span(head).subspan(kAllocatedAt, 4)); !s) return s;
    }
    changed_first_ = ~u64{0};
    changed_end_ = 0;
    return {};
  }

 private:
  u64 map_at_, data_at_;
  std::vector<u32> map_;
  u32 next_ = 0, allocated_ = 0;  // blocks of the file
  u64 changed_first_ = ~u64{0}, changed_end_ = 0;
};

Result<std::unique_ptr<BlockImage>> open_vdi(ImageRequest request) {
  const std::string path = request.file->path();
  std::array<u8, kHeaderBytes> h{};
  if (Status s = read_header(*request.file, "VDI header", 0, h); !s) return s.error();
  const auto u32_at = [&h](std::size_t at) { return load_le<u32>(&h[at]); };
  const auto unsupported = [&path](std::string_view what) {
    return error("'{}': unsupported VDI image ({})", path, what);
  };
  if (u32_at(kSignatureAt) != kSignature)
    return error("'{}': Image not in VDI format (bad signature {:08x})", path, u32_at(kSignatureAt));
  if (u32_at(kVersionAt) != kVersion) {
    return unsupported(fmt::format("version {}.{}", u32_at(kVersionAt) >> 16, u32_at(kVersionAt) & 0xffff));
  }
  const u64 map_at = u32_at(kMapAt), data_at = u32_at(kDataAt), blocks = u32_at(kBlocksAt);
  const u64 disk = load_le<u64>(&h[kDiskBytesAt]);
  if (map_at % 512) return unsupported(fmt::format("unaligned block map offset {:#x}", map_at));
  if (data_at % 512) return unsupported(fmt::format("unaligned data offset {:#x}", data_at));
  if (u32_at(kSectorBytesAt) != 512)
    return unsupported(fmt::format("sector size {} is not 512", u32_at(kSectorBytesAt)));
  if (u32_at(kBlockBytesAt) != kBlock)
    return unsupported(fmt::format("block size {} is not {}", u32_at(kBlockBytesAt), kBlock));
  if (blocks > kMostBlocks) return unsupported(fmt::format("too many blocks {}, max is {}", blocks, kMostBlocks));
  if (disk > blocks * kBlock)
    return unsupported(fmt::format("disk size {}, image bitmap has room for {}", disk, blocks * kBlock));
  if (u32_at(kTypeAt) != kDynamic && u32_at(kTypeAt) != kStatic)
    return unsupported("it is a difference to another one");
  for (const auto& [at, what] : {std::pair{kLinkAt, "non-NULL link UUID"}, {kParentAt, "non-NULL parent UUID"}}) {
    if (std::any_of(&h[at], &h[at] + 16, [](u8 b) { return b != 0; })) return unsupported(what);
  }
  // A map that is longer than the file is no map.
  if (map_at + blocks * 4 > request.file->size())
    return error("'{}': the file ends within its block map; it is cut off or damaged", path);
  std::vector<u8> raw(blocks * 4);
  if (Status s = request.file->read(map_at, raw); !s) return s.error();
  std::vector<u32> map(blocks);
  for (u64 n = 0; n < blocks; ++n) map[n] = load_le<u32>(&raw[n * 4]);
  return std::unique_ptr<BlockImage>(
      new VdiImage(std::move(request), align_up(disk, 512), map_at, data_at, std::move(map)));
}

Status create_vdi(const CreateRequest& request) {
  ImageOptions options = request.options;
  const auto fixed = take_switch(options, "static", false);
  if (!fixed) return fixed.error();
  const u64 blocks = (request.bytes + kBlock - 1) / kBlock;
  if (blocks > kMostBlocks) {
    return error("Unsupported VDI image size (size is {:#x}, max supported is {:#x})", request.bytes,
                 kMostBlocks * kBlock);
  }
  const u64 data_at = kHeaderBytes + align_up(blocks * 4, 512);
  std::vector<u8> head(data_at);
  constexpr std::string_view kText = "<<< xlat Virtual Disk Image >>>\n";
  std::copy(kText.begin(), kText.end(), head.begin());
  const auto put = [&head](std::size_t at, u32 value) { store_le<u32>(&head[at], value); };
  put(kSignatureAt, kSignature);
  put(kVersionAt, kVersion);
  put(kHeaderSizeAt, 0x180);
  put(kTypeAt, fixed.value() ? kStatic : kDynamic);
  put(kMapAt, kHeaderBytes);
  put(kDataAt, static_cast<u32>(data_at));
  put(kSectorBytesAt, 512);
  store_le<u64>(&head[kDiskBytesAt], align_up(request.bytes, 512));
  put(kBlockBytesAt, kBlock);
  put(kBlocksAt, static_cast<u32>(blocks));
  put(kAllocatedAt, fixed.value() ? static_cast<u32>(blocks) : 0);
  const auto uuid = make_uuid(), snapshot = make_uuid();
  std::copy(uuid.begin(), uuid.end(), &head[kUuidAt]);
  std::copy(snapshot.begin(), snapshot.end(), &head[kLastSnapshotAt]);
  for (u64 n = 0; n < blocks; ++n) put(kHeaderBytes + n * 4, fixed.value() ? static_cast<u32>(n) : kNone);
  auto file = create_host_file(request.path);
  if (!file) return file.error();
  if (Status s = (*file)->write(0, head); !s) return s;
  return fixed.value() ? (*file)->resize(data_at + blocks * kBlock) : Status();
}

using OptionKind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", OptionKind::kSize, "Virtual disk size"},
    {"static", OptionKind::kSwitch, "VDI static (pre-allocated) image", "off"},
};

}  // namespace

extern const ImageDriver kVdiDriver{
    .name = "vdi",
    .describe = "a VDI image",
    .probe = [](std::span<const u8> head,
                std::string_view) { return has_magic(head, kSignatureAt, "\x7f\x10\xda\xbe"); },
    .open = open_vdi,
    .create = create_vdi,
    .options = kOptions};

}  // namespace xlat
