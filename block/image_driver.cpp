// The rows, and what is done with the whole table.
#include "block/image_driver.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bits.h"
#include "base/spelling.h"

namespace xlat {

using namespace std::string_view_literals;

#define XLAT_FORMAT(id) extern const ImageDriver id;
#include "block/formats/formats.inc"
#undef XLAT_FORMAT

namespace {

// Formats that are known, but not here.
constexpr ImageDriver kQcow1{"qcow", "a QCOW version 1 image", [](std::span<const u8> head, std::string_view) {
                               return has_magic(head, 0, "QFI\xfb\0\0\0\1"sv);
                             }};
constexpr ImageDriver kQed{"qed", "a QED image",
                           [](std::span<const u8> head, std::string_view) { return has_magic(head, 0, "QED\0"sv); }};
constexpr ImageDriver kLuks{"luks", "a LUKS encrypted image", [](std::span<const u8> head, std::string_view) {
                              return has_magic(head, 0, "LUKS\xba\xbe"sv);
                            }};
constexpr ImageDriver kBochs{"bochs", "a Bochs growing image", [](std::span<const u8> head, std::string_view) {
                               return has_magic(head, 0, "Bochs Virtual HD Image"sv);
                             }};

constexpr const ImageDriver* kDrivers[] = {
    &kQcow1,
    &kQed,
    &kLuks,
    &kBochs,
#define XLAT_FORMAT(id) &id,
#include "block/formats/formats.inc"
#undef XLAT_FORMAT
};

}  // namespace

std::optional<std::string> take_option(ImageOptions& options, std::string_view name) {
  const auto found = options.find(name);
  if (found == options.end()) return std::nullopt;
  std::string value = std::move(found->second);
  options.erase(found);
  return value;
}

Result<bool> take_switch(ImageOptions& options, std::string_view name, bool otherwise) {
  const auto value = take_option(options, name);
  if (!value) return otherwise;
  const auto on = parse_switch(*value);
  if (!on) return error("Parameter '{}' expects 'on' or 'off'", name);
  return *on;
}

std::span<const ImageDriver* const> image_drivers() { return kDrivers; }

const ImageDriver* find_image_driver(std::string_view name) {
  for (const ImageDriver* driver : kDrivers) {
    if (driver->name == name) return driver;
  }
  return nullptr;
}

std::string image_driver_names() {
  std::vector<std::string_view> names;
  for (const ImageDriver* driver : kDrivers) {
    if (driver->open) names.push_back(driver->name);
  }
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

const ImageDriver* probe_image(std::span<const u8> head, std::string_view file) {
  head = head.first(std::min(head.size(), kImageHeadBytes));
  for (const ImageDriver* driver : kDrivers) {
    if (driver->probe && driver->probe(head, file)) return driver;
  }
  return nullptr;
}

const ImageDriver* format_of_tail(std::span<const u8> tail) {
  if (tail.size() != 512) return nullptr;
  // "koly", version 4, 512 bytes of header, big-endian.
  if (has_magic(tail, 0, "koly\0\0\0\4\0\0\2\0"sv)) return find_image_driver("dmg");
  if (!has_magic(tail, 0, "conectix")) return nullptr;
  // VHD specification 1.0: the one's complement of the sum of the footer's bytes without the checksum itself.
  u32 sum = 0;
  for (std::size_t n = 0; n < tail.size(); ++n) sum += n >= 64 && n < 68 ? 0 : tail[n];
  return ~sum == load_be<u32>(&tail[64]) ? find_image_driver("vpc") : nullptr;
}

bool has_magic(std::span<const u8> head, std::size_t at, std::string_view magic) {
  return head.size() >= at + magic.size() && std::memcmp(&head[at], magic.data(), magic.size()) == 0;
}

std::array<u8, 16> make_uuid() {
  std::array<u8, 16> uuid{};
  (void)!getentropy(uuid.data(), uuid.size());
  uuid[6] = static_cast<u8>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<u8>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

Status read_header(Storage& file, std::string_view what, u64 offset, std::span<u8> to) {
  if (offset > file.size() || to.size() > file.size() - offset) {
    return error("'{}': the file ends within its {}; it is cut off or damaged", file.path(), what);
  }
  return file.read(offset, to);
}

}  // namespace xlat
