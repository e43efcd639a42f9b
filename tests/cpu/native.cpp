// Into 32-bit mode by a far jump to the kernel's 32-bit user code segment, and back by another or by a signal.
#include "native.h"

#if defined(__x86_64__) && defined(__linux__)

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/bits.h"

namespace xlat::test {

namespace {

// Lie in the pages after the code; the code below reaches them by absolute 32-bit addresses.
constexpr u32 kStub = Native::kCode + 0xe000;
constexpr u32 kContext = Native::kCode + 0xf000;
constexpr u32 kBytes = 0x10000 + Native::kDataBytes;

struct Context {
  u32 gpr[8];
  u32 eflags;
  u32 target;  // m16:32 of the far jump in
  u16 selector;
  u64 host_rsp;
  u64 fs_base;  // the C library's thread pointer
  u16 seg[6];
  i32 trap;
  u64 resume;  // where a signal goes on
  u32 trap_code, trap_ip;
  u8 fpu[108];
};
static_assert(offsetof(Context, eflags) == 32 && offsetof(Context, target) == 36 && offsetof(Context, host_rsp) == 48 &&
              offsetof(Context, fs_base) == 56 && offsetof(Context, seg) == 64 && offsetof(Context, trap) == 76 &&
              offsetof(Context, resume) == 80 && offsetof(Context, fpu) == 96);

Context& context() { return *reinterpret_cast<Context*>(u64{kContext}); }

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

// FS may hold a segment of the program: nothing here may ask for the thread pointer.
[[gnu::no_sanitize("address", "undefined")]] void on_signal(int number, siginfo_t*, void* info) {
  auto* gregs = static_cast<ucontext_t*>(info)->uc_mcontext.gregs;
  if ((gregs[REG_CSGSFS] & 0xffff) != Native::kCodeSel) {
    std::signal(number, SIG_DFL);
    return;
  }
  Context& c = context();
  static constexpr int kGregs[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
  for (unsigned n = 0; n < 8; ++n) c.gpr[n] = static_cast<u32>(gregs[kGregs[n]]);
  c.eflags = static_cast<u32>(gregs[REG_EFL]);
  c.trap = static_cast<i32>(gregs[REG_TRAPNO]);
  c.trap_code = static_cast<u32>(gregs[REG_ERR]);
  c.trap_ip = static_cast<u32>(gregs[REG_RIP]);
  gregs[REG_RIP] = static_cast<greg_t>(c.resume);
  gregs[REG_RSP] = static_cast<greg_t>(c.host_rsp);
  gregs[REG_EFL] = 0x202;
  gregs[REG_CSGSFS] = 0x002b000000000033;
}

bool set_ldt(unsigned entry, bool is32, bool writable) {
  user_desc d{};
  d.entry_number = entry;
  d.base_addr = Native::kData;
  d.limit = Native::kLdtLimit;
  d.seg_32bit = is32;
  d.read_exec_only = !writable;
  d.useable = 1;
  return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) == 0;
}

}  // namespace

struct Native::Saved {
  struct sigaction actions[std::size(kSignals)];
  stack_t stack;
  alignas(16) u8 bytes[64 * 1024];
};

Native::Native() {
  void* at = mmap(reinterpret_cast<void*>(u64{kCode}), kBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != reinterpret_cast<void*>(u64{kCode})) return;
  memory_ = static_cast<u8*>(at);
  if (!set_ldt(0, true, true) || !set_ldt(1, false, true) || !set_ldt(2, true, false)) return;
  saved_ = new Saved;
  stack_t stack{};
  stack.ss_sp = saved_->bytes;
  stack.ss_size = sizeof saved_->bytes;
  sigaltstack(&stack, &saved_->stack);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (unsigned n = 0; n < std::size(kSignals); ++n) sigaction(kSignals[n], &action, &saved_->actions[n]);
  syscall(SYS_arch_prctl, ARCH_GET_FS, &context().fs_base);
  available_ = true;
}

Native::~Native() {
  if (saved_) {
    for (unsigned n = 0; n < std::size(kSignals); ++n) sigaction(kSignals[n], &saved_->actions[n], nullptr);
    sigaltstack(&saved_->stack, nullptr);
    delete saved_;
  }
  if (memory_) munmap(memory_, kBytes);
}

void Native::run(std::span<const u8> code, UserState& state) {
  Context& c = context();
  std::memcpy(memory_, code.data(), code.size());
  u8* end = memory_ + code.size();
  *end++ = 0xea;  // jmp 33:stub, the 64-bit code segment
  store_le<u32>(end, kStub);
  store_le<u16>(end + 4, 0x33);
  std::memcpy(c.gpr, state.gpr, sizeof c.gpr);
  std::memcpy(c.seg, state.seg, sizeof c.seg);
  std::memcpy(c.fpu, state.fpu.data(), sizeof c.fpu);
  c.eflags = state.eflags;
  c.target = kCode;
  c.selector = kCodeSel;
  c.trap = UserState::kNoTrap;
  // The stub saves EAX at its absolute address, then jumps to `resume` by a 64-bit address.
  u8* stub = memory_ + (kStub - kCode);
  const u8 save_eax[] = {0x89, 0x04, 0x25};
  std::memcpy(stub, save_eax, 3);
  store_le<u32>(stub + 3, kContext + offsetof(Context, gpr));
  stub[7] = 0x48;
  stub[8] = 0xb8;
  // Registers that 32-bit code cannot name carry the addresses in; nothing is kept in registers over the far jump.
  register u64 stub_at asm("r9") = reinterpret_cast<u64>(stub + 7);
  register u64 context_at asm("r8") = kContext;
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t"
      "mov %%rax, 2(%0)\n\t"
      "movw $0xe0ff, 10(%0)\n\t"  // jmp *%rax
      "lea 2f(%%rip), %%rax\n\t"
      "mov %%rax, 80(%1)\n\t"
      // The frame pointer may be what addresses locals: it is saved on the host's stack.
      "sub $128, %%rsp\n\t"
      "push %%rbp\n\t"
      "push %%rbx\n\t"
      "mov %%rsp, 48(%1)\n\t"
      "frstor 96(%1)\n\t"
      "mov 64(%1), %%es\n\t"
      "mov 70(%1), %%ds\n\t"
      "mov 72(%1), %%fs\n\t"
      "mov 74(%1), %%gs\n\t"
      "mov 32(%1), %%eax\n\t"
      "push %%rax\n\t"
      "popfq\n\t"
      "mov 0(%1), %%eax\n\t"
      "mov 4(%1), %%ecx\n\t"
      "mov 8(%1), %%edx\n\t"
      "mov 12(%1), %%ebx\n\t"
      "mov 20(%1), %%ebp\n\t"
      "mov 24(%1), %%esi\n\t"
      "mov 28(%1), %%edi\n\t"
      "mov 68(%1), %%ss\n\t"
      "mov 16(%1), %%esp\n\t"
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
      "mov %%ss, 68(%%rax)\n\t"
      "mov $0x2b, %%ecx\n\t"
      "mov %%ecx, %%ss\n\t"
      "mov 48(%%rax), %%rsp\n\t"
      "pushfq\n\t"
      "pop %%rcx\n\t"
      "mov %%ecx, 32(%%rax)\n"
      "2:\n\t"
      "cld\n\t"
      "movabs %2, %%rbx\n\t"
      "mov %%es, 64(%%rbx)\n\t"
      "mov %%ds, 70(%%rbx)\n\t"
      "mov %%fs, 72(%%rbx)\n\t"
      "mov %%gs, 74(%%rbx)\n\t"
      "fnsave 96(%%rbx)\n\t"
      "xor %%eax, %%eax\n\t"
      "mov %%eax, %%fs\n\t"
      "mov %%eax, %%gs\n\t"
      "mov $0x2b, %%eax\n\t"
      "mov %%eax, %%ds\n\t"
      "mov %%eax, %%es\n\t"
      "mov $158, %%eax\n\t"  // arch_prctl(ARCH_SET_FS, fs_base)
      "mov $0x1002, %%edi\n\t"
      "mov 56(%%rbx), %%rsi\n\t"
      "syscall\n\t"
      "pop %%rbx\n\t"
      "pop %%rbp\n\t"
      "add $128, %%rsp\n\t"
      : "+r"(stub_at), "+r"(context_at)
      : "i"(u64{kContext})
      : "rax", "rcx", "rdx", "rsi", "rdi", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  static_assert(SYS_arch_prctl == 158 && ARCH_SET_FS == 0x1002);
  const u16 ss = state.seg[2];
  std::memcpy(state.gpr, c.gpr, sizeof c.gpr);
  std::memcpy(state.seg, c.seg, sizeof c.seg);
  state.seg[2] = ss;
  std::memcpy(state.fpu.data(), c.fpu, sizeof c.fpu);
  state.eflags = c.eflags;
  state.trap = c.trap;
  state.trap_code = c.trap_code;
  state.trap_ip = c.trap_ip;
}

}  // namespace xlat::test

#else

namespace xlat::test {
struct Native::Saved {};
Native::Native() = default;
Native::~Native() = default;
void Native::run(std::span<const u8>, UserState&) {}
}  // namespace xlat::test

#endif
