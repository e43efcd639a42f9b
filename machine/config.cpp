// The usual devices of a PC, as rows of its configuration.
#include "machine/config.h"

#include <fmt/format.h>

#include <algorithm>

namespace xlat {

const std::string* DeviceConfig::find(std::string_view property) const {
  for (const auto& [name, value] : properties) {
    if (name == property) return &value;
  }
  return nullptr;
}

void MachineConfig::add_ide(unsigned n, DriveConfig drive) {
  const char* type = drive.cdrom ? "ide-cd" : "ide-hd";
  if (drive.id.empty()) drive.id = fmt::format("ide{}-{}{}", n / 2, drive.cdrom ? "cd" : "hd", n % 2);
  devices.push_back(
      {.type = type,
       .properties = {{"drive", drive.id}, {"bus", fmt::format("ide.{}", n / 2)}, {"unit", fmt::to_string(n % 2)}}});
  drives.push_back(std::move(drive));
}

void MachineConfig::add_floppy(unsigned n, DriveConfig drive) {
  if (drive.id.empty()) drive.id = fmt::format("floppy{}", n);
  devices.push_back({.type = "floppy", .properties = {{"drive", drive.id}, {"unit", fmt::to_string(n)}}});
  drives.push_back(std::move(drive));
}

void MachineConfig::plug_serial(unsigned n, const std::string& channel) {
  devices.push_back({.type = "isa-serial", .properties = {{"chardev", channel}, {"index", fmt::to_string(n)}}});
}

void MachineConfig::plug_parallel(const std::string& channel) {
  devices.push_back({.type = "isa-parallel", .properties = {{"chardev", channel}}});
}

void MachineConfig::add_serial(unsigned n, std::function<void(u8)> output) {
  channels.push_back({fmt::format("serial{}", n), std::move(output)});
  plug_serial(n, channels.back().id);
}

void MachineConfig::add_parallel(std::function<void(u8)> output) {
  channels.push_back({"parallel0", std::move(output)});
  plug_parallel(channels.back().id);
}

void MachineConfig::add_debugcon(u16 port, std::function<void(u8)> output) {
  const std::string id = fmt::format("debugcon{:x}", port);
  devices.push_back({.type = "isa-debugcon", .properties = {{"chardev", id}, {"iobase", fmt::to_string(port)}}});
  channels.push_back({id, std::move(output)});
}

void MachineConfig::add_debug_exit(u16 iobase, u32 iosize) {
  devices.push_back({.type = "isa-debug-exit",
                     .properties = {{"iobase", fmt::to_string(iobase)}, {"iosize", fmt::to_string(iosize)}}});
}

namespace {
const DriveConfig* drive_of(const MachineConfig& config, std::string_view type, std::string_view bus, unsigned unit) {
  for (const DeviceConfig& device : config.devices) {
    const std::string *at = device.find("unit"), *on = device.find("bus"), *drive = device.find("drive");
    if (!device.type.starts_with(type) || !at || *at != fmt::to_string(unit) || !drive) continue;
    if (!bus.empty() && (!on || *on != bus)) continue;
    for (const DriveConfig& d : config.drives) {
      if (d.id == *drive) return &d;
    }
  }
  return nullptr;
}
}  // namespace

const DriveConfig* MachineConfig::ide(unsigned n) const {
  return drive_of(*this, "ide-", fmt::format("ide.{}", n / 2), n % 2);
}

const DriveConfig* MachineConfig::floppy(unsigned n) const { return drive_of(*this, "floppy", "", n); }

void MachineConfig::remove(std::string_view type) {
  std::erase_if(devices, [type](const DeviceConfig& d) { return d.type == type; });
}

}  // namespace xlat
