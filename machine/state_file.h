// A saved state as a stream of bytes: named sections, each with its length and a check over all of it.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace xlat {

// Little-endian. A header of 24 bytes: "xlat saved state", the version (u32), zero (u32). Then sections, each of: the
// length of its name (u32), how its bytes are kept (u32, 0: as they are, 1: zstd), their number (u64), how many of them
// follow (u64), CRC-32 of name and bytes as they follow (u32), zero (u32), the name, the bytes. The last section is
// called "end" and is empty: what has been cut off lacks it.
class StateWriter {
 public:
  using Sink = std::function<Status(std::span<const u8>)>;
  // Told how far a long piece of work has come, both in bytes.
  using Progress = std::function<void(u64 done, u64 all)>;

  explicit StateWriter(Sink sink) : sink_(std::move(sink)) {}

  Status section(std::string_view name, std::span<const u8> bytes);
  Status section(std::string_view name, std::string_view text);
  // A large space, in pieces: sections of this name, each with the offset (u64) of its first page, a map of the pages
  // of 4 KiB that are not all zeros (32 bytes) and those pages. Pieces of zeros alone are left out. Several threads
  // compress.
  Status memory(std::string_view name, std::span<const u8> bytes, const Progress& progress = {});
  // The same of what `read` gives: "offset, bytes" as of an image.
  using Read = std::function<Status(u64 offset, std::span<u8> to)>;
  Status memory(std::string_view name, u64 size, const Read& read, const Progress& progress = {});
  Status end();
  // Bytes that went to the sink.
  u64 written() const { return written_; }

 private:
  Status emit(std::span<const u8> bytes);
  Status header();
  Status batch(std::string_view name, u64 offset, std::span<const u8> bytes);
  Sink sink_;
  bool begun_ = false;
  u64 written_ = 0;
};

class StateReader {
 public:
  // Looks at all of it: whether it is whole, and every check. Nothing is decompressed yet.
  static Result<StateReader> open(std::vector<u8> bytes);

  // The first section alone, of the beginning of a state: what a list of states is made of.
  static Result<std::vector<u8>> peek(std::span<const u8> beginning, std::string_view name, u64 limit);

  // An error if there is no such section, or if it is more than `limit` bytes.
  Result<std::vector<u8>> section(std::string_view name, u64 limit = u64{64} << 20) const;
  bool has(std::string_view name) const { return sections_.count(std::string(name)) != 0; }

  // Fills `to` with what memory() has saved of it; pages that were left out are zeros.
  Status memory(std::string_view name, std::span<u8> to) const;
  // The same in order, a piece of up to 1 MiB at a time, without pieces of zeros alone.
  using Take = std::function<Status(u64 offset, std::span<const u8> piece)>;
  Status memory(std::string_view name, u64 size, const Take& take) const;

 private:
  struct Section {
    std::span<const u8> stored;
    u64 length;
    bool compressed;
  };
  explicit StateReader(std::vector<u8> bytes) : bytes_(std::move(bytes)) {}
  static Result<std::size_t> check_header(std::span<const u8> all);
  static Result<std::pair<std::string, Section>> parse(std::span<const u8> all, std::size_t& at);
  static Result<std::vector<u8>> unpacked(std::string_view name, const Section& section, u64 limit);
  static Status unpack(const Section& section, std::span<u8> to);
  std::span<const Section> pieces(std::string_view name) const;
  static Result<std::pair<u64, std::vector<u8>>> piece(std::string_view name, const Section& section, u64 size);

  std::vector<u8> bytes_;
  std::map<std::string, std::vector<Section>, std::less<>> sections_;
};

}  // namespace xlat
