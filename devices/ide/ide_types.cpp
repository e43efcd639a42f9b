// ide-hd and ide-cd, as the command line asks for them.
#include <fmt/format.h>

#include "base/spelling.h"
#include "devices/block/write_cache.h"
#include "devices/ide/ata.h"
#include "devices/ide/atapi.h"
#include "devices/ide/ide_socket.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr Property kProperties[] = {
    back_end("drive", Property::Kind::kDrive, "the id of a -drive if=none"),
    text("bus", "", "ide.0, ide.1 or that of a controller; the first with room if not given"),
    number("unit", "", "0 for the master, 1 for the slave; the first free place if not given", 0, 1),
    kBootIndex,
    text("serial", "", "serial number, at most 20 characters"),
    text("model", "", "model number, at most 40 characters"),
    text("ver", "", "firmware revision, at most 8 characters"),
    kWriteCache,
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values, bool disc) {
  const std::string wanted = values.text("bus");
  const Board::IdeBus* bus = nullptr;
  unsigned unit = 0, place = 0;  // of all, for the serial number
  const std::vector<Board::IdeBus> buses = board.ide_buses();
  std::vector<std::string_view> names;
  bool known = wanted.empty();
  unsigned passed = 0;
  for (const Board::IdeBus& b : buses) {
    names.push_back(b.name);
    known |= b.name == wanted;
    for (unsigned n = 0; n < b.socket->units(); ++n, ++passed) {
      if (bus || b.socket->drive(n) || (!wanted.empty() && b.name != wanted)) continue;
      if (values.given("unit") && n != values.number("unit")) continue;
      bus = &b, unit = n, place = passed;
    }
  }
  if (!known) return error("no bus '{}'; {}", wanted, choices(wanted, names));
  if (!bus) {
    return wanted.empty() && !values.given("unit") ? error("all {} places on the IDE buses are taken", passed)
                                                   : error("that place on the IDE buses is taken");
  }
  const std::string usual = place < 4 && !bus->socket->is_sata()
                                ? fmt::format("ide{}-{}{}", place / 2, disc ? "cd" : "hd", place % 2)
                                : fmt::format("{}-{}{}", bus->name, disc ? "cd" : "hd", unit);
  auto backend = board.drive(values.text("drive"), usual, disc ? Medium::kDisc : Medium::kHardDisk);
  if (!backend) return backend.error();
  DriveIdentity identity;
  identity.sata = bus->socket->is_sata();
  if (disc) identity.model = "XLAT CD-ROM";
  identity.serial = backend->serial.empty() ? fmt::format("XL{:05}", place + 1) : backend->serial;
  for (const auto& [name, most, to] : {std::tuple{"serial", 20u, &identity.serial},
                                       {"model", 40u, &identity.model},
                                       {"ver", 8u, &identity.firmware}}) {
    if (!values.given(name)) continue;
    *to = values.text(name);
    if (to->size() > most) return error("{}={}: at most {} characters", name, *to, most);
  }
  if (Status s = set_write_cache(values, backend->setup.policy); !s) return s.error();
  std::unique_ptr<IdeDrive> drive;
  if (disc) {
    auto cdrom = std::make_unique<AtapiCdrom>(board.clock(), usual, std::move(backend->image), std::move(identity),
                                              std::move(backend->setup));
    board.add_drive(backend->name, *cdrom);
    drive = std::move(cdrom);
  } else {
    if (!backend->image) return error("drive={} has no file=", values.text("drive"));
    auto disk = std::make_unique<AtaDisk>(board.clock(), usual, std::move(backend->image), std::move(identity),
                                          std::move(backend->setup));
    board.add_drive(backend->name, *disk);
    drive = std::move(disk);
  }
  board.choose("unit", fmt::to_string(unit));
  board.sit_on(bus->name, fmt::to_string(unit));
  bus->socket->plug(unit, std::move(drive));  // which owns, resets and saves it
  return std::unique_ptr<Device>();
}

Result<std::unique_ptr<Device>> make_disk(Board& board, const Properties& values) {
  if (!values.given("drive")) return error("no drive specified; give drive=ID");
  return make(board, values, false);
}
Result<std::unique_ptr<Device>> make_cdrom(Board& board, const Properties& values) { return make(board, values, true); }

}  // namespace

extern const DeviceType kIdeHdType = {"ide-hd",      "IDE",       DeviceType::Category::kStorage,
                                      "a hard disk", kProperties, make_disk};
extern const DeviceType kIdeCdType = {"ide-cd",         "IDE",       DeviceType::Category::kStorage,
                                      "a CD-ROM drive", kProperties, make_cdrom};

}  // namespace xlat
