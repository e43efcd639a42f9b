// bench NAME...: runs the benchmarks named, all without a name. The host takes the time between the start and end lines.
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct benchmark kAll[] = {
    {"sieve", sieve},       {"crc", crc},     {"qsort", sort},          {"int-matrix", int_matrix},
    {"x87-matrix", x87_matrix}, {"chase", chase}, {"memcpy", copy},         {"calls", calls},
    {"bytecode", bytecode}, {"getppid", syscalls}, {"fork", forks},     {"pipe", pipes},
    {"faults", faults},     {"rewrite", rewrite}, {"cold", cold},
};
enum { kCount = sizeof kAll / sizeof kAll[0] };

// One write for a line: lines of different processes do not mix, and nothing waits in a buffer.
static void line(const char* text, int length) { need(write(1, text, (size_t)length) == length, "write"); }

static void run(const struct benchmark* b) {
  char text[80];
  line(text, sprintf(text, "start %s\n", b->name));
  const uint32_t sum = b->run();
  line(text, sprintf(text, "end %s %08x\n", b->name, sum));
}

int main(int count, char** names) {
  for (int n = 0; n < kCount; ++n) {
    int wanted = count < 2;
    for (int k = 1; k < count; ++k) wanted |= strcmp(names[k], kAll[n].name) == 0;
    if (wanted) run(&kAll[n]);
  }
  return 0;
}
