// By Microsoft's "FAT: General Overview of On-Disk Format" 1.03.
#include "block/protocols/fat_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "block/utf16.h"

namespace xlat::fat {

namespace {

constexpr std::size_t kCharacters = 13;  // of an entry
constexpr u8 kPlaces[kCharacters] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};

// What DOS takes; everything else becomes '_'.
std::string dos_letters(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '.') continue;
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        std::string_view("!#$%&'()-@^_`{}~").find(c) != std::string_view::npos;
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (out.size() < most) out += letter || upper != c ? upper : '_';
  }
  return out;
}

std::string padded(std::string base, std::string extension) {
  base.resize(8, ' ');
  extension.resize(3, ' ');
  return base.append(extension);
}

std::string shown(const std::string& short_name) {
  std::string base = short_name.substr(0, 8), extension = short_name.substr(8);
  while (base.ends_with(' ')) base.pop_back();
  while (extension.ends_with(' ')) extension.pop_back();
  return extension.empty() ? base : fmt::format("{}.{}", base, extension);
}

}  // namespace

std::string short_name(const std::string& name, std::set<std::string>& taken) {
  const auto dot = name.rfind('.');
  const bool has_extension = dot != std::string::npos && dot != 0;
  std::string base = dos_letters(name.substr(0, has_extension ? dot : name.size()), 8);
  const std::string extension = has_extension ? dos_letters(name.substr(dot + 1), 3) : "";
  if (base.empty()) base.push_back('_');
  std::string made = padded(base, extension);
  // What is not the name itself gets a number, as somebody else may be meant by it.
  for (unsigned n = 1; (shown(made) != name && n == 1 && shown(made).size() < name.size()) || taken.contains(made);
       ++n) {
    const std::string tail = fmt::format("~{}", n);
    made = padded(fmt::format("{:.{}}{}", base, 8 - tail.size(), tail), extension);
    if (!taken.contains(made)) break;
  }
  taken.insert(made);
  return made;
}

u8 short_name_sum(std::span<const u8> short_name) {
  u8 sum = 0;
  for (std::size_t n = 0; n < 11; ++n) sum = static_cast<u8>((sum >> 1 | sum << 7) + short_name[n]);
  return sum;
}

std::vector<u8> long_name_entries(const std::string& name, const std::string& short_name) {
  if (shown(short_name) == name) return {};
  std::vector<u8> letters = utf16_of(name, false);
  const std::size_t count = letters.size() / 2, entries = (count + kCharacters - 1) / kCharacters;
  if (count % kCharacters) {
    letters.insert(letters.end(), {0, 0});
    letters.resize(entries * kCharacters * 2, 0xff);
  }
  const u8 sum = short_name_sum({reinterpret_cast<const u8*>(short_name.data()), 11});
  std::vector<u8> out(entries * kEntryBytes);
  for (std::size_t n = 0; n < entries; ++n) {
    // The name's end comes first.
    u8* entry = &out[(entries - 1 - n) * kEntryBytes];
    entry[0] = static_cast<u8>((n + 1) | (n + 1 == entries ? 0x40 : 0));
    entry[11] = kLongName;
    entry[13] = sum;
    for (std::size_t k = 0; k < kCharacters; ++k)
      std::copy_n(&letters[(n * kCharacters + k) * 2], 2, entry + kPlaces[k]);
  }
  return out;
}

std::string name_of(std::span<const u8> entry) {
  std::string base, extension;
  constexpr u8 kLowerBase = 8, kLowerExtension = 16;
  const auto lower = [](u8 c, bool to) { return static_cast<char>(to && c >= 'A' && c <= 'Z' ? c + 32 : c); };
  for (std::size_t n = 0; n < 8; ++n) base += lower(n == 0 && entry[0] == 5 ? 0xe5 : entry[n], entry[12] & kLowerBase);
  for (std::size_t n = 8; n < 11; ++n) extension += lower(entry[n], entry[12] & kLowerExtension);
  while (base.ends_with(' ')) base.pop_back();
  while (extension.ends_with(' ')) extension.pop_back();
  return extension.empty() ? base : fmt::format("{}.{}", base, extension);
}

}  // namespace xlat::fat
