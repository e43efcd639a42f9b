// Product of integer matrices: multiplication and two streams of loads.
#include "bench.h"

enum { kSize = 192, kRounds = 12 };
static uint32_t a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];

uint32_t int_matrix(void) {
  uint32_t random = 3, sum = 0;
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      a[i][j] = next_random(&random);
      b[i][j] = next_random(&random);
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) {
        uint32_t dot = 0;
        for (int k = 0; k < kSize; ++k) dot += a[i][k] * b[k][j];
        c[i][j] = dot;
      }
    }
    a[round][round] += c[kSize - 1][kSize - 1];
  }
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) sum = sum * 31 + c[i][j];
  }
  return sum;
}
