// What images do that have no better way, and images in memory.
#include "block/block_image.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

Status check_image_range(const BlockImage& image, const char* op, u64 offset, u64 bytes) {
  if (offset <= image.size() && bytes <= image.size() - offset) return {};
  return error("'{}': {} of {} bytes at {} is outside the image ({} bytes)", image.path(), op, bytes, offset,
               image.size());
}

Result<Extent> BlockImage::status(u64, u64 bytes) { return Extent{.bytes = bytes}; }

Status BlockImage::write_zeroes(u64 offset, u64 bytes, bool) {
  if (Status s = check_image_range(*this, "write", offset, bytes); !s) return s;
  static constexpr u64 kPiece = u64{1} << 20;
  const std::vector<u8> zeros(std::min(bytes, kPiece));
  while (bytes > 0) {
    const u64 n = std::min(bytes, kPiece);
    if (Status s = write(offset, std::span(zeros).first(n)); !s) return s;
    offset += n;
    bytes -= n;
  }
  return {};
}

Status BlockImage::discard(u64, u64) { return {}; }

Status BlockImage::resize(u64) { return error("Image format driver does not support resize"); }

Result<CheckReport> BlockImage::check(Repair) { return error("This image format does not support checks"); }

Status BlockImage::write_compressed(u64 offset, std::span<const u8> cluster) { return write(offset, cluster); }

Status BlockImage::set_backing(const std::string&, const std::string&) {
  return error("'{}': images of format {} have no backing file", path(), format());
}

Status BlockImage::make_empty() { return error("'{}': images of format {} cannot be emptied", path(), format()); }

namespace {

class MemoryImage final : public BlockImage {
 public:
  MemoryImage(u64 bytes, bool read_only) : bytes_(align_up(bytes, 512)), read_only_(read_only) {}
  u64 size() const override { return bytes_.size(); }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  Status flush() override { return {}; }
  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
    return {};
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_image_range(*this, "write", offset, from.size()); !s) return s;
    if (read_only_) return error("'{}' is read-only; nothing was written", path_);
    std::copy(from.begin(), from.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }

 private:
  std::string path_ = "memory";
  std::vector<u8> bytes_;
  bool read_only_;
};

}  // namespace

std::unique_ptr<BlockImage> make_memory_image(u64 bytes, ImageAccess access) {
  return std::make_unique<MemoryImage>(bytes, access == ImageAccess::kReadOnly);
}

}  // namespace xlat
