// The names that Microsoft's formats have in them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

// As far as the first zero. What is no character becomes '?'.
std::string utf8_of(std::span<const u8> utf16, bool big_endian);
std::vector<u8> utf16_of(std::string_view utf8, bool big_endian);

}  // namespace xlat
