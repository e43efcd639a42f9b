// -nic, -netdev, -net and -object: what guides write, what is refused, and who is plugged in where.
#include <arpa/inet.h>

#include <catch2/catch.hpp>

#include "frontend/host/sandbox.h"
#include "frontend/net/net_backend.h"
#include "frontend/options/command_line.h"

using namespace xlat;

namespace {

using Args = std::vector<std::string>;

Settings parsed(const Args& args) {
  auto settings = parse_command_line(args);
  INFO((settings ? "" : settings.error().message));
  REQUIRE(settings);
  return *settings;
}

std::string refused(const Args& args) {
  auto settings = parse_command_line(args);
  return settings ? "accepted" : settings.error().message;
}

bool says(const Args& args, std::string_view piece) {
  const std::string message = refused(args);
  INFO(message);
  return message.find(piece) != std::string::npos;
}

std::vector<const DeviceConfig*> cards(const Settings& s) {
  std::vector<const DeviceConfig*> found;
  for (const DeviceConfig& d : s.machine.devices) {
    if (d.find("netdev")) found.push_back(&d);
  }
  return found;
}

std::string ip(in_addr address) { return inet_ntoa(address); }

}  // namespace

TEST_CASE("a PC has a card on a user network unless something is said about networks", "[frontend]") {
  const bool user = user_net_missing().empty();
  const Settings usual = parsed({});
  REQUIRE(cards(usual).size() == 1);
  CHECK(cards(usual)[0]->type == "e1000");
  CHECK(usual.networks.size() == (user ? 3 : 1));
  CHECK(usual.machine.networks.size() == 1);
  for (const Args& none : {Args{"-nic", "none"}, {"-net", "none"}, {"-nodefaults"}}) {
    CHECK(cards(parsed(none)).empty());
    CHECK(parsed(none).networks.empty());
  }
  CHECK(cards(parsed({"-netdev", "socket,id=n,listen=:0"})).empty());
  CHECK(cards(parsed({"-device", "e1000"})).size() == 1);  // beside the usual one
}

TEST_CASE("cards and back ends find each other", "[frontend]") {
  const Settings nic = parsed({"-nic", "socket,listen=:1234,model=rtl8139,mac=52:54:00:00:00:01"});
  REQUIRE(cards(nic).size() == 1);
  CHECK(cards(nic)[0]->type == "rtl8139");
  CHECK(*cards(nic)[0]->find("mac") == "52:54:00:00:00:01");
  CHECK(*cards(nic)[0]->find("netdev") == nic.networks[0].id);
  CHECK(std::get<StreamNet>(nic.networks[0].what).server);

  const Settings old = parsed({"-net", "nic,model=ne2k_pci", "-net", "socket,mcast=230.0.0.1:1234"});
  REQUIRE(cards(old).size() == 1);
  CHECK(cards(old)[0]->type == "ne2k_pci");
  REQUIRE(old.networks.size() == 3);
  CHECK(old.machine.networks.size() == 1);
  CHECK(std::get<DatagramNet>(old.networks[1].what).multicast);
  CHECK(std::get<HubPortNet>(old.networks[2].what).netdev == old.networks[1].id);

  const Settings hub = parsed({"-netdev", "socket,id=s,connect=127.0.0.1:5000", "-netdev", "hubport,id=a,hubid=7",
                               "-netdev", "hubport,id=b,hubid=7,netdev=s", "-device", "pcnet,netdev=a"});
  CHECK(hub.machine.networks.size() == 1);
  CHECK(hub.machine.networks[0].id == "a");

  CHECK(says({"-device", "e1000,netdev=zz", "-nic", "none"}, "netdev 'zz' not found"));
  CHECK(says({"-netdev", "socket,id=s,listen=:1", "-device", "e1000,netdev=s", "-device", "e1000,netdev=s"}, "in use"));
  CHECK(says({"-netdev", "socket,id=s,listen=:1", "-netdev", "socket,id=s,listen=:2"}, "duplicate ID 's'"));
  CHECK(says({"-netdev", "hubport,id=a,hubid=1", "-netdev", "hubport,id=b,hubid=2,netdev=a"}, "hubs are not plugged"));
  CHECK(says({"-nic", "socket,listen=:1,model=frob"}, "unsupported NIC model 'frob'"));
  CHECK(says({"-nic", "socket,listen=:1,model=virtio"}, "not in this version"));
  CHECK(says({"-nic", "socket,listen=:1,mac=zz"}, "accepted"));  // Board looks at it
  CHECK(says({"-net", "dump,file=x"}, "filter-dump"));
  CHECK(says({"-netdev", "usr,id=a"}, "does not accept value 'usr'"));
  CHECK(says({"-netdev", "socket,id=1a,listen=:1"}, "make an id"));
  const Settings alone = parsed({"-netdev", "socket,id=s,listen=:1", "-device", "pcnet"});
  CHECK(alone.warnings == std::vector<std::string>{"nic pcnet has no peer", "netdev s has no peer"});
  CHECK(parsed({"-nic", "model=help"}).print->find("pcnet") != std::string::npos);
  CHECK(parsed({"-net", "nic,model=help"}).print->find("ne2k_isa") != std::string::npos);
  CHECK(parsed({"-netdev", "help"}).print->find("hubport") != std::string::npos);
}

