// The pieces option arguments are made of: name=value lists and dates.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/spelling.h"
#include "base/suboptions.h"
#include "base/types.h"

namespace xlat {

// YYYY-MM-DD or YYYY-MM-DDThh:mm:ss as seconds since 1970.
std::optional<i64> parse_date(const std::string& text);

}  // namespace xlat
