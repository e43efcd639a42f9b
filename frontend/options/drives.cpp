// Options about images: drives, boot order.
#include <algorithm>

#include "frontend/options/image_probe.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

Status OptionParser::image(const std::string& path) {
  auto kind = recognise_image(path);
  if (!kind) return kind.error();
  switch (*kind) {
    case ImageKind::kKernel:
      if (!settings_.machine.kernel.empty()) return error("'{}' is a kernel, and -kernel names another", path);
      settings_.machine.kernel = path;
      return {};
    case ImageKind::kIso: return put_drive(2, {.path = path, .cdrom = true}, "IMAGE");
    case ImageKind::kDisk: return put_drive(0, {.path = path}, "IMAGE");
    case ImageKind::kFloppy: return put_floppy(0, {.path = path}, "IMAGE");
  }
  return {};
}

Status OptionParser::put_drive(unsigned index, DriveConfig drive, std::string_view option) {
  if (!drive.has_image() && !drive.cdrom) return error("{}: give a file name", option);
  auto& slot = ide_[index];
  static constexpr const char* kPlaces[] = {"primary master", "primary slave", "secondary master", "secondary slave"};
  if (slot) {
    return error("{} {}: the {} (index={}) is already '{}'", option, drive.path, kPlaces[index], index, slot->path);
  }
  slot = std::move(drive);
  return {};
}

Status OptionParser::put_floppy(unsigned index, DriveConfig drive, std::string_view option) {
  if (!drive.has_image() && option == "-drive") return {};  // both drives are there, with or without a floppy
  if (!drive.has_image()) return error("{}: give a file name", option);
  auto& slot = floppy_[index];
  if (slot) return error("{} {}: floppy drive {} is already '{}'", option, drive.path, "AB"[index], slot -> path);
  slot = std::move(drive);
  return {};
}

namespace {

std::optional<IoErrorPolicy> error_policy(std::string_view value, bool write) {
  if (value == "report") return IoErrorPolicy::kReport;
  if (value == "ignore") return IoErrorPolicy::kIgnore;
  if (value == "stop") return IoErrorPolicy::kStop;
  if (value == "enospc" && write) return IoErrorPolicy::kStopIfFull;
  return std::nullopt;
}

}  // namespace

// The sub-options that say what the drive is; those of the place where it is plugged in are drive()'s.
Status OptionParser::drive_property(DriveConfig& drive, const SubOption& part, bool& known) {
  const auto on_off = [&](bool& to) -> Status {
    const auto on = part.has_value ? parse_switch(part.value) : true;
    if (!on) return error("-drive: {}={}: give on or off", part.name, part.value);
    to = *on;
    return {};
  };
  if (part.name == "snapshot") return on_off(drive.snapshot);
  if (part.name == "readonly" || part.name == "read-only") return on_off(drive.read_only);
  if (!part.has_value) return {};  // drive() says so
  if (part.name == "file" || part.name == "file.filename") {
    drive.path = part.value;
  } else if (part.name == "format" || part.name == "driver") {
    if (!find_image_driver(part.value == "vhd" ? "vpc" : part.value)) {
      if (part.name == "driver") {
        drive.options["driver"] = part.value;
        return {};
      }
      return error("-drive: format={}: no such format; there are: {}", part.value, image_driver_names());
    }
    drive.format = part.value;
  } else if (part.name == "media") {
    if (part.value != "disk" && part.value != "cdrom") return error("-drive: media={}: give disk or cdrom", part.value);
    drive.cdrom = part.value == "cdrom";
  } else if (part.name == "werror" || part.name == "rerror") {
    const bool write = part.name == "werror";
    const auto policy = error_policy(part.value, write);
    if (!policy) {
      return error("-drive: {}={}: give report, ignore{} stop", part.name, part.value, write ? ", enospc or" : " or");
    }
    (write ? drive.on_write_error : drive.on_read_error) = *policy;
    drive_errors_ = std::string(part.name);
  } else if (part.name == "serial") {
    if (part.value.size() > 20) return error("-drive: serial={}: at most 20 characters", part.value);
    drive.serial = part.value;
  } else if (part.name == "file.locking") {
    if (part.value != "auto" && !parse_switch(part.value)) {
      return error("-drive: file.locking={}: give auto, on or off", part.value);
    }
    drive.locking = parse_switch(part.value).value_or(true);
  } else if (part.name != "id" && part.name != "node-name") {
    // What is about the file, the format or what it is based on is checked by who opens it.
    known = is_disk_tuning(part.name) || part.name.find('.') != std::string::npos || part.name == "offset" ||
            part.name == "size" || part.name == "backing";
    if (known) drive.options[part.name] = part.value;
  }
  return {};
}

