// What the benchmark programs share: each is a function that works for a fixed while and gives a checksum.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct benchmark {
  const char* name;
  uint32_t (*run)(void);
};

uint32_t sieve(void), crc(void), sort(void), int_matrix(void), x87_matrix(void), chase(void), copy(void), calls(void),
    bytecode(void), syscalls(void), forks(void), pipes(void), faults(void), rewrite(void), cold(void);

// A generator of our own, the same everywhere.
static inline uint32_t next_random(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

// Ends the program when the system refuses something: a benchmark has no way around it.
static inline void need(int true_if_well, const char* what) {
  if (true_if_well) return;
  perror(what);
  exit(1);
}
