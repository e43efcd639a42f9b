// The pieces option arguments are made of: name=value lists, numbers, sizes, switches, dates, and the nearest spelling.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

// One `name=value` of an argument; `has_value` is false for a bare word, which is then the name.
struct SubOption {
  std::string name, value;
  bool has_value = false;
};

// Splits at commas; `,,` is a comma. If `implied` is not empty, a first part without '=' is the value of that name.
std::vector<SubOption> split_suboptions(std::string_view text, std::string_view implied = {});

// Decimal, or hexadecimal with 0x.
std::optional<u64> parse_number(std::string_view text);
// A number of bytes with a suffix B, K, M, G or T; without one it counts `unit` bytes. A fraction is allowed: 0.5G.
std::optional<u64> parse_size(std::string_view text, u64 unit);
// on|off and their usual other spellings.
std::optional<bool> parse_switch(std::string_view text);
// YYYY-MM-DD or YYYY-MM-DDThh:mm:ss as seconds since 1970.
std::optional<i64> parse_date(const std::string& text);

// The word that `word` is a slip of the finger away from: at most two letters inserted, left out or replaced, and not
// most of a short word. Empty if there is none.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words);
// For the end of an error message: "the nearest is X" if there is one, else "there are: " and all of them.
std::string choices(std::string_view word, std::span<const std::string_view> words);

}  // namespace xlat
