// Options about images: drives, boot order.
#include <algorithm>

#include "frontend/image_probe.h"
#include "frontend/option_parser.h"
#include "frontend/option_values.h"

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
  if (drive.path.empty() && !drive.cdrom) return error("{}: give a file name", option);
  auto& slot = settings_.machine.ide[index];
  static constexpr const char* kPlaces[] = {"primary master", "primary slave", "secondary master", "secondary slave"};
  if (slot) {
    return error("{} {}: the {} (index={}) is already '{}'", option, drive.path, kPlaces[index], index, slot->path);
  }
  slot = std::move(drive);
  return {};
}

Status OptionParser::put_floppy(unsigned index, DriveConfig drive, std::string_view option) {
  if (drive.path.empty()) return error("{}: give a file name", option);
  auto& slot = settings_.machine.floppy[index];
  if (slot) return error("{} {}: floppy drive {} is already '{}'", option, drive.path, "AB"[index], slot -> path);
  slot = std::move(drive);
  return {};
}

Status OptionParser::drive(const std::string& value) {
  DriveConfig drive;
  std::optional<u64> index, bus, unit;
  bool floppy = false;
  const auto parts = split_suboptions(value);
  for (const SubOption& part : parts) {
    const auto number = [&](std::optional<u64>& to, u64 most) -> Status {
      to = parse_number(part.value);
      if (to && *to <= most) return {};
      return error("-drive: {}={}: give 0 to {}", part.name, part.value, most);
    };
    const auto on_off = [&](bool& to) -> Status {
      const auto on = parse_switch(part.value);
      if (!on) return error("-drive: {}={}: give on or off", part.name, part.value);
      to = *on;
      return {};
    };
    Status s;
    if (part.name == "file") {
      drive.path = part.value;
    } else if (part.name == "if") {
      floppy = part.value == "floppy";
      if (!floppy && part.value != "ide") {
        return error("-drive: if={}: no such interface; there are: ide, floppy", part.value);
      }
    } else if (part.name == "format") {
      if (part.value != "raw") return error("-drive: format={}: no such format; there is: raw", part.value);
    } else if (part.name == "media") {
      if (part.value != "disk" && part.value != "cdrom")
        return error("-drive: media={}: give disk or cdrom", part.value);
      drive.cdrom = part.value == "cdrom";
    } else if (part.name == "index") {
      s = number(index, 3);
    } else if (part.name == "bus") {
      s = number(bus, 1);
    } else if (part.name == "unit") {
      s = number(unit, 1);
    } else if (part.name == "snapshot") {
      s = on_off(drive.snapshot);
    } else if (part.name == "readonly" || part.name == "read-only") {
      s = on_off(drive.read_only);
    } else if (part.name == "cache") {
      static constexpr std::string_view kCaches[] = {"none", "writeback", "unsafe", "directsync", "writethrough"};
      if (std::find(std::begin(kCaches), std::end(kCaches), part.value) == std::end(kCaches)) {
        return error("-drive: cache={}: the nearest is {}", part.value, nearest(part.value, kCaches));
      }
    } else if (part.name != "id") {
      static constexpr std::string_view kNames[] = {"file", "if",       "format",   "media", "index", "bus",
                                                    "unit", "snapshot", "readonly", "cache", "id"};
      return error("-drive: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
    if (!s) return s;
    if (!part.has_value) return error("-drive: '{}' has no value; write {}=...", part.name, part.name);
  }
  if (index && (bus || unit)) return error("-drive: give index, or bus and unit, not both");
  if (floppy) {
    if (drive.cdrom) return error("-drive: media=cdrom does not go with if=floppy");
    if (bus.value_or(0) != 0) return error("-drive: bus={}: there is one floppy controller, 0", *bus);
    if (unit) index = unit;
    if (!index) index = settings_.machine.floppy[0] ? 1 : 0;
    if (*index > 1) return error("-drive: index={}: there are floppy drives 0 and 1", *index);
    return put_floppy(static_cast<unsigned>(*index), std::move(drive), "-drive");
  }
  if (bus || unit) index = bus.value_or(0) * 2 + unit.value_or(0);
  if (!index) {
    index = drive.cdrom ? 2 : 0;
    while (*index < 4 && settings_.machine.ide[*index]) ++*index;
    if (*index == 4) return error("-drive {}: all four IDE drives are taken", value);
  }
  if (drive.path.empty() && !drive.cdrom) return error("-drive: file= is missing");
  return put_drive(static_cast<unsigned>(*index), std::move(drive), "-drive");
}

Status OptionParser::boot(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "order")) {
    if (part.name == "order") {
      if (part.value.empty()) return error("-boot: give an order of the letters a, c, d, n");
      for (std::size_t n = 0; n < part.value.size(); ++n) {
        const char letter = part.value[n];
        if (std::string_view("abcdn").find(letter) == std::string_view::npos) {
          return error("-boot: no device '{}' in order={}; there are: a floppy, c disk, d CD-ROM, n network", letter,
                       part.value);
        }
        if (part.value.find(letter, n + 1) != std::string::npos) {
          return error("-boot: order={} names '{}' twice", part.value, letter);
        }
      }
      settings_.machine.boot_order = part.value;
    } else if (part.name == "menu" || part.name == "strict") {
      const auto on = parse_switch(part.value);
      if (!on) return error("-boot: {}={}: give on or off", part.name, part.value);
      if (part.name == "menu") settings_.machine.boot_menu = *on;
    } else {
      static constexpr std::string_view kNames[] = {"order", "menu", "strict"};
      return error("-boot: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
  }
  return {};
}

Status OptionParser::check_files() {
  for (auto& drive : settings_.machine.floppy) {
    if (!drive || drive->path.empty()) continue;
    if (snapshot_) drive->snapshot = true;
    auto warning = check_floppy_image(drive->path);
    if (!warning) return warning.error();
    if (!warning->empty()) settings_.warnings.push_back(std::move(*warning));
  }
  for (auto& drive : settings_.machine.ide) {
    if (!drive || drive->path.empty()) continue;
    if (snapshot_ && !drive->cdrom) drive->snapshot = true;
    if (Status s = drive->cdrom ? check_iso_image(drive->path) : check_disk_image(drive->path); !s) return s;
  }
  return {};
}

}  // namespace xlat
