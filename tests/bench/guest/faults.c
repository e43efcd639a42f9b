// Touches fresh pages: a page fault and a page of zeros each.
#include <sys/mman.h>

#include "bench.h"

enum { kPage = 4096, kPages = 8192, kRounds = 3 };

uint32_t faults(void) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < kRounds; ++round) {
    unsigned char* area = mmap(NULL, (size_t)kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(area != MAP_FAILED, "mmap");
    // Real pages, also on a host that would take huge ones.
    madvise(area, (size_t)kPages * kPage, MADV_NOHUGEPAGE);
    for (uint32_t n = 0; n < kPages; ++n) {
      area[n * kPage + round] = (unsigned char)n;
      sum = sum * 31 + area[n * kPage + round] + area[n * kPage + 4000];
    }
    need(munmap(area, (size_t)kPages * kPage) == 0, "munmap");
  }
  return sum;
}
