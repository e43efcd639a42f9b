// The other end of a server's connection, for targets that are servers with threads of their own.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/fuzz/fuzz.h"

namespace xlat::fuzz {

inline int connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) found("no server");
  return fd;
}

// Reads what has come. False when the server has ended the connection.
inline bool drain(int fd, int timeout_ms) {
  char buffer[65536];
  pollfd p{fd, POLLIN, 0};
  while (poll(&p, 1, timeout_ms) > 0) {
    if (recv(fd, buffer, sizeof buffer, 0) <= 0) return false;
    timeout_ms = 0;
  }
  return true;
}

inline bool put(int fd, std::string_view bytes) {
  return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

}  // namespace xlat::fuzz