Status OptionParser::drive(const std::string& value) {
  DriveConfig drive;
  std::optional<u64> index, bus, unit;
  bool floppy = false, unplugged = false, scsi = false;
  std::string id;
  drive_errors_.clear();
  const auto parts = split_suboptions(value);
  if (value == "help" || value == "?") {
    say("-drive file=F[,if=ide|floppy][,format=F][,index=N|bus=N,unit=N][,media=disk|cdrom]\n"
        "       [,snapshot=on|off][,readonly=on|off][,werror=W][,rerror=R][,cache=C][,aio=A][,discard=D]\n"
        "       [,serial=S][,id=ID]\n");
    return {};
  }
  for (const SubOption& part : parts) {
    const auto number = [&](std::optional<u64>& to, u64 most) -> Status {
      to = parse_number(part.value);
      if (to && *to <= most) return {};
      return error("-drive: {}={}: give 0 to {}", part.name, part.value, most);
    };
    Status s;
    bool known = true, valued = true;
    if (part.name == "if") {
      floppy = part.value == "floppy";
      unplugged = part.value == "none";
      scsi = part.value == "scsi";
      if (!floppy && !unplugged && !scsi && part.value != "ide") {
        return error("-drive: if={}: no such interface; there are: ide, floppy, and none for -device", part.value);
      }
    } else if (part.name == "index") {
      s = number(index, 3);
    } else if (part.name == "bus") {
      s = number(bus, 1);
    } else if (part.name == "unit") {
      s = number(unit, 1);
    } else {
      valued = part.name != "snapshot" && part.name != "readonly" && part.name != "read-only";
      s = drive_property(drive, part, known);
    }
    if (part.name == "id") id = part.value;
    if (!known) {
      static constexpr std::string_view kNames[] = {"file",     "if",     "format", "media", "index",
                                                    "bus",      "unit",   "cache",  "aio",   "snapshot",
                                                    "readonly", "werror", "rerror", "id",    "serial"};
      return error("-drive: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
    if (!s) return s;
    if (valued && !part.has_value) return error("-drive: '{}' has no value; write {}=...", part.name, part.name);
  }
  if (scsi) {  // QEMU's words: a PC has no SCSI of its own
    return error(
        "-drive {}: machine type does not support if=scsi,bus={},unit={}; use -device lsi53c895a, -drive if=none "
        "and -device scsi-hd",
        value, bus.value_or(0), unit.value_or(index.value_or(0)));
  }
  if (Status s = tune_disk(drive.options, drive.policy); !s) return error("-drive: {}", s.error().message);
  if (unplugged) {
    if (id.empty()) return error("-drive {}: if=none: give an id, which -device then names as drive=", value);
    const auto same = [&id](const DriveConfig& other) { return other.id == id; };
    if (std::any_of(unplugged_.begin(), unplugged_.end(), same)) return error("-drive: id={} is there already", id);
    drive.id = id;
    unplugged_.push_back(std::move(drive));
    return {};
  }
  if (index && (bus || unit)) return error("-drive: give index, or bus and unit, not both");
  drive.id = id;
  if (floppy) {
    if (drive.cdrom) return error("-drive: media=cdrom does not go with if=floppy");
    if (!drive_errors_.empty()) return error("-drive: {} does not go with if=floppy", drive_errors_);
    if (bus.value_or(0) != 0) return error("-drive: bus={}: there is one floppy controller, 0", *bus);
    if (unit) index = unit;
    if (!index) index = floppy_[0] ? 1 : 0;
    if (*index > 1) return error("-drive: index={}: there are floppy drives 0 and 1", *index);
    return put_floppy(static_cast<unsigned>(*index), std::move(drive), "-drive");
  }
  if (bus || unit) index = bus.value_or(0) * 2 + unit.value_or(0);
  if (!index) {
    index = drive.cdrom ? 2 : 0;
    while (*index < 4 && ide_[*index]) ++*index;
    if (*index == 4) return error("-drive {}: all four IDE drives are taken", value);
  }
  if (!drive.has_image() && !drive.cdrom) return error("-drive: file= is missing");
  return put_drive(static_cast<unsigned>(*index), std::move(drive), "-drive");
}

Status OptionParser::boot(const std::string& value) {
  MachineConfig& m = settings_.machine;
  for (const SubOption& part : split_suboptions(value, "order")) {
    if (part.name == "order" || part.name == "once") {
      if (part.value.empty()) return error("-boot: {}: give an order of the letters a, c, d, n", part.name);
      for (std::size_t n = 0; n < part.value.size(); ++n) {
        const char letter = part.value[n];
        if (std::string_view("abcdn").find(letter) == std::string_view::npos) {
          return error("-boot: no device '{}' in {}={}; there are: a floppy, c disk, d CD-ROM, n network", letter,
                       part.name, part.value);
        }
        if (part.value.find(letter, n + 1) != std::string::npos) {
          return error("-boot: {}={} names '{}' twice", part.name, part.value, letter);
        }
      }
      (part.name == "order" ? m.boot_order : m.boot_once) = part.value;
    } else if (part.name == "menu" || part.name == "strict") {
      const auto on = parse_switch(part.value);
      if (!on) return error("-boot: {}={}: give on or off", part.name, part.value);
      (part.name == "menu" ? m.boot_menu : m.boot_strict) = *on;
    } else if (part.name == "splash-time" || part.name == "reboot-timeout") {
      const bool never = part.name == "reboot-timeout" && part.value == "-1";
      const auto ms = never ? std::optional<u64>(0xffffffff) : parse_number(part.value);
      if (!ms || (!never && *ms > 0xffff)) return error("-boot: {}={}: give 0 to 65535 ms", part.name, part.value);
      if (part.name == "splash-time") m.boot_menu_wait = static_cast<u32>(*ms);
      if (part.name == "reboot-timeout") m.boot_retry_wait = static_cast<u32>(*ms);
    } else if (part.name == "splash") {
      if (Status s = firmware_file(part.value, "-boot splash", m.boot_splash); !s) return s;
    } else {
      static constexpr std::string_view kNames[] = {"order",  "once",        "menu",          "strict",
                                                    "splash", "splash-time", "reboot-timeout"};
      return error("-boot: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
  }
  return {};
}

Status OptionParser::check_files() {
  const auto check = [this](DriveConfig& drive, auto look) -> Status {
    if (drive.path.starts_with("file:")) drive.path.erase(0, 5);
    auto warning = look(drive.image());
    if (!warning) return warning.error();
    if (!warning->empty()) settings_.warnings.push_back(std::move(*warning));
    return {};
  };
  for (const DeviceConfig& device : settings_.machine.devices) {
    const std::string* id = device.find("drive");
    for (DriveConfig& drive : settings_.machine.drives) {
      if (!id || drive.id != *id || !drive.has_image()) continue;
      drive.cdrom |= device.type == "ide-cd" || device.type == "scsi-cd";
      if (snapshot_ && !drive.cdrom) drive.snapshot = true;
      const auto look = device.type == "floppy" ? check_floppy_image : drive.cdrom ? check_iso_image : check_disk_image;
      if (Status s = check(drive, look); !s) return s;
    }
  }
  return {};
}

}  // namespace xlat
