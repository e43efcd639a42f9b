// floppy, as the command line asks for it.
#include <fmt/format.h>

#include "devices/floppy/fdc82077.h"
#include "devices/registry.h"

namespace xlat {

namespace {

constexpr Property kProperties[] = {
    back_end("drive", Property::Kind::kDrive, "the id of a -drive if=none; an empty drive without it"),
    number("unit", "", "0 for A, 1 for B; the first free place if not given", 0, 1),
    kBootIndex,
};

// The image decides what kind of drive it is; an empty one takes 3.5-inch disks up to 2.88 MB.
Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  Fdc82077& controller = board.floppy_controller();
  unsigned unit = values.given("unit") ? static_cast<unsigned>(values.number("unit")) : controller.drive(0) ? 1 : 0;
  if (controller.drive(unit)) return error("floppy drive {} is there already", "AB"[unit]);
  auto backend = board.drive(values.text("drive"), fmt::format("floppy{}", unit), Medium::kFloppy);
  if (!backend) return backend.error();
  FloppyType type = FloppyType::k2880K;
  if (backend->image) {
    const auto format = floppy_format_of(*backend->image);
    if (!format) return format.error();
    type = format.value().drive == FloppyType::k720K ? FloppyType::k1440K : format.value().drive;
  }
  board.choose("unit", fmt::to_string(unit));
  board.sit_on("", fmt::to_string(unit));
  FloppyDrive& drive = controller.attach(unit, type, std::move(backend->setup));
  board.add_drive(backend->name, drive);
  if (backend->image) {
    if (Status s = drive.insert(std::move(backend->image)); !s) return s.error();
  }
  return std::unique_ptr<Device>();  // the controller owns, resets and saves it
}

}  // namespace

extern const DeviceType kFloppyType = {"floppy",    "floppy-bus", DeviceType::Category::kStorage, "a floppy disk drive",
                                       kProperties, make};

}  // namespace xlat
