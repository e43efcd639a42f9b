// A place for IDE drives: a cable with two, or a port of a SATA controller with one.
#pragma once

#include <memory>

#include "devices/ide/ide_drive.h"

namespace xlat {

class IdeSocket {
 public:
  virtual ~IdeSocket() = default;
  virtual unsigned units() const = 0;
  // Null where nothing is plugged in. Drives are owned, reset and saved by what they are plugged into.
  virtual IdeDrive* drive(unsigned unit) = 0;
  // Before power-on only. Null unplugs.
  virtual void plug(unsigned unit, std::unique_ptr<IdeDrive> drive) = 0;
  virtual bool is_sata() const { return false; }
};

}  // namespace xlat
