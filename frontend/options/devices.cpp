// -device and -global: devices by name, and their properties.
#include <algorithm>

#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

struct DeviceInfo {
  std::string_view name, properties, help;
};
constexpr DeviceInfo kDevices[] = {
    {"floppy", "drive=ID,unit=N,bootindex=N", "a floppy drive with a -drive if=none,id=ID in it"},
    {"ide-cd", "drive=ID,bus=ide.0|ide.1,unit=N,bootindex=N,serial=S", "a CD-ROM drive, likewise"},
    {"ide-hd", "drive=ID,bus=ide.0|ide.1,unit=N,bootindex=N,serial=S", "a hard disk, likewise"},
    {"isa-debug-exit", "iobase=0x501,iosize=2", "a write of N ends xlat with status N * 2 + 1"},
    {"isa-debugcon", "iobase=0xe9,chardev=ID", "a debug console"},
    {"isa-serial", "chardev=ID,index=N", "a serial port, COM1 to COM4"},
    {"isa-parallel", "chardev=ID", "the parallel port LPT1"},
    {"VGA", "", "the graphics adapter (-vga std)"},
};

// Devices QEMU's users ask for that come later, by how their names begin.
struct LaterDevice {
  std::string_view prefix, missing;
};
constexpr LaterDevice kLater[] = {{"e1000", "networking"},
                                  {"rtl8139", "networking"},
                                  {"ne2k", "networking"},
                                  {"pcnet", "networking"},
                                  {"i825", "networking"},
                                  {"virtio-net", "networking"},
                                  {"vmxnet", "networking"},
                                  {"usb-", "USB"},
                                  {"piix3-usb", "USB"},
                                  {"ich9-usb", "USB"},
                                  {"qemu-xhci", "USB"},
                                  {"nec-usb", "USB"},
                                  {"sb16", "sound cards"},
                                  {"ac97", "sound cards"},
                                  {"AC97", "sound cards"},
                                  {"adlib", "sound cards"},
                                  {"ES1370", "sound cards"},
                                  {"es1370", "sound cards"},
                                  {"intel-hda", "sound cards"},
                                  {"hda-", "sound cards"},
                                  {"gus", "sound cards"},
                                  {"cs4231a", "sound cards"},
                                  {"scsi-", "SCSI"},
                                  {"lsi", "SCSI"},
                                  {"ahci", "AHCI"},
                                  {"ich9-ahci", "AHCI"},
                                  {"virtio-", "virtio"},
                                  {"cirrus-vga", "this graphics adapter"},
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

Status OptionParser::global(const std::string& value) {
  const auto dot = value.find('.'), equals = value.find('=');
  if (dot == std::string::npos || equals == std::string::npos || equals < dot) {
    return error("-global {}: write DRIVER.PROPERTY=VALUE", value);
  }
  const std::string driver = value.substr(0, dot), property = value.substr(dot + 1, equals - dot - 1);
  const std::string_view number_text = std::string_view(value).substr(equals + 1);
  if (driver == "isa-debugcon" && property == "iobase") {
    const auto port = parse_number(number_text);
    if (!port || *port > 0xffff) return error("-global {}: give a port 0 to 0xffff", value);
    debugcon_port_ = static_cast<u16>(*port);
    return {};
  }
  if ((driver == "PIIX4_PM" || driver == "kvm-pit" || driver == "mc146818rtc") ||
      (driver == "VGA" && property == "vgamem_mb")) {
    settings_.warnings.push_back(fmt::format("-global {}: not in this version; it has no effect", value));
    return {};
  }
  return error("-global {}: no such property; there is: isa-debugcon.iobase", value);
}

Status OptionParser::device(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  const std::string& driver = parts[0].value;
  if (driver == "help" || driver == "?") {
    std::string text = "Devices:\n";
    for (const DeviceInfo& d : kDevices) {
      text += fmt::format("  {:<16}{}{}{}\n", d.name, d.help, d.properties.empty() ? "" : ": ", d.properties);
    }
    say(text);
    return {};
  }
  const auto* info =
      std::find_if(std::begin(kDevices), std::end(kDevices), [&](const DeviceInfo& d) { return d.name == driver; });
  if (info == std::end(kDevices)) {
    for (const LaterDevice& later : kLater) {
      if (driver.starts_with(later.prefix)) return error("-device {}: {}: not in this version", driver, later.missing);
    }
    std::vector<std::string_view> names;
    for (const DeviceInfo& d : kDevices) names.push_back(d.name);
    return error("-device: no device '{}'; {}", driver, choices(driver, names));
  }
  if (parts.size() > 1 && (parts[1].name == "help" || parts[1].name == "?")) {
    say(fmt::format("{} options: {}\n", driver, info->properties.empty() ? "none" : info->properties));
    return {};
  }
  if (driver == "ide-hd" || driver == "ide-cd" || driver == "floppy") return plug_drive(driver, parts);
  DeviceProperties given;
  for (std::size_t n = 1; n < parts.size(); ++n) {
    const std::string& name = parts[n].name;
    const auto number = parse_number(parts[n].value);
    if (name == "chardev") {
      given.channel = CharSpec{.kind = CharSpec::Kind::kChardev, .path = parts[n].value};
    } else if (name == "iobase" || name == "readback" || name == "irq") {
      if (!number || *number > 0xffff)
        return error("-device {}: {}={}: give 0 to 0xffff", driver, name, parts[n].value);
      if (name == "iobase") given.iobase = static_cast<u16>(*number);
    } else if (name == "iosize" && driver == "isa-debug-exit") {
      if (!number || *number < 1 || *number > 64) return error("-device: iosize={}: give 1 to 64", parts[n].value);
      given.iosize = static_cast<u32>(*number);
    } else if (name == "index" && (driver == "isa-serial" || driver == "isa-parallel")) {
      if (!number || *number > 3) return error("-device {}: index={}: give 0 to 3", driver, parts[n].value);
      given.index = static_cast<unsigned>(*number);
    } else if (name != "id" && name != "bus" && name != "addr" && !(driver == "VGA" && name == "vgamem_mb")) {
      static constexpr std::string_view kNames[] = {"iobase", "iosize", "chardev", "index", "id"};
      return error("-device {}: no property '{}'; {}", driver, name, choices(name, kNames));
    }
  }
  return plug(driver, given);
}

Status OptionParser::plug(const std::string& driver, const DeviceProperties& given) {
  MachineConfig& m = settings_.machine;
  if (driver == "VGA") {
    m.vga = vga_given_ = true;
  } else if (driver == "isa-debug-exit") {
    if (m.debug_exit) return error("-device: there is already an isa-debug-exit");
    DebugExitConfig config;
    config.iobase = given.iobase.value_or(config.iobase);
    config.iosize = given.iosize.value_or(config.iosize);
    if (config.iobase + config.iosize > 0x10000) return error("-device: the ports of isa-debug-exit end above 0xffff");
    m.debug_exit = config;
  } else if (!given.channel) {
    return error("-device {}: chardev= is missing: the id of a -chardev", driver);
  } else if (driver == "isa-debugcon") {
    settings_.debugcon.push_back({given.iobase, *given.channel});
  } else if (driver == "isa-parallel") {
    if (parallel_given_)
      return error("-device isa-parallel: the machine has one parallel port, which is there already");
    settings_.parallel = *given.channel;
    parallel_given_ = true;
  } else {
    constexpr u16 kBases[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    unsigned index = given.index.value_or(serial_given_);
    if (given.iobase) {
      const auto* base = std::find(std::begin(kBases), std::end(kBases), *given.iobase);
      if (base == std::end(kBases))
        return error("-device isa-serial: iobase={:#x}: no COM port is there", *given.iobase);
      index = static_cast<unsigned>(base - std::begin(kBases));
    }
    if (index > 3 || settings_.serial[index].kind != CharSpec::Kind::kNone) {
      return error("-device isa-serial: COM{} is there already", index + 1);
    }
    settings_.serial[index] = *given.channel;
    serial_given_ = std::max(serial_given_, index + 1);
  }
  return {};
}

}  // namespace xlat
