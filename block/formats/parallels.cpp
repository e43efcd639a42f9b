// parallels: Parallels Desktop's .hdd. A map of blocks behind a short header, in sectors or in blocks.
#include <algorithm>
#include <array>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/image_driver.h"
#include "block/mapped_image.h"

namespace xlat {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "WithoutFreeSpace", kMagicExt = "WithouFreSpacExt";
constexpr u32 kVersion = 2, kInUse = 0x746f6e59;
constexpr u64 kHeaderBytes = 64;
constexpr u64 kMostMapBytes = u64{256} << 20;
enum Field : std::size_t {
  kVersionAt = 16,
  kHeadsAt = 20,
  kCylindersAt = 24,
  kTracksAt = 28,
  kEntriesAt = 32,
  kSectorsAt = 36,
  kInUseAt = 44,
  kDataAt = 48
};

class ParallelsImage final : public MappedImage {
 public:
  ParallelsImage(ImageRequest request, u64 size, u64 block, u64 unit, u64 data_at, std::vector<u32> map)
      : MappedImage(std::move(request.file), size, block, request.read_only()), unit_(unit), map_(std::move(map)) {
    end_ = data_at;
    for (const u32 n : map_) {
      if (n) end_ = std::max(end_, n * unit_ + block_);
    }
    // Blocks are counted from the data's beginning in the newer kind, whose unit is a block.
    end_ = align_up_to(end_, unit_);
  }
  ~ParallelsImage() override { (void)flush(); }
  std::string_view format() const override { return "parallels"; }
  ImageDetails details() const override {
    return {.dirty = std::nullopt, .backing_file = {}, .backing_format = {}, .specific = {}, .parts = {}};
  }

  Result<CheckReport> check(Repair repair) override {
    if (Status s = flush(); !s) return s.error();
    CheckReport report;
    report.total_clusters = map_.size();
    std::array<u8, 4> in_use{};
    if (Status s = file_->read(kInUseAt, in_use); !s) return s.error();
    if (load_le<u32>(&in_use[0]) == kInUse) {
      const bool fix = repair == Repair::kAll && !read_only_;
      report.lines.push_back(fmt::format("{} image was not closed correctly", fix ? "Repairing" : "ERROR"));
      ++report.corruptions;
      if (fix) {
        if (Status s = file_->write(kInUseAt, std::array<u8, 4>{}); !s) return s.error();
        ++report.corruptions_fixed;
      }
    }
    u64 end = 0, last = 0;
    for (u64 n = 0; n < map_.size(); ++n) {
      if (map_[n] == 0) continue;
      const u64 at = map_[n] * unit_;
      if (at >= file_->size()) {
        const bool fix = repair == Repair::kAll && !read_only_;
        report.lines.push_back(fmt::format("{} cluster {} is outside image", fix ? "Repairing" : "ERROR", n));
        ++report.corruptions;
        if (fix) {
          map_[n] = 0;
          mark(n);
          ++report.corruptions_fixed;
        }
        continue;
      }
      ++report.allocated_clusters;
      if (last && last + block_ != at) ++report.fragmented_clusters;
      last = at;
      end = std::max(end, at + block_);
    }
    report.end_offset = end;
    if (file_->size() > std::max(end, end_)) {
      const u64 leaks = (file_->size() - std::max(end, end_) + block_ - 1) / block_;
      report.lines.push_back(fmt::format("{} space leaked at the end of the image {}",
                                         repair == Repair::kNone ? "ERROR" : "Repairing", file_->size() - end));
      report.leaks += leaks;
      if (repair != Repair::kNone && !read_only_) {
        if (Status s = file_->resize(std::max(end, end_)); !s) return s.error();
        report.leaks_fixed += leaks;
      }
    }
    if (Status s = flush(); !s) return s.error();
    return report;
  }

 protected:
  Result<Place> find(u64 block) override { return map_[block] ? Place{Kind::kData, map_[block] * unit_} : Place{}; }
  Result<u64> take_room(u64) override {
    if (end_ / unit_ > 0xffffffff - block_ / unit_) return Error{fmt::format("'{}': the image is full", path()), EFBIG};
    return end_;
  }
  Status link(u64 block, Place place) override {
    map_[block] = static_cast<u32>(place.host / unit_);
    end_ = std::max(end_, place.host + block_);
    mark(block);
    return {};
  }
  bool map_changed() const override { return changed_end_ != 0; }
  Status write_map() override {
    std::vector<u8> entries((changed_end_ - changed_first_) * 4);
    for (u64 n = changed_first_; n < changed_end_; ++n) store_le<u32>(&entries[(n - changed_first_) * 4], map_[n]);
    if (Status s = file_->write(kHeaderBytes + changed_first_ * 4, entries); !s) return s;
    changed_first_ = ~u64{0};
    changed_end_ = 0;
    return {};
  }

