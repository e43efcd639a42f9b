// -nic, -netdev, -net and -object filter-dump: cards, back ends and who is plugged in where.
#include <algorithm>

#include "devices/registry.h"
#include "frontend/net/net_backend.h"
#include "frontend/options/net_types.h"
#include "frontend/options/parser.h"

namespace xlat {

namespace {

constexpr std::string_view kDefaultCard = "e1000";

bool is_help(std::string_view word) { return word == "help" || word == "?"; }

bool is_card(const DeviceType& type) { return type.category == DeviceType::Category::kNetwork; }

std::string cards() {
  std::string text = "Supported NIC models:\n";
  for (const DeviceType* type : device_types()) {
    if (is_card(*type)) text += fmt::format("{}\n", type->name);
  }
  return text;
}

std::string backends() {
  std::string text = "Available netdev backend types:\n";
  for (const std::string_view name : kNetTypes) {
    if (name != "user" || user_net_missing().empty()) text += fmt::format("{}\n", name);
  }
  return text;
}

bool good_id(std::string_view id) {
  return !id.empty() && std::isalpha(static_cast<unsigned char>(id[0])) &&
         std::all_of(id.begin(), id.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == '_'; });
}

const SubOption* find_part(std::span<const SubOption> parts, std::string_view name) {
  for (const SubOption& part : parts) {
    if (part.name == name) return &part;
  }
  return nullptr;
}

}  // namespace

// A card of this model; the model of none is the PC's usual one.
Status OptionParser::plug_nic(std::string_view option, const std::string& model, DeviceConfig card) {
  static constexpr std::string_view kOld[][2] = {{"ne2k", "ne2k_isa"}, {"virtio", "virtio-net-pci"}};
  std::string name = model.empty() ? std::string(kDefaultCard) : model;
  for (const auto& [old, now] : kOld) {
    if (name == old) name = now;
  }
  const DeviceType* type = find_device_type(name);
  if (!type || !is_card(*type)) {
    if (const std::string_view missing = later_device(name); !missing.empty()) {
      return error("{}: model={}: {}: not in this version", option, name, missing);
    }
    std::vector<std::string_view> names;
    for (const DeviceType* each : device_types()) {
      if (is_card(*each)) names.push_back(each->name);
    }
    return error("{}: unsupported NIC model '{}'; {}", option, name, choices(name, names));
  }
  card.type = std::string(type->name);
  const Properties known = properties_of(*type);
  std::erase_if(card.properties, [&known](const auto& p) { return p.first == "addr" && !known.has("addr"); });
  Properties values = known;
  for (const auto& [property, value] : card.properties) {
    if (Status s = values.set(option, property, value); !s) return s;
  }
  nics_.push_back(std::move(card));
  return {};
}

// -nic: a back end and the card on it.
Status OptionParser::nic(const std::string& value) {
  net_given_ = true;
  auto parts = split_suboptions(value, "type");
  const SubOption* type = find_part(parts, "type");
  if (type && is_help(type->value)) {
    say(backends());
    return {};
  }
  if (const SubOption* model = find_part(parts, "model"); model && is_help(model->value)) {
    say(cards());
    return {};
  }
  if (type && type->value == "none") return {};
  DeviceConfig card;
  std::string model;
  std::vector<SubOption> rest;
  for (const SubOption& part : parts) {
    if (part.name == "model") {
      model = part.value;
    } else if (part.name == "mac" || part.name == "addr" || part.name == "bootindex" || part.name == "romfile") {
      card.properties.emplace_back(part.name, part.value);
    } else if (part.name != "vectors") {  // MSI-X
      rest.push_back(part);
    }
  }
  if (!find_part(rest, "id")) {
    rest.push_back({"id", fmt::format("#net{}", settings_.networks.size()), true});
  }
  const std::string option = "-nic " + value;
  auto spec = net_spec(option, rest);
  if (!spec) return spec.error();
  card.properties.emplace_back("netdev", spec->id);
  settings_.networks.push_back(std::move(*spec));
  return plug_nic(option, model, std::move(card));
}

