// An interpreter of a small stack machine, dispatching with computed goto: indirect jumps with changing targets.
#include "bench.h"

enum { kPush, kLoad, kStore, kAdd, kMul, kXor, kShiftRight, kLess, kJumpIf, kEnd };

// for (i = 0; i < limit; i = i + 1) sum = (sum * 33 + i) ^ (sum >> 7)
enum { kI, kSum, kLimit };
static const uint32_t kProgram[] = {
    kLoad, kSum, kPush, 33,     kMul,   kLoad,  kI,    kAdd,    kLoad,  kSum, kPush, 7, kShiftRight,
    kXor,  kStore, kSum, kLoad, kI,     kPush,  1,     kAdd,    kStore, kI,   kLoad, kI, kLoad, kLimit,
    kLess, kJumpIf, 0,  kEnd,
};

static uint32_t run(const uint32_t* program, uint32_t* variables) {
  static const void* const kLabels[] = {&&push, &&load, &&store, &&add, &&mul, &&xor, &&shift_right, &&less, &&jump_if, &&end};
  uint32_t stack[16], *top = stack;
  const uint32_t* at = program;
#define NEXT goto* kLabels[*at++]
  NEXT;
push:
  *top++ = *at++;
  NEXT;
load:
  *top++ = variables[*at++];
  NEXT;
store:
  variables[*at++] = *--top;
  NEXT;
add:
  --top;
  top[-1] += *top;
  NEXT;
mul:
  --top;
  top[-1] *= *top;
  NEXT;
xor:
  --top;
  top[-1] ^= *top;
  NEXT;
shift_right:
  --top;
  top[-1] >>= *top & 31;
  NEXT;
less:
  --top;
  top[-1] = top[-1] < *top;
  NEXT;
jump_if:
  at = *--top ? program + *at : at + 1;
  NEXT;
end:
#undef NEXT
  return variables[kSum];
}

uint32_t bytecode(void) {
  uint32_t variables[] = {0, 1, 1500000};
  return run(kProgram, variables);
}
