// Files as disks, floppies and CDs: what is found out about them before a guest sees them.
#include "block/disk_geometry.h"
#include "devices/floppy/floppy_drive.h"
#include "frontend/options/image_probe.h"
#include "tests/fuzz/fuzz.h"

using namespace xlat;

namespace {

// The first byte says as what the file is opened, so that what the input learns of one format stays with it.
void use_as_format(fuzz::Input& input, const std::string& path) {
  const auto drivers = image_drivers();
  const ImageDriver& driver = *drivers[input.byte() % drivers.size()];
  if (!driver.open) return;
  const u8 how = input.byte();
  const ImageAccess access = driver.read_only || how & 1 ? ImageAccess::kReadOnly : ImageAccess::kReadWrite;
  // Without what it is based on: the names in it are the input's.
  auto opened = open_image({.file = path, .format = std::string(driver.name)}, access,
                           {.lock = false, .backing = false, .repair = (how & 2) != 0});
  if (!opened) return fuzz::one_line(opened.error().message);
  BlockImage& image = **opened;
  std::vector<u8> bytes(5000);
  for (unsigned n = 0; n < 6 && image.size() > 0; ++n) {
    const u64 at = ((u64{input.word()} << 16) ^ input.word()) % image.size();
    const std::span<u8> part = std::span(bytes).first(std::min<u64>(bytes.size(), image.size() - at));
    (void)image.read(at, part);
    (void)image.status(at, image.size() - at);
    if (access != ImageAccess::kReadWrite) continue;
    (void)image.write(at, part);
    if (n % 2) (void)image.write_zeroes(at, part.size(), n % 4 == 1);
    if (n % 3 == 0) (void)image.flush();
  }
  (void)image.check(access == ImageAccess::kReadWrite && how & 4 ? Repair::kAll : Repair::kNone);
  if (SnapshotStore* store = image.snapshots()) {
    const auto list = store->list();
    if (!list.empty()) (void)store->load_state(list[0].id);
    if (access == ImageAccess::kReadWrite) {
      (void)store->create({.name = "x"}, bytes);
      if (!list.empty()) (void)store->apply(list[0].id);
      if (!list.empty()) (void)store->remove(list[0].id);
    }
  }
  (void)image.details();
}

}  // namespace

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
  if (image.size() > 16) {
    const fuzz::File copy(image);
    fuzz::Input choices(data, 16);
    use_as_format(choices, copy.path());
  }
  auto opened = open_image({.file = file.path()}, ImageAccess::kReadWrite, {.lock = false, .guest = true});
  if (!opened) {
    fuzz::one_line(opened.error().message);
    return 0;
  }
  Clock clock;
  FloppyDrive drive(clock, FloppyType::k2880K);
  if (!drive.insert(std::move(*opened))) return 0;
  const u8 sector[512] = {};
  for (unsigned head_number = 0; head_number < 2; ++head_number) {
    for (unsigned record : {0u, 1u, 9u, 18u, 36u, 255u}) {
      if (const auto at = drive.find(head_number, record)) {
        drive.read(*at);
        drive.write(*at, sector, false);
        drive.drop();
      }
    }
  }
  return 0;
}
