// CRC-32 by table: a chain of loads, shifts and exclusive ors.
#include "bench.h"

enum { kSize = 1 << 20, kRounds = 60 };

uint32_t crc(void) {
  static uint32_t table[256];
  static unsigned char data[kSize];
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
    table[n] = c;
  }
  uint32_t random = 1;
  for (int n = 0; n < kSize; ++n) data[n] = (unsigned char)next_random(&random);
  uint32_t sum = 0xffffffffu;
  for (int round = 0; round < kRounds; ++round) {
    for (int n = 0; n < kSize; ++n) sum = (sum >> 8) ^ table[(sum ^ data[n]) & 0xff];
  }
  return ~sum;
}
