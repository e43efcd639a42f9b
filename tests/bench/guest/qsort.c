// The library's qsort with a comparison callback: calls through a pointer, branches that are hard to guess.
#include "bench.h"

enum { kSize = 150000, kRounds = 2 };

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return (x > y) - (x < y);
}

uint32_t sort(void) {
  static uint32_t data[kSize];
  uint32_t random = 7, sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int n = 0; n < kSize; ++n) data[n] = next_random(&random);
    qsort(data, kSize, sizeof data[0], compare);
    for (uint32_t n = 0; n < kSize; ++n) sum = sum * 31 + data[n];
  }
  return sum;
}
