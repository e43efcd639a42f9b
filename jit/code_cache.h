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
  std::size_t used() const { return used_; }
  std::size_t left() const { return size_ - used_; }

  // Where the next code will run.
  const u8* next() const { return executable_ + used_; }
  // Copies `code` to next() and returns that address; the caller has looked at left().
  const u8* add(std::span<const u8> code);
  // The writable view of a byte of code.
  u8* writable(const u8* executable) { return writable_ + (executable - executable_); }
  // Forgets all code added after the first `keep` bytes.
  void truncate(std::size_t keep) { used_ = keep; }

 private:
  CodeCache(u8* writable, u8* executable, std::size_t size)
      : writable_(writable), executable_(executable), size_(size) {}

  u8* writable_;
  u8* executable_;
  std::size_t size_;
  std::size_t used_ = 0;
};

}  // namespace xlat::jit
