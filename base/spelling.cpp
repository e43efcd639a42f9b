// Reading numbers, sizes and switches; spelling distance.
#include "base/spelling.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace xlat {

std::optional<u64> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  u64 value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<u64> parse_size(std::string_view text, u64 unit) {
  if (text.empty()) return std::nullopt;
  static constexpr std::string_view kSuffixes = "bkmgt";
  const char last = static_cast<char>(std::tolower(static_cast<unsigned char>(text.back())));
  if (const auto n = kSuffixes.find(last); n != std::string_view::npos && !text.starts_with("0x")) {
    unit = u64{1} << (10 * n);
    text.remove_suffix(1);
  }
  // The fraction, in units of 10^-n.
  u64 part = 0, scale = 1;
  if (const auto point = text.find('.'); point != std::string_view::npos && !text.starts_with("0x")) {
    const std::string_view digits = text.substr(point + 1);
    const auto value = parse_number(digits);
    if (!value || digits.size() > 9 || digits.starts_with("0x")) return std::nullopt;
    part = *value;
    for (std::size_t n = 0; n < digits.size(); ++n) scale *= 10;
    text = text.substr(0, point);
  }
  const auto number = parse_number(text);
  if (!number || *number >= std::numeric_limits<u64>::max() / unit) return std::nullopt;
  return *number * unit + static_cast<u64>((unsigned __int128)unit * part / scale);
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "yes" || text == "true" || text == "y") return true;
  if (text == "off" || text == "no" || text == "false" || text == "n") return false;
  return std::nullopt;
}

namespace {
// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}
}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
  std::string_view best;
  std::size_t best_distance = std::min<std::size_t>(2, word.size() / 2) + 1;
  for (const std::string_view candidate : words) {
    const std::size_t d = distance(word, candidate);
    if (d >= best_distance) continue;
    best_distance = d;
    best = candidate;
  }
  return best;
}

std::string choices(std::string_view word, std::span<const std::string_view> words) {
  if (const auto near = nearest(word, words); !near.empty()) return fmt::format("the nearest is {}", near);
  return fmt::format("there are: {}", fmt::join(words, ", "));
}

}  // namespace xlat
