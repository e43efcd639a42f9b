// Parsing of option arguments.
#include "frontend/options/values.h"

#include <ctime>

namespace xlat {

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
