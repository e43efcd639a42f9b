// Read-only images that consist of compressed chunks, of which one after the other is unpacked: dmg, cloop.
#pragma once

#include "block/block_image.h"
#include "block/codecs.h"
#include "block/storage.h"

namespace xlat {

struct Chunk {
  enum class Kind : u8 { kZero, kRaw, kPacked };
  u64 start = 0, bytes = 0;  // of the disk
  u64 at = 0, packed = 0;    // of the file
  Kind kind = Kind::kZero;
  Codec codec = Codec::kZlib;
};

class PackedImage final : public BlockImage {
 public:
  // Chunks in the order of the disk, without overlaps. What is in none reads as zeros.
  PackedImage(std::unique_ptr<Storage> file, std::string_view format, u64 size, std::vector<Chunk> chunks)
      : file_(std::move(file)), format_(format), size_(size), chunks_(std::move(chunks)) {}

  u64 size() const override { return size_; }
  bool read_only() const override { return true; }
  const std::string& path() const override { return file_->path(); }
  std::string_view format() const override { return format_; }
  u64 allocated_bytes() const override { return file_->allocated(); }
  ImageDetails details() const override {
    return {.dirty = std::nullopt, .backing_file = {}, .backing_format = {}, .specific = {}, .parts = {}};
  }
  Status write(u64, std::span<const u8>) override {
    return error("'{}': images of format {} can only be read", path(), format_);
  }
  Status flush() override { return {}; }
  Status read(u64 offset, std::span<u8> to) override;
  Result<Extent> status(u64 offset, u64 bytes) override;

 private:
  // The chunk that has `offset`, or the first behind it; the end if there is none.
  std::vector<Chunk>::const_iterator chunk_at(u64 offset) const;
  Status unpack(const Chunk& chunk);

  std::unique_ptr<Storage> file_;
  std::string_view format_;
  u64 size_;
  std::vector<Chunk> chunks_;
  std::vector<u8> unpacked_;
  u64 unpacked_start_ = ~u64{0};
};

}  // namespace xlat
