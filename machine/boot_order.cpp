// Which device the firmware boots first: the list of Open Firmware paths that SeaBIOS looks devices up in.
#include <fmt/format.h>

#include <map>

#include "base/spelling.h"
#include "firmware/boot_plan.h"
#include "machine/pc.h"

namespace xlat {

namespace {

// As "4" or "1,2", in hexadecimal.
std::string slot_of(const PciBus& pci, const PciFunction& function) {
  for (unsigned device = 0; device < 32; ++device) {
    for (unsigned number = 0; number < 8; ++number) {
      if (pci.at(device, number) != &function) continue;
      return number ? fmt::format("{:x},{:x}", device, number) : fmt::format("{:x}", device);
    }
  }
  return "0";
}

// The bindings' names for classes of functions, where they have some.
std::string pci_name(const PciFunction& f) {
  switch (f.config16(kPciSubclass)) {
    case 0x0100: return "scsi";
    case 0x0101: return "ide";
    case 0x0200: return "ethernet";
    case 0x0601: return "isa";
    case 0x0c03: return "usb";
    default: return fmt::format("pci{:04x},{:04x}", f.config16(kPciVendorId), f.config16(kPciDeviceId));
  }
}

// A device behind hubs: "1.8" is at port 8 of a hub at port 1.
std::string usb_path(std::string place) {
  std::string path;
  for (auto dot = place.find('.'); dot != std::string::npos; dot = place.find('.')) {
    path += "/hub@" + place.substr(0, dot);
    place.erase(0, dot + 1);
  }
  return path + "/storage@" + place + "/channel@0/disk@0,0";
}

using BootList = std::map<u64, std::string>;

// Empty: the firmware has no name for it, as for cards on ISA.
std::string object_path(const PciBus& pci, const Bus& bus, const Object& object) {
  if (bus.type == "PCI") {
    const auto* function = dynamic_cast<const PciFunction*>(object.device);
    if (!function) return {};
    const std::string name = pci_name(*function);
    return fmt::format("/{}@{}{}", name, slot_of(pci, *function), name == "ethernet" ? "/ethernet-phy@0" : "");
  }
  if (bus.type == "ISA") return object.type == "isa-fdc" ? "/fdc@03f0" : "";
  if (bus.type == "IDE") return "/disk@" + object.place;
  if (bus.type == "floppy-bus") return "/floppy@" + object.place;
  if (bus.type == "SCSI") return "/channel@0/disk@" + object.place;
  if (bus.type == "usb-bus") return usb_path(object.place);
  return object.type == "i440FX-pcihost" ? "/pci@i0cf8" : std::string();
}

void collect(const PciBus& pci, const Bus& bus, const std::string& prefix, BootList& list) {
  for (const auto& object : bus.objects) {
    const std::string here = object_path(pci, bus, *object), path = prefix + here;
    if (!here.empty() && object->properties.has("bootindex")) {
      if (const auto index = parse_number(object->properties.text("bootindex"))) list[*index] = path;
    }
    for (std::size_t n = 0; n < object->buses.size(); ++n) {
      const Bus& below = *object->buses[n];
      collect(pci, below, below.type == "IDE" ? fmt::format("{}/drive@{:x}", path, n) : path, list);
    }
  }
}

}  // namespace

Status Pc::take_boot_index(const std::string& text) {
  // The ROM that starts -kernel is always first.
  if (!config_.kernel.empty()) boot_indices_.insert(0);
  const auto index = parse_number(text);
  if (!index || boot_indices_.insert(*index).second) return {};
  return error("The bootindex {} has already been used", *index);
}

// SeaBIOS's src/boot.c and docs/specs of QEMU's fw_cfg: a path a line, and the last one ends with a zero byte. HALT at
// the end has the firmware try nothing else.
Status Pc::add_boot_order() {
  BootList list;
  collect(pci, tree_.root(), "", list);
  for (const auto& rom : config_.option_roms) {
    if (const auto index = parse_number(rom.boot_index))
      list[*index] = "/rom@genroms/" + rom.path.substr(rom.path.rfind('/') + 1);
  }
  if (!config_.kernel.empty()) list[0] = kBootRomOrder;
  std::string text;
  for (const auto& [index, path] : list) text += (text.empty() ? "" : "\n") + path;
  if (text.empty()) return {};
  if (config_.boot_strict) {
    text += "\nHALT";
  } else {
    text.push_back('\0');
  }
  return fw_cfg.add_file("bootorder", {text.begin(), text.end()});
}

}  // namespace xlat
