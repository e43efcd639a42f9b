// -device and -global: devices by name and their properties; the list of all that is plugged in.
#include <algorithm>

#include "devices/registry.h"
#include "frontend/options/net_types.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

// Devices QEMU's users ask for that come later, by how their names begin.
struct LaterDevice {
  std::string_view prefix, missing;
};
constexpr LaterDevice kLater[] = {{"e1000", "this network card"},
                                  {"i82", "this network card"},
                                  {"tulip", "this network card"},
                                  {"vmxnet", "this network card"},
                                  {"pvrdma", "this network card"},
                                  {"usb-net", "this network card"},
                                  {"usb-", "this USB device"},
                                  {"piix4-usb", "this USB controller"},
                                  {"ich9-usb", "this USB controller"},
                                  {"qemu-xhci", "this USB controller"},
                                  {"nec-usb", "this USB controller"},
                                  {"intel-hda", "sound cards"},
                                  {"hda-", "sound cards"},
                                  {"cs4231a", "sound cards"},
                                  {"scsi-", "SCSI devices of the host"},
                                  {"am53c974", "this SCSI adapter"},
                                  {"dc390", "this SCSI adapter"},
                                  {"megasas", "this SCSI adapter"},
                                  {"mptsas", "this SCSI adapter"},
                                  {"pvscsi", "this SCSI adapter"},
                                  {"virtio-", "virtio"},
                                  {"vmware-svga", "this graphics adapter"},
                                  {"qxl", "this graphics adapter"},
                                  {"bochs-display", "this graphics adapter"},
                                  {"isa-vga", "this graphics adapter"},
                                  {"nvme", "NVMe"},
                                  {"sdhci-pci", "SD cards"},
                                  {"pvpanic", "pvpanic"},
                                  {"i6300esb", "watchdogs"},
                                  {"ib700", "watchdogs"},
                                  {"vhost-", "virtio"},
                                  {"pci-bridge", "PCI bridges"}};

}  // namespace

namespace {

constexpr std::pair<DeviceType::Category, std::string_view> kCategories[] = {
    {DeviceType::Category::kStorage, "Storage devices"}, {DeviceType::Category::kNetwork, "Network devices"},
    {DeviceType::Category::kInput, "Input devices"},     {DeviceType::Category::kDisplay, "Display devices"},
    {DeviceType::Category::kSound, "Sound devices"},     {DeviceType::Category::kUsb, "USB devices"},
    {DeviceType::Category::kMisc, "Misc devices"},
};

std::string list_of_devices() {
  std::string text;
  for (const auto& [category, title] : kCategories) {
    std::string rows;
    for (const DeviceType* type : device_types()) {
      if (type->category != category) continue;
      rows += fmt::format("name \"{}\", bus {}, desc \"{}\"\n", type->name, type->bus, type->help);
    }
    if (!rows.empty()) text += fmt::format("{}{}:\n{}", text.empty() ? "" : "\n", title, rows);
  }
  return text;
}

std::string list_of_properties(const DeviceType& type) {
  const auto value = [](const Property& p) {
    switch (p.kind) {
      case Property::Kind::kNumber: return "<uint>";
      case Property::Kind::kSwitch: return "<bool>";
      case Property::Kind::kText: return "<str>";
      default: return "<id>";
    }
  };
  std::string text = fmt::format("{} options:\n", type.name);
  const Properties all = properties_of(type);
  for (const Property& p : all.known()) {
    text += fmt::format("  {:<22} - {}{}\n", fmt::format("{}={}", p.name, value(p)), p.help,
                        p.standard.empty() ? "" : fmt::format(" (default: {})", p.standard));
  }
  return text;
}

// Devices that every PC has, and whose properties QEMU lets one set.
constexpr std::string_view kBuiltIn[] = {"PIIX4_PM", "kvm-pit",   "isa-pit", "mc146818rtc", "isa-fdc",  "i8042",
                                         "fw_cfg",   "piix3-ide", "PIIX3",   "i440FX",      "isa-pcspk"};

}  // namespace

std::string_view later_device(std::string_view name) {
  for (const LaterDevice& later : kLater) {
    if (name.starts_with(later.prefix)) return later.missing;
  }
  return {};
}

