// Raw image files, the snapshot overlay, and images in memory.
#include "block/block_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/bits.h"
#include "block/image_format.h"
#include "block/image_lock.h"

namespace xlat {
namespace {

constexpr u64 kSector = 512;

// Closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Reads what the file has and zero-fills the rest. Returns an errno.
int read_fully(int fd, u64 offset, std::span<u8> to) {
  while (!to.empty()) {
    const ssize_t n = pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) {
      std::fill(to.begin(), to.end(), u8{0});
      return 0;
    }
    to = to.subspan(static_cast<std::size_t>(n));
    offset += static_cast<u64>(n);
  }
  return 0;
}

int write_fully(int fd, u64 offset, std::span<const u8> from) {
  while (!from.empty()) {
    const ssize_t n = pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    from = from.subspan(static_cast<std::size_t>(n));
    offset += static_cast<u64>(n);
  }
  return 0;
}

// The checks every image shares. `op` is "read" or "write".
Status check_range(const BlockImage& image, const char* op, u64 offset, u64 bytes) {
  if (offset <= image.size() && bytes <= image.size() - offset) return {};
  return error("'{}': {} of {} bytes at {} is outside the image ({} bytes)", image.path(), op, bytes, offset,
               image.size());
}

Error host_error(int e, std::string message) { return Error{std::move(message), e}; }

Status check_format(int fd, const std::string& path, u64 size) {
  std::array<u8, kImageHeadBytes> bytes;
  const auto look = [&](u64 at, auto probe) -> std::optional<ImageFormat> {
    const std::span<u8> part = std::span(bytes).first(std::min<u64>(bytes.size(), size));
    return read_fully(fd, at, part) == 0 ? probe(part) : std::nullopt;
  };
  auto format = look(0, format_of_head);
  if (!format && size > bytes.size()) format = look(size - bytes.size(), format_of_tail);
  if (!format) return {};
  return error(
      "image '{}' is {}, which this version cannot open; say format=raw if these bytes themselves are the disk, "
      "else make a raw one: {}",
      path, format->describe, convert_line(*format, path));
}

class RawImage final : public BlockImage {
 public:
  RawImage(std::string path, Fd fd, u64 size, bool read_only, bool guessed)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size), read_only_(read_only), guessed_(guessed) {}

  u64 size() const override { return size_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }

  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_range(*this, "read", offset, to.size()); !s) return s;
    if (const int e = read_fully(fd_.get(), offset, to)) {
      return host_error(
          e, fmt::format("'{}': cannot read {} bytes at {}: {}", path_, to.size(), offset, std::strerror(e)));
    }
    return {};
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_range(*this, "write", offset, from.size()); !s) return s;
    if (read_only_) return error("'{}' is open read-only; nothing was written", path_);
    if (guessed_ && offset < kImageHeadBytes && !from.empty()) {
      if (Status s = check_head(offset, from); !s) return s;
    }
    if (const int e = write_fully(fd_.get(), offset, from)) {
      return host_error(
          e, fmt::format("'{}': cannot write {} bytes at {}: {}", path_, from.size(), offset, std::strerror(e)));
    }
    return {};
  }

  Status flush() override {
    if (!read_only_ && fdatasync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) {
      return host_error(errno, fmt::format("'{}': cannot flush: {}", path_, std::strerror(errno)));
    }
    return {};
  }

 private:
  // What the first sector is going to be must not look like another format's.
  Status check_head(u64 offset, std::span<const u8> from) const {
    std::array<u8, kImageHeadBytes> head{};
    if (const int e = read_fully(fd_.get(), 0, head)) {
      return host_error(e, fmt::format("'{}': cannot read the first sector: {}", path_, std::strerror(e)));
    }
    const std::size_t count = std::min<u64>(from.size(), head.size() - offset);
    std::copy_n(from.begin(), count, head.begin() + static_cast<std::ptrdiff_t>(offset));
    const auto format = format_of_head(head);
    if (!format) return {};
    return host_error(EPERM, fmt::format("'{}': the guest wanted to make the first sector look like {}; refused, as "
                                         "format=raw was not said",
                                         path_, format->describe));
  }

  std::string path_;
  Fd fd_;
  u64 size_;
  bool read_only_;
  bool guessed_;  // that it is raw
};

class SnapshotImage final : public BlockImage {
 public:
  SnapshotImage(std::unique_ptr<BlockImage> base, Fd overlay)
      : base_(std::move(base)), overlay_(std::move(overlay)), written_((base_->size() + kCluster - 1) / kCluster) {}

