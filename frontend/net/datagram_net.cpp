// -netdev socket,udp= and mcast=, and -netdev dgram: a datagram is a frame.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "devices/net/ethernet.h"
#include "frontend/net/net_socket.h"

namespace xlat {

namespace {

class DatagramNetwork final : public SocketNet {
 public:
  DatagramNetwork(const NetSpec& spec) : SocketNet(spec.by), spec_(std::get<DatagramNet>(spec.what)) {}
  ~DatagramNetwork() override {
    if (bound_path_) unlink(spec_.local.path.c_str());
  }

  Status open() override {
    Status opened = open_socket();
    if (!opened) return opened;
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    // Room for what TCP sends at once; the host gives as much as it will.
    const int room = 1 << 20;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return opened;
  }
  std::string info() const override {
    return spec_.multicast ? fmt::format("socket: mcast={} (shared)", describe(spec_.remote))
                           : fmt::format("socket: local={},remote={}", describe(spec_.local), describe(spec_.remote));
  }

 private:
  Status open_socket() {
    if (spec_.local.kind == NetEndpoint::Kind::kFd) {
      if (fcntl(spec_.local.fd, F_GETFD) < 0) return failed("use", describe(spec_.local), errno);
      fd_ = spec_.local.fd;
      return {};
    }
    if (spec_.local.kind == NetEndpoint::Kind::kUnix) return open_unix();
    auto remote = find_addresses(spec_.remote, SOCK_DGRAM, false, who_);
    if (!remote) return remote.error();
    const addrinfo& to = **remote;
    std::memcpy(&remote_, to.ai_addr, to.ai_addrlen);
    remote_size_ = to.ai_addrlen;
    fd_ = socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return failed("make a socket for", describe(spec_.remote), errno);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (spec_.multicast) return join();
    auto local = find_addresses(spec_.local, SOCK_DGRAM, true, who_);
    if (!local) return local.error();
    if (bind(fd_, (*local)->ai_addr, (*local)->ai_addrlen) != 0) return failed("bind to", describe(spec_.local), errno);
    return {};
  }

  // All members are bound to the group's address and port; ip(7).
  Status join() {
    sockaddr_in group{};
    std::memcpy(&group, &remote_, sizeof group);
    if (group.sin_family != AF_INET || (ntohl(group.sin_addr.s_addr) >> 28) != 0xe) {
      return error("{}: mcast={}: this is no multicast address, 224.0.0.0 to 239.255.255.255", who_,
                   describe(spec_.remote));
    }
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&remote_), remote_size_) != 0) {
      return failed("bind to", describe(spec_.remote), errno);
    }
    ip_mreq member{.imr_multiaddr = group.sin_addr, .imr_interface = {htonl(INADDR_ANY)}};
    if (!spec_.local.host.empty() && inet_pton(AF_INET, spec_.local.host.c_str(), &member.imr_interface) != 1) {
      return error("{}: localaddr={}: this is no address", who_, spec_.local.host);
    }
    const int on = 1;
    if (setsockopt(fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member) != 0 ||
        setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on) != 0 ||
        (!spec_.local.host.empty() &&
         setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_IF, &member.imr_interface, sizeof member.imr_interface) != 0)) {
      return failed("join", describe(spec_.remote), errno);
    }
    return {};
  }

  Status open_unix() {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return failed("make a socket for", describe(spec_.local), errno);
    const sockaddr_un local = unix_address(spec_.local.path), remote = unix_address(spec_.remote.path);
    std::memcpy(&remote_, &remote, sizeof remote);
    remote_size_ = sizeof remote;
    const auto* const address = reinterpret_cast<const sockaddr*>(&local);
    // One that a program has left behind makes room.
    if (bind(fd_, address, sizeof local) != 0 &&
        (errno != EADDRINUSE || !abandoned(local) || unlink(spec_.local.path.c_str()) != 0 ||
         bind(fd_, address, sizeof local) != 0)) {
      return failed("bind to", describe(spec_.local), errno);
    }
    bound_path_ = true;
    return {};
  }

  static bool abandoned(const sockaddr_un& address) {
    const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool gone = probe >= 0 && connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                      errno == ECONNREFUSED;
    if (probe >= 0) close(probe);
    errno = EADDRINUSE;
    return gone;
  }

  void run() override {
    std::array<u8, kMostFrame> buffer;
    while (!thread_.stopping()) {
      const short got = wait(false);
      send_some([this](const auto& frame) { transmit(frame); });
      if (!(got & (POLLIN | POLLERR))) continue;
      for (unsigned n = 0; n < kAtOnce && handlers_.ready(); ++n) {
        const ssize_t size = recv(fd_, buffer.data(), buffer.size(), MSG_TRUNC);
        // What the other side refused before is told here as an error, once.
        if (size < 0) break;
        if (static_cast<std::size_t>(size) > buffer.size()) continue;
        const auto frame = std::span<const u8>(buffer).first(static_cast<std::size_t>(size));
        if (!spec_.multicast || !own(frame)) handlers_.frame(frame);
      }
    }
  }

  void transmit(std::span<const u8> frame) {
    if (spec_.multicast) {
      recent_[next_recent_] = mark(frame);
      next_recent_ = (next_recent_ + 1) % recent_.size();
    }
    const ssize_t n = remote_size_ ? sendto(fd_, frame.data(), frame.size(), MSG_NOSIGNAL,
                                            reinterpret_cast<const sockaddr*>(&remote_), remote_size_)
                                   : ::send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL);
    if (n < 0) errno = 0;  // lost, as frames are
  }

  // A group's members hear themselves as well, which no network card does. What comes back is known by its contents.
  static u64 mark(std::span<const u8> frame) { return u64{frame.size()} << 32 | frame_crc(frame); }
  bool own(std::span<const u8> frame) {
    for (u64& each : recent_) {
      if (each != mark(frame)) continue;
      each = 0;
      return true;
    }
    return false;
  }

  DatagramNet spec_;
  sockaddr_storage remote_{};
  socklen_t remote_size_ = 0;
  bool bound_path_ = false;
  std::array<u64, 256> recent_{};
  std::size_t next_recent_ = 0;
};

}  // namespace

std::unique_ptr<NetBackend> make_datagram_net(const NetSpec& spec) { return std::make_unique<DatagramNetwork>(spec); }

}  // namespace xlat
