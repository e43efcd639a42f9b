// What a disk, CD or floppy drive reads and writes: bytes of an image file, optionally behind a snapshot overlay.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

// Offsets and sizes in bytes. Accesses outside [0, size()) are errors, never undefined.
class BlockImage {
 public:
  virtual ~BlockImage() = default;
  // A multiple of 512.
  virtual u64 size() const = 0;
  virtual Status read(u64 offset, std::span<u8> to) = 0;
  virtual Status write(u64 offset, std::span<const u8> from) = 0;
  // Returns when everything written is on the host's disk.
  virtual Status flush() = 0;
  virtual bool read_only() const = 0;
  // The name to show a user.
  virtual const std::string& path() const = 0;
};

enum class ImageAccess : u8 {
  kReadWrite,
  kReadOnly,
  kBeside,  // read-only and without a lock: beside one of the same machine that has it
};

struct RawImageOptions {
  // The user did not say that the image is raw: one that looks like another format is refused, and so is every write
  // that would make the first sector look like one, as the image could not be opened again.
  bool probe = false;
  bool lock = true;  // as image_lock.h says
};

// A raw image: byte n of the disk is byte n of the file. The file stays locked against a second writer while open, and
// changes only where something is written. A file whose size is no multiple of 512 shows as rounded up: the missing
// bytes read as zeros, and a write that touches them makes the file as long as the write's last byte. What somebody
// else has cut off meanwhile reads as zeros, too.
Result<std::unique_ptr<BlockImage>> open_raw_image(const std::string& path, ImageAccess access,
                                                   RawImageOptions options = {});
// Nothing wrong if the file cannot be read; else an error if it is of a format other than raw.
Status refuse_other_formats(const std::string& path);

// Keeps writes in an unlinked temporary file (in $TMPDIR or /var/tmp); `base` is only read and the writes are gone with
// the object. Not read-only even where `base` is.
Result<std::unique_ptr<BlockImage>> make_snapshot_image(std::unique_ptr<BlockImage> base);

// A zero-filled image in memory, for tests and scratch disks. `bytes` is rounded up to a multiple of 512.
std::unique_ptr<BlockImage> make_memory_image(u64 bytes, ImageAccess access = ImageAccess::kReadWrite);

}  // namespace xlat
