// Numbers for long runs of randomized tests, from the environment.
#pragma once

#include <cstdlib>

#include "base/types.h"

namespace xlat {

inline u32 test_setting(const char* name, u32 otherwise) {
  const char* value = std::getenv(name);
  return value ? static_cast<u32>(std::strtoul(value, nullptr, 0)) : otherwise;
}

}  // namespace xlat
