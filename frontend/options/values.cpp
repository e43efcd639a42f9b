// Parsing of option arguments.
#include "frontend/options/values.h"

#include <ctime>

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

std::optional<i64> parse_date(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!end || *end) {
    parts = {};
    end = strptime(text.c_str(), "%Y-%m-%d", &parts);
  }
  if (!end || *end) return std::nullopt;
  const std::tm asked = parts;
  const i64 seconds = timegm(&parts);
  // timegm turns February 30th into March 2nd.
  if (parts.tm_mday != asked.tm_mday || parts.tm_mon != asked.tm_mon) return std::nullopt;
  return seconds;
}

}  // namespace xlat
