// -netdev socket,listen= and connect=, and -netdev stream: a cable to one other machine.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "frontend/channels/listening_socket.h"
#include "frontend/net/frame_stream.h"
#include "frontend/net/net_socket.h"

namespace xlat {

namespace {

class StreamNetwork final : public SocketNet {
 public:
  StreamNetwork(const NetSpec& spec) : SocketNet(spec.by), spec_(std::get<StreamNet>(spec.what)) {}
  ~StreamNetwork() override {
    thread_.stop();
    if (listener_ < 0) return;
    close(listener_);
    if (spec_.at.kind == NetEndpoint::Kind::kUnix) unlink(spec_.at.path.c_str());
  }

  Status open() override {
    if (spec_.at.kind == NetEndpoint::Kind::kFd) return take_descriptor();
    return spec_.server ? listen() : connect();
  }
  std::string info() const override {
    return fmt::format("socket: {} {}{}", spec_.server ? "listening on" : "connected to", describe(spec_.at),
                       spec_.server && connected_ ? ", connected" : "");
  }

 private:
  Status take_descriptor() {
    if (fcntl(spec_.at.fd, F_GETFD) < 0) return failed("use", describe(spec_.at), errno);
    if (spec_.server) {
      listener_ = spec_.at.fd;
      fcntl(listener_, F_SETFL, O_NONBLOCK);
    } else {
      adopt(spec_.at.fd);
    }
    return {};
  }

  Status listen() {
    Result<int> listening = 0;
    if (spec_.at.kind == NetEndpoint::Kind::kUnix) {
      listening = listen_on(spec_.at.path, 1, who_, describe(spec_.at));
    } else {
      auto addresses = find_addresses(spec_.at, SOCK_STREAM, true, who_);
      if (!addresses) return addresses.error();
      listening = listen_on(addresses->get(), 1, who_, describe(spec_.at));
    }
    if (!listening) return listening.error();
    listener_ = *listening;
    return {};
  }

  Status connect() {
    if (spec_.at.kind == NetEndpoint::Kind::kUnix) {
      const sockaddr_un address = unix_address(spec_.at.path);
      return try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    auto addresses = find_addresses(spec_.at, SOCK_STREAM, false, who_);
    if (!addresses) return addresses.error();
    Status last = failed("connect to", describe(spec_.at), EADDRNOTAVAIL);
    for (const addrinfo* a = addresses->get(); a && !last; a = a->ai_next) {
      last = try_connect(a->ai_family, a->ai_addr, a->ai_addrlen);
    }
    return last;
  }

  Status try_connect(int family, const sockaddr* address, socklen_t length) {
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failed("make a socket for", describe(spec_.at), errno);
    if (::connect(fd, address, length) != 0) {
      const int e = errno;
      close(fd);
      return failed("connect to", describe(spec_.at), e);
    }
    adopt(fd);
    return {};
  }

  void adopt(int fd) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on others, which do not delay
    fd_ = fd;
    incoming_.clear();
    waiting_.clear();
    sent_ = 0;
    connected_ = true;
  }

  void hang_up() {
    close(fd_);
    fd_ = -1;
    connected_ = false;
  }

  void run() override {
    while (!thread_.stopping()) {
      if (fd_ >= 0) {
        if (!serve()) hang_up();
      } else if (thread_.wait(listener_, POLLIN) & POLLIN) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) adopt(fd);
      }
      if (fd_ < 0) {
        while (outgoing_.pop()) {}  // nobody is there
      }
    }
  }

  // False when the other end has gone.
  bool serve() {
    const short got = wait(sent_ < waiting_.size());
    if (!send_waiting()) return false;
    if (!(got & (POLLIN | POLLHUP | POLLERR))) return true;
    std::array<u8, 65536> buffer;
    const ssize_t n = read(fd_, buffer.data(), buffer.size());
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    return n > 0 && incoming_.feed(std::span(buffer).first(static_cast<std::size_t>(n)), handlers_.frame);
  }

  bool send_waiting() {
    for (;;) {
      if (sent_ == waiting_.size()) {
        waiting_.clear();
        sent_ = 0;
        for (unsigned n = 0; n < kAtOnce; ++n) {
          const auto frame = outgoing_.pop();
          if (!frame) break;
          FrameStream::append(waiting_, *frame);
        }
        if (waiting_.empty()) return true;
      }
      const ssize_t n = ::send(fd_, waiting_.data() + sent_, waiting_.size() - sent_, MSG_NOSIGNAL);
      if (n < 0) return errno == EINTR || errno == EAGAIN;
      sent_ += static_cast<std::size_t>(n);
    }
  }

  StreamNet spec_;
  int listener_ = -1;
  std::atomic<bool> connected_ = false;
  FrameStream incoming_;
  std::vector<u8> waiting_;  // on its way out, of which so many bytes are gone
  std::size_t sent_ = 0;
};

}  // namespace

std::unique_ptr<NetBackend> make_stream_net(const NetSpec& spec) {
  const NetEndpoint& at = std::get<StreamNet>(spec.what).at;
  int type = 0;
  socklen_t size = sizeof type;
  if (at.kind == NetEndpoint::Kind::kFd && getsockopt(at.fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
      type == SOCK_DGRAM) {
    NetSpec datagrams = spec;
    datagrams.what = DatagramNet{.local = at, .remote = {}, .multicast = false};
    return make_datagram_net(datagrams);
  }
  return std::make_unique<StreamNetwork>(spec);
}

}  // namespace xlat
