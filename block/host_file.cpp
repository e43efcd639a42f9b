// Positioned reads and writes, holes, and errors that say what to do.
#include "block/host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/fd.h"
#include "block/image_lock.h"

namespace xlat {

namespace {

// The same file open with O_DIRECT, which takes whole blocks of aligned memory.
class DirectFile {
 public:
  // The blocks of most disks, and a multiple of those of the others.
  static constexpr std::size_t kBlock = 4096;

  static Result<std::unique_ptr<DirectFile>> open(const std::string& path, int of, bool read_only) {
    // By the descriptor, so that it is the same file.
    const std::string name = fmt::format("/proc/self/fd/{}", of);
    Fd fd(::open(name.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0 && errno == EINVAL) {
      return error("Could not open '{}': filesystem does not support O_DIRECT; use cache=writeback", path);
    }
    if (fd.get() < 0) return error("cannot open image '{}' with cache.direct=on: {}", path, std::strerror(errno));
    return std::make_unique<DirectFile>(std::move(fd));
  }
  explicit DirectFile(Fd fd) : fd_(std::move(fd)), room_(static_cast<u8*>(std::aligned_alloc(kBlock, kRoom))) {}

  // How much of a request it does at once, in whole blocks.
  std::size_t takes(u64 offset, std::size_t bytes) const {
    return room_ && offset % kBlock == 0 ? std::min(bytes / kBlock * kBlock, kRoom) : 0;
  }
  ssize_t read(u64 offset, std::span<u8> to) {
    const ssize_t n = pread(fd_.get(), room_.get(), to.size(), static_cast<off_t>(offset));
    if (n > 0) std::copy_n(room_.get(), n, to.begin());
    return n;
  }
  ssize_t write(u64 offset, std::span<const u8> from) {
    std::copy(from.begin(), from.end(), room_.get());
    return pwrite(fd_.get(), room_.get(), from.size(), static_cast<off_t>(offset));
  }

 private:
  static constexpr std::size_t kRoom = std::size_t{1} << 20;
  struct Free {
    void operator()(u8* room) const { std::free(room); }
  };
  Fd fd_;
  std::unique_ptr<u8, Free> room_;
};

class HostFile final : public Storage {
 public:
  HostFile(std::string path, Fd fd, bool read_only, bool device, std::unique_ptr<DirectFile> direct = nullptr)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        direct_(std::move(direct)),
        read_only_(read_only),
        device_(device) {}

  u64 size() const override {
    const off_t end = lseek(fd_.get(), 0, SEEK_END);
    return end < 0 ? 0 : static_cast<u64>(end);
  }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  std::string_view protocol() const override { return device_ ? "host_device" : "file"; }

  Status read(u64 offset, std::span<u8> to) override {
    const std::size_t wanted = to.size();
    while (!to.empty()) {
      const ssize_t n = fits(offset, to.size()) ? read_some(offset, to) : 0;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(errno, fmt::format("read {} bytes at {}", wanted, offset));
      if (n == 0) {
        std::fill(to.begin(), to.end(), u8{0});
        return {};
      }
      to = to.subspan(static_cast<std::size_t>(n));
      offset += static_cast<u64>(n);
    }
    return {};
  }

  // What is not in the host's page cache is EAGAIN, or less than was asked for.
  bool read_now(u64 offset, std::span<u8> to) override {
    iovec place{to.data(), to.size()};
    return !direct_ && fits(offset, to.size()) &&
           preadv2(fd_.get(), &place, 1, static_cast<off_t>(offset), RWF_NOWAIT) == static_cast<ssize_t>(to.size());
  }

