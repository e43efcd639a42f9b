// Which pages of a device's memory have been written since somebody looked.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "base/types.h"

namespace xlat {

// A flag a page of 4 KiB. Stores set it (AddressSpace::map_device_ram); who has looked at a page clears it, and sees to
// it that the next store is noticed again (AddressSpace::watch_stores).
class DirtyPages {
 public:
  explicit DirtyPages(std::size_t bytes) : flags_(bytes / 4096, 1) {}

  u8* flags() { return flags_.data(); }
  void mark(std::size_t at) { flags_[at / 4096] = 1; }
  void mark_all() { std::fill(flags_.begin(), flags_.end(), u8{1}); }
  std::size_t pages() const { return flags_.size(); }
  bool take(std::size_t page) { return std::exchange(flags_[page], u8{0}) != 0; }

 private:
  std::vector<u8> flags_;
};

}  // namespace xlat
