// Snapshot streams: one `serialize` function of a device both saves and loads.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/types.h"

namespace xlat {

// A little-endian byte stream of named, versioned sections. Loading never trusts it: reads past the end, wrong section
// names and values out of range make ok() false and every later read return zero.
class Archive {
 public:
  static Archive saver() { return Archive(false, {}); }
  static Archive loader(std::vector<u8> bytes) { return Archive(true, std::move(bytes)); }

  bool loading() const { return loading_; }
  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  const std::vector<u8>& bytes() const { return bytes_; }
  // True when a loader has consumed all it was given.
  bool at_end() const { return at_ == bytes_.size(); }

  // Marks the start of a section; on load returns the version that was saved (at most `version`, else fails).
  u32 section(std::string_view name, u32 version);

  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) Archive& operator()(T& value) {
    u64 raw = static_cast<u64>(value);
    raw_integer(raw, std::is_same_v<T, bool> ? 1 : sizeof(T));
    if (loading_) value = static_cast<T>(raw);
    return *this;
  }

  template <class T, std::size_t N>
  Archive& operator()(std::array<T, N>& values) {
    for (T& value : values) (*this)(value);
    return *this;
  }

  template <class T, std::size_t N>
  Archive& operator()(T (&values)[N]) {
    for (T& value : values) (*this)(value);
    return *this;
  }

  // As operator(), and on load fails unless lo <= value <= hi; the value is then lo.
  template <class T>
  Archive& range(T& value, T lo, T hi) {
    (*this)(value);
    if (loading_ && (value < lo || value > hi)) {
      fail("value out of range");
      value = lo;
    }
    return *this;
  }

  // A block of bytes whose size both sides know.
  Archive& raw(std::span<u8> block);
  // A byte vector with its size in front, at most `limit`.
  Archive& blob(std::vector<u8>& block, std::size_t limit);
  Archive& text(std::string& value, std::size_t limit);

  void fail(std::string_view why);

 private:
  Archive(bool loading, std::vector<u8> bytes) : loading_(loading), bytes_(std::move(bytes)) {}
  void raw_integer(u64& value, unsigned size);

  bool loading_;
  std::vector<u8> bytes_;
  std::size_t at_ = 0;
  std::string section_;
  std::string error_;
};

}  // namespace xlat
