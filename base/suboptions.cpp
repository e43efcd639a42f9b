// Splitting at commas and equals signs.
#include "base/suboptions.h"

namespace xlat {

std::vector<SubOption> split_suboptions(std::string_view text, std::string_view implied) {
  std::vector<SubOption> parts;
  std::size_t at = 0;
  while (at <= text.size()) {
    SubOption part;
    std::string word;
    bool in_value = false;
    for (; at < text.size(); ++at) {
      if (text[at] == ',') {
        if (at + 1 < text.size() && text[at + 1] == ',') {
          ++at;
        } else {
          break;
        }
      } else if (text[at] == '=' && !in_value) {
        part.name = std::move(word);
        word.clear();
        in_value = part.has_value = true;
        continue;
      }
      word += text[at];
    }
    ++at;
    if (in_value) {
      part.value = std::move(word);
    } else if (parts.empty() && !implied.empty()) {
      part.name = implied;
      part.value = std::move(word);
      part.has_value = true;
    } else {
      part.name = std::move(word);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace xlat