Status OptionParser::global(const std::string& value) {
  std::string driver, property, setting;
  const auto dot = value.find('.'), equals = value.find('=');
  if (value.starts_with("driver=")) {  // the long form
    for (const SubOption& part : split_suboptions(value)) {
      if (part.name == "driver") driver = part.value;
      if (part.name == "property") property = part.value;
      if (part.name == "value") setting = part.value;
    }
  } else if (dot != std::string::npos && equals != std::string::npos && dot < equals) {
    driver = value.substr(0, dot);
    property = value.substr(dot + 1, equals - dot - 1);
    setting = value.substr(equals + 1);
  }
  if (driver.empty() || property.empty()) return error("-global {}: write DRIVER.PROPERTY=VALUE", value);
  if (const DeviceType* type = find_device_type(driver)) {
    if (Status s = properties_of(*type).set("-global " + driver, property, setting); !s) return s;
    settings_.machine.globals.push_back({driver, property, setting});
    return {};
  }
  if (driver == "isa-pcspk" && property == "audiodev") {
    settings_.speaker_audio = setting;
    return {};
  }
  if (std::find(std::begin(kBuiltIn), std::end(kBuiltIn), driver) != std::end(kBuiltIn)) {
    settings_.warnings.push_back(fmt::format("-global {}: not in this version; it has no effect", value));
    return {};
  }
  if (const std::string_view missing = later_device(driver); !missing.empty()) {
    settings_.warnings.push_back(fmt::format("-global {}: {}: not in this version; it has no effect", value, missing));
    return {};
  }
  return error("-global {}: there is no device '{}'; -device help lists them", value, driver);
}

Status OptionParser::device(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  const std::string& driver = parts[0].value;
  if (driver == "help" || driver == "?") {
    say(list_of_devices());
    return {};
  }
  const DeviceType* type = find_device_type(driver);
  if (!type) {
    if (const std::string_view missing = later_device(driver); !missing.empty()) {
      return error("-device {}: {}: not in this version", driver, missing);
    }
    std::vector<std::string_view> names;
    for (const DeviceType* each : device_types()) names.push_back(each->name);
    return error("-device: no device '{}'; {}", driver, choices(driver, names));
  }
  DeviceConfig config{.type = std::string(type->name), .properties = {}, .id = {}, .named = true};
  Properties values = properties_of(*type);
  for (std::size_t n = 1; n < parts.size(); ++n) {
    const auto& [name, setting, has_value] = parts[n];
    if (!has_value && (name == "help" || name == "?")) {
      say(list_of_properties(*type));
      return {};
    }
    if (name == "id") {
      config.id = setting;
      continue;
    }
    if (name != "bus" || values.has(name)) {
      const std::string given = has_value ? setting : "on";
      if (Status s = values.set("-device " + driver, name, given); !s) return s;
      config.properties.emplace_back(name, given);
    } else {
      config.properties.emplace_back(name, setting);
    }
  }
  for (const DeviceConfig& other : devices_) {
    if (!config.id.empty() && other.id == config.id)
      return error("-device {}: id={} is there already", driver, config.id);
  }
  devices_.push_back(std::move(config));
  return {};
}

// The old spelling.
Status OptionParser::usbdevice(const std::string& value) {
  static constexpr std::string_view kNames[] = {"tablet", "mouse", "keyboard"};
  if (std::find(std::begin(kNames), std::end(kNames), value) == std::end(kNames)) {
    return error("-usbdevice {}: {}; or use -device", value, choices(value, kNames));
  }
  usb_ = true;
  settings_.warnings.push_back(
      fmt::format("-usbdevice is old; write -device usb-{}", value == "keyboard" ? "kbd" : value));
  return device(value == "keyboard" ? "usb-kbd" : "usb-" + value);
}

bool OptionParser::device_given(std::string_view type) const {
  return std::any_of(devices_.begin(), devices_.end(), [type](const DeviceConfig& d) { return d.type == type; });
}

