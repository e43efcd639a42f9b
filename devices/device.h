// What every chip has besides its registers.
#pragma once

#include <string_view>

#include "base/archive.h"

namespace xlat {

class Device {
 public:
  virtual ~Device() = default;
  // The chip's name, as used in snapshots and in the monitor.
  virtual std::string_view name() const = 0;
  // Puts every register to the value the data sheet gives after RESET.
  virtual void reset() = 0;
  // Saves or loads the whole state; values out of range make the archive fail, never the device misbehave.
  virtual void serialize(Archive& ar) = 0;
};

}  // namespace xlat
