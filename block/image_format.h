// Image formats other than raw, known by their magic numbers, so that none of them is taken for the disk itself.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace xlat {

// How much of a file's start is looked at; what a guest may not make of sector 0 of a disk whose format was guessed.
inline constexpr std::size_t kImageHeadBytes = 512;

struct ImageFormat {
  std::string_view name;      // as qemu-img spells it
  std::string_view describe;  // for a user
  bool name_it = false;       // qemu-img takes it for raw unless told with -f
};

// The format whose magic number `head` (the first bytes of an image, up to 512) begins with; nothing for a raw one.
std::optional<ImageFormat> format_of_head(std::span<const u8> head);
// The format whose footer the last 512 bytes of a file are. A disk made by a guest does not have one.
std::optional<ImageFormat> format_of_tail(std::span<const u8> tail);
// The format called `name`, if it is one of those that are not here.
std::optional<ImageFormat> format_by_name(std::string_view name);

// "qemu-img convert -O raw IN OUT" with the file's name, as a shell takes it.
std::string convert_line(const ImageFormat& format, std::string_view path);

}  // namespace xlat