  u64 size() const override { return base_->size(); }
  bool read_only() const override { return false; }
  const std::string& path() const override { return base_->path(); }
  Status flush() override { return {}; }

  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_range(*this, "read", offset, to.size()); !s) return s;
    while (!to.empty()) {
      // As many clusters as live in the same place.
      const u64 first = offset / kCluster;
      const bool mine = written_[first];
      u64 end = first + 1;
      while (end * kCluster < offset + to.size() && written_[end] == mine) ++end;
      const std::size_t run = std::min<u64>(to.size(), end * kCluster - offset);
      if (!mine) {
        if (Status s = base_->read(offset, to.first(run)); !s) return s;
      } else if (const int e = read_fully(overlay_.get(), offset, to.first(run))) {
        return error("'{}': cannot read the snapshot's temporary file: {}", path(), std::strerror(e));
      }
      to = to.subspan(run);
      offset += run;
    }
    return {};
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_range(*this, "write", offset, from.size()); !s) return s;
    while (!from.empty()) {
      const u64 cluster = offset / kCluster;
      const std::size_t run = std::min<u64>(from.size(), (cluster + 1) * kCluster - offset);
      if (!written_[cluster] && run < kCluster) {
        if (Status s = copy_up(cluster); !s) return s;
      }
      if (const int e = write_fully(overlay_.get(), offset, from.first(run))) return cannot_write(e);
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
    if (const int e = write_fully(overlay_.get(), at, present)) return cannot_write(e);
    return {};
  }

  Error cannot_write(int e) const {
    return host_error(e, fmt::format("'{}': cannot write the snapshot's temporary file: {}; set TMPDIR to a place with "
                                     "room",
                                     path(), std::strerror(e)));
  }

  std::unique_ptr<BlockImage> base_;
  Fd overlay_;  // sparse; cluster n lies at n * kCluster
  std::vector<bool> written_;
};

class MemoryImage final : public BlockImage {
 public:
  MemoryImage(u64 bytes, bool read_only) : bytes_(align_up(bytes, kSector)), read_only_(read_only) {}
  u64 size() const override { return bytes_.size(); }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  Status flush() override { return {}; }
  Status read(u64 offset, std::span<u8> to) override {
    if (Status s = check_range(*this, "read", offset, to.size()); !s) return s;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
    return {};
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (Status s = check_range(*this, "write", offset, from.size()); !s) return s;
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

Result<std::unique_ptr<BlockImage>> open_raw_image(const std::string& path, ImageAccess access,
                                                   RawImageOptions options) {
  const bool read_only = access != ImageAccess::kReadWrite;
  // O_NONBLOCK: a FIFO given by mistake must not hang us.
  Fd fd(open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    const int e = errno;
    if (e == EISDIR) return error("image '{}' is a directory; give a file", path);
    if (e == EACCES || e == EROFS || e == EPERM) {
      const char* hint = read_only ? "check its permissions" : "make it writable, or use -snapshot or readonly=on";
      return error("cannot open image '{}' for {}: {}; {}", path, read_only ? "reading" : "writing", std::strerror(e),
                   hint);
    }
    return error("cannot open image '{}': {}", path, std::strerror(e));
  }
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return error("cannot examine image '{}': {}", path, std::strerror(errno));
  if (S_ISDIR(st.st_mode)) return error("image '{}' is a directory; give a file", path);
  if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
    return error("image '{}' is neither a file nor a block device", path);
  }
  const off_t end = lseek(fd.get(), 0, SEEK_END);
  if (end < 0) return error("cannot find the size of image '{}': {}", path, std::strerror(errno));
  if (end == 0) return error("image '{}' is empty; an image has at least one 512-byte sector", path);
  if (access != ImageAccess::kBeside && options.lock) {
    if (Status s = lock_image(fd.get(), path, !read_only); !s) return s.error();
  }
  u8 probe = 0;
  if (const int e = read_fully(fd.get(), 0, {&probe, 1})) {
    return error("cannot read image '{}': {}", path, std::strerror(e));
  }
  if (options.probe) {
    if (Status s = check_format(fd.get(), path, static_cast<u64>(end)); !s) return s.error();
  }
  const u64 size = align_up(static_cast<u64>(end), kSector);
  return std::unique_ptr<BlockImage>(new RawImage(path, std::move(fd), size, read_only, options.probe));
}

Status refuse_other_formats(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return {};
  const off_t end = lseek(fd.get(), 0, SEEK_END);
  return end > 0 ? check_format(fd.get(), path, static_cast<u64>(end)) : Status{};
}

Result<std::unique_ptr<BlockImage>> make_snapshot_image(std::unique_ptr<BlockImage> base) {
  const char* dir = std::getenv("TMPDIR");
  std::string name = std::string(dir && *dir ? dir : "/var/tmp") + "/xlat-snapshot-XXXXXX";
  Fd fd(mkostemp(name.data(), O_CLOEXEC));
  if (fd.get() < 0) {
    return error("cannot create the temporary file '{}' for a snapshot of '{}': {}; set TMPDIR", name, base->path(),
                 std::strerror(errno));
  }
  unlink(name.c_str());
  return std::unique_ptr<BlockImage>(new SnapshotImage(std::move(base), std::move(fd)));
}

std::unique_ptr<BlockImage> make_memory_image(u64 bytes, ImageAccess access) {
  return std::make_unique<MemoryImage>(bytes, access == ImageAccess::kReadOnly);
}

}  // namespace xlat
