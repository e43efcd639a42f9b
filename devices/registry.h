// Every device that can be asked for by name: the rows of -device help.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "devices/board.h"
#include "devices/device.h"
#include "devices/properties.h"

namespace xlat {

// A row. It stands at the end of the device's file, as `const DeviceType kSb16Type = {...}`, and is named in
// devices/registry.inc.
struct DeviceType {
  enum class Category : u8 { kStorage, kInput, kDisplay, kSound, kUsb, kNetwork, kMisc };

  std::string_view name;
  std::string_view bus;  // what it is plugged into: "ISA", "PCI", "IDE", "floppy-bus", "usb-bus"
  Category category;
  std::string_view help;
  std::span<const Property> properties;
  // The device, with its ports claimed and its lines connected. A PCI function is given its slot afterwards.
  Result<std::unique_ptr<Device>> (*make)(Board& board, const Properties& values);
  std::string_view provides = {};  // the bus that this device is the controller of: "usb-bus"
};

std::span<const DeviceType* const> device_types();
// By name, whatever the case of its letters; null if there is none.
const DeviceType* find_device_type(std::string_view name);
// All that can be set of a device of this type: its own properties and those of every device on its bus.
Properties properties_of(const DeviceType& type);

}  // namespace xlat