// What -device names by id must be there, and be nobody else's. Channels that are become the machine's.
Status OptionParser::check_back_ends() {
  std::vector<std::string_view> drives_taken;
  for (const DeviceConfig& device : devices_) {
    for (const Property& p : find_device_type(device.type)->properties) {
      const std::string* id = device.find(p.name);
      if (!id) continue;
      const std::string by = "-device " + device.type;
      if (p.kind == Property::Kind::kDrive) {
        const bool there = std::any_of(unplugged_.begin(), unplugged_.end(),
                                       [id](const DriveConfig& drive) { return drive.id == *id; });
        if (!there) return error("{}: drive={}: there is no -drive if=none or -blockdev with this id", by, *id);
        if (std::find(drives_taken.begin(), drives_taken.end(), *id) != drives_taken.end()) {
          return error("{}: drive={}: another device has it", by, *id);
        }
        drives_taken.push_back(*id);
      } else if (p.kind == Property::Kind::kChannel) {
        CharSpec spec{.kind = CharSpec::Kind::kChardev, .path = *id};
        if (Status s = resolve_chardev(spec, by); !s) return s;
        settings_.channels.push_back({*id, std::move(spec), by});
      }
    }
  }
  return {};
}

void OptionParser::list_devices() {
  MachineConfig& m = settings_.machine;
  m.devices.clear();
  const auto channel = [this](std::string id, CharSpec spec, std::string by) {
    settings_.channels.push_back({std::move(id), std::move(spec), std::move(by)});
  };
  const bool display_named = std::any_of(devices_.begin(), devices_.end(), [](const DeviceConfig& d) {
    return find_device_type(d.type)->category == DeviceType::Category::kDisplay;
  });
  if (!vga_.empty() && (vga_given_ || (!nodefaults_ && !display_named))) m.devices.push_back({.type = vga_});
  m.devices.insert(m.devices.end(), nics_.begin(), nics_.end());

  // The CD-ROM drive and floppy drive A that a PC has without being asked.
  unsigned ide_count = 0;
  bool disc_place_taken = ide_[2].has_value() || device_given("ide-cd"), floppy_taken = floppy_[0].has_value();
  for (const auto& drive : ide_) ide_count += drive.has_value();
  for (const DeviceConfig& d : devices_) {
    const std::string *bus = d.find("bus"), *unit = d.find("unit");
    if (d.type == "ide-hd" || d.type == "ide-cd") {
      ++ide_count;
      disc_place_taken |= bus && *bus == "ide.1" && (!unit || *unit == "0");
    }
    floppy_taken |= d.type == "floppy" && (!unit || *unit == "0");
  }
  if (!nodefaults_ && !disc_place_taken && ide_count < 4) ide_[2] = DriveConfig{.path = {}, .cdrom = true};
  if (!nodefaults_ && !floppy_taken) floppy_[0] = DriveConfig{};

  // Where the PIIX3 has it.
  if (usb_) m.devices.push_back({.type = "piix3-usb-uhci", .properties = {{"addr", "01.2"}}});
  for (unsigned n = 0; n < 4; ++n) {
    if (ide_[n]) m.add_ide(n, *ide_[n]);
  }
  for (unsigned n = 0; n < 2; ++n) {
    if (floppy_[n]) m.add_floppy(n, *floppy_[n]);
  }
  m.drives.insert(m.drives.end(), unplugged_.begin(), unplugged_.end());
  for (unsigned n = 0; n < 4; ++n) {
    if (serial_[n].kind == CharSpec::Kind::kNone) continue;
    const std::string id = fmt::format("serial{}", n);
    m.plug_serial(n, id);
    channel(id, serial_[n], "-serial");
  }
  if (parallel_.kind != CharSpec::Kind::kNone) {
    m.plug_parallel("parallel0");
    channel("parallel0", parallel_, "-parallel");
  }
  for (std::size_t n = 0; n < debugcons_.size(); ++n) {
    const std::string id = n == 0 ? "debugcon" : fmt::format("debugcon{}", n);
    m.devices.push_back({.type = "isa-debugcon", .properties = {{"chardev", id}}});
    channel(id, debugcons_[n], "-debugcon");
  }
  m.devices.insert(m.devices.end(), devices_.begin(), devices_.end());
}

}  // namespace xlat
