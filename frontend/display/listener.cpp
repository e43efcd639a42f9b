// TCP and Unix sockets, and the threads of those who call.
#include "frontend/display/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "frontend/channels/listening_socket.h"

namespace xlat {

namespace {

constexpr int kBacklog = 64;

std::string name_of(const sockaddr_storage& address, socklen_t length) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (address.ss_family == AF_UNIX ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "local";
  }
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace

Listener::~Listener() {
  stop();
  if (fd_ >= 0) close(fd_);
  if (!unlink_.empty()) unlink(unlink_.c_str());
}

Status Listener::open(const ListenAddress& address, std::string_view option) {
  return address.unix_path.empty() ? open_tcp(address, option) : open_unix(address.unix_path, option);
}

// The first port of those that nobody has.
Status Listener::open_tcp(const ListenAddress& address, std::string_view option) {
  const bool v6 = address.host.find(':') != std::string::npos;
  for (unsigned port = address.port;; ++port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (const int e = getaddrinfo(address.host.c_str(), std::to_string(port).c_str(), &hints, &found)) {
      return error("{}: cannot find the host '{}': {}", option, address.host, gai_strerror(e));
    }
    where_ = v6 ? fmt::format("[{}]:{}", address.host, port) : fmt::format("{}:{}", address.host, port);
    auto listening = listen_on(found, kBacklog, option, where_);
    freeaddrinfo(found);
    if (listening) {
      fd_ = *listening;
      sockaddr_storage bound{};
      socklen_t length = sizeof bound;
      getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &length);
      family_ = bound.ss_family == AF_INET6 ? "ipv6" : "ipv4";
      return {};
    }
    if (port >= address.last_port || listening.error().host != EADDRINUSE) return listening.error();
  }
}

Status Listener::open_unix(const std::string& path, std::string_view option) {
  where_ = path;
  family_ = "unix";
  auto listening = listen_on(path, kBacklog, option, where_);
  if (!listening) return listening.error();
  fd_ = *listening;
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
