// write-cache=, the property by which every kind of disk is made with a write cache or without.
#pragma once

#include "base/spelling.h"
#include "devices/block/disk.h"
#include "devices/properties.h"

namespace xlat {

inline constexpr Property kWriteCache =
    text("write-cache", "auto", "on, off, or auto for what the drive's cache= says");

inline Status set_write_cache(const Properties& values, DiskPolicy& policy) {
  const std::string cache = values.text("write-cache");
  if (cache == "auto") return {};
  const auto on = parse_switch(cache);
  if (!on) return error("write-cache={}: give on, off or auto", cache);
  policy.write_cache = *on;
  return {};
}

}  // namespace xlat
