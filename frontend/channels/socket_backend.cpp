// TCP and Unix sockets as channels, listening or connecting.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frontend/channels/listening_socket.h"
#include "frontend/channels/stream_backend.h"

namespace xlat {

namespace {

class SocketBackend final : public StreamBackend {
 public:
  SocketBackend(CharSpec spec, std::string label) : spec_(std::move(spec)), label_(std::move(label)) {
    if (spec_.telnet) speak_telnet();
  }
  ~SocketBackend() override {
    stop();
    hang_up();
    if (listener_ >= 0) {
      close(listener_);
      if (spec_.kind == CharSpec::Kind::kUnix) unlink(spec_.path.c_str());
    }
  }

  Status open() override { return spec_.kind == CharSpec::Kind::kUnix ? open_unix() : open_tcp(); }

  Status start(CharHandlers handlers, int cancel_fd) override {
    handlers_ = std::move(handlers);
    if (spec_.server && spec_.wait) {
      fmt::print(stderr, "xlat: {}: waiting for a connection on {}\n", label_, where());
      pollfd fds[2] = {{listener_, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
      while (poll(fds, 2, -1) < 0 && errno == EINTR) {}
      if (fds[0].revents & POLLIN) accept_one();
    } else if (!spec_.server) {
      handlers_.connected();
    }
    reader_.start([this] { run(); });
    return {};
  }

 private:
  std::string where() const {
    return spec_.kind == CharSpec::Kind::kUnix ? "unix:" + spec_.path : "tcp:" + spec_.host + ":" + spec_.port;
  }

  Error failed(const char* doing, int e) const {
    return error("{}: cannot {} {}: {}", label_, doing, where(), std::strerror(e));
  }

  Status open_unix() {
    if (spec_.server) return take(listen_on(spec_.path, 1, label_, where()));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, spec_.path.data(), spec_.path.size());  // its length was checked
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failed("make a socket for", errno);
    if (connect(fd, generic, sizeof address) != 0) return close_after(fd, failed("connect to", errno));
    adopt(fd);
    return {};
  }

  Status open_tcp() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = spec_.server ? AI_PASSIVE : 0;
    addrinfo* found = nullptr;
    const char* host = spec_.host.empty() ? (spec_.server ? nullptr : "localhost") : spec_.host.c_str();
    if (const int e = getaddrinfo(host, spec_.port.c_str(), &hints, &found)) {
      return error("{}: cannot find the host of {}: {}", label_, where(), gai_strerror(e));
    }
    if (spec_.server) {
      const auto listening = listen_on(found, 1, label_, where());
      freeaddrinfo(found);
      return take(listening);
    }
    Error last = failed("use", EADDRNOTAVAIL);
    for (const addrinfo* a = found; a; a = a->ai_next) {
      const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
      if (fd < 0) {
        last = failed("make a socket for", errno);
        continue;
      }
      if (connect_soon(fd, a->ai_addr, a->ai_addrlen) != 0) {
        last = close_after(fd, failed("connect to", errno));
        continue;
      }
      freeaddrinfo(found);
      adopt(fd);
      return {};
    }
    freeaddrinfo(found);
    return last;
  }

  // connect() that gives up after ten seconds.
  static int connect_soon(int fd, const sockaddr* address, socklen_t length) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, address, length) == 0) return 0;
    if (errno != EINPROGRESS) return -1;
    pollfd p{fd, POLLOUT, 0};
    int outcome = ETIMEDOUT;
    socklen_t size = sizeof outcome;
    if (poll(&p, 1, 10'000) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &size);
    errno = outcome;
    return outcome == 0 ? 0 : -1;
  }

  static Error close_after(int fd, Error e) {
    close(fd);
    return e;
  }

  Status take(Result<int> listening) {
    if (!listening) return listening.error();
    listener_ = *listening;
    return {};
  }

  void adopt(int fd) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    const int on = 1;
    if (spec_.kind == CharSpec::Kind::kTcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    set_stream(fd);
  }

  void accept_one() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    adopt(fd);
    handlers_.connected();
  }

  void hang_up() {
    const int fd = stream();
    set_stream(-1);
    if (fd >= 0) close(fd);
  }

  // One caller at a time; when that has gone, the next.
  void run() {
    while (!reader_.stopping()) {
      if (stream() >= 0) {
        if (!serve()) return;
        hang_up();
        handlers_.disconnected();
        if (!spec_.server) return;
      } else if (reader_.wait(listener_, POLLIN) & POLLIN) {
        accept_one();
      } else if (listener_ < 0) {
        return;
      }
    }
  }

  CharSpec spec_;
  std::string label_;
  int listener_ = -1;
};

}  // namespace

std::unique_ptr<CharBackend> make_socket_backend(const CharSpec& spec, std::string label) {
  return std::make_unique<SocketBackend>(spec, std::move(label));
}

}  // namespace xlat
