// What a stretch of an image or of its file is made of, for copies that stay sparse.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"

namespace xlat {

struct Extent {
  u64 bytes = 0;                      // from the offset asked for; at least 1 unless none were asked for
  bool allocated = true;              // this image says what is there, and not its backing file
  bool data = true;                   // there are bytes in a file for it
  bool zero = false;                  // it reads as zeros
  std::optional<u64> at = {};         // where in the file the bytes lie, if they lie there as they are
  const std::string* file = nullptr;  // that one, where it is not the image's own
};

}  // namespace xlat
