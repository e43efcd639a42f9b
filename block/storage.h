// What an image lies in: the bytes of a host's file, of a network block device, of memory.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "block/extent.h"

namespace xlat {

inline constexpr u64 kUnknownBytes = ~u64{0};

// Any number of bytes. Reading behind the end gives zeros, writing there makes it longer, where that can be.
class Storage {
 public:
  virtual ~Storage() = default;
  virtual u64 size() const = 0;
  virtual Status read(u64 offset, std::span<u8> to) = 0;
  // As BlockImage::read_now().
  virtual bool read_now(u64, std::span<u8>) { return false; }
  virtual Status write(u64 offset, std::span<const u8> from) = 0;
  // Returns when everything written is where it survives a loss of power.
  virtual Status flush() = 0;
  virtual Status resize(u64 bytes) = 0;
  virtual bool read_only() const = 0;
  // The name to show a user, and by which it can be opened again.
  virtual const std::string& path() const = 0;
  // What makes it: "file", "nbd" and so on.
  virtual std::string_view protocol() const = 0;

  // `unmap`: without keeping room for them.
  virtual Status write_zeroes(u64 offset, u64 bytes, bool unmap);
  virtual Extent status(u64 offset, u64 bytes);
  // Bytes it takes on the host, or kUnknownBytes.
  virtual u64 allocated() const { return size(); }
  // Takes room for what is not there yet, with zeros written to it if `write`.
  virtual Status preallocate(u64 offset, u64 bytes, bool write);
};

// Zeros that are written piece by piece where there is no better way.
Status write_zeroes_slowly(Storage& storage, u64 offset, u64 bytes);

// In memory, for tests and for what lives no longer than the program.
std::unique_ptr<Storage> make_memory_storage(std::vector<u8> bytes = {}, bool read_only = false);

}  // namespace xlat
