// How an image is opened.
#pragma once

#include "base/types.h"

namespace xlat {

enum class ImageAccess : u8 {
  kReadWrite,
  kReadOnly,
  kBeside,  // read-only and without a lock: beside one of the same machine that has it
};

}  // namespace xlat
