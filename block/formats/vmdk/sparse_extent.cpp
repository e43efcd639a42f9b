// Header, grain directory, grain tables, grains.
#include "block/formats/vmdk/sparse_extent.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/bits.h"
#include "block/codecs.h"

namespace xlat::vmdk {

namespace {

constexpr u64 kTableBytes = kGrainTableEntries * 4, kTableMemory = u64{8} << 20;
constexpr u64 kMostDirectory = u64{64} << 20;  // bytes
constexpr u64 kAtEnd = ~u64{0};                // the directory is named by a footer
constexpr u64 kMarkerBytes = 12;

Result<std::vector<u32>> read_directory(Storage& file, const SparseHeader& h, u64 sector) {
  const u64 entries = h.directory_entries();
  std::vector<u8> raw(entries * 4);
  if (sector > file.size() / 512 || raw.size() > file.size() - sector * 512) {
    return error("'{}': the VMDK's grain directory is outside the file", file.path());
  }
  if (Status s = file.read(sector * 512, raw); !s) return s.error();
  std::vector<u32> directory(entries);
  for (u64 n = 0; n < entries; ++n) directory[n] = load_le<u32>(&raw[n * 4]);
  return directory;
}

}  // namespace

Result<SparseHeader> SparseHeader::read(Storage& file) {
  const std::string& path = file.path();
  std::array<u8, kHeaderBytes> raw{};
  if (Status s = read_header(file, "VMDK header", 0, raw); !s) return s.error();
  if (load_le<u64>(&raw[56]) == kAtEnd) {
    // Made in one go: the marker of a footer, the footer and the end-of-stream marker are the last three sectors.
    if (file.size() < 3 * 512) return error("'{}': the file ends within its VMDK footer", path);
    if (Status s = file.read(file.size() - 2 * 512, raw); !s) return s.error();
  }
  if (!has_magic(raw, 0, "KDMV")) return error("'{}': not a sparse VMDK extent", path);
  SparseHeader h;
  h.version = load_le<u32>(&raw[4]);
  h.flags = load_le<u32>(&raw[8]);
  h.capacity = load_le<u64>(&raw[12]);
  h.grain = load_le<u64>(&raw[20]);
  h.descriptor_at = load_le<u64>(&raw[28]);
  h.descriptor_sectors = load_le<u64>(&raw[36]);
  h.second_directory = load_le<u64>(&raw[48]);
  h.directory = load_le<u64>(&raw[56]);
  h.overhead = load_le<u64>(&raw[64]);
  if (h.version > 3) return error("'{}': Unsupported VMDK version {}", path, h.version);
  if (load_le<u32>(&raw[44]) != kGrainTableEntries) return error("'{}': L2 table size too big", path);
  if (!std::has_single_bit(h.grain) || h.grain > 0x200000)
    return error("'{}': Invalid granularity, image may be corrupt", path);
  if (h.capacity > (u64{1} << 50) || h.directory_entries() * 4 > kMostDirectory)
    return error("'{}': L1 size too big", path);
  if ((h.flags & kCompressed) && load_le<u16>(&raw[77]) != 1)
    return error("'{}': unknown compression of VMDK grains", path);
  return h;
}

std::vector<u8> SparseHeader::encode() const {
  std::vector<u8> raw(kHeaderBytes);
  std::copy_n("KDMV", 4, raw.begin());
  store_le<u32>(&raw[4], version);
  store_le<u32>(&raw[8], flags);
  store_le<u64>(&raw[12], capacity);
  store_le<u64>(&raw[20], grain);
  store_le<u64>(&raw[28], descriptor_at);
  store_le<u64>(&raw[36], descriptor_sectors);
  store_le<u32>(&raw[44], kGrainTableEntries);
  store_le<u64>(&raw[48], second_directory);
  store_le<u64>(&raw[56], directory);
  store_le<u64>(&raw[64], overhead);
  // So that transfers as text are noticed.
  std::copy_n("\n \r\n", 4, &raw[73]);
  store_le<u16>(&raw[77], flags & kCompressed ? 1 : 0);
  return raw;
}

SparseExtent::SparseExtent(std::unique_ptr<Storage> file, SparseHeader header, bool read_only,
                           std::vector<u32> directory, std::vector<u32> second)
    : MappedImage(std::move(file), header.capacity * 512, header.grain * 512, read_only),
      header_(header),
      directory_(std::move(directory)),
      second_(std::move(second)),
      tables_(kTableBytes, kTableMemory),
      second_tables_(kTableBytes, kTableMemory),
      end_(align_up(std::max(file_->size(), header.overhead * 512), compressed() ? 512 : block_)) {}

Result<std::unique_ptr<SparseExtent>> SparseExtent::open(std::unique_ptr<Storage> file, bool read_only) {
  auto header = SparseHeader::read(*file);
  if (!header) return header.error();
  auto directory = read_directory(*file, *header, header->directory);
  if (!directory) return directory.error();
  std::vector<u32> second;
  if ((header->flags & kSecondDirectory) && !read_only && header->second_directory) {
    auto read = read_directory(*file, *header, header->second_directory);
    if (!read) return read.error();
    second = std::move(*read);
  }
  return std::unique_ptr<SparseExtent>(
      new SparseExtent(std::move(file), *header, read_only, std::move(*directory), std::move(second)));
}

Status SparseExtent::create(Storage& file, u64 bytes, std::string_view descriptor, bool compressed,
                            bool zeroed_grains) {
  SparseHeader h;
  if (zeroed_grains) h.version = 2, h.flags |= kZeroedGrains;
  if (compressed) h.version = 3, h.flags |= kCompressed | kMarkers;
  h.capacity = (bytes + 511) / 512;
  const u64 tables = h.directory_entries(), table_sectors = kTableBytes / 512;
  const u64 directory_sectors = (tables * 4 + 511) / 512, all = directory_sectors + tables * table_sectors;
  h.descriptor_at = 1;
  h.descriptor_sectors = kDescriptorSectors;
  h.second_directory = h.descriptor_at + h.descriptor_sectors;
  h.directory = h.second_directory + all;
  h.overhead = align_up(h.directory + all, h.grain);
  if (h.overhead > 0xffffffff) return error("VMDK: the disk is too large");
  if (descriptor.size() > kDescriptorSectors * 512) return error("VMDK: the descriptor is too long");
  if (Status s = file.write(0, h.encode()); !s) return s;
  const std::span<const u8> text(reinterpret_cast<const u8*>(descriptor.data()), descriptor.size());
  if (Status s = file.write(512, text); !s) return s;
  for (const u64 at : {h.second_directory, h.directory}) {
    std::vector<u8> raw(tables * 4);
    for (u64 n = 0; n < tables; ++n)
      store_le<u32>(&raw[n * 4], static_cast<u32>(at + directory_sectors + n * table_sectors));
    if (Status s = file.write(at * 512, raw); !s) return s;
  }
  return file.resize(h.overhead * 512);
}

Result<u32> SparseExtent::entry(u64 block) {
  const u32 table = directory_[block / kGrainTableEntries];
  if (table == 0) return 0u;
  const auto bytes = tables_.get(*file_, u64{table} * 512);
  if (!bytes) return bytes.error();
  return load_le<u32>(&bytes.value()[block % kGrainTableEntries * 4]);
}

Result<MappedImage::Place> SparseExtent::find(u64 block) {
  const auto found = entry(block);
  if (!found) return found.error();
  const u32 sector = found.value();
  if (sector == 0) return Place{};
  if (sector == 1 && (header_.flags & kZeroedGrains)) return Place{Kind::kZero};
  return Place{compressed() ? Kind::kPacked : Kind::kData, u64{sector} * 512};
}

Result<u64> SparseExtent::take_room(u64 block) {
  if (directory_[block / kGrainTableEntries] == 0) {
    return error("'{}': the VMDK has no grain table for this place, so nothing can be written there; convert the image",
                 path());
  }
  if (end_ / 512 > 0xffffffff - header_.grain) return Error{fmt::format("'{}': the image is full", path()), EFBIG};
  return end_;
}

Status SparseExtent::link(u64 block, Place place) {
  const u32 value = place.kind == Kind::kZero ? 1 : static_cast<u32>(place.host / 512);
  for (const auto& [directory, tables] : {std::pair{&second_, &second_tables_}, {&directory_, &tables_}}) {
    if (directory->empty()) continue;
    const u64 at = u64{(*directory)[block / kGrainTableEntries]} * 512;
    if (at == 0) continue;
    const auto table = tables->get(*file_, at);
    if (!table) return table.error();
    store_le<u32>(&table.value()[block % kGrainTableEntries * 4], value);
    tables->changed(at);
  }
  if (place.kind != Kind::kZero) end_ = std::max(end_, align_up(place.host + 1, compressed() ? 512 : block_));
  return tables_.crowded() ? flush() : Status();
}

Status SparseExtent::write_map() {
  if (Status s = second_tables_.write_changed(*file_); !s) return s;
  return tables_.write_changed(*file_);
}

Status SparseExtent::read_packed(u64 block, u64 in_block, std::span<u8> to) {
  const auto found = entry(block);
  if (!found) return found.error();
  const u64 at = u64{found.value()} * 512;
  if (unpacked_at_ != at) {
    std::array<u8, kMarkerBytes> marker{};
    if (Status s = file_->read(at, marker); !s) return s;
    const u64 bytes = load_le<u32>(&marker[8]);
    if (bytes == 0 || bytes > block_ * 2) return damaged(fmt::format("a grain of {} bytes", bytes));
    std::vector<u8> raw(bytes);
    if (Status s = file_->read(at + kMarkerBytes, raw); !s) return s;
    unpacked_at_ = 0;
    unpacked_.assign(block_, 0);
    const u64 wanted = std::min(block_, size_ - block * block_);
    // The disk's last grain may be shorter.
    if (!decompress(Codec::kZlib, raw, unpacked_) &&
        !decompress(Codec::kZlib, raw, std::span(unpacked_).first(wanted))) {
      return damaged(fmt::format("a grain at {:#x} cannot be unpacked", at));
    }
    unpacked_at_ = at;
  }
  std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(in_block), to.size(), to.begin());
  return {};
}

