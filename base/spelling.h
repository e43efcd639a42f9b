// How people write values down: numbers, sizes, switches; and the nearest spelling of a name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace xlat {

// Decimal, or hexadecimal with 0x.
std::optional<u64> parse_number(std::string_view text);
// A number of bytes with a suffix B, K, M, G or T; without one it counts `unit` bytes. A fraction is allowed: 0.5G.
std::optional<u64> parse_size(std::string_view text, u64 unit);
// on|off and their usual other spellings.
std::optional<bool> parse_switch(std::string_view text);

// The word that `word` is a slip of the finger away from: at most two letters inserted, left out or replaced, and not
// most of a short word. Empty if there is none.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words);
// For the end of an error message: "the nearest is X" if there is one, else "there are: " and all of them.
std::string choices(std::string_view word, std::span<const std::string_view> words);

}  // namespace xlat
