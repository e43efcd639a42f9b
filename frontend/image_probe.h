// What a file is, by its contents: for a bare IMAGE on the command line, and to notice truncated ones early.
#pragma once

#include <string>

#include "base/result.h"

namespace xlat {

enum class ImageKind : unsigned char { kDisk, kFloppy, kIso, kKernel };

// Recognises a bootable image; anything else is an error that says so.
Result<ImageKind> recognise_image(const std::string& path);

// Checks that an image holds as much as its own headers say: partition table, or ISO 9660 volume descriptor.
Status check_disk_image(const std::string& path);
Status check_iso_image(const std::string& path);
// The same for a floppy: its size, and what a FAT file system on it says. Returns a warning about a size that no disk
// has, empty if there is none.
Result<std::string> check_floppy_image(const std::string& path);

}  // namespace xlat
