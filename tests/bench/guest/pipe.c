// Two processes pass a number to and fro through pipes: a context switch each way.
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { kRounds = 6000 };

uint32_t pipes(void) {
  int there[2], back[2];
  uint32_t number = 1;
  need(pipe(there) == 0 && pipe(back) == 0, "pipe");
  const pid_t child = fork();
  need(child >= 0, "fork");
  if (child == 0) {
    for (int n = 0; n < kRounds; ++n) {
      if (read(there[0], &number, sizeof number) != sizeof number) _exit(1);
      number = number * 1664525u + 1013904223u;
      if (write(back[1], &number, sizeof number) != sizeof number) _exit(1);
    }
    _exit(0);
  }
  for (int n = 0; n < kRounds; ++n) {
    need(write(there[1], &number, sizeof number) == sizeof number, "write");
    need(read(back[0], &number, sizeof number) == sizeof number, "read");
    number ^= (uint32_t)n;
  }
  need(waitpid(child, NULL, 0) == child, "waitpid");
  for (int n = 0; n < 2; ++n) {
    close(there[n]);
    close(back[n]);
  }
  return number;
}
