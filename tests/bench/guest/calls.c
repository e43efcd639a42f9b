// Recursive calls: pushes, returns, and little else.
#include "bench.h"

static __attribute__((noinline)) uint32_t fibonacci(uint32_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

uint32_t calls(void) { return fibonacci(35); }