Status OptionParser::netdev(const std::string& value) {
  net_given_ = true;
  const auto parts = split_suboptions(value, "type");
  const SubOption* type = find_part(parts, "type");
  if (type && is_help(type->value)) {
    say(backends());
    return {};
  }
  auto spec = net_spec("-netdev " + value, parts);
  if (!spec) return spec.error();
  settings_.networks.push_back(std::move(*spec));
  return {};
}

// The older spelling: all of them on hub 0, unless a card names its netdev.
Status OptionParser::net(const std::string& value) {
  net_given_ = true;
  const std::string option = "-net " + value;
  auto parts = split_suboptions(value, "type");
  const SubOption* type = find_part(parts, "type");
  if (!type || type->value.empty()) return error("{}: parameter 'type' is missing", option);
  if (is_help(type->value)) {
    say(backends());
    return {};
  }
  if (type->value == "none") return {};
  if (type->value == "dump") {
    return error("{}: gone from QEMU as well; write -object filter-dump,id=ID,netdev=ID,file=FILE", option);
  }
  const auto port = [this](const std::string& netdev) {
    const std::string id = fmt::format("hub0port{}", settings_.networks.size());
    settings_.networks.push_back({id, "hubport", "-net", HubPortNet{.hub = 0, .netdev = netdev}});
    return id;
  };
  if (type->value != "nic") {
    std::vector<SubOption> rest;
    std::string id = fmt::format("#net{}", settings_.networks.size());
    for (const SubOption& part : parts) {
      if (part.name == "vlan" || part.name == "name") {
        return error("{}: {}=: gone from QEMU as well; use -netdev {},id=ID and -device CARD,netdev=ID", option,
                     part.name, type->value);
      }
      if (part.name == "id") {
        id = part.value;
      } else {
        rest.push_back(part);
      }
    }
    rest.push_back({"id", id, true});
    auto spec = net_spec(option, rest);
    if (!spec) return spec.error();
    settings_.networks.push_back(std::move(*spec));
    port(id);
    return {};
  }
  DeviceConfig card;
  std::string model, netdev;
  for (const SubOption& part : parts) {
    if (part.name == "model") {
      if (is_help(part.value)) {
        say(cards());
        return {};
      }
      model = part.value;
    } else if (part.name == "macaddr") {
      card.properties.emplace_back("mac", part.value);
    } else if (part.name == "addr") {
      card.properties.emplace_back("addr", part.value);
    } else if (part.name == "netdev") {
      netdev = part.value;
    } else if (part.name == "name" || part.name == "id") {
      card.id = part.value;
    } else if (part.name != "type" && part.name != "vectors") {
      static constexpr std::string_view kNames[] = {"netdev", "macaddr", "model", "name", "addr", "vectors"};
      return error("{}: no sub-option '{}'; {}", option, part.name, choices(part.name, kNames));
    }
  }
  card.properties.emplace_back("netdev", netdev.empty() ? port("") : netdev);
  return plug_nic(option, model, std::move(card));
}

