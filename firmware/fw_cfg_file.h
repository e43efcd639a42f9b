// A named blob for the firmware configuration device.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

struct FwCfgFile {
  std::string name;
  std::vector<u8> bytes;
};

}  // namespace xlat
