// Addresses and waiting of the back ends on sockets.
#include "frontend/net/net_socket.h"

#include <unistd.h>

#include <cstring>

namespace xlat {

Result<Addresses> find_addresses(const NetEndpoint& at, int type, bool passive, std::string_view who) {
  addrinfo hints{};
  hints.ai_family = at.host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  hints.ai_socktype = type;
  hints.ai_flags = passive ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  const char* const host = at.host.empty() ? (passive ? nullptr : "localhost") : at.host.c_str();
  if (const int e = getaddrinfo(host, at.port.empty() ? "0" : at.port.c_str(), &hints, &found)) {
    return error("{}: cannot find host '{}': {}", who, at.host, gai_strerror(e));
  }
  return Addresses(found);
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

std::string describe(const NetEndpoint& at) {
  switch (at.kind) {
    case NetEndpoint::Kind::kInet: return at.host + ":" + at.port;
    case NetEndpoint::Kind::kUnix: return "unix:" + at.path;
    case NetEndpoint::Kind::kFd: return fmt::format("fd={}", at.fd);
    case NetEndpoint::Kind::kNone: break;
  }
  return "none";
}

SocketNet::~SocketNet() {
  thread_.stop();
  if (fd_ >= 0) close(fd_);
}

Status SocketNet::start(NetHandlers handlers) {
  handlers_ = std::move(handlers);
  thread_.start([this] { run(); });
  return {};
}

short SocketNet::wait(bool writable) {
  constexpr int kFull = 2;  // ms until the card is looked at again
  const bool ready = handlers_.ready();
  const short events = static_cast<short>((ready ? POLLIN : 0) | (writable ? POLLOUT : 0));
  const short got = thread_.wait(fd_, events, ready ? -1 : kFull);
  // Somebody who has gone is seen by reading, and must not make the loop busy before.
  if (!ready && got & (POLLERR | POLLHUP)) thread_.wait(-1, 0, kFull);
  return ready ? got : static_cast<short>(got & POLLOUT);
}

Error SocketNet::failed(const char* doing, const std::string& what, int e) const {
  return error("{}: cannot {} {}: {}", who_, doing, what, std::strerror(e));
}

}  // namespace xlat
