// bind() and listen().
#include "frontend/channels/listening_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xlat {

Error cannot_listen(std::string_view who, std::string_view where, int e) {
  const char* hint = e == EADDRINUSE ? "; another program has it, choose another or stop that one" : "";
  Error failed = error("{}: cannot listen on {}: {}{}", who, where, std::strerror(e), hint);
  failed.host = e;
  return failed;
}

Result<int> listen_on(const addrinfo* addresses, int backlog, std::string_view who, std::string_view where) {
  int last = EADDRNOTAVAIL;
  for (const addrinfo* a = addresses; a; a = a->ai_next) {
    const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    const int on = 1;
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // A port that is bound by somebody who does not listen yet is seen by listen() alone.
    if (fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, backlog) == 0) {
      fcntl(fd, F_SETFL, O_NONBLOCK);
      return fd;
    }
    last = errno;
    if (fd >= 0) close(fd);
  }
  return cannot_listen(who, where, last);
}

Result<int> listen_on(const std::string& path, int backlog, std::string_view who, std::string_view where) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_listen(who, where, errno);
  const auto failed = [&](int e) {
    close(fd);
    return cannot_listen(who, where, e);
  };
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0) {
    // A socket nobody listens on was left behind by a program that ended; anything else is not ours to remove.
    if (!S_ISSOCK(st.st_mode) || connect(fd, generic, sizeof address) == 0 || errno != ECONNREFUSED) {
      return failed(EADDRINUSE);
    }
    unlink(path.c_str());
  }
  if (bind(fd, generic, sizeof address) != 0) return failed(errno);
  if (listen(fd, backlog) != 0) {
    const int e = errno;
    unlink(path.c_str());
    return failed(e);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

}  // namespace xlat
