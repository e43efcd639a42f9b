// -snapshot: writes kept aside in a temporary file, over an image of any format.
#include <algorithm>
#include <array>

#include "block/block_image.h"
#include "block/host_file.h"

namespace xlat {

namespace {

class SnapshotImage final : public BlockImage {
 public:
  SnapshotImage(std::unique_ptr<BlockImage> base, std::unique_ptr<Storage> overlay)
      : base_(std::move(base)),
        overlay_(std::move(overlay)),
        size_(base_->size()),
        path_(base_->path()),
        format_(base_->format()),
        written_((size_ + kCluster - 1) / kCluster) {}

  u64 size() const override { return size_; }
  bool read_only() const override { return false; }
  const std::string& path() const override { return path_; }
  std::string_view format() const override { return format_; }
  BlockImage* backing() override { return base_.get(); }
  std::unique_ptr<BlockImage> exchange_backing(std::unique_ptr<BlockImage> other) override {
    return std::exchange(base_, std::move(other));
  }
  Result<Extent> status(u64 offset, u64 bytes) override {
    if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
    if (bytes == 0) return Extent{};
    const bool mine = written_[offset / kCluster];
    u64 end = offset / kCluster + 1;
    while (end < written_.size() && end * kCluster < offset + bytes && written_[end] == mine) ++end;
    return Extent{.bytes = std::min(bytes, end * kCluster - offset), .allocated = mine, .data = mine};
  }
  Status make_empty() override {
    written_.assign(written_.size(), false);
    return overlay_->resize(0);
  }
  Status flush() override { return {}; }

  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
    while (!to.empty()) {
      // As many clusters as live in the same place.
      const u64 first = offset / kCluster;
      const bool mine = written_[first];
      u64 end = first + 1;
      while (end * kCluster < offset + to.size() && written_[end] == mine) ++end;
      const std::size_t run = std::min<u64>(to.size(), end * kCluster - offset);
      if (Status s = mine ? overlay_->read(offset, to.first(run)) : base_->read(offset, to.first(run)); !s) return s;
      to = to.subspan(run);
      offset += run;
    }
    return {};
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_image_range(*this, "write", offset, from.size()); !s) return s;
    while (!from.empty()) {
      const u64 cluster = offset / kCluster;
      const std::size_t run = std::min<u64>(from.size(), (cluster + 1) * kCluster - offset);
      if (!written_[cluster] && run < kCluster) {
        if (Status s = copy_up(cluster); !s) return s;
      }
      if (Status s = keep(offset, from.first(run)); !s) return s;
      written_[cluster] = true;
      from = from.subspan(run);
      offset += run;
    }
    return {};
  }

 private:
  static constexpr u64 kCluster = 4096;

  Status copy_up(u64 cluster) {
    std::array<u8, kCluster> bytes;
    const u64 at = cluster * kCluster;
    const std::span<u8> present = std::span(bytes).first(std::min(kCluster, size() - at));
    if (Status s = base_->read(at, present); !s) return s;
    return keep(at, present);
  }

  Status keep(u64 offset, std::span<const u8> from) {
    const Status s = overlay_->write(offset, from);
    if (s) return s;
    return Error{fmt::format("'{}': the snapshot's temporary file: {}; set TMPDIR to a place with room", path(),
                             s.error().message),
                 s.error().host};
  }

  std::unique_ptr<BlockImage> base_;
  std::unique_ptr<Storage> overlay_;  // sparse; cluster n lies at n * kCluster
  u64 size_;
  std::string path_;
  std::string_view format_;
  std::vector<bool> written_;
};

}  // namespace

Result<std::unique_ptr<BlockImage>> make_snapshot_image(std::unique_ptr<BlockImage> base) {
  auto overlay = make_temporary_file("a snapshot of '" + base->path() + "'");
  if (!overlay) return overlay.error();
  return std::unique_ptr<BlockImage>(new SnapshotImage(std::move(base), std::move(*overlay)));
}

}  // namespace xlat