TEST_CASE("sockets as -netdev socket, stream and dgram name them", "[frontend]") {
  const auto what = [](const std::string& text) { return parsed({"-netdev", text}).networks.at(0).what; };
  const auto stream = std::get<StreamNet>(what("stream,id=a,server=on,addr.type=unix,addr.path=/tmp/x"));
  CHECK((stream.server && stream.at.kind == NetEndpoint::Kind::kUnix && stream.at.path == "/tmp/x"));
  const auto dgram =
      std::get<DatagramNet>(what("dgram,id=a,local.type=inet,local.host=127.0.0.1,local.port=1,remote.type=inet,remote."
                                 "host=127.0.0.1,remote.port=2"));
  CHECK((!dgram.multicast && dgram.local.port == "1" && dgram.remote.port == "2"));
  CHECK(std::get<DatagramNet>(what("dgram,id=a,remote.type=inet,remote.host=230.0.0.1,remote.port=5")).multicast);
  CHECK(std::get<StreamNet>(what("socket,id=a,listen=[::1]:80")).at.host == "::1");
  for (const char* bad :
       {"socket,id=a", "socket,id=a,listen=:1,connect=:2", "socket,id=a,listen=1", "socket,id=a,listen=:x",
        "socket,id=a,listen=:70000", "socket,id=a,udp=127.0.0.1:1", "socket,id=a,listen=:1,localaddr=:2", "stream,id=a",
        "stream,id=a,addr.type=inet,addr.host=x", "stream,id=a,addr.type=foo", "dgram,id=a",
        "dgram,id=a,local.type=unix,local.path=/x", "tap,id=a,ifname=0123456789abcdef", "tap,id=a,vhost=on",
        "hubport,id=a", "hubport,id=a,hubid=x", "socket,listen=:1"}) {
    INFO(bad);
    CHECK(refused({"-netdev", bad}) != "accepted");
  }
}

TEST_CASE("a user network's addresses, names and forwarded ports", "[frontend]") {
  if (!user_net_missing().empty()) return;
  const auto user = [](const std::string& text) {
    return std::get<UserNet>(parsed({"-netdev", "user,id=u" + text}).networks.at(0).what);
  };
  const UserNet usual = user("");
  CHECK(ip(usual.net) == "10.0.2.0");
  CHECK(ip(usual.mask) == "255.255.255.0");
  CHECK(ip(usual.host) == "10.0.2.2");
  CHECK(ip(usual.dns) == "10.0.2.3");
  CHECK(ip(usual.dhcp_start) == "10.0.2.15");
  const UserNet other = user(",net=192.168.76.0/24,dhcpstart=192.168.76.9,hostname=box,restrict=on,ipv6=off");
  CHECK(ip(other.host) == "192.168.76.2");
  CHECK(ip(other.dhcp_start) == "192.168.76.9");
  CHECK((other.restricted && !other.v6 && other.v4 && other.hostname == "box"));
  CHECK(ip(user(",net=10.1.2.3").mask) == "255.0.0.0");
  CHECK(!user(",ipv6=on").v4);
  const UserNet ports = user(",hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.15:53");
  REQUIRE(ports.forwards.size() == 2);
  CHECK((ports.forwards[0].host_port == 2222 && ports.forwards[0].guest_port == 22 && !ports.forwards[0].udp));
  CHECK((ports.forwards[1].udp && ip(ports.forwards[1].host) == "127.0.0.1"));
  const UserNet inward = user(",guestfwd=tcp:10.0.2.100:1234-cmd:cat,guestfwd=tcp:10.0.2.101:80-tcp:127.0.0.1:8080");
  CHECK((inward.spawns() && inward.guest_forwards[0].command == "cat"));
  CHECK(inward.guest_forwards[1].channel.port == "8080");
  for (const char* bad :
       {"hostfwd=tcp:x", "hostfwd=tcp::99999-:22", "hostfwd=icmp::1-:2", "hostfwd=tcp::1-:0", "hostfwd=tcp::1",
        "guestfwd=foo", "guestfwd=tcp:10.0.2.100:0-cmd:cat", "guestfwd=tcp:10.0.2.100:80-", "net=1.2.3.4/99", "net=x",
        "host=1.2.3.4", "dns=10.0.2.2", "dhcpstart=10.0.2.2", "foo=1", "restrict=maybe", "ipv4=off,ipv6=off",
        "tftp=/no/such/folder"}) {
    INFO(bad);
    CHECK(refused({"-netdev", std::string("user,id=u,") + bad}) != "accepted");
  }
  CHECK(says({"-netdev", "user,id=u,hostfwd=tcp:x"}, "invalid host forwarding rule 'tcp:x'"));
  CHECK(says({"-netdev", "user"}, "parameter 'id' is missing"));
  if (sandbox_missing().empty()) {
    CHECK(says({"-sandbox", "on", "-netdev", "user,id=u,guestfwd=tcp:10.0.2.100:1-cmd:cat"}, "spawn=allow"));
  }
  CHECK(parsed({"-netdev", "user,id=u,guestfwd=tcp:10.0.2.100:1-cmd:cat"}).sandbox.spawn);
}

TEST_CASE("-object filter-dump names what it listens at", "[frontend]") {
  const Settings s =
      parsed({"-nic", "socket,listen=:1,id=n", "-object", "filter-dump,id=d,netdev=n,file=/tmp/x,maxlen=96"});
  REQUIRE(s.net_dumps.size() == 1);
  CHECK((s.net_dumps[0].file == "/tmp/x" && s.net_dumps[0].most_bytes == 96));
  CHECK(says({"-object", "filter-dump,id=d,file=x"}, "'netdev' is missing"));
  CHECK(says({"-object", "filter-dump,id=d,file=x,netdev=zz"}, "'zz' not found"));
  CHECK(says({"-object", "rng-random,id=r"}, "not in this version"));
}