Status SparseExtent::write(u64 offset, std::span<const u8> from) {
  if (!compressed()) return MappedImage::write(offset, from);
  // Each grain can be written once.
  while (!from.empty()) {
    const u64 in_block = offset % block_, n = std::min<u64>(from.size(), block_ - in_block);
    std::vector<u8> whole(std::min(block_, size_ - (offset - in_block)));
    std::copy_n(from.begin(), n, whole.begin() + static_cast<std::ptrdiff_t>(in_block));
    if (Status s = write_compressed(offset - in_block, whole); !s) return s;
    from = from.subspan(n);
    offset += n;
  }
  return {};
}

Status SparseExtent::write_compressed(u64 offset, std::span<const u8> cluster) {
  if (!compressed()) return write(offset, cluster);
  if (Status s = check_write(offset, cluster.size()); !s) return s;
  const u64 block = offset / block_;
  const auto found = find(block);
  if (!found) return found.error();
  if (found.value().kind != Kind::kNone)
    return error("'{}': can't write to allocated cluster for streamOptimized", path());
  const auto at = take_room(block);
  if (!at) return at.error();
  std::vector<u8> whole(cluster.begin(), cluster.end());
  whole.resize(block_);
  std::vector<u8> small = compress(Codec::kZlib, whole, true);
  std::vector<u8> raw(kMarkerBytes);
  store_le<u64>(&raw[0], offset / 512);
  store_le<u32>(&raw[8], static_cast<u32>(small.size()));
  raw.insert(raw.end(), small.begin(), small.end());
  raw.resize(align_up(raw.size(), 512));
  if (Status s = file_->write(at.value(), raw); !s) return s;
  end_ = at.value() + raw.size();
  return link(block, {Kind::kPacked, at.value()});
}

}  // namespace xlat::vmdk
