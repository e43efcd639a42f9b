// TCP and Unix sockets, and the threads of those who call.
#include "frontend/display/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xlat {

namespace {

std::string name_of(const sockaddr_storage& address, socklen_t length) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (address.ss_family == AF_UNIX ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "local";
  }
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Error failed(std::string_view option, const std::string& where, int e) {
  const char* hint = e == EADDRINUSE ? "; another program has it, choose another or stop that one" : "";
  return error("{}: cannot listen on {}: {}{}", option, where, std::strerror(e), hint);
}

}  // namespace

Listener::~Listener() {
  stop();
  if (fd_ >= 0) close(fd_);
  if (!unlink_.empty()) unlink(unlink_.c_str());
}

Status Listener::open(const ListenAddress& address, std::string_view option) {
  Status opened = address.unix_path.empty() ? open_tcp(address, option) : open_unix(address.unix_path, option);
  if (!opened) return opened;
  if (listen(fd_, 64) != 0) return failed(option, where_, errno);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  return {};
}

Status Listener::open_tcp(const ListenAddress& address, std::string_view option) {
  int last = EADDRNOTAVAIL;
  for (unsigned port = address.port; port <= address.last_port; ++port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (const int e = getaddrinfo(address.host.c_str(), std::to_string(port).c_str(), &hints, &found)) {
      return error("{}: cannot find the host '{}': {}", option, address.host, gai_strerror(e));
    }
    for (const addrinfo* a = found; a && fd_ < 0; a = a->ai_next) {
      const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
      const int on = 1;
      if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      // A port that is bound by somebody who does not listen yet is seen by listen() alone.
      if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, 64) != 0) {
        last = errno;
        if (fd >= 0) close(fd);
        continue;
      }
      fd_ = fd;
      family_ = a->ai_family == AF_INET6 ? "ipv6" : "ipv4";
    }
    freeaddrinfo(found);
    const bool v6 = address.host.find(':') != std::string::npos;
    where_ = v6 ? fmt::format("[{}]:{}", address.host, port) : fmt::format("{}:{}", address.host, port);
    if (fd_ >= 0) return {};
    if (last != EADDRINUSE) break;
  }
  return failed(option, where_, last);
}

Status Listener::open_unix(const std::string& path, std::string_view option) {
  where_ = path;
  family_ = "unix";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failed(option, where_, errno);
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0) {
    // A socket nobody listens on was left behind by a program that ended; anything else is not ours to remove.
    if (!S_ISSOCK(st.st_mode) || connect(fd_, generic, sizeof address) == 0 || errno != ECONNREFUSED) {
      return failed(option, where_, EADDRINUSE);
    }
    unlink(path.c_str());
  }
  if (bind(fd_, generic, sizeof address) != 0) return failed(option, where_, errno);
  unlink_ = path;
  return {};
}

void Listener::start(std::function<void(int, const std::string&)> meet) {
  meet_ = std::move(meet);
  thread_.start([this] { run(); });
}

void Listener::stop() {
  thread_.stop();
  look_after(true);
}

void Listener::run() {
  while (!thread_.stopping()) {
    const short events = thread_.wait(fd_, POLLIN, meetings_.empty() ? -1 : 100);
    look_after(false);
    if (events & POLLIN) accept_one();
  }
}

void Listener::accept_one() {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC);
  if (fd < 0) {
    // No descriptors left: those who wait do so a little longer.
    if (errno == EMFILE || errno == ENFILE) thread_.wait(-1, 0, 100);
    return;
  }
  const int other = meetings_.size() < kMostAtOnce ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
  if (other < 0) {
    close(fd);
    return;
  }
  Meeting& meeting = meetings_.emplace_back();
  meeting.fd = other;
  meeting.until = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceSeconds);
  try {
    meeting.thread = std::thread([this, fd, &meeting, peer = name_of(address, length)] {
      meet_(fd, peer);
      meeting.over = true;
    });
  } catch (const std::system_error&) {  // no more threads
    close(fd);
    close(other);
    meetings_.pop_back();
  }
}

// Ends what is over, and what takes too long or, with `all`, everything.
void Listener::look_after(bool all) {
  const auto now = std::chrono::steady_clock::now();
  for (auto m = meetings_.begin(); m != meetings_.end();) {
    if (!m->over && (all || now > m->until)) shutdown(m->fd, SHUT_RDWR);
    if (!m->over && !all) {
      ++m;
      continue;
    }
    m->thread.join();
    close(m->fd);
    m = meetings_.erase(m);
  }
}

}  // namespace xlat
