// cloop: Knoppix's compressed loop images. Blocks of one size behind a table of where they begin.
#include <array>

#include "base/bits.h"
#include "block/image_driver.h"
#include "block/packed_image.h"

namespace xlat {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"sv;
constexpr u64 kTextBytes = 128, kMostBlock = u64{64} << 20, kMostOffsets = u64{512} << 20;

Result<std::unique_ptr<BlockImage>> open_cloop(ImageRequest request) {
  Storage& file = *request.file;
  std::array<u8, 8> head{};
  if (Status s = read_header(file, "cloop header", kTextBytes, head); !s) return s.error();
  const u64 block = load_be<u32>(&head[0]), blocks = load_be<u32>(&head[4]);
  if (block == 0 || block % 512) return error("'{}': block_size {} must be a multiple of 512", file.path(), block);
  if (block > kMostBlock)
    return error("'{}': block_size {} must be {} MB or less", file.path(), block, kMostBlock >> 20);
  if ((blocks + 1) * 8 > kMostOffsets)
    return error("'{}': image requires too many offsets, try increasing block size", file.path());
  std::vector<u8> raw((blocks + 1) * 8);
  if (Status s = read_header(file, "table of cloop blocks", kTextBytes + head.size(), raw); !s) return s.error();
  std::vector<Chunk> chunks(blocks);
  for (u64 n = 0; n < blocks; ++n) {
    const u64 at = load_be<u64>(&raw[n * 8]), end = load_be<u64>(&raw[n * 8 + 8]);
    if (end < at)
      return error("'{}': offsets not monotonically increasing at index {}, image file is corrupt", file.path(), n + 1);
    // zlib makes nothing larger than this.
    if (end - at > 2 * kMostBlock)
      return error("'{}': invalid compressed block size at index {}, image file is corrupt", file.path(), n + 1);
    chunks[n] = {n * block, block, at, end - at, Chunk::Kind::kPacked, Codec::kZlib};
  }
  return std::unique_ptr<BlockImage>(
      new PackedImage(std::move(request.file), "cloop", blocks * block, std::move(chunks)));
}

}  // namespace

extern const ImageDriver kCloopDriver{
    .name = "cloop",
    .describe = "a compressed loop image",
    .probe = [](std::span<const u8> head, std::string_view) { return has_magic(head, 0, kMagic); },
    .open = open_cloop,
    .read_only = true};

}  // namespace xlat
