// Product of matrices of doubles, which -march=i686 does on the x87 unit.
#include <string.h>

#include "bench.h"

enum { kSize = 96, kRounds = 5 };
static double a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];

uint32_t x87_matrix(void) {
  uint32_t random = 5, sum = 0;
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      a[i][j] = next_random(&random) / 65536.0;
      b[i][j] = next_random(&random) / 65536.0 - 100;
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) {
        double dot = 0;
        for (int k = 0; k < kSize; ++k) dot += a[i][k] * b[k][j];
        c[i][j] = dot;
      }
    }
    a[round][round] = c[kSize - 1][kSize - 1] / 1e6;
  }
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      uint64_t bits;
      memcpy(&bits, &c[i][j], sizeof bits);
      sum = sum * 31 + (uint32_t)(bits ^ bits >> 32);
    }
  }
  return sum;
}
