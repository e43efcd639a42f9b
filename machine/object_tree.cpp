// Walking the tree.
#include "machine/object_tree.h"

#include <fmt/format.h>

#include <functional>

namespace xlat {

namespace {

template <typename Visit>
void each_object(const Bus& bus, const Visit& visit) {
  for (const auto& object : bus.objects) {
    visit(*object);
    for (const auto& below : object->buses) each_object(*below, visit);
  }
}

Bus* search(Bus& bus, const std::function<bool(const Bus&)>& wanted) {
  if (wanted(bus)) return &bus;
  for (const auto& object : bus.objects) {
    for (const auto& below : object->buses) {
      if (Bus* found = search(*below, wanted)) return found;
    }
  }
  return nullptr;
}

std::string shown(const Property& p, const Properties& values) {
  const std::string value = values.text(p.name);
  switch (p.kind) {
    case Property::Kind::kNumber: return value.empty() ? "-1" : fmt::format("{0} ({0:#x})", values.number(p.name));
    case Property::Kind::kBootIndex: return value.empty() ? "-1" : value;
    case Property::Kind::kSwitch: return values.on(p.name) ? "true" : "false";
    default: return '"' + value + '"';
  }
}

void describe(const Bus& bus, unsigned depth, std::string& out) {
  const auto line = [&out](unsigned at, const std::string& text) { out += std::string(at, ' ') + text + '\n'; };
  line(depth, "bus: " + bus.name);
  line(depth + 2, "type " + bus.type);
  for (const auto& object : bus.objects) {
    line(depth + 2, fmt::format("dev: {}, id \"{}\"", object->type, object->id));
    for (const Property& p : object->properties.known()) {
      line(depth + 4, fmt::format("{} = {}", p.name, shown(p, object->properties)));
    }
    for (const auto& below : object->buses) describe(*below, depth + 4, out);
  }
}

}  // namespace

Bus& Object::add_bus(std::string name, std::string bus_type, Device* cable) {
  buses.push_back(std::make_unique<Bus>(Bus{std::move(name), std::move(bus_type), cable, {}}));
  return *buses.back();
}

Object& ObjectTree::add(Bus& bus, std::string type, Device* device) {
  bus.objects.push_back(std::make_unique<Object>());
  Object& object = *bus.objects.back();
  object.type = std::move(type);
  object.device = device;
  return object;
}

Object& ObjectTree::add(Bus& bus, std::string type, std::unique_ptr<Device> device) {
  Object& object = add(bus, std::move(type), device.get());
  object.owned = std::move(device);
  return object;
}

Bus* ObjectTree::find_bus(std::string_view name) {
  return search(root_, [name](const Bus& bus) { return bus.name == name; });
}

Bus* ObjectTree::find_bus_of(std::string_view type) {
  return search(root_, [type](const Bus& bus) { return bus.type == type; });
}

Object* ObjectTree::find(std::string_view id) {
  Object* found = nullptr;
  each_object(root_, [&](Object& object) {
    if (object.id == id) found = &object;
  });
  return found;
}

std::vector<Device*> ObjectTree::devices() const {
  std::vector<Device*> all;
  each_object(root_, [&](const Object& object) {
    if (object.device) all.push_back(object.device);
    for (const auto& bus : object.buses) {
      if (bus->device) all.push_back(bus->device);
    }
  });
  return all;
}

std::vector<std::string> ObjectTree::outline() const {
  std::vector<std::string> lines;
  const std::function<void(const Bus&)> walk = [&](const Bus& bus) {
    for (const auto& object : bus.objects) {
      std::string line = object->type + " on " + bus.name;
      for (const Property& p : object->properties.known()) {
        if (p.kind == Property::Kind::kNumber || p.kind == Property::Kind::kSwitch) {
          line += fmt::format(", {} = {}", p.name, shown(p, object->properties));
        }
      }
      lines.push_back(std::move(line));
      for (const auto& below : object->buses) walk(*below);
    }
  };
  walk(root_);
  return lines;
}

std::string ObjectTree::describe() const {
  std::string out;
  xlat::describe(root_, 0, out);
  return out;
}

}  // namespace xlat
