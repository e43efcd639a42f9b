// What libFuzzer's targets share: the input as numbers and pieces, files without a disk, an end with a word.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "base/bits.h"

extern "C" int LLVMFuzzerTestOneInput(const xlat::u8* data, std::size_t size);

namespace xlat::fuzz {

// Ends the run as a finding.
[[noreturn]] inline void found(std::string_view what) {
  std::fprintf(stderr, "found: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// The front of an input; zeros when it is used up.
class Input {
 public:
  Input(const u8* data, std::size_t size) : bytes_(data, size) {}
  u8 byte() {
    if (bytes_.empty()) return 0;
    const u8 value = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return value;
  }
  u32 word() {
    u32 value = 0;
    for (unsigned n = 0; n < 4; ++n) value |= u32{byte()} << 8 * n;
    return value;
  }
  bool empty() const { return bytes_.empty(); }
  std::span<const u8> rest() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::span<const u8> bytes_;
};

// A file in memory that has a path.
class File {
 public:
  explicit File(std::span<const u8> bytes) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 || write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// A message for a user is one line.
inline void one_line(const std::string& message) {
  if (message.empty() || message.find('\n') != std::string::npos) found("a message that is no line: " + message);
}

}  // namespace xlat::fuzz
