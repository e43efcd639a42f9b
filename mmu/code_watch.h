// Which 64-byte lines of RAM hold code that an engine has decoded, so that stores to them are noticed.
#pragma once

#include <vector>

#include "base/types.h"

namespace xlat {

// Told of changes to watched code; the engines implement it.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  // The first line of this physical page is about to be watched: drop cached write access to it.
  virtual void page_watched(u64 phys_page) = 0;
  // Bytes [phys, phys + bytes), inside one page, are about to change and touch watched lines.
  virtual void code_written(u64 phys, unsigned bytes) = 0;
};

// Covers physical addresses below 4 GiB. Code elsewhere (there is no RAM there) is not watched.
class CodeWatch {
 public:
  CodeWatch();

  void add_listener(CodeListener& listener) { listeners_.push_back(&listener); }

  bool page_has_code(u64 phys) const { return phys < kLimit && lines_[phys >> 12] != 0; }

  // Watches the lines of [phys, phys + bytes), which lie in one page.
  void watch(u64 phys, unsigned bytes);
  // Forgets the line of `phys`.
  void forget_line(u64 phys);
  // Forgets all lines of the page of `phys`.
  void forget_page(u64 phys);

  // To be called before every store to RAM that does not go through a TLB write entry. The bytes lie in one page.
  void before_store(u64 phys, unsigned bytes) {
    if (page_has_code(phys)) check_lines(phys, bytes);
  }

 private:
  static constexpr u64 kLimit = u64{1} << 32;
  static u64 line_set(u64 phys, unsigned bytes);
  void check_lines(u64 phys, unsigned bytes);

  std::vector<u64> lines_;  // a bit a line, a word a page
  std::vector<CodeListener*> listeners_;
};

}  // namespace xlat
