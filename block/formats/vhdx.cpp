// vhdx: Hyper-V's disks, by Microsoft's [MS-VHDX]. A log that was left is applied when the image is opened for writing;
// ours writes data before the table that names it, so that it needs none.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/formats/vhdx_log.h"
#include "block/host_file.h"
#include "block/image_driver.h"
#include "block/mapped_image.h"
#include "block/utf16.h"

namespace xlat {

namespace {

using vhdx::Guid;

constexpr u64 kMiB = 1 << 20;
constexpr u64 kHeaderAt[] = {64 << 10, 128 << 10}, kRegionsAt[] = {192 << 10, 256 << 10};
constexpr u64 kHeaderBytes = 4096, kRegionsBytes = 64 << 10;
constexpr u64 kMostDisk = u64{64} << 40, kMostTableBytes = u64{512} << 20;

constexpr Guid kBatRegion = vhdx::guid(0x2dc27766, 0xf623, 0x4200, 0x9d64115e9bfd4a08);
constexpr Guid kMetadataRegion = vhdx::guid(0x8b7ca206, 0x4790, 0x4b9a, 0xb8fe575f050f886e);
constexpr Guid kFileParameters = vhdx::guid(0xcaa16737, 0xfa36, 0x4d43, 0xb3b633f0aa44e76b);
constexpr Guid kDiskSize = vhdx::guid(0x2fa54224, 0xcd1b, 0x4876, 0xb2115dbed83bf4b8);
constexpr Guid kPage83 = vhdx::guid(0xbeca12ab, 0xb2e6, 0x4523, 0x93efc309e000c746);
constexpr Guid kLogicalSector = vhdx::guid(0x8141bf1d, 0xa96f, 0x4709, 0xba47f233a8faab5f);
constexpr Guid kPhysicalSector = vhdx::guid(0xcda348c7, 0x445d, 0x4471, 0x9cc9e9885251c556);

enum State : u64 { kNotPresent = 0, kUndefined = 1, kZero = 2, kUnmapped = 3, kFullyPresent = 6, kPartlyPresent = 7 };

bool sum_fits(std::span<const u8> bytes) { return vhdx::checksum(bytes) == load_le<u32>(&bytes[4]); }
void set_sum(std::span<u8> bytes) { store_le<u32>(&bytes[4], vhdx::checksum(bytes)); }
Guid guid_at(const u8* at) {
  Guid g;
  std::copy_n(at, g.size(), g.begin());
  return g;
}

// Of the two headers the one that was written last.
struct Header {
  unsigned which = 0;
  u64 sequence = 0;
  std::vector<u8> bytes;
  Guid log() const { return guid_at(&bytes[48]); }
};

Result<Header> read_headers(Storage& file) {
  Header best;
  for (unsigned n = 0; n < 2; ++n) {
    std::vector<u8> raw(kHeaderBytes);
    if (Status s = file.read(kHeaderAt[n], raw); !s) return s.error();
    if (!has_magic(raw, 0, "head") || !sum_fits(raw) || load_le<u16>(&raw[66]) != 1) continue;
    const u64 sequence = load_le<u64>(&raw[8]);
    if (best.bytes.empty() || sequence > best.sequence) best = {n, sequence, std::move(raw)};
  }
  if (best.bytes.empty()) return error("'{}': No valid VHDX header found", file.path());
  return best;
}

// To the other place, so that one of the two is whole at any moment.
Status write_header(Storage& file, Header& header, bool keep_log) {
  header.which ^= 1;
  store_le<u64>(&header.bytes[8], ++header.sequence);
  // Whoever has an older copy sees by these that it is one.
  for (const std::size_t at : {16, 32})
    store_le<u64>(&header.bytes[at], load_le<u64>(&header.bytes[at]) * 6364136223846793005 + 1);
  if (!keep_log) std::fill_n(&header.bytes[48], 16, u8{0});
  set_sum(header.bytes);
  if (Status s = file.write(kHeaderAt[header.which], header.bytes); !s) return s;
  return file.flush();
}

struct Region {
  u64 offset = 0, bytes = 0;
};

struct Layout {
  Region bat, metadata;
  u64 block = 0, disk = 0, sector = 0;
  u64 chunk() const { return (sector << 23) / block; }  // payload blocks for one of bitmaps
  u64 blocks() const { return (disk + block - 1) / block; }
  u64 entries() const { return blocks() == 0 ? 0 : blocks() + (blocks() - 1) / chunk(); }
};

Status read_regions(Storage& file, Layout& layout) {
  for (const u64 at : kRegionsAt) {
    std::vector<u8> raw(kRegionsBytes);
    if (Status s = file.read(at, raw); !s) return s;
    const u32 count = load_le<u32>(&raw[8]);
    if (!has_magic(raw, 0, "regi") || !sum_fits(raw) || count > 2047) continue;
    for (u32 n = 0; n < count; ++n) {
      const u8* entry = &raw[16 + n * 32];
      const Region region{load_le<u64>(entry + 16), load_le<u32>(entry + 24)};
      if (region.offset < kMiB || region.offset > file.size()) {
        return error("'{}': a VHDX region at {:#x} is outside the file", file.path(), region.offset);
      }
      if (guid_at(entry) == kBatRegion) {
        layout.bat = region;
      } else if (guid_at(entry) == kMetadataRegion) {
        layout.metadata = region;
      } else if (load_le<u32>(entry + 28) & 1) {
        return error("'{}': the VHDX needs a region that this version does not know", file.path());
      }
    }
    if (layout.bat.offset && layout.metadata.offset) return {};
  }
  return error("'{}': the VHDX has no valid region table", file.path());
}

Status read_metadata(Storage& file, Layout& layout) {
  std::vector<u8> raw(kRegionsBytes);
  if (Status s = file.read(layout.metadata.offset, raw); !s) return s;
  const u32 count = load_le<u16>(&raw[10]);
  if (!has_magic(raw, 0, "metadata") || count > 2047) return error("'{}': the VHDX has no valid metadata", file.path());
  const auto item = [&](const Guid& which, std::span<u8> to) -> Status {
    for (u32 n = 0; n < count; ++n) {
      const u8* entry = &raw[32 + n * 32];
      if (guid_at(entry) != which) continue;
      const u64 at = load_le<u32>(entry + 16);
      if (at < kRegionsBytes || at > layout.metadata.bytes)
        return error("'{}': VHDX metadata outside its region", file.path());
      return file.read(layout.metadata.offset + at, to);
    }
    return error("'{}': the VHDX's metadata are not complete", file.path());
  };
  std::array<u8, 8> parameters{}, size{}, sector{};
  if (Status s = item(kFileParameters, parameters); !s) return s;
  if (Status s = item(kDiskSize, size); !s) return s;
  if (Status s = item(kLogicalSector, std::span(sector).first(4)); !s) return s;
  layout.block = load_le<u32>(&parameters[0]);
  layout.disk = load_le<u64>(&size[0]);
  layout.sector = load_le<u32>(&sector[0]);
  if (load_le<u32>(&parameters[4]) & 2)
    return error("'{}': the VHDX is a difference to another one, which this version cannot open", file.path());
  if (layout.block < kMiB || layout.block > 256 * kMiB || !std::has_single_bit(layout.block)) {
    return error("'{}': the VHDX has blocks of {} bytes", file.path(), layout.block);
  }
  if (layout.sector != 512 && layout.sector != 4096)
    return error("'{}': the VHDX has sectors of {} bytes", file.path(), layout.sector);
  if (layout.disk > kMostDisk || layout.disk % layout.sector)
    return error("'{}': the VHDX says it has {} bytes", file.path(), layout.disk);
  if (layout.entries() * 8 > layout.bat.bytes || layout.entries() * 8 > kMostTableBytes ||
      layout.bat.offset + layout.entries() * 8 > file.size()) {
    return error("'{}': the VHDX's block allocation table is too small", file.path());
  }
  return {};
}

class VhdxImage final : public MappedImage {
 public:
  VhdxImage(ImageRequest request, Header header, const Layout& layout, std::vector<u64> table)
      : MappedImage(std::move(request.file), layout.disk, layout.block, request.read_only()),
        header_(std::move(header)),
        layout_(layout),
        table_(std::move(table)),
        end_(align_up(file_->size(), kMiB)) {}
  ~VhdxImage() override { (void)flush(); }
  std::string_view format() const override { return "vhdx"; }
  ImageDetails details() const override {
    return {.cluster_bytes = layout_.block, .backing_file = {}, .backing_format = {}, .specific = {}, .parts = {}};
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = announce(); !s) return s;
    return MappedImage::write(offset, from);
  }
  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override {
    if (Status s = announce(); !s) return s;
    return MappedImage::write_zeroes(offset, bytes, unmap);
  }
  Result<Extent> status(u64 offset, u64 bytes) override {
    auto extent = MappedImage::status(offset, bytes);
    if (extent) extent->allocated = true;  // there is nothing below
    return extent;
  }
  Result<CheckReport> check(Repair) override {
    CheckReport report;
    for (u64 n = 0; n < layout_.blocks(); ++n) {
      const u64 entry = table_[index(n)];
      if ((entry & 7) != kFullyPresent || entry >> 20 << 20 < file_->size()) continue;
      report.lines.push_back(fmt::format("ERROR: block {} is outside the file", n));
      ++report.corruptions;
    }
    return report;
  }

