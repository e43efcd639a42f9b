// A Multiboot kernel for GDB to look at: functions with frames, data, a string instruction, the x87 unit.
__asm__(
    ".text\n"
    ".long 0x1badb002, 0, -0x1badb002\n"
    ".globl _start\n"
    "_start: mov $stack + 4096, %esp\n"
    "xor %ebp, %ebp\n"
    "call run\n");

char stack[4096];
int counter;
const char message[] = "breakpoints patch no memory";
char copy[64];

int compute(int by) {
  counter += by;
  return counter;
}

void done(void) {
  for (;;) {}
}

void run(void) {
  for (int n = 0; n < 5; ++n) compute(1);
  const char* from = message;
  char* to = copy;
  int bytes = sizeof message;
  __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(bytes) : : "memory");
  __asm__ volatile("finit; fldpi");
  done();
}
