// What a chip implements to answer at I/O ports or at physical addresses.
#pragma once

#include "base/types.h"

namespace xlat {

// Widths an IoHandler takes by itself, as a set; the bus splits or joins the others.
enum IoWidths : u8 {
  kWidth1 = 1,
  kWidth2 = 2,
  kWidth4 = 4,
  kWidthsAll = 7,
};

class IoHandler {
 public:
  virtual ~IoHandler() = default;
  // `offset` counts from where the handler was mapped; `width` is in bytes: 1, 2 or 4, one the handler said it takes.
  // The value's upper bits are zero in both directions.
  virtual u32 read(u64 offset, unsigned width) = 0;
  virtual void write(u64 offset, unsigned width, u32 value) = 0;
};

}  // namespace xlat
