// A client of one of the binary's sockets.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

namespace xlat {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { close(fd_); }
  static int connect_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    for (int tries = 0; tries < 1000; ++tries) {
      const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
      close(fd);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -1;
  }
  bool valid() const { return fd_ >= 0; }
  void send(const std::string& text) {
    CHECK(write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  bool expect(const std::string& text, int seconds = 30) {
    for (int tries = 0; tries < seconds * 10 && got.find(text) == std::string::npos; ++tries) {
      pollfd p{fd_, POLLIN, 0};
      if (poll(&p, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t n = read(fd_, buffer, sizeof buffer);
      if (n <= 0) break;
      got.append(buffer, static_cast<std::size_t>(n));
    }
    INFO(got);
    return got.find(text) != std::string::npos;
  }
  std::string got;

 private:
  int fd_;
};

}  // namespace xlat
