// Names in FAT directories: the short ones of DOS, and the long ones in entries before them.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace xlat::fat {

inline constexpr std::size_t kEntryBytes = 32;
enum Attribute : u8 { kReadOnly = 1, kHidden = 2, kSystem = 4, kVolume = 8, kDirectory = 0x10, kLongName = 0x0f };

// Eleven characters that nobody in `taken` has; added there.
std::string short_name(const std::string& name, std::set<std::string>& taken);
// The entries of the long name, in the order of the directory; none if the short one says it all.
std::vector<u8> long_name_entries(const std::string& name, const std::string& short_name);
// As a guest wrote it: the long name that was read from the entries before, or the short one with its letters' case.
std::string name_of(std::span<const u8> entry);
u8 short_name_sum(std::span<const u8> short_name);

}  // namespace xlat::fat
