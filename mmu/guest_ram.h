// Guest RAM: one shared-memory mapping of the host.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"

namespace xlat {

class GuestRam {
 public:
  // `bytes` is rounded up to whole pages. Fails when the host has no address space or memory left.
  static Result<std::unique_ptr<GuestRam>> create(u64 bytes);
  ~GuestRam();
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  u8* data() { return data_; }
  u64 size() const { return size_; }
  std::span<u8> bytes() { return {data_, size_}; }
  // A guest's secrets are not for a core file of the host's.
  void keep_out_of_cores();

 private:
  GuestRam(int fd, u8* data, u64 size) : fd_(fd), data_(data), size_(size) {}
  int fd_;  // -1 where a file could not be so large
  u8* data_;
  u64 size_;
};

}  // namespace xlat
