// Pipes, files and sockets that states go through.
#include "frontend/states/migration.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/spelling.h"
#include "frontend/channels/listening_socket.h"

namespace xlat {

namespace {

struct Uri {
  enum class Kind : u8 { kExec, kFile, kFd, kUnix, kTcp } kind;
  std::string rest;
};

Result<Uri> parse_uri(const std::string& uri) {
  static constexpr std::pair<std::string_view, Uri::Kind> kKinds[] = {{"exec:", Uri::Kind::kExec},
                                                                      {"file:", Uri::Kind::kFile},
                                                                      {"fd:", Uri::Kind::kFd},
                                                                      {"unix:", Uri::Kind::kUnix},
                                                                      {"tcp:", Uri::Kind::kTcp}};
  for (const auto& [prefix, kind] : kKinds) {
    if (!uri.starts_with(prefix)) continue;
    Uri found{kind, uri.substr(prefix.size())};
    if (found.rest.empty()) break;
    return found;
  }
  return error(
      "unknown migration protocol: {}; there are exec:COMMAND, file:PATH, fd:NUMBER, unix:PATH and "
      "tcp:HOST:PORT",
      uri);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> resolve(const std::string& host_port, bool listens) {
  const auto colon = host_port.rfind(':');
  if (colon == std::string::npos) return error("tcp:{}: write tcp:HOST:PORT", host_port);
  std::string host = host_port.substr(0, colon), port = host_port.substr(colon + 1);
  port = port.substr(0, port.find(','));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = listens ? AI_PASSIVE : 0;
  if (const int e = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found)) {
    return error("tcp:{}: {}", host_port, gai_strerror(e));
  }
  return Addresses(found, &freeaddrinfo);
}

Result<int> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return error("unix:{}: the path is too long", path);
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  const int e = errno;
  if (fd >= 0) close(fd);
  return error("cannot connect to unix:{}: {}", path, std::strerror(e));
}

Result<int> connect_tcp(const std::string& where) {
  auto addresses = resolve(where, false);
  if (!addresses) return addresses.error();
  int e = 0;
  for (const addrinfo* a = addresses->get(); a; a = a->ai_next) {
    const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) return fd;
    e = errno;
    if (fd >= 0) close(fd);
  }
  return error("cannot connect to tcp:{}: {}", where, std::strerror(e));
}

Result<std::FILE*> start(const std::string& command, const char* mode) {
  std::fflush(nullptr);
  if (std::FILE* pipe = popen(command.c_str(), mode)) return pipe;
  const int e = errno;
  return error("cannot start '{}': {}; once the machine runs that needs -sandbox on,spawn=allow, or off", command,
               std::strerror(e));
}

Status end(std::FILE* pipe, const std::string& command) {
  const int status = pclose(pipe);
  if (status == 0) return {};
  return error("'{}' ended with status {}", command, WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

Result<int> number_of(const std::string& text) {
  const auto fd = parse_number(text);
  if (!fd || *fd > 65535 || fcntl(static_cast<int>(*fd), F_GETFD) < 0) {
    return error("fd:{}: there is no open file of that number", text);
  }
  return static_cast<int>(*fd);
}

}  // namespace

Status send_state(const std::string& uri, const std::function<Status(StateWriter&)>& save) {
  auto parsed = parse_uri(uri);
  if (!parsed) return parsed.error();
  const std::string& rest = parsed->rest;
  const auto to = [&save](int fd) {
    StateWriter writer([fd](std::span<const u8> bytes) { return write_all(fd, bytes); });
    return save(writer);
  };
  const auto to_socket = [&](Result<int> fd) -> Status {
    if (!fd) return fd.error();
    const Status done = to(*fd);
    close(*fd);
    return done;
  };
  switch (parsed->kind) {
    case Uri::Kind::kFile: return save_state_to_file(rest, save);
    case Uri::Kind::kUnix: return to_socket(connect_unix(rest));
    case Uri::Kind::kTcp: return to_socket(connect_tcp(rest));
    case Uri::Kind::kFd: {
      auto fd = number_of(rest);
      return fd ? to(*fd) : Status(fd.error());
    }
    case Uri::Kind::kExec: break;
  }
  auto pipe = start(rest, "w");
  if (!pipe) return pipe.error();
  const Status written = to(fileno(*pipe));
  const Status ended = end(*pipe, rest);
  return ended ? written : ended;
}

Result<StateSource> StateSource::open(const std::string& uri) {
  auto parsed = parse_uri(uri);
  if (!parsed) return parsed.error();
  const std::string& rest = parsed->rest;
  StateSource source;
  source.uri_ = uri;
  const auto take = [&source](Result<int> fd) -> Status {
    if (!fd) return fd.error();
    source.fd_ = *fd;
    return {};
  };
  Status done;
  switch (parsed->kind) {
    case Uri::Kind::kFile:
      source.fd_ = ::open(rest.c_str(), O_RDONLY | O_CLOEXEC);
      if (source.fd_ < 0) done = error("cannot open '{}': {}", rest, std::strerror(errno));
      break;
    case Uri::Kind::kFd: done = take(number_of(rest)); break;
    case Uri::Kind::kUnix:
      source.listens_ = true;
      done = take(listen_on(rest, 1, "-incoming", uri));
      if (done) source.socket_path_ = rest;
      break;
    case Uri::Kind::kTcp: {
      source.listens_ = true;
      auto addresses = resolve(rest, true);
      if (!addresses) return addresses.error();
      done = take(listen_on(addresses->get(), 1, "-incoming", uri));
      break;
    }
    case Uri::Kind::kExec: {
      auto pipe = start(rest, "r");
      if (!pipe) return pipe.error();
      source.command_ = *pipe;
      break;
    }
  }
  if (!done) return done.error();
  return source;
}

StateSource::StateSource(StateSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      listens_(other.listens_),
      socket_path_(std::exchange(other.socket_path_, {})),
      command_(std::exchange(other.command_, nullptr)),
      uri_(std::move(other.uri_)) {}

StateSource::~StateSource() {
  if (fd_ >= 0) close(fd_);
  if (!socket_path_.empty()) unlink(socket_path_.c_str());
  if (command_) pclose(command_);
}

Result<StateReader> StateSource::receive() {
  if (command_) {
    auto state = read_state(fileno(command_));
    const Status ended = end(std::exchange(command_, nullptr), uri_.substr(5));
    return state || ended ? std::move(state) : Result<StateReader>(ended.error());
  }
  if (!listens_) return read_state(fd_);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
  const int peer = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (peer < 0) return error("{}: {}", uri_, std::strerror(errno));
  auto state = read_state(peer);
  close(peer);
  return state;
}

}  // namespace xlat