 protected:
  Result<Place> find(u64 block) override {
    const u64 entry = table_[index(block)];
    const u64 at = entry >> 20 << 20;
    switch (entry & 7) {
      case kFullyPresent:
        if (at < kMiB) return damaged(fmt::format("block {} is where the headers are", block));
        return Place{Kind::kData, at};
      case kNotPresent:
      case kUndefined:
      case kZero:
      case kUnmapped: return Place{Kind::kZero};
      default: return damaged(fmt::format("block {} is in state {}", block, entry & 7));
    }
  }
  Result<u64> take_room(u64) override { return end_; }
  Status link(u64 block, Place place) override {
    const u64 n = index(block);
    table_[n] = place.host | kFullyPresent;
    end_ = std::max(end_, align_up(place.host + block_, kMiB));
    changed_first_ = std::min(changed_first_, n);
    changed_end_ = std::max(changed_end_, n + 1);
    return {};
  }
  bool map_changed() const override { return changed_end_ != 0; }
  Status write_map() override {
    std::vector<u8> entries((changed_end_ - changed_first_) * 8);
    for (u64 n = changed_first_; n < changed_end_; ++n) store_le<u64>(&entries[(n - changed_first_) * 8], table_[n]);
    if (Status s = file_->write(layout_.bat.offset + changed_first_ * 8, entries); !s) return s;
    changed_first_ = ~u64{0};
    changed_end_ = 0;
    return {};
  }

