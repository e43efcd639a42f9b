// Where a picture lies in a window, and which of its pixels a place in the window is.
#pragma once

#include <algorithm>

#include "base/types.h"

namespace xlat {

enum class Scaling : u8 {
  kInteger,  // whole factors, as long as the picture fits; sharp
  kSmooth,   // as large as it goes
};

struct Viewport {
  unsigned x = 0, y = 0, width = 0, height = 0;  // in pixels of the window

  // Centred, its sides in the picture's proportion.
  static Viewport fit(unsigned picture_width, unsigned picture_height, unsigned window_width, unsigned window_height,
                      Scaling scaling) {
    if (picture_width == 0 || picture_height == 0 || window_width == 0 || window_height == 0) return {};
    Viewport v;
    const unsigned factor = std::min(window_width / picture_width, window_height / picture_height);
    if (scaling == Scaling::kInteger && factor > 0) {
      v.width = picture_width * factor;
      v.height = picture_height * factor;
    } else if (u64{window_width} * picture_height <= u64{window_height} * picture_width) {
      v.width = window_width;
      v.height = std::max(1u, static_cast<unsigned>(u64{window_width} * picture_height / picture_width));
    } else {
      v.height = window_height;
      v.width = std::max(1u, static_cast<unsigned>(u64{window_height} * picture_width / picture_height));
    }
    v.x = (window_width - v.width) / 2;
    v.y = (window_height - v.height) / 2;
    return v;
  }

  bool whole_factor(unsigned picture_width, unsigned picture_height) const {
    return picture_width > 0 && picture_height > 0 && width % picture_width == 0 && height % picture_height == 0 &&
           width / picture_width == height / picture_height;
  }
  bool contains(i32 px, i32 py) const {
    return px >= static_cast<i32>(x) && py >= static_cast<i32>(y) && px < static_cast<i32>(x + width) &&
           py < static_cast<i32>(y + height);
  }
  // A place in the window on a scale of 0 to `full` over the picture; beyond its edges it is the edge.
  u16 across(i32 px, u16 full) const { return scale(px, x, width, full); }
  u16 down(i32 py, u16 full) const { return scale(py, y, height, full); }

 private:
  static u16 scale(i32 at, unsigned from, unsigned size, u16 full) {
    if (size < 2) return 0;
    const i32 inside = std::clamp(at - static_cast<i32>(from), 0, static_cast<i32>(size) - 1);
    return static_cast<u16>((u64{static_cast<u32>(inside)} * full + (size - 1) / 2) / (size - 1));
  }
};

}  // namespace xlat
