// -blockdev: images by name, which refer to each other.
#include <algorithm>

#include "frontend/options/parser.h"

namespace xlat {

namespace {

// "file", "backing", and the same further down.
bool refers(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return last == "file" || last == "backing";
}

}  // namespace

Status OptionParser::blockdev(const std::string& value) {
  ImageOptions given;
  if (value.starts_with('{')) {
    auto json = parse_json_options(value);
    if (!json) return error("-blockdev: {}", json.error().message);
    given = std::move(*json);
  } else {
    for (const SubOption& part : split_suboptions(value, "driver")) {
      if (!part.has_value) return error("-blockdev: '{}' has no value; write {}=...", part.name, part.name);
      given[part.name] = part.value;
    }
  }
  const auto driver = given.find("driver");
  if (driver == given.end()) return error("-blockdev: Parameter 'driver' is missing");
  const auto name = take_option(given, "node-name");
  if (!name || name->empty()) return error("-blockdev: 'node-name' must be specified for the root node");
  if (nodes_.contains(*name)) return error("-blockdev: Duplicate nodes with node-name='{}'", *name);
  const auto read_only = take_switch(given, "read-only", false);
  if (!read_only) return error("-blockdev: {}", read_only.error().message);

  if (given.contains("cache.writeback")) return error("-blockdev: Parameter 'cache.writeback' is unexpected");
  DriveConfig drive{.path = {}, .read_only = read_only.value()};
  if (Status s = tune_disk(given, drive.policy); !s) return error("-blockdev: {}", s.error().message);
  ImageOptions options;
  for (const auto& [key, text] : given) {
    if (!refers(key) || (text.empty() && key.ends_with("backing"))) {
      options[key] = text;
      continue;
    }
    const auto node = nodes_.find(text);
    if (node == nodes_.end()) return error("-blockdev: Cannot find device='' nor node-name='{}'; name it before", text);
    for (const auto& [below, what] : node->second.options) options[key + "." + below] = what;
    // Each node says for itself what becomes of discards.
    if (key == "file") drive.policy.discard &= node->second.discard;
  }
  nodes_[*name] = {options, drive.policy.discard};
  drive.id = *name;
  drive.options = std::move(options);
  unplugged_.push_back(std::move(drive));
  return {};
}

}  // namespace xlat
