// Line bitmap of decoded code.
#include "mmu/code_watch.h"

#include "base/bits.h"

namespace xlat {

CodeWatch::CodeWatch() : lines_(kLimit >> 12, 0) {}

u64 CodeWatch::line_set(u64 phys, unsigned bytes) {
  const unsigned first = (phys & 0xfff) >> 6;
  const unsigned last = ((phys & 0xfff) + bytes - 1) >> 6;
  ASSERT(last < 64);
  return mask(last - first + 1) << first;
}

void CodeWatch::watch(u64 phys, unsigned bytes) {
  if (phys >= kLimit) return;
  u64& lines = lines_[phys >> 12];
  if (lines == 0) {
    for (CodeListener* listener : listeners_) listener->page_watched(phys >> 12);
  }
  lines |= line_set(phys, bytes);
}

void CodeWatch::forget_line(u64 phys) {
  if (phys < kLimit) lines_[phys >> 12] &= ~line_set(phys, 1);
}

void CodeWatch::forget_page(u64 phys) {
  if (phys < kLimit) lines_[phys >> 12] = 0;
}

void CodeWatch::check_lines(u64 phys, unsigned bytes) {
  if (!(lines_[phys >> 12] & line_set(phys, bytes))) return;
  for (CodeListener* listener : listeners_) listener->code_written(phys, bytes);
}

}  // namespace xlat
