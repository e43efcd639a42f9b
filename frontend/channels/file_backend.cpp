// A channel that only writes, to a file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frontend/channels/char_backend.h"

namespace xlat {

namespace {

class FileBackend final : public CharBackend {
 public:
  FileBackend(std::string path, std::string label) : path_(std::move(path)), label_(std::move(label)) {}
  ~FileBackend() override {
    if (fd_ >= 0) close(fd_);
    if (created_ && !started_) unlink(path_.c_str());
  }

  Status open() override {
    created_ = access(path_.c_str(), F_OK) != 0;
    // Non-blocking, or a FIFO without a reader would hang us.
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd_ < 0) {
      created_ = false;
      return error("{}: cannot write '{}': {}", label_, path_, std::strerror(errno));
    }
    return {};
  }

  Status start(CharHandlers, int) override {
    started_ = true;
    struct stat st {};
    if (fstat(fd_, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd_, 0) != 0) {
      return error("{}: cannot write '{}': {}", label_, path_, std::strerror(errno));
    }
    fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
    return {};
  }

  void stop() override {}

  void write(std::span<const u8> bytes) override {
    while (!bytes.empty() && !failed_) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(n));
      } else if (errno != EINTR) {
        failed_ = true;
        fmt::print(stderr, "xlat: warning: {}: cannot write '{}': {}; the rest is lost\n", label_, path_,
                   std::strerror(errno));
      }
    }
  }

 private:
  std::string path_, label_;
  int fd_ = -1;
  bool created_ = false, started_ = false, failed_ = false;
};

}  // namespace

std::unique_ptr<CharBackend> make_file_backend(const CharSpec& spec, std::string label) {
  return std::make_unique<FileBackend>(spec.path, std::move(label));
}

}  // namespace xlat
