// A drive with an image in it, whatever it is plugged into.
#pragma once

#include <memory>

#include "block/block_image.h"

namespace xlat {

class MediumDrive {
 public:
  virtual ~MediumDrive() = default;
  // Null: empty. On the machine's thread: waits for what the drive has asked of it, see Disk::image().
  virtual BlockImage* image() const = 0;
  virtual bool removable() const = 0;
  virtual bool locked() const { return false; }  // by the guest
  virtual bool tray_open() const { return false; }
  // Of removable ones. Fails if this is no medium for the drive.
  virtual Status insert(std::unique_ptr<BlockImage> image) = 0;
  // False if the guest has locked the drive; it was told of the wish then.
  virtual bool eject(bool force) = 0;
};

}  // namespace xlat