Status OptionParser::object(const std::string& value) {
  const auto parts = split_suboptions(value, "qom-type");
  const std::string type = parts[0].name == "qom-type" ? parts[0].value : "";
  if (is_help(type)) {
    say("List of user creatable objects:\n  filter-dump\n");
    return {};
  }
  if (type != "filter-dump")
    return error("-object {}: this kind of object: not in this version; there is filter-dump", type);
  NetDumpSpec dump;
  for (const SubOption& part : parts) {
    if (part.name == "id") {
      dump.id = part.value;
    } else if (part.name == "netdev") {
      dump.netdev = part.value;
    } else if (part.name == "file") {
      dump.file = part.value;
    } else if (part.name == "maxlen") {
      const auto bytes = parse_size(part.value, 1);
      if (!bytes || *bytes == 0 || *bytes > 0xffff'ffff)
        return error("-object {}: maxlen={}: give bytes", type, part.value);
      dump.most_bytes = static_cast<u32>(*bytes);
    } else if (part.name != "qom-type") {
      static constexpr std::string_view kNames[] = {"id", "netdev", "file", "maxlen"};
      return error("-object {}: no property '{}'; {}", type, part.name, choices(part.name, kNames));
    }
  }
  if (dump.id.empty()) return error("-object {}: parameter 'id' is missing", type);
  if (dump.netdev.empty()) return error("-object {}: parameter 'netdev' is missing", type);
  if (dump.file.empty()) return error("-object {}: parameter 'file' is missing", type);
  settings_.net_dumps.push_back(std::move(dump));
  return {};
}

Result<NetSpec> OptionParser::net_spec(std::string_view option, std::span<const SubOption> parts) {
  auto spec = parse_net_spec(option, parts);
  if (!spec) return spec;
  for (const NetSpec& other : settings_.networks) {
    if (other.id == spec->id) return error("{}: duplicate ID '{}' for netdev", option, spec->id);
  }
  if (!spec->id.starts_with('#') && !good_id(spec->id)) {
    return error("{}: id={}: letters, digits, '-', '.' and '_' make an id, the first of them a letter", option,
                 spec->id);
  }
  return spec;
}

Status OptionParser::check_networks() {
  if (!net_given_ && !nodefaults_) {
    if (Status s = net("nic"); !s) return s;
    if (user_net_missing().empty()) {
      if (Status s = net("user"); !s) return s;
    }
  }
  std::vector<std::string_view> ids, taken;
  for (const NetSpec& spec : settings_.networks) ids.push_back(spec.id);
  const auto there = [&](std::string_view id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
  const auto unknown = [&](const std::string& by, const std::string& id) {
    return ids.empty() ? error("{}: netdev '{}' not found; add -netdev user,id={}", by, id, id)
                       : error("{}: netdev '{}' not found; {}", by, id, choices(id, ids));
  };
  const auto take = [&](const std::string& by, const std::string& id) -> Status {
    if (!there(id)) return unknown(by, id);
    if (std::find(taken.begin(), taken.end(), id) != taken.end())
      return error("{}: netdev '{}' is in use already", by, id);
    taken.push_back(id);
    return {};
  };
  for (const NetSpec& spec : settings_.networks) {
    const auto* port = std::get_if<HubPortNet>(&spec.what);
    if (!port || port->netdev.empty()) continue;
    if (Status s = take(spec.by, port->netdev); !s) return s;
    for (const NetSpec& other : settings_.networks) {
      if (other.id == port->netdev && std::holds_alternative<HubPortNet>(other.what)) {
        return error("{}: netdev={}: hubs are not plugged into each other", spec.by, port->netdev);
      }
    }
    taken.push_back(spec.id);
  }
  for (const auto* list : {&nics_, &devices_}) {
    for (const DeviceConfig& card : *list) {
      if (!is_card(*find_device_type(card.type))) continue;
      if (const std::string* id = card.find("netdev")) {
        if (Status s = take("-device " + card.type, *id); !s) return s;
      } else {
        settings_.warnings.push_back(fmt::format("nic {} has no peer", card.id.empty() ? card.type : card.id));
      }
    }
  }
  // What is not behind a hub is a card's.
  for (const NetSpec& spec : settings_.networks) {
    const auto* port = std::get_if<HubPortNet>(&spec.what);
    const auto holds = [&spec](const NetSpec& other) {
      const auto* hub = std::get_if<HubPortNet>(&other.what);
      return hub && hub->netdev == spec.id;
    };
    const bool cable = std::any_of(settings_.networks.begin(), settings_.networks.end(), holds);
    if (!cable && (!port || port->netdev.empty())) settings_.machine.networks.push_back({spec.id, nullptr});
  }
  for (const NetDumpSpec& dump : settings_.net_dumps) {
    if (!there(dump.netdev)) return unknown("-object filter-dump", dump.netdev);
  }
  for (const NetSpec& spec : settings_.networks) {
    if (std::find(taken.begin(), taken.end(), spec.id) == taken.end() &&
        !std::holds_alternative<HubPortNet>(spec.what)) {
      settings_.warnings.push_back(fmt::format("netdev {} has no peer", spec.id));
    }
    const auto* user = std::get_if<UserNet>(&spec.what);
    if (user && user->spawns() && !settings_.sandbox.spawn) {
      if (settings_.sandbox.mode == SandboxSettings::Mode::kOn) {
        return error("{}: starts programs, which -sandbox on refuses; add spawn=allow to it", spec.by);
      }
      settings_.sandbox.spawn = true;
    }
  }
  return {};
}

}  // namespace xlat
