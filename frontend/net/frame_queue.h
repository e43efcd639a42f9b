// Frames on their way from the machine's thread to a back end's: never more than a fixed amount.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"

namespace xlat {

class FrameQueue {
 public:
  // False if there is no room, and the frame is lost.
  bool push(std::span<const u8> frame) {
    const std::lock_guard lock(mutex_);
    if (bytes_ + frame.size() > kMostBytes) return false;
    bytes_ += frame.size();
    frames_.emplace_back(frame.begin(), frame.end());
    return true;
  }
  std::optional<std::vector<u8>> pop() {
    const std::lock_guard lock(mutex_);
    if (frames_.empty()) return std::nullopt;
    std::vector<u8> frame = std::move(frames_.front());
    frames_.pop_front();
    bytes_ -= frame.size();
    return frame;
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;
  std::mutex mutex_;
  std::deque<std::vector<u8>> frames_;
  std::size_t bytes_ = 0;
};

}  // namespace xlat
