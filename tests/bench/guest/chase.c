// Follows pointers in random order through 16 MiB: every load waits for the one before, and misses.
#include "bench.h"

enum { kLine = 64, kBytes = 16 << 20, kNodes = kBytes / kLine, kSteps = 1000000 };

struct node {
  struct node* next;
  uint32_t number;
  char rest[kLine - 2 * sizeof(uint32_t)];
};

uint32_t chase(void) {
  struct node* nodes = malloc(kBytes);
  uint32_t* order = malloc(kNodes * sizeof *order);
  need(nodes && order, "malloc");
  uint32_t random = 11, sum = 0;
  for (uint32_t n = 0; n < kNodes; ++n) order[n] = n;
  for (uint32_t n = kNodes - 1; n > 0; --n) {
    const uint32_t k = next_random(&random) % n, kept = order[n];
    order[n] = order[k];
    order[k] = kept;
  }
  for (uint32_t n = 0; n < kNodes; ++n) {
    nodes[order[n]].next = &nodes[order[(n + 1) % kNodes]];
    nodes[order[n]].number = n;
  }
  struct node* at = nodes;
  for (int n = 0; n < kSteps; ++n) at = at->next;
  sum = at->number;
  free(order);
  free(nodes);
  return sum;
}
