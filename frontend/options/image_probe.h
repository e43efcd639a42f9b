// What a file is, by its contents: for a bare IMAGE on the command line, and to notice truncated ones early.
#pragma once

#include <string>

#include "base/result.h"
#include "block/open_image.h"

namespace xlat {

enum class ImageKind : unsigned char { kDisk, kFloppy, kIso, kKernel };

// Recognises a bootable image; anything else is an error that says so.
Result<ImageKind> recognise_image(const std::string& file);

// Whether an image holds as much as its own headers say (partition table, ISO 9660 volume descriptor, FAT file system)
// and has a size that a disk has. Returns a warning, empty if there is none: any bytes can be a disk.
Result<std::string> check_disk_image(const ImageSpec& image);
Result<std::string> check_iso_image(const ImageSpec& image);
Result<std::string> check_floppy_image(const ImageSpec& image);

}  // namespace xlat
