// 20,000 different blocks of five instructions, one after the other in an order that no cache likes, 50 times: what a
// program pays for code that is run a few times.
#include "bench.h"

uint32_t cold_words[1024];
uint32_t cold_round(uint32_t sum);

// Block n goes on at block n + 7919, modulo their number, which is prime to it: one way through all of them.
__asm__(
    ".altmacro\n"
    ".macro cold_block n, next\n"
    "cold_\\n:\n"
    "  addl $((\\n * 2654435) & 0x7fffffff), %eax\n"
    "  roll $((\\n % 31) + 1), %eax\n"
    "  xorl cold_words + (\\n % 1024) * 4, %eax\n"
    "  movl %eax, cold_words + (\\n * 7 % 1024) * 4\n"
    "  jmp cold_\\next\n"
    ".endm\n"
    ".text\n"
    ".globl cold_round\n"
    "cold_round:\n"
    "  movl 4(%esp), %eax\n"
    "  jmp cold_7919\n"
    "cold_0: ret\n"
    ".set cold_n, 1\n"
    ".rept 19999\n"
    "  cold_block %cold_n, %((cold_n + 7919) % 20000)\n"
    "  .set cold_n, cold_n + 1\n"
    ".endr\n"
    ".noaltmacro\n");

uint32_t cold(void) {
  uint32_t sum = 1;
  for (int round = 0; round < 50; ++round) sum = cold_round(sum);
  return sum;
}
