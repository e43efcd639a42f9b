// Rewrites a function and calls it, 100,000 times: self-modifying code.
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

uint32_t rewrite(void) {
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(code != MAP_FAILED, "mmap");
  // mov eax, [esp + 4]; imul eax, eax, 31; add eax, NUMBER; ret
  static const unsigned char kFunction[] = {0x8b, 0x44, 0x24, 0x04, 0x6b, 0xc0, 0x1f, 0x05, 0, 0, 0, 0, 0xc3};
  enum { kNumber = 8 };
  memcpy(code, kFunction, sizeof kFunction);
  uint32_t (*function)(uint32_t) = (uint32_t(*)(uint32_t))code;
  uint32_t sum = 0;
  for (uint32_t n = 0; n < 100000; ++n) {
    memcpy(code + kNumber, &n, sizeof n);
    __builtin___clear_cache((char*)code, (char*)code + sizeof kFunction);
    sum = function(sum);
  }
  munmap(code, 4096);
  return sum;
}
