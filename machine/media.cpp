// Drives, their images, and changing what is in them while the machine runs.
#include <algorithm>
#include <cerrno>

#include "block/chain.h"
#include "machine/pc.h"

namespace xlat {

Result<std::unique_ptr<BlockImage>> Pc::open_image(const DriveConfig& d) {
  const bool follower = config_.follower;
  const bool read_only = d.read_only || d.cdrom || d.snapshot;
  const ImageAccess access = follower    ? ImageAccess::kBeside
                             : read_only ? ImageAccess::kReadOnly
                                         : ImageAccess::kReadWrite;
  auto image = xlat::open_image(d.image(), access, {.lock = d.locking, .guest = true});
  if (!image) return image;
  if ((*image)->size() == 0) {
    return error("image '{}' is empty; an image has at least one 512-byte sector", d.path);
  }
  const bool guessed = d.format.empty() && !d.options.contains("driver") && (*image)->format() == "raw";
  if (guessed && !follower && !read_only) {
    config_.warn(fmt::format(
        "no format was given for image '{}', and it looks raw: what would make its first sector look like another "
        "format will not be written; say format=raw (-drive file=...,format=raw) to lift that",
        d.path));
  }
  if (!(d.snapshot || follower) || d.cdrom || d.read_only) return image;
  return make_snapshot_image(std::move(*image));
}

u16 Pc::Disks::add(Disk& disk) {
  disks.push_back(&disk);
  return static_cast<u16>(disks.size() - 1);
}

void Pc::settle_disks() {
  for (const Disk* disk : disks()) {
    if (disk) disk->settle();
  }
}

void Pc::make_disks_safe() {
  for (Disk* disk : disks()) {
    if (disk) disk->make_all_safe();
  }
}

void Pc::leave_disks() {
  for (Disk* disk : disks()) {
    if (disk) disk->drop();
  }
}

void Pc::resume_disks() {
  for (Disk* disk : disks()) {
    if (disk) disk->resume();
  }
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

AtapiCdrom* Pc::cdrom(unsigned ide_index) {
  return dynamic_cast<AtapiCdrom*>((ide_index < 2 ? ide_primary : ide_secondary).drive(ide_index % 2));
}

AtaDisk* Pc::disk(unsigned ide_index) {
  return dynamic_cast<AtaDisk*>((ide_index < 2 ? ide_primary : ide_secondary).drive(ide_index % 2));
}

std::vector<BlockDevice> Pc::block_devices() {
  std::vector<BlockDevice> all;
  for (const PluggedDrive& d : drives_) {
    if (!d.drive) continue;
    all.push_back({.name = d.name,
                   .image = d.drive->image(),
                   .removable = d.drive->removable(),
                   .snapshot = d.config.snapshot && !d.config.cdrom,
                   .locked = d.drive->locked(),
                   .tray_open = d.drive->tray_open()});
  }
  return all;
}

Result<Pc::PluggedDrive*> Pc::removable(std::string_view name) {
  std::string names;
  for (PluggedDrive& d : drives_) {
    if (!d.drive) continue;
    if (d.name == name && !d.drive->removable()) return error("Device '{}' is not removable", name);
    if (d.name == name) return &d;
    if (d.drive->removable()) names += (names.empty() ? "" : ", ") + d.name;
  }
  return error("Device '{}' not found; removable media are in: {}", name, names.empty() ? "none" : names);
}

namespace {
Error locked(std::string_view name) {
  return error("Device '{}' is locked and force was not specified, wait for tray to open and try again", name);
}
}  // namespace

Status Pc::change_medium(std::string_view name, const std::string& path, MediumOptions options) {
  auto found = removable(name);
  if (!found) return found.error();
  PluggedDrive& d = **found;
  DriveConfig wanted = d.config;
  wanted.path = path;
  wanted.format = options.format;
  wanted.options.clear();
  if (options.read_only) wanted.read_only = *options.read_only;
  // The file may be the one that is in the drive, and is locked then.
  if (path == d.config.path) {
    if (Status s = eject_medium(name, options.force); !s) return s;
  }
  auto image = open_image(wanted);
  if (!image) return image.error();
  if (d.drive->locked() && d.drive->image() && !d.drive->eject(options.force)) return locked(name);
  if (Status s = d.drive->insert(std::move(*image)); !s) return s;
  d.config = wanted;
  return {};
}

Status Pc::eject_medium(std::string_view name, bool force) {
  auto found = removable(name);
  if (!found) return found.error();
  if (!(*found)->drive->eject(force)) return locked(name);
  (*found)->config.path.clear();
  return {};
}

Status Pc::commit_drive(std::string_view name) {
  const auto found =
      std::find_if(drives_.begin(), drives_.end(), [&](const PluggedDrive& d) { return d.drive && d.name == name; });
  if (found == drives_.end()) return error("Device '{}' not found", name);
  BlockImage* image = found->drive->image();
  if (!image) return error("Device '{}' has no medium", name);
  if (!image->backing()) return error("'commit' error for '{}': its image is based on no other", name);
  const ImageSpec below{.file = image->backing()->path(), .format = std::string(image->backing()->format())};
  // It is open for reading, with a lock against writers, ourselves included.
  const auto reopen = [&](ImageAccess access) -> Status {
    image->exchange_backing(nullptr);
    auto opened = xlat::open_image(below, access, {.lock = found->config.locking});
    if (!opened) return opened.error();
    image->exchange_backing(std::move(*opened));
    return {};
  };
  Status done = reopen(ImageAccess::kReadWrite);
  if (done) done = commit_chain(*image, *image->backing(), [](double) {});
  if (done) done = image->make_empty();
  if (Status s = reopen(ImageAccess::kReadOnly); !s) {
    // Without it the guest would read zeros.
    io_stop_ = fmt::format("{}; the machine is paused, as '{}' is based on it", s.error().message, image->path());
    interp.stop();
    return s;
  }
  return done ? Status() : error("'commit' error for '{}': {}", name, done.error().message);
}

}  // namespace xlat
