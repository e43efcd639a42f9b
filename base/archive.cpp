// Encoding of snapshot streams.
#include "base/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace xlat {

void Archive::fail(std::string_view why) {
  if (error_.empty()) error_ = fmt::format("snapshot section '{}', byte {}: {}", section_, at_, why);
}

void Archive::raw_integer(u64& value, unsigned size) {
  u8 buffer[8] = {};
  if (!loading_) store_le_n(buffer, size, value);
  raw({buffer, size});
  if (loading_) value = load_le_n(buffer, size);
}

Archive& Archive::raw(std::span<u8> block) {
  if (!loading_) {
    bytes_.insert(bytes_.end(), block.begin(), block.end());
    at_ = bytes_.size();
    return *this;
  }
  if (ok() && block.size() > bytes_.size() - at_) fail("stream ends early");
  if (!ok()) {
    std::fill(block.begin(), block.end(), u8{0});
    return *this;
  }
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), block.size(), block.begin());
  at_ += block.size();
  return *this;
}

Archive& Archive::blob(std::vector<u8>& block, std::size_t limit) {
  u64 size = block.size();
  (*this)(size);
  if (loading_) {
    if (size > limit || size > bytes_.size() - at_) {
      fail("block too large");
      size = 0;
    }
    block.resize(size);
  }
  return raw(block);
}

Archive& Archive::text(std::string& value, std::size_t limit) {
  std::vector<u8> block(value.begin(), value.end());
  blob(block, limit);
  if (loading_) value.assign(block.begin(), block.end());
  return *this;
}

u32 Archive::section(std::string_view name, u32 version) {
  section_ = name;
  std::string found(name);
  text(found, 256);
  u32 saved = version;
  (*this)(saved);
  if (!loading_) return version;
  if (ok() && found != name) fail(fmt::format("found section '{}' instead", found));
  if (ok() && (saved == 0 || saved > version)) fail(fmt::format("version {} is not known here", saved));
  return saved;
}

}  // namespace xlat
