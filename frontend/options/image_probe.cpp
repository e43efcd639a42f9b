// Looking at the first sectors of images.
#include "frontend/options/image_probe.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/bits.h"
#include "devices/floppy/floppy_drive.h"
#include "firmware/linux_boot.h"
#include "firmware/multiboot.h"

namespace xlat {

namespace {

constexpr std::size_t kProbeBytes = 0x9000;  // as far as the end of the first volume descriptor
constexpr std::size_t kVolumeDescriptor = 0x8000;

struct Head {
  std::vector<u8> bytes;
  u64 size = 0;
  bool iso() const {
    return bytes.size() >= kVolumeDescriptor + 6 && std::memcmp(&bytes[kVolumeDescriptor + 1], "CD001", 5) == 0;
  }
  bool boot_sector() const { return bytes.size() >= 512 && bytes[510] == 0x55 && bytes[511] == 0xaa; }
};

// Of what a guest will see.
Result<Head> read_head(const ImageSpec& spec) {
  auto image = open_image(spec, ImageAccess::kBeside, {.guest = true});
  if (!image) return image.error();
  Head head;
  head.size = (*image)->size();
  if (head.size == 0) return error("image '{}' is empty; an image has at least one 512-byte sector", spec.file);
  head.bytes.resize(std::min<u64>(head.size, kProbeBytes));
  if (Status s = (*image)->read(0, head.bytes); !s) return s.error();
  return head;
}

std::string check_iso(const std::string& path, const Head& head) {
  if (!head.iso()) return {};  // any bytes may be on a disc
  if (head.bytes.size() < kVolumeDescriptor + 2048) {
    return fmt::format("CD image '{}' is truncated: it ends within its first volume descriptor", path);
  }
  const u64 volume = u64{load_le<u32>(&head.bytes[kVolumeDescriptor + 80])} * 2048;
  // Mastering tools may leave out the run-out sectors at the end.
  constexpr u64 kRunOut = 150 * 2048;
  if (head.size + kRunOut < volume) {
    return fmt::format("CD image '{}' is truncated: it has {} bytes of {}", path, head.size, volume);
  }
  return {};
}

std::string check_disk(const std::string& path, const Head& head) {
  if (head.iso() || !head.boot_sector()) return {};
  const u8* table = &head.bytes[446];
  // A boot sector without partitions has code there.
  for (unsigned n = 0; n < 4; ++n) {
    if (table[16 * n] & 0x7f) return {};
  }
  for (unsigned n = 0; n < 4; ++n) {
    const u8* entry = table + 16 * n;
    const u8 type = entry[4];
    const u64 first = load_le<u32>(entry + 8), sectors = load_le<u32>(entry + 12);
    if (type == 0 || type == 0xee /* GPT: may claim all there is */ || sectors == 0) continue;
    // A partition rounded up to a cylinder is common and harmless.
    const u64 slack = std::min<u64>(u64{255} * 63, sectors / 8);
    if ((first + sectors - slack) * 512 > head.size) {
      return fmt::format(
          "disk image '{}' is truncated, or has code where a partition table would be: partition {} ends "
          "at byte {}, the file at {}",
          path, n + 1, (first + sectors) * 512, head.size);
    }
  }
  return {};
}

}  // namespace

Result<ImageKind> recognise_image(const std::string& file) {
  auto head = read_head({.file = file});
  if (!head) return head.error();
  if (looks_like_linux(head->bytes)) return ImageKind::kKernel;
  if (head->iso()) return ImageKind::kIso;
  if (head->boot_sector()) return floppy_format(head->size) ? ImageKind::kFloppy : ImageKind::kDisk;
  if (looks_like_multiboot(head->bytes)) return ImageKind::kKernel;
  return error(
      "'{}' is not bootable: no boot sector, no ISO 9660 file system, no Linux or Multiboot kernel; "
      "use -hda or -cdrom for an image without one",
      file);
}

Result<std::string> check_disk_image(const ImageSpec& image) {
  const auto head = read_head(image);
  if (!head) return head.error();
  return check_disk(image.file, head.value());
}

Result<std::string> check_iso_image(const ImageSpec& image) {
  const auto head = read_head(image);
  if (!head) return head.error();
  return check_iso(image.file, head.value());
}

Result<std::string> check_floppy_image(const ImageSpec& image) {
  const auto read = read_head(image);
  if (!read) return read.error();
  const Head& head = read.value();
  if (floppy_format(head.size)) return std::string();
  const FloppyFormat format = fitting_floppy_format(head.size, head.bytes);
  return fmt::format("floppy image '{}' has {} bytes, as no floppy has: {} a {} KB disk", image.file, head.size,
                     format.bytes() < head.size ? "the guest sees its beginning as" : "taken for the beginning of",
                     format.bytes() / 1024);
}

}  // namespace xlat
