// scsi-hd and scsi-cd, as the command line asks for them.
#include <fmt/format.h>

#include "base/spelling.h"
#include "devices/block/write_cache.h"
#include "devices/registry.h"
#include "devices/scsi/scsi_bus.h"
#include "devices/scsi/scsi_cdrom.h"
#include "devices/scsi/scsi_disk.h"

namespace xlat {

namespace {

constexpr Property kDrive = back_end("drive", Property::Kind::kDrive, "the id of a -drive if=none"),
                   kBus = text("bus", "", "that of a controller, as scsi.0; the first if not given"),
                   kChannel = number("channel", "0", "a bus has one", 0, 0),
                   // What is too large is refused in QEMU's words.
    kTarget = number("scsi-id", "", "its number on the bus, 0 to 7; the first free one if not given"),
                   kLun = number("lun", "", "logical unit of that target, 0 to 7; 0 if not given"),
                   kSerial = text("serial", "", "serial number, at most 36 characters"),
                   kVendor = text("vendor", "XLAT", "who made it, at most 8 characters"),
                   kVersion = text("ver", "1.0", "firmware revision, at most 4 characters"),
                   kDeviceId =
                       text("device_id", "", "identification; the serial number or the drive's id if not given");

constexpr Property kDiskProperties[] = {
    kDrive,
    kBus,
    kChannel,
    kTarget,
    kLun,
    kBootIndex,
    kSerial,
    kVendor,
    text("product", "XLAT HARDDISK", "model, at most 16 characters"),
    kVersion,
    kDeviceId,
    on_off("removable", "off", "whether the medium can be changed"),
    kWriteCache,
    number("rotation_rate", "0", "rotations a minute; 0: it does not tell, 1: it has no disk", 0, 0xfffe)};
constexpr Property kDiscProperties[] = {
    kDrive,   kBus,     kChannel,
    kTarget,  kLun,     kBootIndex,
    kSerial,  kVendor,  text("product", "XLAT CD-ROM", "model, at most 16 characters"),
    kVersion, kDeviceId};

struct Place {
  std::string bus;
  ScsiBus* scsi = nullptr;
  unsigned number = 0;  // of the bus
  unsigned target = 0, lun = 0;
};

Result<Place> find_place(Board& board, const Properties& values, std::string_view type) {
  const std::vector<Board::NamedScsiBus> buses = board.scsi_buses();
  if (buses.empty()) return error("No 'SCSI' bus found for device '{}'; add -device lsi53c895a before it", type);
  const std::string wanted = values.text("bus");
  std::vector<std::string_view> names;
  const u64 target = values.number("scsi-id"), lun = values.number("lun");
  if (values.given("scsi-id") && target >= ScsiBus::kTargets) return error("bad scsi device id: {}", target);
  if (lun >= ScsiBus::kLuns) return error("bad scsi device lun: {}", lun);
  bool known = false;
  for (std::size_t n = 0; n < buses.size(); ++n) {
    names.push_back(buses[n].name);
    if (!wanted.empty() && buses[n].name != wanted) continue;
    known = true;
    Place place{buses[n].name, buses[n].bus, static_cast<unsigned>(n), static_cast<unsigned>(target),
                static_cast<unsigned>(lun)};
    if (!values.given("scsi-id")) {
      while (place.target < ScsiBus::kTargets && place.scsi->unit(place.target, place.lun)) ++place.target;
      if (place.target == ScsiBus::kTargets) continue;
    } else if (place.scsi->unit(place.target, place.lun)) {
      return values.given("lun") ? error("lun already used by another device on {}", place.bus) : error("no free lun");
    }
    return place;
  }
  return known ? error("no free target") : error("no bus '{}'; {}", wanted, choices(wanted, names));
}

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values, bool disc) {
  const std::string_view type = disc ? "scsi-cd" : "scsi-hd";
  auto place = find_place(board, values, type);
  if (!place) return place.error();
  const bool removable = disc || values.on("removable");
  if (!values.given("drive") && !removable) return error("drive property not set; give drive=ID");
  ScsiIdentity identity;
  for (const auto& [name, most, to] : {std::tuple{"serial", 36u, &identity.serial},
                                       {"vendor", 8u, &identity.vendor},
                                       {"product", 16u, &identity.product},
                                       {"ver", 4u, &identity.revision},
                                       {"device_id", 36u, &identity.device_id}}) {
    *to = values.text(name);
    if (to->size() > most) return error("{}={}: at most {} characters", name, *to, most);
  }
  const std::string usual = fmt::format("scsi{}-{}{}{}", place->number, disc ? "cd" : "hd", place->target,
                                        place->lun ? fmt::format("-{}", place->lun) : "");
  auto backend = board.drive(values.text("drive"), usual, disc ? Medium::kDisc : Medium::kHardDisk);
  if (!backend) return backend.error();
  if (!backend->image && !removable) return error("drive={} has no file=", values.text("drive"));
  if (identity.serial.empty()) identity.serial = backend->serial;
  if (identity.device_id.empty()) identity.device_id = identity.serial.empty() ? backend->name : identity.serial;
  std::unique_ptr<ScsiUnit> unit;
  if (disc) {
    unit = std::make_unique<ScsiCdrom>(board.clock(), usual, std::move(backend->image), std::move(identity),
                                       std::move(backend->setup));
  } else {
    if (Status s = set_write_cache(values, backend->setup.policy); !s) return s.error();
    unit = std::make_unique<ScsiDisk>(board.clock(), usual, std::move(backend->image), removable, std::move(identity),
                                      std::move(backend->setup), static_cast<u16>(values.number("rotation_rate")));
  }
  board.add_drive(backend->name, *unit);
  board.choose("scsi-id", fmt::to_string(place->target));
  board.choose("lun", fmt::to_string(place->lun));
  board.sit_on(place->bus, fmt::format("{:x},{:x}", place->target, place->lun));
  place->scsi->plug(place->target, place->lun, *unit);
  return std::unique_ptr<Device>(std::move(unit));
}

Result<std::unique_ptr<Device>> make_disk(Board& board, const Properties& values) { return make(board, values, false); }
Result<std::unique_ptr<Device>> make_disc(Board& board, const Properties& values) { return make(board, values, true); }

}  // namespace

extern const DeviceType kScsiHdType = {"scsi-hd",     "SCSI",          DeviceType::Category::kStorage,
                                       "a SCSI disk", kDiskProperties, make_disk};
extern const DeviceType kScsiCdType = {"scsi-cd",       "SCSI",   DeviceType::Category::kStorage, "a SCSI CD-ROM drive",
                                       kDiscProperties, make_disc};

}  // namespace xlat
