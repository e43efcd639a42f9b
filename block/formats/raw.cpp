// raw: byte n of the disk is byte n of the file.
#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bits.h"
#include "base/spelling.h"
#include "block/host_file.h"
#include "block/image_driver.h"

namespace xlat {

namespace {

// The file changes only where something is written. A file whose size is no multiple of 512 shows as rounded up: the
// missing bytes read as zeros, and a write that touches them makes the file as long as the write's last byte.
class RawImage final : public BlockImage {
 public:
  RawImage(std::unique_ptr<Storage> file, u64 start, u64 size, bool read_only, bool guessed, bool window)
      : file_(std::move(file)), start_(start), size_(size), read_only_(read_only), guessed_(guessed), window_(window) {}

  u64 size() const override { return size_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return file_->path(); }
  u64 allocated_bytes() const override { return file_->allocated(); }
  Status flush() override { return file_->flush(); }

  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_image_range(*this, "read", offset, to.size()); !s) return s;
    return file_->read(start_ + offset, to);
  }

  bool read_now(u64 offset, std::span<u8> to) override {
    return check_image_range(*this, "read", offset, to.size()).ok() && file_->read_now(start_ + offset, to);
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_write(offset, from.size()); !s) return s;
    if (guessed_ && offset < kImageHeadBytes && !from.empty()) {
      if (Status s = check_head(offset, from); !s) return s;
    }
    return file_->write(start_ + offset, from);
  }

  Result<Extent> status(u64 offset, u64 bytes) override {
    if (Status s = check_image_range(*this, "read", offset, bytes); !s) return s.error();
    return file_->status(start_ + offset, bytes);
  }

  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override {
    if (Status s = check_write(offset, bytes); !s) return s;
    return file_->write_zeroes(start_ + offset, bytes, unmap);
  }

  Status discard(u64 offset, u64 bytes) override { return write_zeroes(offset, bytes, true); }

  Status resize(u64 bytes) override {
    if (read_only_) return error("'{}' is open read-only", path());
    if (window_) return error("'{}': a part of a file cannot be resized", path());
    if (Status s = file_->resize(bytes); !s) return s;
    size_ = bytes;
    return {};
  }

 private:
  Status check_write(u64 offset, u64 bytes) const {
    if (Status s = check_image_range(*this, "write", offset, bytes); !s) return s;
    if (read_only_) return error("'{}' is open read-only; nothing was written", path());
    return {};
  }

  // What the first sector is going to be must not look like another format's.
  Status check_head(u64 offset, std::span<const u8> from) const {
    std::array<u8, kImageHeadBytes> head{};
    if (Status s = file_->read(0, head); !s) return s;
    const std::size_t count = std::min<u64>(from.size(), head.size() - offset);
    std::copy_n(from.begin(), count, head.begin() + static_cast<std::ptrdiff_t>(offset));
    const ImageDriver* format = probe_image(head, {});
    if (!format) return {};
    return Error{fmt::format("'{}': the guest wanted to make the first sector look like {}; refused, as format=raw was "
                             "not said",
                             path(), format->describe),
                 EPERM};
  }

  std::unique_ptr<Storage> file_;
  u64 start_, size_;
  bool read_only_;
  bool guessed_;  // that it is raw
  bool window_;   // not all of the file
};

Result<std::unique_ptr<BlockImage>> open_raw(ImageRequest request) {
  const u64 file_bytes = request.file->size();
  u64 start = 0, bytes = file_bytes;
  const auto offset = take_option(request.options, "offset"), size = take_option(request.options, "size");
  for (const auto& [text, name, to] : {std::tuple{&offset, "offset", &start}, {&size, "size", &bytes}}) {
    if (!*text) continue;
    const auto number = parse_size(**text, 1);
    if (!number) return error("Parameter '{}' expects a size", name);
    *to = *number;
  }
  if (start > file_bytes)
    return error("Offset ({}) cannot be greater than size of the containing file ({})", start, file_bytes);
  if (!size) bytes = file_bytes - start;
  if (bytes > file_bytes - start) {
    return error(
        "The sum of offset ({}) and size ({}) has to be smaller or equal to the actual size of the containing file "
        "({})",
        start, bytes, file_bytes);
  }
  return std::unique_ptr<BlockImage>(new RawImage(std::move(request.file), start, align_up(bytes, 512),
                                                  request.read_only(), request.guessed, offset || size));
}

Status create_raw(const CreateRequest& request) {
  auto file = create_host_file(request.path);
  if (!file) return file.error();
  if (Status s = (*file)->resize(request.bytes); !s) return s;
  const auto mode = request.options.find("preallocation");
  if (mode == request.options.end() || mode->second == "off") return {};
  if (mode->second != "falloc" && mode->second != "full") {
    return error("Invalid parameter '{}': give off, falloc or full", mode->second);
  }
  return (*file)->preallocate(0, request.bytes, mode->second == "full");
}

using Kind = CreateOption::Kind;
constexpr CreateOption kOptions[] = {
    {"size", Kind::kSize, "Virtual disk size"},
    {"preallocation", Kind::kText, "Preallocation mode (allowed values: off, falloc, full)"},
};

constexpr std::string_view kOpenOptions[] = {"offset", "size"};

}  // namespace

extern const ImageDriver kRawDriver{
    .name = "raw", .describe = "a raw image", .open = open_raw, .create = create_raw, .options = kOptions};

}  // namespace xlat