 private:
  // Behind every `chunk` entries there is one for bitmaps.
  u64 index(u64 block) const { return block + block / layout_.chunk(); }

  // The header says before the first write that this is not what it was.
  Status announce() {
    if (announced_ || read_only_) return {};
    announced_ = true;
    return write_header(*file_, header_, false);
  }

  Header header_;
  Layout layout_;
  std::vector<u64> table_;
  u64 end_;
  u64 changed_first_ = ~u64{0}, changed_end_ = 0;
  bool announced_ = false;
};

Result<std::unique_ptr<BlockImage>> open_vhdx(ImageRequest request) {
  Storage& file = *request.file;
  std::array<u8, 8> magic{};
  if (Status s = file.read(0, magic); !s) return s.error();
  if (!has_magic(magic, 0, "vhdxfile")) return error("'{}': Invalid VHDX signature", file.path());
  auto header = read_headers(file);
  if (!header) return header.error();
  if (header->log() != Guid{}) {
    const u64 log_bytes = load_le<u32>(&header->bytes[68]), log_at = load_le<u64>(&header->bytes[72]);
    auto log = vhdx::find_log(file, log_at, log_bytes, header->log());
    if (!log) return log.error();
    if (!log->empty()) {
      if (request.read_only()) {
        return error(
            "'{}': VHDX image file '{}' opened read-only, but contains a log that needs to be replayed; open it for "
            "writing once (check -r all)",
            file.path(), file.path());
      }
      if (Status s = vhdx::replay(file, *log); !s) return s.error();
    }
    if (!request.read_only()) {
      if (Status s = write_header(file, *header, false); !s) return s.error();
    }
  }
  Layout layout;
  if (Status s = read_regions(file, layout); !s) return s.error();
  if (Status s = read_metadata(file, layout); !s) return s.error();
  std::vector<u8> raw(layout.entries() * 8);
  if (Status s = file.read(layout.bat.offset, raw); !s) return s.error();
  std::vector<u64> table(layout.entries());
  for (u64 n = 0; n < table.size(); ++n) table[n] = load_le<u64>(&raw[n * 8]);
  return std::unique_ptr<BlockImage>(new VhdxImage(std::move(request), std::move(*header), layout, std::move(table)));
}

u64 usual_block(u64 bytes) {
  constexpr u64 kGiB = u64{1} << 30;
  return (bytes > 32 * 1024 * kGiB ? 64 : bytes > 100 * kGiB ? 32 : bytes > kGiB ? 16 : 8) * kMiB;
}

Status create_vhdx(const CreateRequest& request) {
  ImageOptions options = request.options;
  const std::string subformat = take_option(options, "subformat").value_or("dynamic");
  if (subformat != "dynamic" && subformat != "fixed") return error("Invalid subformat '{}'", subformat);
  const auto zero = take_switch(options, "block_state_zero", true);
  if (!zero) return zero.error();
  Layout layout;
  layout.disk = align_up(request.bytes, 512);
  layout.sector = 512;
  layout.block = parse_size(take_option(options, "block_size").value_or("0"), 1).value_or(1);
  u64 log_bytes = parse_size(take_option(options, "log_size").value_or("1M"), 1).value_or(0);
  if (layout.disk > kMostDisk) return error("Image size too large; max of 64TB");
  if (layout.block == 0) layout.block = usual_block(layout.disk);
  if (layout.block % kMiB) return error("Block size must be a multiple of 1 MB");
  if (!std::has_single_bit(layout.block)) return error("Block size must be a power of two");
  if (layout.block > 256 * kMiB) return error("Block size must not exceed {} bytes", 256 * kMiB);
  if (log_bytes < kMiB) log_bytes = kMiB;
  if (log_bytes % kMiB) return error("Log size must be a multiple of 1 MB");
  if (log_bytes > 1024 * kMiB) return error("Log size must not exceed 1 GB");
  layout.bat = {kMiB + log_bytes, align_up(std::max<u64>(layout.entries() * 8, 1), kMiB)};
  layout.metadata = {layout.bat.offset + layout.bat.bytes, kMiB};
  const u64 data_at = layout.metadata.offset + layout.metadata.bytes;

  auto created = create_host_file(request.path);
  if (!created) return created.error();
  Storage& file = **created;
  std::vector<u8> identifier(kHeaderAt[0]);
  std::copy_n("vhdxfile", 8, identifier.begin());
  const std::vector<u8> creator = utf16_of("xlat", false);
  std::copy(creator.begin(), creator.end(), &identifier[8]);
  if (Status s = file.write(0, identifier); !s) return s;
  const auto put_guid = [](u8* to, const Guid& g) { std::copy(g.begin(), g.end(), to); };
  std::vector<u8> header(kHeaderBytes);
  std::copy_n("head", 4, header.begin());
  const Guid file_guid = make_uuid(), data_guid = make_uuid();
  put_guid(&header[16], file_guid);
  put_guid(&header[32], data_guid);
  store_le<u16>(&header[66], 1);
  store_le<u32>(&header[68], static_cast<u32>(log_bytes));
  store_le<u64>(&header[72], kMiB);
  for (unsigned n = 0; n < 2; ++n) {
    store_le<u64>(&header[8], n + 1);
    set_sum(header);
    if (Status s = file.write(kHeaderAt[n], header); !s) return s;
  }
  std::vector<u8> regions(kRegionsBytes);
  std::copy_n("regi", 4, regions.begin());
  store_le<u32>(&regions[8], 2);
  for (const auto& [n, which, region] :
       {std::tuple{0, &kBatRegion, &layout.bat}, {1, &kMetadataRegion, &layout.metadata}}) {
    u8* entry = &regions[static_cast<std::size_t>(16 + n * 32)];
    put_guid(entry, *which);
    store_le<u64>(entry + 16, region->offset);
    store_le<u32>(entry + 24, static_cast<u32>(region->bytes));
    store_le<u32>(entry + 28, 1);
  }
  set_sum(regions);
  for (const u64 at : kRegionsAt) {
    if (Status s = file.write(at, regions); !s) return s;
  }
  std::vector<u8> metadata(kRegionsBytes + 4096);
  std::copy_n("metadata", 8, metadata.begin());
  const Guid page83 = make_uuid();
  u64 at = kRegionsBytes;
  u16 count = 0;
  const auto item = [&](const Guid& which, u32 flags, u64 bytes) {
    u8* entry = &metadata[32 + count++ * 32u];
    put_guid(entry, which);
    store_le<u32>(entry + 16, static_cast<u32>(at));
    store_le<u32>(entry + 20, static_cast<u32>(bytes));
    store_le<u32>(entry + 24, flags);
    at += bytes;
    return &metadata[at - bytes];
  };
  constexpr u32 kRequired = 4, kVirtualDisk = 2;
  u8* parameters = item(kFileParameters, kRequired, 8);
  store_le<u32>(parameters, static_cast<u32>(layout.block));
  store_le<u32>(parameters + 4, subformat == "fixed" ? 1 : 0);
  store_le<u64>(item(kDiskSize, kRequired | kVirtualDisk, 8), layout.disk);
  put_guid(item(kPage83, kRequired | kVirtualDisk, 16), page83);
  store_le<u32>(item(kLogicalSector, kRequired | kVirtualDisk, 4), 512);
  store_le<u32>(item(kPhysicalSector, kRequired | kVirtualDisk, 4), 512);
  store_le<u16>(&metadata[10], count);
  if (Status s = file.write(layout.metadata.offset, metadata); !s) return s;
  const bool fixed = subformat == "fixed";
  std::vector<u8> table(layout.entries() * 8);
  for (u64 n = 0; n < layout.blocks(); ++n) {
    const u64 entry = fixed          ? (data_at + n * layout.block) | kFullyPresent
                      : zero.value() ? u64{kZero}
                                     : u64{kNotPresent};
    store_le<u64>(&table[(n + n / layout.chunk()) * 8], entry);
  }
  if (Status s = file.write(layout.bat.offset, table); !s) return s;
  return file.resize(fixed ? data_at + layout.blocks() * layout.block : data_at);
}

using OptionKind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", OptionKind::kSize, "Virtual disk size; max of 64TB."},
    {"log_size", OptionKind::kSize, "Log size; min 1MB.", "1048576"},
    {"block_size", OptionKind::kSize, "Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.",
     "0"},
    {"subformat", OptionKind::kText, "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'."},
    {"block_state_zero", OptionKind::kSwitch,
     "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to 'off' when using 'qemu-img "
     "convert' with subformat=dynamic."},
};

}  // namespace

extern const ImageDriver kVhdxDriver{
    .name = "vhdx",
    .describe = "a VHDX image",
    .probe = [](std::span<const u8> head, std::string_view) { return has_magic(head, 0, "vhdxfile"); },
    .open = open_vhdx,
    .create = create_vhdx,
    .options = kOptions};

}  // namespace xlat
