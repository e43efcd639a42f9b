// Files as disks, floppies and CDs: what is found out about them before a guest sees them.
#include "block/disk_geometry.h"
#include "devices/floppy/floppy_drive.h"
#include "frontend/options/image_probe.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 3) return 0;
  fuzz::Input input(data, size);
  const u64 sectors = u64{input.word()} << (input.byte() % 16);
  const std::span<const u8> image = input.rest();
  const fuzz::File file(image);

  std::vector<u8> head(image.begin(),
                       image.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(512, image.size())));
  (void)probe_image(head, {});
  (void)format_of_tail(image.last(head.size()));
  const FloppyFormat floppy = fitting_floppy_format(sectors * 512, head);
  if (floppy.total_sectors() == 0 || floppy.total_sectors() > FloppyDrive::kMostSectors) fuzz::found("a floppy format");
  head.resize(512);
  const DiskGeometry disk = guess_geometry(sectors, std::span<const u8, 512>(head));
  if (disk.cylinders < 1 || disk.cylinders > 16383 || disk.heads < 1 || disk.heads > 16 || disk.sectors < 1 ||
      disk.sectors > 63) {
    fuzz::found("a disk geometry");
  }

  if (const auto kind = recognise_image(file.path()); !kind) fuzz::one_line(kind.error().message);
  for (const auto check : {check_disk_image, check_iso_image, check_floppy_image}) {
    auto warning = check({.file = file.path()});
    if (!warning) {
      fuzz::one_line(warning.error().message);
    } else if (!warning->empty()) {
      fuzz::one_line(*warning);
    }
  }
  auto opened = open_image({.file = file.path()}, ImageAccess::kReadWrite, {.lock = false, .guest = true});
  if (!opened) {
    fuzz::one_line(opened.error().message);
    return 0;
  }
  FloppyDrive drive(FloppyType::k2880K);
  if (!drive.insert(std::move(*opened))) return 0;
  u8 sector[512];
  for (unsigned head_number = 0; head_number < 2; ++head_number) {
    for (unsigned record : {0u, 1u, 9u, 18u, 36u, 255u}) {
      if (const auto at = drive.find(head_number, record)) {
        (void)drive.read(*at, sector);
        (void)drive.write(*at, sector, false);
      }
    }
  }
  return 0;
}
