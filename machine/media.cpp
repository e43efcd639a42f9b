// Drives, their images, and changing what is in them while the machine runs.
#include "machine/pc.h"

namespace xlat {

namespace {

std::string ide_name(unsigned n, bool cdrom) { return fmt::format("ide{}-{}{}", n / 2, cdrom ? "cd" : "hd", n % 2); }

Result<std::unique_ptr<BlockImage>> open_image(const DriveConfig& d, bool follower) {
  const bool read_only = d.read_only || d.cdrom || d.snapshot;
  auto image = open_raw_image(d.path, follower    ? ImageAccess::kBeside
                                      : read_only ? ImageAccess::kReadOnly
                                                  : ImageAccess::kReadWrite);
  if (!image || !(d.snapshot || follower) || d.cdrom || d.read_only) return image;
  return make_snapshot_image(std::move(*image));
}

}  // namespace

Status Pc::plug_drives() {
  for (unsigned n = 0; n < 4; ++n) {
    if (!config_.ide[n]) continue;
    const DriveConfig& d = *config_.ide[n];
    std::unique_ptr<BlockImage> image;
    if (!d.path.empty()) {
      auto opened = open_image(d, config_.follower);
      if (!opened) return opened.error();
      image = std::move(*opened);
    }
    std::unique_ptr<IdeDrive> drive;
    if (d.cdrom) {
      drive = std::make_unique<AtapiCdrom>(clock, ide_name(n, true), std::move(image));
    } else {
      drive = std::make_unique<AtaDisk>(clock, ide_name(n, false), std::move(image));
    }
    (n < 2 ? ide_primary : ide_secondary).plug(n % 2, std::move(drive));
  }
  return {};
}

Status Pc::plug_floppies() {
  for (unsigned n = 0; n < 2; ++n) {
    if (!config_.floppy[n]) continue;
    if (config_.floppy[n]->path.empty()) {
      fdc.attach(n, FloppyType::k2880K);
      continue;
    }
    auto image = open_image(*config_.floppy[n], config_.follower);
    if (!image) return image.error();
    const auto format = floppy_format_or_part((*image)->size());
    FloppyType type = format ? format->drive : FloppyType::k1440K;
    if (type == FloppyType::k720K) type = FloppyType::k1440K;
    if (Status s = fdc.attach(n, type).insert(std::move(*image)); !s) return s;
  }
  return {};
}

AtapiCdrom* Pc::cdrom(unsigned ide_index) {
  return dynamic_cast<AtapiCdrom*>((ide_index < 2 ? ide_primary : ide_secondary).drive(ide_index % 2));
}

std::vector<BlockDevice> Pc::block_devices() {
  std::vector<BlockDevice> all;
  for (unsigned n = 0; n < 4; ++n) {
    if (!config_.ide[n]) continue;
    const bool cd = config_.ide[n]->cdrom;
    BlockDevice device{.name = ide_name(n, cd), .removable = cd, .snapshot = config_.ide[n]->snapshot && !cd};
    if (const AtapiCdrom* drive = cdrom(n)) {
      device.image = drive->image();
      device.locked = drive->locked();
      device.tray_open = drive->tray_open();
    } else if (auto* disk = dynamic_cast<AtaDisk*>((n < 2 ? ide_primary : ide_secondary).drive(n % 2))) {
      device.image = &disk->image();
    }
    all.push_back(std::move(device));
  }
  for (unsigned n = 0; n < 2; ++n) {
    const FloppyDrive* drive = fdc.drive(n);
    if (!drive) continue;
    all.push_back({.name = fmt::format("floppy{}", n),
                   .image = drive->image(),
                   .removable = true,
                   .snapshot = config_.floppy[n] && config_.floppy[n]->snapshot});
  }
  return all;
}

Result<DriveConfig*> Pc::removable(std::string_view name) {
  std::string names;
  for (const BlockDevice& d : block_devices()) {
    if (d.name == name && !d.removable) return error("Device '{}' is not removable", name);
    if (d.removable) names += (names.empty() ? "" : ", ") + d.name;
  }
  for (unsigned n = 0; n < 4; ++n) {
    if (config_.ide[n] && config_.ide[n]->cdrom && ide_name(n, true) == name) return &*config_.ide[n];
  }
  for (unsigned n = 0; n < 2; ++n) {
    if (config_.floppy[n] && name == fmt::format("floppy{}", n)) return &*config_.floppy[n];
  }
  return error("Device '{}' not found; removable media are in: {}", name, names.empty() ? "none" : names);
}

Status Pc::change_medium(std::string_view name, const std::string& path, std::optional<bool> read_only, bool force) {
  const auto found = removable(name);
  if (!found) return found.error();
  DriveConfig& d = *found.value();
  DriveConfig wanted = d;
  wanted.path = path;
  if (read_only) wanted.read_only = *read_only;
  const bool floppy = !d.cdrom;
  const unsigned n = static_cast<unsigned>(name.back() - '0');
  AtapiCdrom* cd = floppy ? nullptr : cdrom(static_cast<unsigned>(name[3] - '0') * 2 + n);
  // The file may be the one that is in the drive, and is locked then.
  if (path == d.path) {
    if (Status s = eject_medium(name, force); !s) return s;
  }
  auto image = open_image(wanted, config_.follower);
  if (!image) return image.error();
  if (floppy) {
    if (Status s = fdc.drive(n)->insert(std::move(*image)); !s) return s;
  } else {
    if (cd->image() && !cd->eject(force)) {
      return error("Device '{}' is locked and force was not specified, wait for tray to open and try again", name);
    }
    cd->insert(std::move(*image));
  }
  d = wanted;
  return {};
}

Status Pc::eject_medium(std::string_view name, bool force) {
  const auto found = removable(name);
  if (!found) return found.error();
  const unsigned n = static_cast<unsigned>(name.back() - '0');
  if (!found.value()->cdrom) {
    fdc.drive(n)->eject();
  } else if (!cdrom(static_cast<unsigned>(name[3] - '0') * 2 + n)->eject(force)) {
    return error("Device '{}' is locked and force was not specified, wait for tray to open and try again", name);
  }
  found.value()->path.clear();
  return {};
}

}  // namespace xlat
