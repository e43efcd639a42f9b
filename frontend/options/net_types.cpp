// Sub-options of every -netdev but user.
#include "frontend/options/net_types.h"

#include <arpa/inet.h>

#include <algorithm>

namespace xlat {

namespace {

constexpr std::string_view kLater[] = {"l2tpv3", "vde", "bridge", "netmap", "vhost-user", "vhost-vdpa", "vmnet-host"};

Result<u16> port_number(std::string_view option, std::string_view name, std::string_view text) {
  const auto port = parse_number(text);
  if (!port || *port > 65535) return error("{}: {}={}: give a port, 0 to 65535", option, name, text);
  return static_cast<u16>(*port);
}

Result<int> descriptor(std::string_view option, std::string_view name, std::string_view text) {
  const auto fd = parse_number(text);
  if (!fd || *fd > 1'000'000) return error("{}: {}={}: give the number of an open descriptor", option, name, text);
  return static_cast<int>(*fd);
}

// HOST:PORT with an empty host for any, and [..] around an address of IPv6.
Result<NetEndpoint> endpoint(std::string_view option, const SubOption& part) {
  const auto colon = part.value.rfind(':');
  if (colon == std::string::npos) return error("{}: {}={}: give HOST:PORT", option, part.name, part.value);
  NetEndpoint end{.kind = NetEndpoint::Kind::kInet, .host = part.value.substr(0, colon), .port = {}, .path = {}};
  if (end.host.size() > 1 && end.host.front() == '[' && end.host.back() == ']') {
    end.host = end.host.substr(1, end.host.size() - 2);
  }
  auto port = port_number(option, part.name, std::string_view(part.value).substr(colon + 1));
  if (!port) return port.error();
  end.port = fmt::to_string(*port);
  return end;
}

Result<NetSpec> parse_socket(std::string_view option, std::span<const SubOption> parts) {
  NetSpec spec;
  const SubOption* how = nullptr;
  NetEndpoint at, local;
  for (const SubOption& part : parts) {
    if (common_net_part(part)) continue;
    if (part.name == "localaddr") {
      if (part.value.find(':') != std::string::npos) {
        auto end = endpoint(option, part);
        if (!end) return end.error();
        local = std::move(*end);
      } else {
        local = {.kind = NetEndpoint::Kind::kInet, .host = part.value, .port = {}, .path = {}};
      }
      continue;
    }
    static constexpr std::string_view kNames[] = {"fd", "listen", "connect", "mcast", "udp", "localaddr"};
    if (std::find(std::begin(kNames), std::end(kNames), part.name) == std::end(kNames)) {
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
    if (how) return error("{}: exactly one of fd=, listen=, connect=, mcast= or udp= is required", option);
    how = &part;
    if (part.name == "fd") {
      auto fd = descriptor(option, part.name, part.value);
      if (!fd) return fd.error();
      at = {.kind = NetEndpoint::Kind::kFd, .host = {}, .port = {}, .path = {}, .fd = *fd};
    } else {
      auto end = endpoint(option, part);
      if (!end) return end.error();
      at = std::move(*end);
    }
  }
  if (!how) return error("{}: exactly one of fd=, listen=, connect=, mcast= or udp= is required", option);
  if (how->name == "udp" && local.kind == NetEndpoint::Kind::kNone) {
    return error("{}: localaddr= is mandatory with udp=", option);
  }
  if (local.kind != NetEndpoint::Kind::kNone && how->name != "udp" && how->name != "mcast") {
    return error("{}: localaddr= is only for mcast= and udp=", option);
  }
  if (how->name == "mcast" || how->name == "udp") {
    spec.what = DatagramNet{.local = local, .remote = at, .multicast = how->name == "mcast"};
  } else {
    spec.what = StreamNet{.at = at, .server = how->name == "listen"};
  }
  return spec;
}

// addr.type=inet,addr.host=... of stream, local.* and remote.* of dgram.
Status endpoint_field(std::string_view option, const SubOption& part, std::string_view field, NetEndpoint& to) {
  if (field == "type") {
    to.kind = part.value == "inet"   ? NetEndpoint::Kind::kInet
              : part.value == "unix" ? NetEndpoint::Kind::kUnix
              : part.value == "fd"   ? NetEndpoint::Kind::kFd
                                     : NetEndpoint::Kind::kNone;
    if (to.kind == NetEndpoint::Kind::kNone)
      return error("{}: {}={}: give inet, unix or fd", option, part.name, part.value);
  } else if (field == "host") {
    to.host = part.value;
  } else if (field == "port") {
    auto port = port_number(option, part.name, part.value);
    if (!port) return port.error();
    to.port = part.value;
  } else if (field == "path") {
    if (part.value.empty() || part.value.size() > 107)
      return error("{}: {}: a Unix socket's path has 1 to 107 bytes", option, part.name);
    to.path = part.value;
  } else if (field == "str") {
    auto fd = descriptor(option, part.name, part.value);
    if (!fd) return fd.error();
    to.fd = *fd;
  } else if (field != "ipv4" && field != "ipv6" && field != "numeric" && field != "keep-alive" && field != "to" &&
             field != "mptcp" && field != "abstract" && field != "tight") {
    static constexpr std::string_view kNames[] = {"type", "host", "port", "path", "str"};
    return error("{}: no sub-option '{}'; {}", option, part.name, choices(field, kNames));
  }
  return {};
}

Status whole(std::string_view option, std::string_view prefix, const NetEndpoint& end) {
  using Kind = NetEndpoint::Kind;
  const char* missing = end.kind == Kind::kNone                       ? "type"
                        : end.kind == Kind::kInet && end.host.empty() ? "host"
                        : end.kind == Kind::kInet && end.port.empty() ? "port"
                        : end.kind == Kind::kUnix && end.path.empty() ? "path"
                        : end.kind == Kind::kFd && end.fd < 0         ? "str"
                                                                      : nullptr;
  return missing ? error("{}: {}.{}= is missing", option, prefix, missing) : Status();
}

Result<NetSpec> parse_stream(std::string_view option, std::span<const SubOption> parts) {
  NetSpec spec;
  StreamNet stream;
  for (const SubOption& part : parts) {
    if (common_net_part(part)) continue;
    if (part.name == "server") {
      const auto on = parse_switch(part.value);
      if (!on) return error("{}: server={}: give on or off", option, part.value);
      stream.server = *on;
    } else if (part.name.starts_with("addr.")) {
      if (Status s = endpoint_field(option, part, std::string_view(part.name).substr(5), stream.at); !s)
        return s.error();
    } else {
      static constexpr std::string_view kNames[] = {"server",    "addr.type", "addr.host",
                                                    "addr.port", "addr.path", "addr.str"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
  }
  if (Status s = whole(option, "addr", stream.at); !s) return s.error();
  spec.what = std::move(stream);
  return spec;
}

bool is_group_address(const std::string& host) {
  in_addr address{};
  return inet_aton(host.c_str(), &address) && (ntohl(address.s_addr) >> 28) == 0xe;
}

Result<NetSpec> parse_dgram(std::string_view option, std::span<const SubOption> parts) {
  NetSpec spec;
  DatagramNet dgram;
  for (const SubOption& part : parts) {
    if (common_net_part(part)) continue;
    const bool local = part.name.starts_with("local."), remote = part.name.starts_with("remote.");
    if (!local && !remote) {
      static constexpr std::string_view kNames[] = {"local.type",  "local.host",  "local.port",  "local.path",
                                                    "remote.type", "remote.host", "remote.port", "remote.path"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
    const std::string_view field = std::string_view(part.name).substr(local ? 6 : 7);
    if (Status s = endpoint_field(option, part, field, local ? dgram.local : dgram.remote); !s) return s.error();
  }
  using Kind = NetEndpoint::Kind;
  dgram.multicast = dgram.remote.kind == Kind::kInet && is_group_address(dgram.remote.host);
  if (dgram.local.kind == Kind::kNone && !dgram.multicast) {
    return error("{}: dgram requires local= or a multicast address in remote=", option);
  }
  if (dgram.local.kind != Kind::kNone && !dgram.multicast) {
    if (Status s = whole(option, "local", dgram.local); !s) return s.error();
  }
  if (dgram.local.kind != Kind::kFd) {
    if (Status s = whole(option, "remote", dgram.remote); !s) return s.error();
    if (!dgram.multicast && dgram.remote.kind != dgram.local.kind) {
      return error("{}: local.type= and remote.type= must be the same", option);
    }
  }
  spec.what = std::move(dgram);
  return spec;
}

Result<NetSpec> parse_tap(std::string_view option, std::span<const SubOption> parts) {
  NetSpec spec;
  TapNet tap;
  for (const SubOption& part : parts) {
    if (common_net_part(part)) continue;
    if (part.name == "ifname") {
      tap.ifname = part.value;
    } else if (part.name == "script") {
      tap.script = part.value == "no" ? "" : part.value;
    } else if (part.name == "downscript") {
      tap.down_script = part.value == "no" ? "" : part.value;
    } else if (part.name == "br") {
      tap.bridge = part.value;
    } else if (part.name == "fd") {
      auto fd = descriptor(option, part.name, part.value);
      if (!fd) return fd.error();
      tap.fds.push_back(*fd);
    } else if (part.name == "vhost" || part.name == "sndbuf" || part.name == "vnet_hdr" || part.name == "poll-us") {
      if (part.name == "vhost" && parse_switch(part.value).value_or(true)) {
        return error("{}: vhost={}: not in this version", option, part.value);
      }
    } else {
      static constexpr std::string_view kNames[] = {"ifname", "script", "downscript", "fd", "br"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
  }
  if (tap.ifname.size() > 15) return error("{}: ifname={}: a name has at most 15 letters", option, tap.ifname);
  if (!tap.fds.empty() && !tap.ifname.empty()) return error("{}: ifname= and fd= exclude each other", option);
  spec.what = std::move(tap);
  return spec;
}

Result<NetSpec> parse_hubport(std::string_view option, std::span<const SubOption> parts) {
  NetSpec spec;
  HubPortNet port;
  bool given = false;
  for (const SubOption& part : parts) {
    if (common_net_part(part)) continue;
    if (part.name == "hubid") {
      const auto number = parse_number(part.value);
      if (!number || *number > 0x7fff'ffff) return error("{}: hubid={}: give a number", option, part.value);
      port.hub = static_cast<unsigned>(*number);
      given = true;
    } else if (part.name == "netdev") {
      port.netdev = part.value;
    } else {
      static constexpr std::string_view kNames[] = {"hubid", "netdev"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
  }
  if (!given) return error("{}: parameter 'hubid' is missing", option);
  spec.what = std::move(port);
  return spec;
}

}  // namespace

Result<NetSpec> parse_net_spec(std::string_view option, std::span<const SubOption> parts) {
  std::string type, id;
  for (const SubOption& part : parts) {
    if (part.name == "type") type = part.value;
    if (part.name == "id") id = part.value;
  }
  if (type.empty()) return error("{}: name the back end first: user, socket, tap and so on", option);
  const auto parse = [&]() -> Result<NetSpec> {
    if (type == "user") {
      auto user = parse_user_net(option, parts);
      if (!user) return user.error();
      NetSpec spec;
      spec.what = std::move(*user);
      return spec;
    }
    if (type == "socket") return parse_socket(option, parts);
    if (type == "stream") return parse_stream(option, parts);
    if (type == "dgram") return parse_dgram(option, parts);
    if (type == "tap") return parse_tap(option, parts);
    if (type == "hubport") return parse_hubport(option, parts);
    if (std::find(std::begin(kLater), std::end(kLater), type) != std::end(kLater)) {
      return error("{}: {}: not in this version", option, type);
    }
    return error("{}: parameter 'type' does not accept value '{}'; {}", option, type, choices(type, kNetTypes));
  };
  auto spec = parse();
  if (!spec) return spec;
  if (id.empty()) return error("{}: parameter 'id' is missing", option);
  spec->id = id;
  spec->type = type;
  spec->by = std::string(option);
  return spec;
}

}  // namespace xlat
