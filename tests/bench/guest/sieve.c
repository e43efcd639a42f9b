// Sieve of Eratosthenes over bytes: short loops of stores with a stride.
#include <string.h>

#include "bench.h"

enum { kSize = 200000, kRounds = 200 };
static unsigned char composite[kSize];

uint32_t sieve(void) {
  uint32_t sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    memset(composite, 0, sizeof composite);
    for (uint32_t n = 2; n < kSize; ++n) {
      if (composite[n]) continue;
      sum += n;
      for (uint32_t k = 2 * n; k < kSize; k += n) composite[k] = 1;
    }
  }
  return sum;
}
