// Magic numbers of image formats, each from its own specification.
#include "block/image_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace xlat {

namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t at;
  std::string_view bytes;
  ImageFormat format;
};

constexpr Magic kMagics[] = {
    {0, "QFI\xfb\0\0\0\1"sv, {"qcow", "a QCOW version 1 image"}},
    {0, "QFI\xfb"sv, {"qcow2", "a QCOW2 image"}},
    {0, "QED\0"sv, {"qed", "a QED image"}},
    {0, "KDMV"sv, {"vmdk", "a VMDK image"}},
    {0, "COWD"sv, {"vmdk", "a VMDK image (COWD)"}},
    {0x40, "\x7f\x10\xda\xbe"sv, {"vdi", "a VDI image"}},
    {0, "conectix"sv, {"vpc", "a VHD image"}},
    {0, "vhdxfile"sv, {"vhdx", "a VHDX image"}},
    {0, "WithoutFreeSpace"sv, {"parallels", "a Parallels image"}},
    {0, "WithouFreSpacExt"sv, {"parallels", "a Parallels image"}},
    {0, "LUKS\xba\xbe"sv, {"luks", "a LUKS encrypted image"}},
    {0, "Bochs Virtual HD Image"sv, {"bochs", "a Bochs growing image"}},
    {0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"sv, {"cloop", "a compressed loop image"}},
};

constexpr ImageFormat kDmg{"dmg", "an Apple disk image", true};
constexpr ImageFormat kFixedVhd{"vpc", "a fixed VHD image", true};

bool has(std::span<const u8> bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && std::memcmp(&bytes[at], magic.data(), magic.size()) == 0;
}

// A VMDK descriptor file (Virtual Disk Format 1.1): text, comments and blank lines, then the version.
bool vmdk_descriptor(std::span<const u8> head) {
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  while (!text.empty()) {
    const auto newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("version=")) {
      const std::string_view number = line.substr(8);
      return number == "1" || number == "2" || number == "3";
    }
    const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
    if ((!blank && line[0] != '#') || newline == std::string_view::npos) return false;
    text.remove_prefix(newline + 1);
  }
  return false;
}

// VHD specification 1.0: the one's complement of the sum of the footer's bytes without the checksum itself.
bool vhd_checksum_fits(std::span<const u8> footer) {
  constexpr std::size_t kAt = 64;
  u32 sum = 0, said = 0;
  for (std::size_t n = 0; n < footer.size(); ++n) {
    if (n >= kAt && n < kAt + 4) {
      said = said << 8 | footer[n];
    } else {
      sum += footer[n];
    }
  }
  return ~sum == said;
}

std::string shell_word(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+,:@%=").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::optional<ImageFormat> format_of_head(std::span<const u8> head) {
  head = head.first(std::min(head.size(), kImageHeadBytes));
  for (const Magic& m : kMagics) {
    if (has(head, m.at, m.bytes)) return m.format;
  }
  if (vmdk_descriptor(head)) return ImageFormat{"vmdk", "a VMDK descriptor file"};
  return std::nullopt;
}

std::optional<ImageFormat> format_of_tail(std::span<const u8> tail) {
  if (tail.size() != 512) return std::nullopt;
  // "koly", version 4, 512 bytes of header, big-endian.
  if (has(tail, 0, "koly\0\0\0\4\0\0\2\0"sv)) return kDmg;
  if (has(tail, 0, "conectix") && vhd_checksum_fits(tail)) return kFixedVhd;
  return std::nullopt;
}

std::optional<ImageFormat> format_by_name(std::string_view name) {
  for (const Magic& m : kMagics) {
    if (m.format.name == name) return ImageFormat{name, m.format.describe, true};
  }
  if (name == kDmg.name) return kDmg;
  if (name == "vhd") return kFixedVhd;
  return std::nullopt;
}

std::string convert_line(const ImageFormat& format, std::string_view path) {
  // A name that begins with '-' is no option.
  const std::string in = path.starts_with('-') ? fmt::format("./{}", path) : std::string(path);
  return fmt::format("qemu-img convert -O raw {}{} {}", format.name_it ? fmt::format("-f {} ", format.name) : "",
                     shell_word(in), shell_word(in + ".raw"));
}

}  // namespace xlat
