// The networks that -netdev, -nic and -net name.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "frontend/options/char_spec.h"

namespace xlat {

// hostfwd=: a port of the host's that leads to one of the guest's.
struct HostForward {
  bool udp = false;
  in_addr host{}, guest{};  // all zero: any address, and the guest's first
  u16 host_port = 0, guest_port = 0;
  std::string text;  // as it was given
};
// guestfwd=: an address in the guest's network that leads to a channel, or to a program for each connection.
struct GuestForward {
  in_addr server{};
  u16 port = 0;
  std::string command;  // empty: `channel`
  CharSpec channel;
  std::string text;
};

struct UserNet {
  bool v4 = true, v6 = true, restricted = false;
  in_addr net{}, mask{}, host{}, dns{}, dhcp_start{};
  in6_addr net6{}, host6{}, dns6{};
  u8 prefix6 = 64;
  std::string hostname, domain, tftp, tftp_server, bootfile, smb;
  std::optional<in_addr> smb_server;
  std::vector<std::string> dns_search;
  std::vector<HostForward> forwards;
  std::vector<GuestForward> guest_forwards;

  // Programs are started while the machine runs.
  bool spawns() const;
};

struct NetEndpoint {
  enum class Kind : u8 { kNone, kInet, kUnix, kFd } kind = Kind::kNone;
  std::string host, port, path;
  int fd = -1;
};
// TCP or a Unix stream, each frame behind its length.
struct StreamNet {
  NetEndpoint at;
  bool server = false;
};
// UDP or Unix datagrams, one for each frame.
struct DatagramNet {
  NetEndpoint local, remote;
  bool multicast = false;
};

struct TapNet {
  std::string ifname, script = "/etc/qemu-ifup", down_script = "/etc/qemu-ifdown", bridge;
  std::vector<int> fds;
};

struct HubPortNet {
  unsigned hub = 0;
  std::string netdev;  // what is plugged into it; empty: a card
};

struct NetSpec {
  std::string id, type;
  std::string by;  // the option, for messages
  std::variant<UserNet, StreamNet, DatagramNet, TapNet, HubPortNet> what;
};

// -object filter-dump.
struct NetDumpSpec {
  std::string id, netdev, file;
  u32 most_bytes = 65536;  // of each frame
};

// `where` begins the messages: "hostfwd=tcp::2222-:22".
Result<HostForward> parse_host_forward(std::string_view text);

}  // namespace xlat
