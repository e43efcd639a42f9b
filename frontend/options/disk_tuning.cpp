// cache=, aio=, discard= and detect-zeroes= of -drive and -blockdev, with QEMU's meaning.
#include <algorithm>

#include "frontend/options/parser.h"

namespace xlat {

namespace {

struct Tuning {
  std::string_view name, values;
};
constexpr Tuning kTuning[] = {
    {"cache", "none|writeback|unsafe|directsync|writethrough"},
    {"cache.direct", "on|off"},
    {"cache.no-flush", "on|off"},
    {"cache.writeback", "on|off"},
    {"aio", "threads|native|io_uring"},
    {"discard", "ignore|off|unmap|on"},
    {"detect-zeroes", "off|on|unmap"},
    {"copy-on-read", "off"},
    {"auto-read-only", "on|off"},
};

struct CacheMode {
  std::string_view name;
  bool writeback, direct, no_flush;
};
constexpr CacheMode kCacheModes[] = {
    {"none", true, true, false},        {"writeback", true, false, false},     {"unsafe", true, false, true},
    {"directsync", false, true, false}, {"writethrough", false, false, false},
};

bool is_one_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const auto bar = words.find('|');
    if (words.substr(0, bar) == word) return true;
    words = bar == std::string_view::npos ? std::string_view() : words.substr(bar + 1);
  }
  return false;
}

}  // namespace

bool is_disk_tuning(std::string_view name) {
  return std::any_of(std::begin(kTuning), std::end(kTuning), [name](const Tuning& t) { return t.name == name; });
}

Status tune_disk(ImageOptions& options, DiskPolicy& policy) {
  const auto take = [&options](std::string_view name) { return take_option(options, name).value_or(""); };
  for (const Tuning& tuning : kTuning) {
    const auto given = options.find(tuning.name);
    if (given == options.end() || is_one_of(given->second, tuning.values)) continue;
    return error("{}={}: give one of {}", tuning.name, given->second, tuning.values);
  }
  CacheMode mode = kCacheModes[1];
  const std::string named = take("cache");
  for (const CacheMode& m : kCacheModes) {
    if (m.name == named) mode = m;
  }
  // What is said of a part wins over the name of the whole.
  for (const auto& [name, to] : {std::pair{"cache.writeback", &mode.writeback},
                                 {"cache.direct", &mode.direct},
                                 {"cache.no-flush", &mode.no_flush}}) {
    if (const std::string value = take(name); !value.empty()) *to = value == "on";
  }
  policy.write_cache = mode.writeback;
  policy.ignore_flush = mode.no_flush;
  if (mode.direct) options["cache.direct"] = "on";
  if (take("aio") == "native" && !mode.direct) {
    return error("aio=native was specified, but it requires cache.direct=on, which was not specified.");
  }
  const std::string discard = take("discard"), zeroes = take("detect-zeroes");
  policy.discard = discard == "unmap" || discard == "on";
  if (zeroes == "unmap" && !policy.discard) {
    return error("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
  }
  policy.zeroes = zeroes == "unmap" ? DiskPolicy::Zeroes::kUnmap
                  : zeroes == "on"  ? DiskPolicy::Zeroes::kDetect
                                    : DiskPolicy::Zeroes::kWrite;
  take("copy-on-read"), take("auto-read-only");
  return {};
}

}  // namespace xlat
