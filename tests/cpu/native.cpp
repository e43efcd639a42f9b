// Into 32-bit mode by a far jump to the kernel's 32-bit user code segment, and back.
#include "native.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>

#include <cstring>

#include "base/bits.h"

namespace xlat::test {

namespace {

// Lies in the page after the code; the code below reaches it by absolute 32-bit addresses.
constexpr u32 kContext = Native::kCode + 0xf000;
constexpr u32 kStub = Native::kCode + 0xe000;

struct Context {
  u32 gpr[8];
  u32 eflags;
  u32 target;  // m16:32 of the far jump in
  u16 selector;
  u64 host_rsp;
};

}  // namespace

Native::Native() {
  void* at = mmap(reinterpret_cast<void*>(u64{kCode}), 0x10000 + kDataBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == reinterpret_cast<void*>(u64{kCode})) memory_ = static_cast<u8*>(at);
}

Native::~Native() {
  if (memory_) munmap(memory_, 0x10000 + kDataBytes);
}

void Native::run(std::span<const u8> code, NativeRegs& regs) {
  auto* context = reinterpret_cast<Context*>(u64{kContext});
  std::memcpy(memory_, code.data(), code.size());
  u8* end = memory_ + code.size();
  *end++ = 0xea;  // jmp 33:stub, the 64-bit code segment
  store_le<u32>(end, kStub);
  store_le<u16>(end + 4, 0x33);
  std::memcpy(context->gpr, regs.gpr, sizeof regs.gpr);
  context->eflags = regs.eflags;
  context->target = kCode;
  context->selector = 0x23;
  // The stub saves EAX at its absolute address, then jumps to `resume` by a 64-bit address.
  u8* stub = memory_ + (kStub - kCode);
  const u8 save_eax[] = {0x89, 0x04, 0x25};
  std::memcpy(stub, save_eax, 3);
  store_le<u32>(stub + 3, kContext + offsetof(Context, gpr));
  stub[7] = 0x48;
  stub[8] = 0xb8;
  // Registers that 32-bit code cannot name carry the addresses in; nothing is kept in registers over the far jump.
  register u64 stub_at asm("r9") = reinterpret_cast<u64>(stub + 7);
  register u64 context_at asm("r8") = reinterpret_cast<u64>(context);
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t"
      "mov %%rax, 2(%0)\n\t"
      "movw $0xe0ff, 10(%0)\n\t"  // jmp *%rax
      // The frame pointer may be what addresses locals: it is saved on the host's stack.
      "sub $128, %%rsp\n\t"
      "push %%rbp\n\t"
      "push %%rbx\n\t"
      "mov %%rsp, 48(%1)\n\t"
      "mov $0x2b, %%eax\n\t"  // the kernel's 32-bit user data segment; DS and ES are null in 64-bit mode
      "mov %%eax, %%ds\n\t"
      "mov %%eax, %%es\n\t"
      "mov 32(%1), %%eax\n\t"
      "push %%rax\n\t"
      "popfq\n\t"
      "mov 0(%1), %%eax\n\t"
      "mov 4(%1), %%ecx\n\t"
      "mov 8(%1), %%edx\n\t"
      "mov 12(%1), %%ebx\n\t"
      "mov 16(%1), %%esp\n\t"
      "mov 20(%1), %%ebp\n\t"
      "mov 24(%1), %%esi\n\t"
      "mov 28(%1), %%edi\n\t"
      "ljmp *36(%1)\n"
      "1:\n\t"
      "movabs %2, %%rax\n\t"
      "mov %%ecx, 4(%%rax)\n\t"
      "mov %%edx, 8(%%rax)\n\t"
      "mov %%ebx, 12(%%rax)\n\t"
      "mov %%esp, 16(%%rax)\n\t"
      "mov %%ebp, 20(%%rax)\n\t"
      "mov %%esi, 24(%%rax)\n\t"
      "mov %%edi, 28(%%rax)\n\t"
      "mov 48(%%rax), %%rsp\n\t"
      "pushfq\n\t"
      "pop %%rcx\n\t"
      "mov %%ecx, 32(%%rax)\n\t"
      "cld\n\t"
      "pop %%rbx\n\t"
      "pop %%rbp\n\t"
      "add $128, %%rsp\n\t"
      : "+r"(stub_at), "+r"(context_at)
      : "i"(u64{kContext})
      : "rax", "rcx", "rdx", "rsi", "rdi", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  std::memcpy(regs.gpr, context->gpr, sizeof regs.gpr);
  regs.eflags = context->eflags;
}

static_assert(offsetof(Context, eflags) == 32 && offsetof(Context, target) == 36 && offsetof(Context, host_rsp) == 48);

}  // namespace xlat::test

#else

namespace xlat::test {
Native::Native() = default;
Native::~Native() = default;
void Native::run(std::span<const u8>, NativeRegs&) {}
}  // namespace xlat::test

#endif
