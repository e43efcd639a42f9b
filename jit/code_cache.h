// Memory for translated code: one memfd mapped twice, so that no address is both writable and executable.
#pragma once

#include <span>

#include "base/result.h"
#include "base/types.h"

namespace xlat::jit {

class CodeCache {
 public:
  // Fails with the host's reason where the memory or one of its mappings cannot be had.
  static Result<CodeCache> make(std::size_t bytes);
  CodeCache(CodeCache&& other) noexcept;
  CodeCache& operator=(CodeCache&&) = delete;
  ~CodeCache();

  std::size_t size() const { return size_; }
  std::size_t used() const { return used_ + cold_; }
  std::size_t left() const { return size_ - used(); }

  // Where the next code will run.
  const u8* next() const { return executable_ + used_; }
  // Copies `code` to next() and returns that address; the caller has looked at left().
  const u8* add(std::span<const u8> code);
  // Code that rarely runs is kept apart, so that what runs often lies close together: it fills the cache from its end.
  // The next will run where it ends in front of this.
  const u8* cold_end() const { return executable_ + size_ - cold_; }
  const u8* add_cold(std::span<const u8> code);
  // Bytes from the beginning of the cache, where code never begins.
  u32 place_of(const u8* executable) const { return static_cast<u32>(executable - executable_); }
  const u8* at(u32 place) const { return executable_ + place; }
  // The writable view of a byte of code.
  u8* writable(const u8* executable) { return writable_ + (executable - executable_); }
  // Forgets all code but the first `keep` bytes of what is not cold.
  void truncate(std::size_t keep) {
    used_ = keep;
    cold_ = 0;
  }

 private:
  CodeCache(u8* writable, u8* executable, std::size_t size)
      : writable_(writable), executable_(executable), size_(size) {}

  u8* writable_;
  u8* executable_;
  std::size_t size_;
  std::size_t used_ = 0, cold_ = 0;  // at the beginning, at the end
};

}  // namespace xlat::jit
