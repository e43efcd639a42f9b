// What the monitor says of itself: an EDID block, version 1.4 (VESA E-EDID Standard, release A, revision 2).
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

// 128 bytes of a digital monitor whose preferred mode is `width` by `height` at 60 Hz, 160 to 4080 each way.
std::vector<u8> make_edid(unsigned width, unsigned height, const std::string& name);

}  // namespace xlat
