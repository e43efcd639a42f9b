// Sub-options of -netdev user: its addresses, names and forwarded ports.
#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>

#include "frontend/net/net_backend.h"
#include "frontend/options/net_types.h"

namespace xlat {

namespace {

std::optional<in_addr> address(std::string_view text) {
  in_addr value{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &value) != 1) return std::nullopt;
  return value;
}

in_addr host_order(u32 value) { return in_addr{htonl(value)}; }

std::optional<u16> port_of(std::string_view text) {
  const auto port = parse_number(text);
  if (!port || *port > 65535) return std::nullopt;
  return static_cast<u16>(*port);
}

std::string_view cut(std::string_view& rest, char at) {
  const auto place = rest.find(at);
  const std::string_view first = rest.substr(0, place);
  rest = place == std::string_view::npos ? std::string_view() : rest.substr(place + 1);
  return first;
}

// net=ADDRESS[/BITS or /MASK]; without a mask what its class has.
Status parse_net(std::string_view option, const std::string& value, UserNet& net) {
  std::string_view rest = value;
  const std::string_view number = cut(rest, '/');
  const auto parsed = address(number);
  if (!parsed) return error("{}: net={}: failed to parse network address", option, value);
  const u32 ip = ntohl(parsed->s_addr);
  u32 mask;
  if (rest.empty()) {
    mask = !(ip >> 31)                         ? 0xff00'0000
           : (ip & 0xfff0'0000) == 0xac10'0000 ? 0xfff0'0000
           : ip >> 30 == 2                     ? 0xffff'0000
           : (ip & 0xffff'0000) == 0xc0a8'0000 ? 0xffff'0000
                                               : 0xffff'ff00;
  } else if (const auto given = address(rest)) {
    mask = ntohl(given->s_addr);
  } else {
    const auto bits = parse_number(rest);
    if (!bits || *bits < 4 || *bits > 32)
      return error("{}: net={}: invalid netmask provided (must be in range 4-32)", option, value);
    mask = ~u32{0} << (32 - *bits);
  }
  if (mask & (~mask >> 1)) return error("{}: net={}: the mask's ones are not all in front", option, value);
  net.net = host_order(ip & mask);
  net.mask = host_order(mask);
  return {};
}

std::optional<in6_addr> address6(const std::string& text) {
  in6_addr value{};
  if (inet_pton(AF_INET6, text.c_str(), &value) != 1) return std::nullopt;
  return value;
}

in6_addr with_end(in6_addr net, u8 last) {
  net.s6_addr[15] = last;
  return net;
}

// guestfwd=[tcp]:SERVER:PORT-CHANNEL or -cmd:COMMAND.
Result<GuestForward> parse_guest_forward(std::string_view option, const std::string& value) {
  const auto bad = [&](std::string_view why) {
    return error("{}: invalid guest forwarding rule '{}': {}", option, value, why);
  };
  GuestForward forward;
  forward.text = value;
  std::string_view rest = value;
  const std::string_view protocol = cut(rest, ':');
  if (!protocol.empty() && protocol != "tcp") return bad("write tcp:SERVER:PORT-CHANNEL");
  const auto server = address(cut(rest, ':'));
  const auto port = port_of(cut(rest, '-'));
  if (!server) return bad("bad address of the server");
  if (!port || *port == 0) return bad("bad port");
  if (rest.empty()) return bad("behind '-' stands a channel, or cmd: and a command");
  forward.server = *server;
  forward.port = *port;
  if (rest.starts_with("cmd:")) {
    forward.command = rest.substr(4);
    if (forward.command.empty()) return bad("there is no command behind cmd:");
    return forward;
  }
  auto channel = parse_char_spec(rest, option);
  if (!channel) return channel.error();
  forward.channel = std::move(*channel);
  return forward;
}

struct Text {
  std::string_view name;
  std::string UserNet::*to;
};
constexpr Text kTexts[] = {{"hostname", &UserNet::hostname}, {"domainname", &UserNet::domain},
                           {"tftp", &UserNet::tftp},         {"tftp-server-name", &UserNet::tftp_server},
                           {"bootfile", &UserNet::bootfile}, {"smb", &UserNet::smb}};

struct Addresses {
  std::optional<in_addr> host, dns, dhcp;
  std::optional<in6_addr> host6, dns6;
};

// What depends on the network's own address.
Status place(std::string_view option, UserNet& net, const Addresses& given) {
  const u32 ip = ntohl(net.net.s_addr), mask = ntohl(net.mask.s_addr);
  const auto own = [&](std::optional<in_addr> chosen, u32 usual) {
    return chosen.value_or(host_order(ip | (usual & ~mask)));
  };
  net.host = own(given.host, 2);
  net.dns = own(given.dns, 3);
  net.dhcp_start = own(given.dhcp, 15);
  const auto inside = [&](in_addr a) { return (ntohl(a.s_addr) & mask) == ip; };
  if (!inside(net.host)) return error("{}: host={}: host doesn't belong to network", option, inet_ntoa(net.host));
  if (!inside(net.dns)) return error("{}: dns={}: DNS doesn't belong to network", option, inet_ntoa(net.dns));
  if (!inside(net.dhcp_start))
    return error("{}: dhcpstart={}: DHCP doesn't belong to network", option, inet_ntoa(net.dhcp_start));
  if (net.dns.s_addr == net.host.s_addr) return error("{}: DNS must be different from host", option);
  if (net.dhcp_start.s_addr == net.host.s_addr || net.dhcp_start.s_addr == net.dns.s_addr) {
    return error("{}: DHCP must be different from host and DNS", option);
  }
  if (net.smb_server && !inside(*net.smb_server)) {
    return error("{}: smbserver={}: SMB server doesn't belong to network", option, inet_ntoa(*net.smb_server));
  }
  net.host6 = given.host6.value_or(with_end(net.net6, 2));
  net.dns6 = given.dns6.value_or(with_end(net.net6, 3));
  return {};
}

}  // namespace

bool UserNet::spawns() const {
  return !smb.empty() || std::any_of(guest_forwards.begin(), guest_forwards.end(),
                                     [](const GuestForward& f) { return !f.command.empty(); });
}

Result<HostForward> parse_host_forward(std::string_view text) {
  const auto bad = [&](std::string_view why) { return error("invalid host forwarding rule '{}' ({})", text, why); };
  HostForward forward;
  forward.text = text;
  std::string_view rest = text;
  if (rest.find(':') == std::string_view::npos) return bad("no ':' behind the protocol");
  const std::string_view protocol = cut(rest, ':');
  if (protocol != "tcp" && protocol != "udp" && !protocol.empty()) return bad("bad protocol name");
  forward.udp = protocol == "udp";
  if (rest.find(':') == std::string_view::npos) return bad("missing : separator");
  const std::string_view host = cut(rest, ':');
  const auto host_ip = host.empty() ? std::optional<in_addr>(in_addr{}) : address(host);
  if (!host_ip) return bad("bad host address");
  if (rest.find('-') == std::string_view::npos) return bad("no '-' between host and guest");
  const auto host_port = port_of(cut(rest, '-'));
  if (!host_port) return bad("bad host port");
  if (rest.find(':') == std::string_view::npos) return bad("missing guest address");
  const std::string_view guest = cut(rest, ':');
  const auto guest_ip = guest.empty() ? std::optional<in_addr>(in_addr{}) : address(guest);
  if (!guest_ip) return bad("bad guest address");
  const auto guest_port = port_of(rest);
  if (!guest_port || *guest_port == 0) return bad("bad guest port");
  forward.host = *host_ip;
  forward.guest = *guest_ip;
  forward.host_port = *host_port;
  forward.guest_port = *guest_port;
  return forward;
}

Result<UserNet> parse_user_net(std::string_view option, std::span<const SubOption> parts) {
  if (!user_net_missing().empty()) return error("{}: {}", option, user_net_missing());
  UserNet net;
  net.net = host_order(0x0a00'0200);
  net.mask = host_order(0xffff'ff00);
  net.net6 = *address6("fec0::");
  Addresses given;
  std::optional<bool> v4, v6;
  for (const SubOption& part : parts) {
    const std::string& value = part.value;
    if (common_net_part(part)) continue;
    if (const auto* text =
            std::find_if(std::begin(kTexts), std::end(kTexts), [&](const Text& t) { return t.name == part.name; });
        text != std::end(kTexts)) {
      net.*text->to = value;
      continue;
    }
    const bool quad = part.name == "host" || part.name == "dns" || part.name == "dhcpstart" || part.name == "smbserver";
    const bool quad6 = part.name == "ipv6-host" || part.name == "ipv6-dns";
    if (quad || quad6) {
      const auto ip = address(value);
      const auto ip6 = address6(value);
      if (quad ? !ip : !ip6)
        return error("{}: {}={}: this is no {} address", option, part.name, value, quad ? "IPv4" : "IPv6");
      if (part.name == "host") given.host = ip;
      if (part.name == "dns") given.dns = ip;
      if (part.name == "dhcpstart") given.dhcp = ip;
      if (part.name == "smbserver") net.smb_server = ip;
      if (part.name == "ipv6-host") given.host6 = ip6;
      if (part.name == "ipv6-dns") given.dns6 = ip6;
    } else if (part.name == "restrict" || part.name == "ipv4" || part.name == "ipv6") {
      const auto on = part.has_value ? parse_switch(value) : std::optional(true);
      if (!on) return error("{}: {}={}: give on or off", option, part.name, value);
      if (part.name == "restrict") net.restricted = *on;
      if (part.name == "ipv4") v4 = on;
      if (part.name == "ipv6") v6 = on;
    } else if (part.name == "net") {
      if (Status s = parse_net(option, value, net); !s) return s.error();
    } else if (part.name == "ipv6-net") {
      std::string_view rest = value;
      const auto prefix = address6(std::string(cut(rest, '/')));
      const auto bits = rest.empty() ? std::optional<u64>(64) : parse_number(rest);
      if (!prefix || !bits || *bits > 126)
        return error("{}: ipv6-net={}: give an IPv6 prefix, as fec0::/64", option, value);
      net.net6 = *prefix;
      net.prefix6 = static_cast<u8>(*bits);
    } else if (part.name == "dnssearch") {
      net.dns_search.push_back(value);
    } else if (part.name == "hostfwd") {
      auto forward = parse_host_forward(value);
      if (!forward) return error("{}: {}", option, forward.error().message);
      net.forwards.push_back(std::move(*forward));
    } else if (part.name == "guestfwd") {
      auto forward = parse_guest_forward(option, value);
      if (!forward) return forward.error();
      net.guest_forwards.push_back(std::move(*forward));
    } else {
      static constexpr std::string_view kNames[] = {
          "ipv4",      "net",      "host",     "ipv6",      "ipv6-net",   "ipv6-host", "restrict",         "hostname",
          "dhcpstart", "dns",      "ipv6-dns", "dnssearch", "domainname", "tftp",      "tftp-server-name", "bootfile",
          "hostfwd",   "guestfwd", "smb",      "smbserver"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
  }
  // One that is asked for alone excludes the other.
  net.v4 = v4.value_or(!v6.value_or(false));
  net.v6 = v6.value_or(!v4.value_or(false));
  if (!net.v4 && !net.v6) return error("{}: IPv4 and IPv6 are both off", option);
  if (net.hostname.size() > 33) return error("{}: hostname={}: a name has at most 33 letters", option, net.hostname);
  if (net.domain.size() > 255 || net.bootfile.size() >= 128)
    return error("{}: domainname= or bootfile= is too long", option);
  struct stat st {};
  if (!net.tftp.empty() && (stat(net.tftp.c_str(), &st) != 0 || !S_ISDIR(st.st_mode))) {
    return error("{}: tftp={}: there is no such folder", option, net.tftp);
  }
  if (Status s = place(option, net, given); !s) return s.error();
  return net;
}

}  // namespace xlat
