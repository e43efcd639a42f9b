// The pieces option arguments are made of: name=value lists and dates.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/spelling.h"
#include "base/types.h"

namespace xlat {

// One `name=value` of an argument; `has_value` is false for a bare word, which is then the name.
struct SubOption {
  std::string name, value;
  bool has_value = false;
};

// Splits at commas; `,,` is a comma. If `implied` is not empty, a first part without '=' is the value of that name.
std::vector<SubOption> split_suboptions(std::string_view text, std::string_view implied = {});

// YYYY-MM-DD or YYYY-MM-DDThh:mm:ss as seconds since 1970.
std::optional<i64> parse_date(const std::string& text);

}  // namespace xlat
