// A descriptor of the host's that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace xlat {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  // Negative if it could not be opened.
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace xlat
