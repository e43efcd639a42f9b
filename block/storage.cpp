// What all kinds of storage share, and the one in memory.
#include "block/storage.h"

#include <algorithm>
#include <cerrno>

namespace xlat {

Status write_zeroes_slowly(Storage& storage, u64 offset, u64 bytes) {
  static constexpr u64 kPiece = u64{1} << 20;
  const std::vector<u8> zeros(std::min(bytes, kPiece));
  while (bytes > 0) {
    const u64 n = std::min(bytes, kPiece);
    if (Status s = storage.write(offset, std::span(zeros).first(n)); !s) return s;
    offset += n;
    bytes -= n;
  }
  return {};
}

Status Storage::write_zeroes(u64 offset, u64 bytes, bool) { return write_zeroes_slowly(*this, offset, bytes); }

Extent Storage::status(u64 offset, u64 bytes) { return {.bytes = bytes, .at = offset}; }

Status Storage::preallocate(u64 offset, u64 bytes, bool) {
  return offset + bytes > size() ? resize(offset + bytes) : Status();
}

namespace {

class MemoryStorage final : public Storage {
 public:
  MemoryStorage(std::vector<u8> bytes, bool read_only) : bytes_(std::move(bytes)), read_only_(read_only) {}

  u64 size() const override { return bytes_.size(); }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  std::string_view protocol() const override { return "memory"; }
  Status flush() override { return {}; }

  Status read(u64 offset, std::span<u8> to) override {
    std::fill(to.begin(), to.end(), u8{0});
    if (offset >= bytes_.size()) return {};
    const u64 n = std::min<u64>(to.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), n, to.begin());
    return {};
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (from.empty()) return {};
    if (offset > kMost || from.size() > kMost - offset) return full();
    if (offset + from.size() > bytes_.size()) bytes_.resize(offset + from.size());
    std::copy(from.begin(), from.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Status resize(u64 bytes) override {
    if (bytes > kMost) return full();
    bytes_.resize(bytes);
    return {};
  }

 private:
  static constexpr u64 kMost = u64{1} << 30;
  Status full() const { return Error{"memory: no room for more than 1 GiB", ENOSPC}; }

  std::string path_ = "memory";
  std::vector<u8> bytes_;
  bool read_only_;
};

}  // namespace

std::unique_ptr<Storage> make_memory_storage(std::vector<u8> bytes, bool read_only) {
  return std::make_unique<MemoryStorage>(std::move(bytes), read_only);
}

}  // namespace xlat
