// null-co: takes everything and reads as zeros; for measuring.
#include <algorithm>

#include "base/spelling.h"
#include "block/protocol.h"

namespace xlat {

namespace {

class NullStorage final : public Storage {
 public:
  NullStorage(u64 bytes, bool read_only) : bytes_(bytes), read_only_(read_only) {}
  u64 size() const override { return bytes_; }
  bool read_only() const override { return read_only_; }
  const std::string& path() const override { return path_; }
  std::string_view protocol() const override { return "null-co"; }
  Status flush() override { return {}; }
  Status resize(u64) override { return error("'{}' has a fixed size", path_); }
  Status read(u64, std::span<u8> to) override {
    std::fill(to.begin(), to.end(), u8{0});
    return {};
  }
  Status write(u64, std::span<const u8>) override { return {}; }
  Status write_zeroes(u64, u64, bool) override { return {}; }
  Extent status(u64 offset, u64 bytes) override { return {.bytes = bytes, .data = false, .zero = true, .at = offset}; }
  u64 allocated() const override { return 0; }

 private:
  std::string path_ = "null-co://";
  u64 bytes_;
  bool read_only_;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_null(StorageRequest& request) {
  constexpr u64 kUsual = u64{1} << 30;
  take_option(request.options, "filename");
  take_option(request.options, "latency-ns");
  take_option(request.options, "read-zeroes");
  const auto size = take_option(request.options, "size");
  const auto bytes = size ? parse_size(*size, 1) : kUsual;
  if (!bytes || *bytes > u64{1} << 62) return error("Parameter 'size' expects a size");
  return std::unique_ptr<Storage>(new NullStorage(*bytes, request.access != ImageAccess::kReadWrite));
}

}  // namespace xlat
