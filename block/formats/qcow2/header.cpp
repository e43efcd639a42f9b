// Reading, checking and writing the header.
#include "block/formats/qcow2/header.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bits.h"

namespace xlat::qcow2 {

namespace {

constexpr u32 kMagic = 0x514649fb;  // "QFI\xfb"
constexpr u32 kV2Bytes = 72, kV3Bytes = 104, kOurBytes = 112;
constexpr u32 kEndOfExtensions = 0, kBackingFormat = 0xe2792aca, kFeatureNames = 0x6803f857, kCryptoHeader = 0x0537be77;
constexpr u64 kMostExtensions = 1 << 16;  // bytes of all together

std::string unknown_features(const Header& header, u64 features) {
  std::string names;
  for (unsigned n = 0; n < 64; ++n) {
    if (!(features >> n & 1)) continue;
    std::string name = fmt::format("Unknown incompatible feature: {:x}", u64{1} << n);
    for (const Extension& extension : header.extensions) {
      if (extension.type != kFeatureNames) continue;
      for (std::size_t at = 0; at + 48 <= extension.bytes.size(); at += 48) {
        if (extension.bytes[at] != 0 || extension.bytes[at + 1] != n) continue;
        const auto* text = reinterpret_cast<const char*>(&extension.bytes[at + 2]);
        name.assign(text, strnlen(text, 46));
      }
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

Status read_extensions(Storage& file, u64 at, u64 end, Header& header) {
  u64 total = 0;
  while (at + 8 <= end) {
    std::array<u8, 8> head{};
    if (Status s = file.read(at, head); !s) return s;
    const u32 type = load_be<u32>(&head[0]), bytes = load_be<u32>(&head[4]);
    at += 8;
    if (type == kEndOfExtensions) return {};
    if (bytes > end - at) return error("'{}': Header extension too large", file.path());
    total += bytes;
    if (total > kMostExtensions) return error("'{}': the header's extensions are too long", file.path());
    Extension extension{type, std::vector<u8>(bytes)};
    if (Status s = file.read(at, extension.bytes); !s) return s;
    if (type == kBackingFormat) {
      header.backing_format.assign(extension.bytes.begin(), extension.bytes.end());
    } else {
      header.extensions.push_back(std::move(extension));
    }
    at += align_up(u64{bytes}, 8);
  }
  return {};
}

}  // namespace

Result<Header> Header::read(Storage& file) {
  const std::string& path = file.path();
  std::array<u8, kOurBytes> raw{};
  if (Status s = file.read(0, raw); !s) return s.error();
  if (load_be<u32>(&raw[0]) != kMagic) return error("'{}': Image is not in qcow2 format", path);
  Header h;
  h.version = load_be<u32>(&raw[4]);
  if (h.version < 2 || h.version > 3) return error("'{}': Unsupported qcow2 version {}", path, h.version);
  const u64 backing_at = load_be<u64>(&raw[8]);
  const u32 backing_bytes = load_be<u32>(&raw[16]);
  h.cluster_bits = load_be<u32>(&raw[20]);
  h.size = load_be<u64>(&raw[24]);
  const u32 crypt = load_be<u32>(&raw[32]);
  h.l1_entries = load_be<u32>(&raw[36]);
  h.l1_offset = load_be<u64>(&raw[40]);
  h.refcount_table_offset = load_be<u64>(&raw[48]);
  h.refcount_table_clusters = load_be<u32>(&raw[56]);
  h.snapshots = load_be<u32>(&raw[60]);
  h.snapshots_offset = load_be<u64>(&raw[64]);
  if (h.cluster_bits < 9 || h.cluster_bits > 21) {
    return error("'{}': Unsupported cluster size: 2^{}", path, h.cluster_bits);
  }
  u64 header_bytes = kV2Bytes;
  if (h.version == 3) {
    h.incompatible = load_be<u64>(&raw[72]);
    h.compatible = load_be<u64>(&raw[80]);
    h.autoclear = load_be<u64>(&raw[88]);
    h.refcount_order = load_be<u32>(&raw[96]);
    header_bytes = load_be<u32>(&raw[100]);
    if (header_bytes < kV3Bytes) return error("'{}': qcow2 header too short", path);
    if (header_bytes > h.cluster_bytes()) return error("'{}': qcow2 header exceeds cluster size", path);
  }
  if (backing_at > h.cluster_bytes()) return error("'{}': Invalid backing file offset", path);
  const u64 extensions_end = backing_at ? backing_at : h.cluster_bytes();
  if (Status s = read_extensions(file, header_bytes, extensions_end, h); !s) return s.error();
  const u64 unknown = h.incompatible & ~u64{kDirty | kCorrupt | kDataFile | kCompressionType | kExtendedL2};
  if (unknown) return error("'{}': Unsupported qcow2 feature(s): {}", path, unknown_features(h, unknown));
  if (h.incompatible & kDataFile) {
    return error(
        "'{}': the image keeps its data in an external data file, which this version cannot use; make one "
        "without: qemu-img convert -O qcow2",
        path);
  }
  if (h.incompatible & kExtendedL2) {
    return error(
        "'{}': the image has extended L2 entries (subclusters), which this version cannot use; make one "
        "without: qemu-img convert -O qcow2",
        path);
  }
  const bool luks =
      std::any_of(h.extensions.begin(), h.extensions.end(), [](const Extension& e) { return e.type == kCryptoHeader; });
  if (crypt != 0 || luks) return error("'{}': the image is encrypted, which this version cannot open", path);
  const u8 compression = header_bytes > kV3Bytes ? raw[104] : 0;
  if (h.incompatible & kCompressionType ? compression > 1 : compression != 0) {
    return error("'{}': unknown compression type {}", path, compression);
  }
  h.zstd = compression == 1;
  if (h.refcount_order > 6) {
    return error("'{}': Reference count entry width too large; may not exceed 64 bits", path);
  }
  if (backing_at) {
    if (backing_bytes > std::min<u64>(1023, h.cluster_bytes() - backing_at)) {
      return error("'{}': Backing file name too long", path);
    }
    h.backing_file.resize(backing_bytes);
    std::span<u8> to(reinterpret_cast<u8*>(h.backing_file.data()), backing_bytes);
    if (Status s = file.read(backing_at, to); !s) return s.error();
    h.backing_file.resize(strnlen(h.backing_file.c_str(), backing_bytes));
  }
  return h;
}

Result<std::vector<u8>> Header::encode() const {
  std::vector<u8> out(version == 2 ? kV2Bytes : kOurBytes);
  store_be<u32>(&out[0], kMagic);
  store_be<u32>(&out[4], version);
  store_be<u32>(&out[20], cluster_bits);
  store_be<u64>(&out[24], size);
  store_be<u32>(&out[36], l1_entries);
  store_be<u64>(&out[40], l1_offset);
  store_be<u64>(&out[48], refcount_table_offset);
  store_be<u32>(&out[56], refcount_table_clusters);
  store_be<u32>(&out[60], snapshots);
  store_be<u64>(&out[64], snapshots_offset);
  if (version == 3) {
    store_be<u64>(&out[72], incompatible);
    store_be<u64>(&out[80], compatible);
    store_be<u64>(&out[88], autoclear);
    store_be<u32>(&out[96], refcount_order);
    store_be<u32>(&out[100], kOurBytes);
    out[104] = zstd;
  }
  const auto add = [&out](u32 type, const void* bytes, std::size_t n) {
    const std::size_t at = out.size();
    out.resize(at + 8 + align_up(n, 8));
    store_be<u32>(&out[at], type);
    store_be<u32>(&out[at + 4], static_cast<u32>(n));
    if (n) std::memcpy(&out[at + 8], bytes, n);
  };
  if (!backing_format.empty()) add(kBackingFormat, backing_format.data(), backing_format.size());
  for (const Extension& extension : extensions) add(extension.type, extension.bytes.data(), extension.bytes.size());
  add(kEndOfExtensions, nullptr, 0);
  if (!backing_file.empty()) {
    store_be<u64>(&out[8], out.size());
    store_be<u32>(&out[16], static_cast<u32>(backing_file.size()));
    out.insert(out.end(), backing_file.begin(), backing_file.end());
  }
  if (backing_file.size() > 1023 || out.size() > cluster_bytes()) {
    return error("the header with its backing file's name does not fit into a cluster of {} bytes", cluster_bytes());
  }
  out.resize(cluster_bytes());
  return out;
}

Extension feature_names() {
  struct Name {
    u8 kind, bit;  // kind: 0 incompatible, 1 compatible, 2 autoclear
    std::string_view name;
  };
  static constexpr Name kNames[] = {
      {0, 0, "dirty bit"},        {0, 1, "corrupt bit"},         {0, 2, "external data file"},
      {0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
      {2, 0, "bitmaps"},          {2, 1, "raw external data"},
  };
  Extension extension{kFeatureNames, {}};
  for (const Name& n : kNames) {
    const std::size_t at = extension.bytes.size();
    extension.bytes.resize(at + 48);
    extension.bytes[at] = n.kind;
    extension.bytes[at + 1] = n.bit;
    std::copy(n.name.begin(), n.name.end(), extension.bytes.begin() + static_cast<std::ptrdiff_t>(at + 2));
  }
  return extension;
}

}  // namespace xlat::qcow2
