// dmg: Apple's disk images. A trailer names a property list, in which tables of chunks are written as base64; older
// ones have the tables in a resource fork.
#include <algorithm>
#include <array>

#include "base/bits.h"
#include "block/image_driver.h"
#include "block/packed_image.h"

namespace xlat {

namespace {

using namespace std::string_view_literals;

constexpr u64 kTrailerBytes = 512, kMostChunk = u64{64} << 20, kMostList = u64{16} << 20;
constexpr u64 kTableHead = 204, kEntryBytes = 40, kMostChunks = 1 << 22;
enum Type : u32 {
  kZeros = 0,
  kRaw = 1,
  kIgnored = 2,
  kComment = 0x7ffffffe,
  kAdc = 0x80000004,
  kZlib = 0x80000005,
  kBzip2 = 0x80000006,
  kLzfse = 0x80000007,
  kLzma = 0x80000008,
  kLast = 0xffffffff
};

// What is no letter of base64 is passed over: the lists are broken into lines.
std::vector<u8> base64(std::string_view text) {
  std::vector<u8> out;
  u32 bits = 0, n = 0;
  for (const char c : text) {
    u32 value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<u32>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<u32>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<u32>(c - '0' + 52);
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else {
      continue;
    }
    bits = bits << 6 | value;
    if (++n % 4 == 0)
      out.insert(out.end(), {static_cast<u8>(bits >> 16), static_cast<u8>(bits >> 8), static_cast<u8>(bits)});
  }
  if (n % 4 >= 2) out.push_back(static_cast<u8>(n % 4 == 2 ? bits >> 4 : bits >> 10));
  if (n % 4 == 3) out.push_back(static_cast<u8>(bits >> 2));
  return out;
}

class Reader {
 public:
  Reader(Storage& file, u64 data_at) : file_(file), data_at_(data_at) {}

  Status list(u64 at, u64 bytes) {
    auto text = load(at, bytes);
    if (!text) return text.error();
    std::string_view rest(reinterpret_cast<const char*>(text->data()), text->size());
    const auto key = rest.find("<key>blkx</key>");
    if (key == std::string_view::npos) return error("'{}': the dmg's property list has no blkx", file_.path());
    rest = rest.substr(key);
    rest = rest.substr(0, rest.find("</array>"));
    while (true) {
      const auto start = rest.find("<data>"), end = rest.find("</data>");
      if (start == std::string_view::npos || end == std::string_view::npos || end < start) return {};
      if (Status s = table(base64(rest.substr(start + 6, end - start - 6))); !s) return s;
      rest = rest.substr(end + 7);
    }
  }

  Status resources(u64 at, u64 bytes) {
    auto fork = load(at, bytes);
    if (!fork) return fork.error();
    if (fork->size() < 16) return error("'{}': the dmg's resource fork is too short", file_.path());
    u64 where = load_be<u32>(&(*fork)[0]);
    const u64 end = std::min<u64>(where + load_be<u32>(&(*fork)[8]), fork->size());
    while (where + 4 <= end) {
      const u64 n = load_be<u32>(&(*fork)[where]);
      where += 4;
      if (n > end - where) break;
      if (Status s = table(std::span(*fork).subspan(where, n)); !s) return s;
      where += n;
    }
    return {};
  }

  // In order, or an error if they overlap.
  Result<std::vector<Chunk>> chunks() {
    std::sort(chunks_.begin(), chunks_.end(), [](const Chunk& a, const Chunk& b) { return a.start < b.start; });
    for (std::size_t n = 1; n < chunks_.size(); ++n) {
      if (chunks_[n].start < chunks_[n - 1].start + chunks_[n - 1].bytes) {
        return error("'{}': the dmg's chunks overlap", file_.path());
      }
    }
    return std::move(chunks_);
  }

 private:
  Result<std::vector<u8>> load(u64 at, u64 bytes) {
    if (bytes > kMostList || at > file_.size() || bytes > file_.size() - at) {
      return error("'{}': the dmg's list of chunks is outside the file", file_.path());
    }
    std::vector<u8> raw(bytes);
    if (Status s = file_.read(at, raw); !s) return s.error();
    return raw;
  }

