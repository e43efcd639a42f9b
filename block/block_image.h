// What a disk, CD or floppy drive reads and writes: the bytes of a disk, whatever format they are kept in.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "block/extent.h"
#include "block/image_access.h"
#include "block/snapshot_store.h"

namespace xlat {

// What an image's header says, for people and programs that ask about the file.
struct ImageDetails {
  u64 cluster_bytes = 0;              // 0: it has none
  std::optional<bool> dirty = false;  // not closed properly; nothing: the format does not say
  std::string backing_file, backing_format;
  // Of this format alone, in the order they are shown. The name is written with blanks for people and with '-' for
  // programs.
  using Value = std::variant<std::string, u64, bool>;
  std::vector<std::pair<std::string, Value>> specific;
  // Of a disk whose bytes are in files of their own.
  struct Part {
    std::string file, format;
    u64 virtual_bytes = 0, cluster_bytes = 0;
    bool compressed = false;
  };
  std::vector<Part> parts;
};

enum class Repair : u8 { kNone, kLeaks, kAll };

// What was found wrong in the tables of an image.
struct CheckReport {
  u64 corruptions = 0, leaks = 0, errors = 0;  // errors: what could not be looked at
  u64 corruptions_fixed = 0, leaks_fixed = 0;
  u64 total_clusters = 0, allocated_clusters = 0, fragmented_clusters = 0, compressed_clusters = 0;
  u64 end_offset = 0;              // where the image's file could end
  std::vector<std::string> lines;  // what was found and repaired, for people
};

// Offsets and sizes in bytes. Accesses outside [0, size()) are errors, never undefined.
class BlockImage {
 public:
  virtual ~BlockImage() = default;
  // A multiple of 512.
  virtual u64 size() const = 0;
  virtual Status read(u64 offset, std::span<u8> to) = 0;
  // The same if nothing has to be waited for, as the host has it in memory. False: nobody knows; read() it.
  virtual bool read_now(u64, std::span<u8>) { return false; }
  virtual Status write(u64 offset, std::span<const u8> from) = 0;
  // Returns when everything written is on the host's disk.
  virtual Status flush() = 0;
  virtual bool read_only() const = 0;
  // The name to show a user.
  virtual const std::string& path() const = 0;
  // As qemu-img spells it.
  virtual std::string_view format() const { return "raw"; }

  // The bytes from `offset` on that are of one kind, no more than asked for.
  virtual Result<Extent> status(u64 offset, u64 bytes);
  // `unmap`: without keeping room for them, where the format can.
  virtual Status write_zeroes(u64 offset, u64 bytes, bool unmap);
  // What is there is not needed any more. Reads as anything afterwards; nothing happens where the format cannot.
  virtual Status discard(u64 offset, u64 bytes);
  virtual Status resize(u64 bytes);

  // Null where there is none.
  virtual SnapshotStore* snapshots() { return nullptr; }
  virtual BlockImage* backing() { return nullptr; }
  // Another one of the same content in its place; null for a moment in which nothing is read. Returns the old one, or
  // `other` where there is no such place.
  virtual std::unique_ptr<BlockImage> exchange_backing(std::unique_ptr<BlockImage> other) { return other; }

  // For tools.
  virtual ImageDetails details() const { return {}; }
  virtual u64 allocated_bytes() const { return size(); }  // on the host
  virtual Result<CheckReport> check(Repair repair);
  // One cluster, compressed, where nothing was before. What does not get smaller is written as it is.
  virtual Status write_compressed(u64 offset, std::span<const u8> cluster);
  // Names another backing file in the header and changes nothing else; empty: none.
  virtual Status set_backing(const std::string& file, const std::string& format);
  // Forgets everything it has itself, so that all is as in its backing file.
  virtual Status make_empty();
};

// An error if [offset, offset + bytes) is not inside the image. `op` is "read" or "write".
Status check_image_range(const BlockImage& image, const char* op, u64 offset, u64 bytes);

// Keeps writes in an unlinked temporary file (in $TMPDIR or /var/tmp); `base` is only read and the writes are gone with
// the object. Not read-only even where `base` is.
Result<std::unique_ptr<BlockImage>> make_snapshot_image(std::unique_ptr<BlockImage> base);

// A zero-filled image in memory, for tests and scratch disks. `bytes` is rounded up to a multiple of 512.
std::unique_ptr<BlockImage> make_memory_image(u64 bytes, ImageAccess access = ImageAccess::kReadWrite);

}  // namespace xlat
