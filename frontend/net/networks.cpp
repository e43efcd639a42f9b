// Cables between cards, back ends and hubs.
#include "frontend/net/networks.h"

#include <algorithm>

namespace xlat {

namespace {

std::unique_ptr<NetBackend> make_backend(const NetSpec& spec) {
  struct Maker {
    const NetSpec& spec;
    std::unique_ptr<NetBackend> operator()(const UserNet&) { return make_user_net(spec); }
    std::unique_ptr<NetBackend> operator()(const StreamNet&) { return make_stream_net(spec); }
    std::unique_ptr<NetBackend> operator()(const DatagramNet&) { return make_datagram_net(spec); }
    std::unique_ptr<NetBackend> operator()(const TapNet&) { return make_tap_net(spec); }
    std::unique_ptr<NetBackend> operator()(const HubPortNet&) { return nullptr; }
  };
  return std::visit(Maker{spec}, spec.what);
}

}  // namespace

Hub& Networks::hub(unsigned number) {
  for (auto& hub : hubs_) {
    if (hub->number() == number) return *hub;
  }
  return *hubs_.emplace_back(std::make_unique<Hub>(number));
}

Networks::Netdev* Networks::find(std::string_view id) {
  for (auto& netdev : netdevs_) {
    if (netdev->spec.id == id) return netdev.get();
  }
  return nullptr;
}

Status Networks::open(MachineConfig& config) {
  std::vector<unsigned> ports;  // used at each hub, in the order of hubs_
  for (const NetSpec& spec : specs_) {
    auto& netdev = *netdevs_.emplace_back(std::make_unique<Netdev>());
    netdev.spec = spec;
    if (const auto* port = std::get_if<HubPortNet>(&spec.what)) {
      Hub& into = hub(port->hub);
      ports.resize(hubs_.size());
      const auto place = std::find_if(hubs_.begin(), hubs_.end(), [&](const auto& h) { return h.get() == &into; });
      netdev.backend = std::make_unique<HubPort>(into, ports[static_cast<std::size_t>(place - hubs_.begin())]++);
    } else {
      netdev.backend = make_backend(spec);
    }
    if (Status s = netdev.backend->open(); !s) return s;
  }
  for (auto& netdev : netdevs_) {
    const auto* port = std::get_if<HubPortNet>(&netdev->spec.what);
    if (!port || port->netdev.empty()) continue;
    find(port->netdev)->plugged = static_cast<HubPort*>(netdev->backend.get());  // the command line was looked at
  }
  for (const NetDumpSpec& spec : dump_specs_) {
    auto dump = FrameDump::open(spec);
    if (!dump) return dump.error();
    find(spec.netdev)->dumps.push_back(dumps_.emplace_back(std::move(*dump)).get());
  }
  for (unsigned n = 0; n < config.networks.size(); ++n) {
    Netdev* const netdev = find(config.networks[n].id);
    netdev->network = n;
    config.networks[n].output = [this, netdev](std::span<const u8> frame) { from_card(*netdev, frame); };
  }
  return {};
}

void Networks::from_card(Netdev& netdev, std::span<const u8> frame) {
  for (FrameDump* dump : netdev.dumps) dump->frame(frame);
  netdev.backend->send(frame);
}

NetHandlers Networks::handlers(Netdev& netdev) {
  NetHandlers to;
  if (netdev.plugged) {
    HubPort* const port = netdev.plugged;
    to.frame = [port, &netdev](std::span<const u8> frame) {
      for (FrameDump* dump : netdev.dumps) dump->frame(frame);
      port->send(frame);
    };
    to.ready = [port] { return port->anybody_ready(); };
  } else if (netdev.network) {
    to.frame = [this, &netdev](std::span<const u8> frame) {
      for (FrameDump* dump : netdev.dumps) dump->frame(frame);
      machine_->enter_frame(*netdev.network, frame);
    };
    to.ready = [this, n = *netdev.network] { return machine_->frames_waiting(n) < kWelcome; };
  } else {  // a hub's port, seen from the hub: what comes goes to its back end
    Netdev* const other = find(std::get<HubPortNet>(netdev.spec.what).netdev);
    to.frame = [this, other](std::span<const u8> frame) { from_card(*other, frame); };
  }
  return to;
}

Status Networks::start(Machine& machine) {
  machine_ = &machine;
  // Ports first, so that nothing is lost that a back end says at once.
  for (const bool hubs : {true, false}) {
    for (auto& netdev : netdevs_) {
      if (std::holds_alternative<HubPortNet>(netdev->spec.what) != hubs) continue;
      if (Status s = netdev->backend->start(handlers(*netdev)); !s) return s;
    }
  }
  return {};
}

void Networks::stop() {
  for (const bool hubs : {false, true}) {
    for (auto& netdev : netdevs_) {
      if (netdev->backend && std::holds_alternative<HubPortNet>(netdev->spec.what) == hubs) netdev->backend->stop();
    }
  }
}

std::string Networks::line(const Netdev& netdev) const {
  const bool hub = std::holds_alternative<HubPortNet>(netdev.spec.what);
  const std::string said = netdev.backend->info();
  return fmt::format("{}: index=0,type={}{}{}\n", netdev.spec.id, hub ? "hubport" : netdev.spec.type,
                     said.empty() ? "" : ",", said);
}

std::string Networks::card_line(const NetPort& port) const {
  return fmt::format("{}: index=0,type=nic,model={},macaddr={}{}\n", port.name(), port.model(), mac_text(port.mac()),
                     port.link() ? "" : ",link=off");
}

std::string Networks::info() const {
  std::string text;
  const auto& ports = machine_->pc().networks();
  for (const auto& hub : hubs_) {
    text += fmt::format("hub {}\n", hub->number());
    for (const auto& netdev : netdevs_) {
      const auto* at = std::get_if<HubPortNet>(&netdev->spec.what);
      if (!at || at->hub != hub->number()) continue;
      text += fmt::format(" \\ hub{}port{}: ", at->hub, static_cast<const HubPort&>(*netdev->backend).number());
      if (netdev->network && ports[*netdev->network]->taken()) {
        text += card_line(*ports[*netdev->network]);
      } else {
        const auto other = std::find_if(netdevs_.begin(), netdevs_.end(),
                                        [&](const auto& each) { return each->spec.id == at->netdev; });
        text += other == netdevs_.end() ? "\n" : line(**other);
      }
    }
  }
  for (std::size_t n = 0; n < ports.size(); ++n) {
    const auto owner =
        std::find_if(netdevs_.begin(), netdevs_.end(), [n](const auto& each) { return each->network == n; });
    if (owner == netdevs_.end()) {
      text += card_line(*ports[n]);
    } else if (!std::holds_alternative<HubPortNet>((*owner)->spec.what)) {
      text += ports[n]->taken() ? card_line(*ports[n]) + " \\ " + line(**owner) : line(**owner);
    }
  }
  return text;
}

std::string Networks::user_info() const {
  std::string text;
  for (const auto& netdev : netdevs_) {
    auto* const user = dynamic_cast<UserNetControl*>(netdev->backend.get());
    if (!user) continue;
    const auto* const hub = netdev->plugged;
    std::string number = "-1";
    for (const auto& port : netdevs_) {
      if (port->backend.get() == hub && hub) number = fmt::to_string(std::get<HubPortNet>(port->spec.what).hub);
    }
    text += fmt::format("Hub {} ({}):\n{}", number, netdev->spec.id, user->connections());
  }
  return text;
}

UserNetControl* Networks::user(std::string_view id) const {
  for (const auto& netdev : netdevs_) {
    auto* const user = dynamic_cast<UserNetControl*>(netdev->backend.get());
    if (user && (id.empty() || netdev->spec.id == id)) return user;
  }
  return nullptr;
}

std::string Networks::set_link(std::string_view name, bool up) {
  const auto& ports = machine_->pc().networks();
  for (std::size_t n = 0; n < ports.size(); ++n) {
    if (ports[n]->name() != name && ports[n]->id() != name) continue;
    machine_->gate().post(LinkInput{static_cast<u16>(n), up});
    return {};
  }
  return fmt::format("Error: Device '{}' not found\n", name);
}

}  // namespace xlat