  Status table(std::span<const u8> raw) {
    if (!has_magic(raw, 0, "mish") || raw.size() < kTableHead) return {};
    const u64 first = load_be<u64>(&raw[8]), data = load_be<u64>(&raw[24]);
    const u64 count = std::min<u64>(load_be<u32>(&raw[200]), (raw.size() - kTableHead) / kEntryBytes);
    constexpr u64 kMostSector = u64{1} << 50;
    for (u64 n = 0; n < count; ++n) {
      const u8* e = &raw[kTableHead + n * kEntryBytes];
      const u32 type = load_be<u32>(e);
      const u64 start = load_be<u64>(e + 8), sectors = load_be<u64>(e + 16);
      if (type == kComment || type == kLast || sectors == 0) continue;
      if (first > kMostSector || start > kMostSector || sectors > kMostSector)
        return error("'{}': a chunk of the dmg is too large", file_.path());
      Chunk chunk{(first + start) * 512, sectors * 512, data_at_ + data + load_be<u64>(e + 24), load_be<u64>(e + 32)};
      switch (type) {
        case kZeros:
        case kIgnored: break;
        case kRaw: chunk.kind = Chunk::Kind::kRaw; break;
        case kZlib: chunk.kind = Chunk::Kind::kPacked; break;
        case kBzip2:
          chunk.kind = Chunk::Kind::kPacked;
          chunk.codec = Codec::kBzip2;
          break;
        default:
          return error("'{}': the dmg has chunks compressed by {}, which this version cannot read", file_.path(),
                       type == kLzfse  ? "LZFSE"
                       : type == kLzma ? "LZMA"
                       : type == kAdc  ? "ADC"
                                       : fmt::format("method {:#x}", type));
      }
      if (chunk.kind == Chunk::Kind::kPacked && (chunk.bytes > kMostChunk || chunk.packed > kMostChunk)) {
        return error("'{}': a chunk of the dmg has {} bytes, more than {}", file_.path(),
                     std::max(chunk.bytes, chunk.packed), kMostChunk);
      }
      if (chunks_.size() == kMostChunks) return error("'{}': the dmg has too many chunks", file_.path());
      chunks_.push_back(chunk);
    }
    return {};
  }

  Storage& file_;
  u64 data_at_;
  std::vector<Chunk> chunks_;
};

Result<std::unique_ptr<BlockImage>> open_dmg(ImageRequest request) {
  Storage& file = *request.file;
  std::array<u8, kTrailerBytes> trailer{};
  // The trailer may be followed by padding.
  const u64 size = file.size();
  bool found = false;
  for (u64 back = kTrailerBytes; back <= 2 * kTrailerBytes && back <= size && !found; ++back) {
    std::array<u8, 4> magic{};
    if (Status s = file.read(size - back, magic); !s) return s.error();
    if (!has_magic(magic, 0, "koly")) continue;
    if (Status s = file.read(size - back, trailer); !s) return s.error();
    found = true;
  }
  if (!found) return error("'{}': Could not locate UDIF trailer in dmg file", file.path());
  Reader reader(file, load_be<u64>(&trailer[24]));
  const u64 list_bytes = load_be<u64>(&trailer[224]), fork_bytes = load_be<u64>(&trailer[48]);
  const Status s = list_bytes   ? reader.list(load_be<u64>(&trailer[216]), list_bytes)
                   : fork_bytes ? reader.resources(load_be<u64>(&trailer[40]), fork_bytes)
                                : error("'{}': the dmg has no list of chunks", file.path());
  if (!s) return s.error();
  auto chunks = reader.chunks();
  if (!chunks) return chunks.error();
  const u64 said = load_be<u64>(&trailer[492]);
  u64 bytes = chunks->empty() ? 0 : chunks->back().start + chunks->back().bytes;
  if (said <= (u64{1} << 50)) bytes = std::max(bytes, said * 512);
  return std::unique_ptr<BlockImage>(new PackedImage(std::move(request.file), "dmg", bytes, std::move(*chunks)));
}

}  // namespace

// Nothing at its start tells a dmg, so its name does.
extern const ImageDriver kDmgDriver{
    .name = "dmg",
    .describe = "an Apple disk image",
    .probe = [](std::span<const u8>, std::string_view file) { return file.ends_with(".dmg"); },
    .open = open_dmg,
    .read_only = true};

}  // namespace xlat
