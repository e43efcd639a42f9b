// The library's memcpy of blocks of 8 MiB.
#include <string.h>

#include "bench.h"

enum { kBlock = 8 << 20, kRounds = 16 };

uint32_t copy(void) {
  unsigned char *a = malloc(kBlock), *b = malloc(kBlock);
  need(a && b, "malloc");
  for (uint32_t n = 0; n < kBlock; n += 4) memcpy(a + n, &n, 4);
  for (uint32_t round = 0; round < kRounds; ++round) {
    memcpy(b, a, kBlock);
    b[round * 4096] ^= 1;
    memcpy(a, b, kBlock);
  }
  uint32_t sum = 0;
  for (uint32_t n = 0; n < kBlock; n += 1024) sum = sum * 31 + a[n];
  free(a);
  free(b);
  return sum;
}
