// Line by line.
#include "block/formats/vmdk/descriptor.h"

#include <charconv>

#include "base/spelling.h"

namespace xlat::vmdk {

namespace {

std::string_view next_line(std::string_view& text) {
  const auto newline = text.find('\n');
  std::string_view line = text.substr(0, newline);
  text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  return line;
}

std::string_view next_word(std::string_view& line) {
  const auto blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  while (line.starts_with(' ')) line.remove_prefix(1);
  return word;
}

}  // namespace

bool looks_like_descriptor(std::string_view text) {
  while (!text.empty()) {
    const bool whole = text.find('\n') != std::string_view::npos;
    const std::string_view line = next_line(text);
    if (line.starts_with("version=")) {
      const std::string_view number = line.substr(8);
      return number == "1" || number == "2" || number == "3";
    }
    if ((!line.empty() && line[0] != '#') || !whole) return false;
  }
  return false;
}

Result<Descriptor> Descriptor::parse(std::string_view text, const std::string& path) {
  Descriptor d;
  constexpr std::size_t kMostExtents = 4096;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (line.empty() || line[0] == '#') continue;
    const auto equals = line.find('=');
    const auto quote = line.find('"');
    if (equals != std::string_view::npos && (quote == std::string_view::npos || equals < quote)) {
      std::string_view name = line.substr(0, equals), value = line.substr(equals + 1);
      while (name.ends_with(' ')) name.remove_suffix(1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
        value = value.substr(1, value.size() - 2);
      const auto hex = [&value](u32& to) { std::from_chars(value.data(), value.data() + value.size(), to, 16); };
      if (name == "CID") hex(d.cid);
      if (name == "parentCID") hex(d.parent_cid);
      if (name == "createType") d.create_type = value;
      if (name == "parentFileNameHint") d.parent_file = value;
      continue;
    }
    const std::string_view access = next_word(line);
    if (access != "RW" && access != "RDONLY" && access != "NOACCESS") continue;
    ExtentLine extent;
    extent.access = access;
    const auto sectors = parse_number(next_word(line));
    extent.kind = next_word(line);
    if (!sectors || *sectors > (u64{1} << 50)) return error("'{}': Invalid extent line: {} ...", path, access);
    extent.sectors = *sectors;
    if (line.starts_with('"')) {
      const auto end = line.find('"', 1);
      if (end == std::string_view::npos) return error("'{}': Invalid extent line: a name without an end", path);
      extent.file = line.substr(1, end - 1);
      line.remove_prefix(end + 1);
      while (line.starts_with(' ')) line.remove_prefix(1);
      if (!line.empty()) {
        const auto start = parse_number(next_word(line));
        if (!start || *start > (u64{1} << 50)) return error("'{}': Invalid extent line: a wrong start", path);
        extent.start = *start;
      }
    }
    if (d.extents.size() == kMostExtents) return error("'{}': the VMDK has more than {} extents", path, kMostExtents);
    d.extents.push_back(std::move(extent));
  }
  if (d.create_type.empty()) return error("'{}': invalid VMDK image descriptor: no createType", path);
  return d;
}

}  // namespace xlat::vmdk
