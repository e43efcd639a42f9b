// Options about firmware files, what a machine is called, and what ends it.
#include <sys/stat.h>

#include <algorithm>

#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {
constexpr std::string_view kFirmwareDir = "/usr/share/seabios";

bool exists(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0;
}
}  // namespace

Status OptionParser::firmware_dir(const std::string& value) {
  if (value != "help" && value != "?") {
    settings_.machine.rom_dirs.push_back(value);
    return {};
  }
  std::string text;
  for (const std::string& dir : settings_.machine.rom_dirs) text += dir + "\n";
  say(text + std::string(kFirmwareDir) + "\n");
  return {};
}

// A bare name that is no file here is one of the images in -L's folders, or of those installed, as with QEMU.
Status OptionParser::firmware_file(const std::string& value, const std::string& name, std::string& to) {
  if (value.empty()) return error("{}: give a file name", name);
  to = value;
  if (exists(value) || value.find('/') != std::string::npos) return {};
  std::vector<std::string> dirs = settings_.machine.rom_dirs;
  dirs.emplace_back(kFirmwareDir);
  for (const std::string& dir : dirs) {
    if (const std::string path = dir + "/" + value; exists(path)) {
      to = path;
      break;
    }
  }
  return {};
}

Status OptionParser::uuid(const std::string& value) {
  std::array<u8, 16>& to = settings_.machine.uuid;
  std::size_t digits = 0;
  bool good = value.size() == 36;
  for (std::size_t n = 0; good && n < value.size(); ++n) {
    const bool dash = n == 8 || n == 13 || n == 18 || n == 23;
    const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(value[n])));
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    good = dash ? c == '-' : digit != std::string_view::npos;
    if (dash || !good) continue;
    to[digits / 2] = static_cast<u8>(to[digits / 2] << 4 | digit);
    ++digits;
  }
  if (!good) return error("-uuid {}: write it as 550e8400-e29b-41d4-a716-446655440000", value);
  return {};
}

Status OptionParser::keyboard(const std::string& value) {
  static constexpr std::string_view kLayouts[] = {"ar", "bepo",  "cz", "da", "de",    "de-ch", "en-gb", "en-us", "es",
                                                  "et", "fi",    "fo", "fr", "fr-be", "fr-ca", "fr-ch", "hr",    "hu",
                                                  "is", "it",    "ja", "lt", "lv",    "mk",    "nl",    "no",    "pl",
                                                  "pt", "pt-br", "ru", "sl", "sv",    "th",    "tr"};
  if (value == "help" || value == "?") {
    std::string text = "Keyboard layouts:\n";
    for (const std::string_view layout : kLayouts) text += fmt::format("  {}\n", layout);
    say(text);
    return {};
  }
  if (const Keymap* keymap = Keymap::find(value)) {
    settings_.keymap = keymap;
    return {};
  }
  if (std::find(std::begin(kLayouts), std::end(kLayouts), value) != std::end(kLayouts)) {
    settings_.warnings.push_back(
        fmt::format("-k {}: this layout: not in this version; characters of viewers are typed as on en-us", value));
    return {};
  }
  const auto near = nearest(value, kLayouts);
  return error("-k {}: no such keyboard layout{}{}; -k help lists them", value, near.empty() ? "" : "; the nearest is ",
               near);
}

Status OptionParser::vga(const std::string& value) {
  static constexpr std::string_view kLater[] = {"vmware", "qxl", "xenfb", "tcx", "cg3", "virtio"};
  if (value == "help" || value == "?") {
    say("none                 no graphic card\nstd                  standard VGA (default)\n"
        "cirrus               Cirrus VGA\n");
    return {};
  }
  if (std::find(std::begin(kLater), std::end(kLater), value) != std::end(kLater)) {
    return error("-vga {}: this graphics adapter: not in this version; use -vga std", value);
  }
  if (value != "std" && value != "cirrus" && value != "none") {
    return error("-vga: no adapter '{}'; there are: std, cirrus, none", value);
  }
  vga_ = value == "std" ? "VGA" : value == "cirrus" ? "cirrus-vga" : "";
  vga_given_ = true;
  return {};
}

Status OptionParser::action(const std::string& value) {
  for (const SubOption& part : split_suboptions(value)) {
    if (part.name == "reboot" && (part.value == "reset" || part.value == "shutdown")) {
      settings_.machine.no_reboot = part.value == "shutdown";
    } else if (part.name == "shutdown" && (part.value == "poweroff" || part.value == "pause")) {
      settings_.no_shutdown = part.value == "pause";
    } else if (part.name != "panic" && part.name != "watchdog") {  // there is no device that would tell of these
      return error("-action {}={}: there are: reboot=reset|shutdown, shutdown=poweroff|pause", part.name, part.value);
    }
  }
  return {};
}

}  // namespace xlat