  Status write(u64 offset, std::span<const u8> from) override {
    if (read_only_) return not_written();
    const std::size_t wanted = from.size();
    while (!from.empty()) {
      const ssize_t n = fits(offset, from.size()) ? write_some(offset, from) : (errno = EFBIG, -1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return failed(n < 0 ? errno : EIO, fmt::format("write {} bytes at {}", wanted, offset));
      from = from.subspan(static_cast<std::size_t>(n));
      offset += static_cast<u64>(n);
    }
    return {};
  }

  Status flush() override {
    // What cannot be synchronized has nothing to lose.
    if (!read_only_ && fdatasync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) return failed(errno, "flush");
    return {};
  }

  Status resize(u64 bytes) override {
    if (read_only_) return not_written();
    if (device_ && bytes <= size()) return {};
    if (!fits(bytes, 0) || ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) {
      return failed(fits(bytes, 0) ? errno : EFBIG, fmt::format("make it {} bytes long", bytes));
    }
    return {};
  }

  Status write_zeroes(u64 offset, u64 bytes, bool unmap) override {
    if (read_only_) return not_written();
    if (bytes == 0) return {};
    if (!fits(offset, bytes)) return failed(EFBIG, fmt::format("write {} bytes at {}", bytes, offset));
    const u64 end = size();
    if (!device_ && offset + bytes > end) {
      // Behind the end there is nothing but zeros.
      const u64 present = end > offset ? end - offset : 0;
      if (unmap) {
        if (Status s = resize(offset + bytes); !s) return s;
      } else if (Status s = preallocate(offset + present, bytes - present, false); !s) {
        return s;
      }
      bytes = present;
      if (bytes == 0) return {};
    }
    const int modes[] = {unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE};
    for (const int mode : modes) {
      if (fallocate(fd_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) return {};
    }
    return write_zeroes_slowly(*this, offset, bytes);
  }

  Extent status(u64 offset, u64 bytes) override {
    Extent extent{.bytes = bytes, .at = offset};
    if (!fits(offset, bytes)) return extent;
    const u64 end = size();
    if (offset >= end) return {.bytes = bytes, .data = false, .zero = true, .at = offset};
    const auto at = static_cast<off_t>(offset);
    const off_t data = lseek(fd_.get(), at, SEEK_DATA);
    if (data < 0 && errno != ENXIO) return extent;  // nobody knows
    if (data != at) {
      const u64 hole = data < 0 ? bytes : static_cast<u64>(data) - offset;
      return {.bytes = std::min(bytes, hole), .data = false, .zero = true, .at = offset};
    }
    const off_t hole = lseek(fd_.get(), at, SEEK_HOLE);
    if (hole > at) extent.bytes = std::min(bytes, static_cast<u64>(hole) - offset);
    return extent;
  }

  u64 allocated() const override {
    struct stat st {};
    return fstat(fd_.get(), &st) == 0 ? static_cast<u64>(st.st_blocks) * 512 : 0;
  }

  Status preallocate(u64 offset, u64 bytes, bool write_them) override {
    if (bytes == 0) return {};
    if (write_them) return write_zeroes_slowly(*this, offset, bytes);
    const int e = posix_fallocate(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes));
    return e ? failed(e, fmt::format("take room for {} bytes at {}", bytes, offset)) : Status();
  }

 private:
  // As pread and pwrite.
  ssize_t read_some(u64 offset, std::span<u8> to) {
    if (const std::size_t part = direct_ ? direct_->takes(offset, to.size()) : 0) {
      return direct_->read(offset, to.first(part));
    }
    return pread(fd_.get(), to.data(), beside_direct(offset, to.size()), static_cast<off_t>(offset));
  }
  ssize_t write_some(u64 offset, std::span<const u8> from) {
    if (const std::size_t part = direct_ ? direct_->takes(offset, from.size()) : 0) {
      return direct_->write(offset, from.first(part));
    }
    return pwrite(fd_.get(), from.data(), beside_direct(offset, from.size()), static_cast<off_t>(offset));
  }
  // What is no whole block goes through the page cache, up to where blocks begin.
  std::size_t beside_direct(u64 offset, std::size_t bytes) const {
    if (!direct_) return bytes;
    const u64 in_block = offset % DirectFile::kBlock;
    return in_block ? std::min<u64>(bytes, DirectFile::kBlock - in_block) : bytes;
  }
  static bool fits(u64 offset, u64 bytes) {
    constexpr u64 kMost = ~u64{0} >> 1;
    return offset <= kMost && bytes <= kMost - offset;
  }
  Status failed(int e, const std::string& what) const {
    return Error{fmt::format("'{}': cannot {}: {}", path_, what, std::strerror(e)), e};
  }
  Status not_written() const { return error("'{}' is open read-only; nothing was written", path_); }

  std::string path_;
  Fd fd_;
  std::unique_ptr<DirectFile> direct_;  // null: all goes through the page cache
  bool read_only_, device_;
};

Result<std::unique_ptr<Storage>> finish(const std::string& path, Fd fd, bool read_only, bool lock,
                                        bool direct = false) {
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return error("cannot examine image '{}': {}", path, std::strerror(errno));
  if (S_ISDIR(st.st_mode)) return error("image '{}' is a directory; give a file", path);
  if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
    return error("image '{}' is neither a file nor a block device", path);
  }
  if (lseek(fd.get(), 0, SEEK_END) < 0) {
    return error("cannot find the size of image '{}': {}", path, std::strerror(errno));
  }
  if (lock) {
    if (Status s = lock_image(fd.get(), path, !read_only); !s) return s.error();
  }
  std::unique_ptr<DirectFile> past;
  if (direct) {
    auto opened = DirectFile::open(path, fd.get(), read_only);
    if (!opened) return opened.error();
    past = std::move(*opened);
  }
  return std::unique_ptr<Storage>(new HostFile(path, std::move(fd), read_only, S_ISBLK(st.st_mode), std::move(past)));
}

}  // namespace

Result<std::unique_ptr<Storage>> open_host_file(const std::string& path, ImageAccess access, bool lock, bool direct) {
  const bool read_only = access != ImageAccess::kReadWrite;
  // O_NONBLOCK: a FIFO given by mistake must not hang us.
  Fd fd(open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    const int e = errno;
    if (e == EISDIR) return error("image '{}' is a directory; give a file", path);
    if (e == EACCES || e == EROFS || e == EPERM) {
      const char* hint = read_only ? "check its permissions" : "make it writable, or use -snapshot or readonly=on";
      return Error{fmt::format("cannot open image '{}' for {}: {}; {}", path, read_only ? "reading" : "writing",
                               std::strerror(e), hint),
                   e};
    }
    return Error{fmt::format("cannot open image '{}': {}", path, std::strerror(e)), e};
  }
  return finish(path, std::move(fd), read_only, lock && access != ImageAccess::kBeside, direct);
}

Result<std::unique_ptr<Storage>> create_host_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (fd.get() < 0) return Error{fmt::format("cannot create image '{}': {}", path, std::strerror(errno)), errno};
  auto file = finish(path, std::move(fd), false, true);
  if (!file) return file;
  // Emptied only now that nobody else has it.
  if (Status s = (*file)->resize(0); !s) return s.error();
  return file;
}

Result<std::unique_ptr<Storage>> make_temporary_file(const std::string& what_for) {
  const char* dir = std::getenv("TMPDIR");
  std::string name = std::string(dir && *dir ? dir : "/var/tmp") + "/xlat-snapshot-XXXXXX";
  Fd fd(mkostemp(name.data(), O_CLOEXEC));
  if (fd.get() < 0) {
    return error("cannot create the temporary file '{}' for {}: {}; set TMPDIR", name, what_for, std::strerror(errno));
  }
  unlink(name.c_str());
  return std::unique_ptr<Storage>(new HostFile(std::move(name), std::move(fd), false, false));
}

}  // namespace xlat
