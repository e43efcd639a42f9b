// name=value lists, as most options have them for an argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xlat {

// One `name=value` of an argument; `has_value` is false for a bare word, which is then the name.
struct SubOption {
  std::string name, value;
  bool has_value = false;
};

// Splits at commas; `,,` is a comma. If `implied` is not empty, a first part without '=' is the value of that name.
std::vector<SubOption> split_suboptions(std::string_view text, std::string_view implied = {});

}  // namespace xlat
