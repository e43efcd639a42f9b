// What a machine is made of, as a tree of devices and the buses they sit on: what -device, -global, info qtree, resets
// and saved states go by.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/registry.h"

namespace xlat {

struct Object;

struct Bus {
  std::string name;          // "pci.0"
  std::string type;          // "PCI"
  Device* device = nullptr;  // what the bus itself has to reset and save
  std::vector<std::unique_ptr<Object>> objects;
};

struct Object {
  std::string type;          // "ide-hd"
  std::string id;            // empty: none was given
  std::string place;         // on its bus, where that is not told otherwise
  Properties properties;     // of devices that were asked for by name
  Device* device = nullptr;  // null: its controller resets and saves it
  std::unique_ptr<Device> owned;
  std::vector<std::unique_ptr<Bus>> buses;

  Bus& add_bus(std::string name, std::string type, Device* device = nullptr);
};

class ObjectTree {
 public:
  Bus& root() { return root_; }
  const Bus& root() const { return root_; }

  static Object& add(Bus& bus, std::string type, Device* device = nullptr);
  static Object& add(Bus& bus, std::string type, std::unique_ptr<Device> device);

  // Null if there is none.
  Bus* find_bus(std::string_view name);
  Bus* find_bus_of(std::string_view type);
  Object* find(std::string_view id);

  // Every device, each bus before what sits on it, in the order they were added: the order of resets and of saving.
  std::vector<Device*> devices() const;
  // A line for each device: where it sits and what was set of it, but not what it is connected to on the host.
  std::vector<std::string> outline() const;
  // HMP's info qtree.
  std::string describe() const;

 private:
  Bus root_{"main-system-bus", "System", nullptr, {}};
};

}  // namespace xlat
