// Frames on a byte stream as QEMU's sockets have them: four bytes of length, most significant first, then the frame.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "devices/net/nic.h"

namespace xlat {

class FrameStream {
 public:
  // Gives each whole frame to `take`. False if the other side does not speak so; nothing more can be read then.
  template <class Take>
  bool feed(std::span<const u8> bytes, Take take) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    std::size_t at = 0;
    for (;;) {
      if (buffer_.size() - at < kHead) break;
      const u8* const head = &buffer_[at];
      const u32 length = u32{head[0]} << 24 | u32{head[1]} << 16 | u32{head[2]} << 8 | head[3];
      if (length > kMostLength) return false;
      if (buffer_.size() - at - kHead < length) break;
      take(std::span<const u8>(buffer_).subspan(at + kHead, length));
      at += kHead + length;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
  }
  void clear() { buffer_.clear(); }

  static void append(std::vector<u8>& to, std::span<const u8> frame) {
    const u32 length = static_cast<u32>(frame.size());
    for (const unsigned shift : {24u, 16u, 8u, 0u}) to.push_back(static_cast<u8>(length >> shift));
    to.insert(to.end(), frame.begin(), frame.end());
  }

 private:
  static constexpr std::size_t kHead = 4;
  static constexpr u32 kMostLength = 4096 + 65536;  // QEMU's
  std::vector<u8> buffer_;
};

}  // namespace xlat
