// Drives, their images, and changing what is in them while the machine runs.
#include <cerrno>

#include "machine/pc.h"

namespace xlat {

namespace {

std::string ide_name(unsigned n, bool cdrom) { return fmt::format("ide{}-{}{}", n / 2, cdrom ? "cd" : "hd", n % 2); }

}  // namespace

Result<std::unique_ptr<BlockImage>> Pc::open_image(const DriveConfig& d) {
  const bool follower = config_.follower;
  const bool read_only = d.read_only || d.cdrom || d.snapshot;
  auto image = open_raw_image(d.path,
                              follower    ? ImageAccess::kBeside
                              : read_only ? ImageAccess::kReadOnly
                                          : ImageAccess::kReadWrite,
                              {.probe = !d.raw, .lock = d.locking});
  if (!image) return image;
  if (!d.raw && !follower && !read_only) {
    config_.warn(fmt::format(
        "no format was given for image '{}', and it looks raw: what would make its first sector look like another "
        "format will not be written; say format=raw (-drive file=...,format=raw) to lift that",
        d.path));
  }
  if (!(d.snapshot || follower) || d.cdrom || d.read_only) return image;
  return make_snapshot_image(std::move(*image));
}

// Says what happened, and asks for the machine to stand still where the drive is to try again.
IoErrorAction Pc::judge_io(IoErrorPolicy policy, const Error& failed) {
  // A quota or a limit on the size of files is as good as a full disk: all can be lifted.
  const bool full = failed.host == ENOSPC || failed.host == EDQUOT || failed.host == EFBIG;
  if (policy == IoErrorPolicy::kStopIfFull) policy = full ? IoErrorPolicy::kStop : IoErrorPolicy::kReport;
  if (policy == IoErrorPolicy::kStop && !config_.follower) {
    io_stop_ = fmt::format("{}; the machine is paused: {}the monitor's 'cont' tries again", failed.message,
                           full ? "make room, then " : "");
    interp.stop();
    return IoErrorAction::kRetry;
  }
  // Once is enough for each kind of failure.
  if (io_told_ != failed.host) {
    config_.warn(fmt::format("{}; the guest was told {}", failed.message,
                             policy == IoErrorPolicy::kIgnore ? "that all went well" : "so"));
  }
  io_told_ = failed.host;
  return policy == IoErrorPolicy::kIgnore ? IoErrorAction::kIgnore : IoErrorAction::kReport;
}

Status Pc::plug_drives() {
  for (unsigned n = 0; n < 4; ++n) {
    if (!config_.ide[n]) continue;
    const DriveConfig& d = *config_.ide[n];
    std::unique_ptr<BlockImage> image;
    if (!d.path.empty()) {
      auto opened = open_image(d);
      if (!opened) return opened.error();
      image = std::move(*opened);
    }
    std::unique_ptr<IdeDrive> drive;
    DriveIdentity identity;
    if (d.cdrom) identity.model = "XLAT CD-ROM";
    identity.serial = d.serial.empty() ? fmt::format("XL{:05}", n + 1) : d.serial;
    if (d.cdrom) {
      drive = std::make_unique<AtapiCdrom>(clock, ide_name(n, true), std::move(image), std::move(identity));
    } else {
      drive = std::make_unique<AtaDisk>(clock, ide_name(n, false), std::move(image), std::move(identity));
    }
    drive->on_io_error([this, &d](bool write, const Error& failed) {
      const IoErrorPolicy policy = write ? d.on_write_error : d.on_read_error;
      // A disc is not read again by itself.
      return judge_io(d.cdrom && policy != IoErrorPolicy::kIgnore ? IoErrorPolicy::kReport : policy, failed);
    });
    (n < 2 ? ide_primary : ide_secondary).plug(n % 2, std::move(drive));
  }
  return {};
}

Status Pc::plug_floppies() {
  fdc.on_io_error([this](bool, const Error& failed) { return judge_io(IoErrorPolicy::kReport, failed); });
  for (unsigned n = 0; n < 2; ++n) {
    if (!config_.floppy[n]) continue;
    if (config_.floppy[n]->path.empty()) {
      fdc.attach(n, FloppyType::k2880K);
      continue;
    }
    auto image = open_image(*config_.floppy[n]);
    if (!image) return image.error();
    const auto format = floppy_format_of(**image);
    if (!format) return format.error();
    FloppyType type = format.value().drive;
    if (type == FloppyType::k720K) type = FloppyType::k1440K;
    if (Status s = fdc.attach(n, type).insert(std::move(*image)); !s) return s;
  }
  return {};
}

AtapiCdrom* Pc::cdrom(unsigned ide_index) {
  return dynamic_cast<AtapiCdrom*>((ide_index < 2 ? ide_primary : ide_secondary).drive(ide_index % 2));
}

AtaDisk* Pc::disk(unsigned ide_index) {
  return dynamic_cast<AtaDisk*>((ide_index < 2 ? ide_primary : ide_secondary).drive(ide_index % 2));
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
    } else if (AtaDisk* hard_disk = disk(n)) {
      device.image = &hard_disk->image();
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

Status Pc::change_medium(std::string_view name, const std::string& path, MediumOptions options) {
  const auto found = removable(name);
  if (!found) return found.error();
  DriveConfig& d = *found.value();
  DriveConfig wanted = d;
  wanted.path = path;
  wanted.raw = options.raw;
  if (options.read_only) wanted.read_only = *options.read_only;
  const bool floppy = !d.cdrom;
  const unsigned n = static_cast<unsigned>(name.back() - '0');
  AtapiCdrom* cd = floppy ? nullptr : cdrom(static_cast<unsigned>(name[3] - '0') * 2 + n);
  // The file may be the one that is in the drive, and is locked then.
  if (path == d.path) {
    if (Status s = eject_medium(name, options.force); !s) return s;
  }
  auto image = open_image(wanted);
  if (!image) return image.error();
  if (floppy) {
    if (Status s = fdc.drive(n)->insert(std::move(*image)); !s) return s;
  } else {
    if (cd->image() && !cd->eject(options.force)) {
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