 private:
  static u64 align_up_to(u64 value, u64 unit) { return (value + unit - 1) / unit * unit; }
  void mark(u64 block) {
    changed_first_ = std::min(changed_first_, block);
    changed_end_ = std::max(changed_end_, block + 1);
  }
  u64 unit_;  // of the map's entries
  std::vector<u32> map_;
  u64 end_ = 0;  // of what is in use in the file
  u64 changed_first_ = ~u64{0}, changed_end_ = 0;
};

Result<std::unique_ptr<BlockImage>> open_parallels(ImageRequest request) {
  const std::string path = request.file->path();
  std::array<u8, kHeaderBytes> h{};
  if (Status s = read_header(*request.file, "Parallels header", 0, h); !s) return s.error();
  const bool ext = has_magic(h, 0, kMagicExt);
  const auto u32_at = [&h](std::size_t at) { return load_le<u32>(&h[at]); };
  if ((!ext && !has_magic(h, 0, kMagic)) || u32_at(kVersionAt) != kVersion)
    return error("'{}': Image not in Parallels format", path);
  const u64 tracks = u32_at(kTracksAt), entries = u32_at(kEntriesAt);
  u64 sectors = load_le<u64>(&h[kSectorsAt]);
  if (!ext) sectors &= 0xffffffff;
  if (tracks == 0) return error("'{}': Invalid image: Zero sectors per track", path);
  if (tracks > 0x7fffffff / 513) return error("'{}': Invalid image: Too big cluster", path);
  const u64 block = tracks * 512, map_bytes = entries * 4;
  if (map_bytes > kMostMapBytes || kHeaderBytes + map_bytes > request.file->size()) {
    return error("'{}': Catalog too large", path);
  }
  if (sectors > entries * tracks) return error("'{}': the map has no entries for the disk's end", path);
  if (u32_at(kInUseAt) == kInUse && !request.read_only() && !request.repair) {
    return error(
        "'{}': parallels: Image was not closed correctly; cannot be opened read/write; repair it first (check -r all)",
        path);
  }
  std::vector<u8> raw(map_bytes);
  if (Status s = request.file->read(kHeaderBytes, raw); !s) return s.error();
  std::vector<u32> map(entries);
  for (u64 n = 0; n < entries; ++n) map[n] = load_le<u32>(&raw[n * 4]);
  u64 data_at = u64{u32_at(kDataAt)} * 512;
  if (data_at < kHeaderBytes + map_bytes) data_at = align_up(kHeaderBytes + map_bytes, 512);
  return std::unique_ptr<BlockImage>(
      new ParallelsImage(std::move(request), sectors * 512, block, ext ? block : 512, data_at, std::move(map)));
}

Status create_parallels(const CreateRequest& request) {
  ImageOptions options = request.options;
  const u64 block = parse_size(take_option(options, "cluster_size").value_or("1M"), 1).value_or(0);
  if (block == 0 || block % 512 || block > (u64{1} << 30))
    return error("Invalid parameter 'cluster_size': give a multiple of 512");
  const u64 bytes = align_up(request.bytes, 512), entries = (bytes + block - 1) / block;
  if (entries > kMostMapBytes / 4 || bytes / 512 > 0xffffffff * block / 512)
    return error("Image size is too large for this cluster size");
  const u64 data_at = (kHeaderBytes + entries * 4 + block - 1) / block * block;
  std::vector<u8> head(align_up(kHeaderBytes + entries * 4, 512));
  std::copy(kMagicExt.begin(), kMagicExt.end(), head.begin());
  store_le<u32>(&head[kVersionAt], kVersion);
  store_le<u32>(&head[kHeadsAt], 16);
  store_le<u32>(&head[kCylindersAt], static_cast<u32>(std::min<u64>(bytes / 512 / 16 / 32, 0xffffffff)));
  store_le<u32>(&head[kTracksAt], static_cast<u32>(block / 512));
  store_le<u32>(&head[kEntriesAt], static_cast<u32>(entries));
  store_le<u64>(&head[kSectorsAt], bytes / 512);
  store_le<u32>(&head[kDataAt], static_cast<u32>(data_at / 512));
  auto file = create_host_file(request.path);
  if (!file) return file.error();
  if (Status s = (*file)->write(0, head); !s) return s;
  return (*file)->resize(data_at);
}

using OptionKind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", OptionKind::kSize, "Virtual disk size"},
    {"cluster_size", OptionKind::kSize, "Parallels image cluster size", "1048576"},
};

}  // namespace

extern const ImageDriver kParallelsDriver{
    .name = "parallels",
    .describe = "a Parallels image",
    .probe = [](std::span<const u8> head,
                std::string_view) { return has_magic(head, 0, kMagic) || has_magic(head, 0, kMagicExt); },
    .open = open_parallels,
    .create = create_parallels,
    .options = kOptions};

}  // namespace xlat
