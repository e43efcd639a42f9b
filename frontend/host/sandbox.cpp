// The filter, made with libseccomp: a list of what is let through, so that what is not known is refused.
#include "frontend/host/sandbox.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace xlat {

namespace {

enum Group : u8 { kAlways, kSound, kSpawn, kElevate, kResources, kObsolete };

class Filter {
 public:
  explicit Filter(u32 otherwise) : context_(seccomp_init(otherwise)) {
    // By the numbers of another architecture, as 32-bit code or the x32 ABI gives them: refused as well, in place of
    // the library's habit of ending the process.
    note(seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, otherwise));
  }
  ~Filter() {
    if (context_) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void allow(const char* name) { add(SCMP_ACT_ALLOW, name, {}); }
  void allow_if(const char* name, std::initializer_list<scmp_arg_cmp> arguments) {
    add(SCMP_ACT_ALLOW, name, arguments);
  }
  void fail(const char* name, int with) { add(SCMP_ACT_ERRNO(static_cast<unsigned>(with)), name, {}); }
  // 0 or an errno.
  int load() {
    // All threads at once; and no privileges by programs that are started.
    note(seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    note(seccomp_attr_set(context_, SCMP_FLTATR_CTL_NNP, 1));
    // The library writes through what it could not allocate; who has no room for its program is told so here.
    { const std::vector<u8> room(4 << 20); }
    if (!wrong_) note(seccomp_load(context_));
    return wrong_;
  }

 private:
  void add(u32 action, const char* name, std::initializer_list<scmp_arg_cmp> arguments) {
    const int number = seccomp_syscall_resolve_name(name);
    if (!context_ || number < 0) return;  // not on this host
    note(seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(arguments.size()), arguments.begin()));
  }
  void note(int result) {
    if (!context_) wrong_ = ENOMEM;
    if (result < 0 && !wrong_) wrong_ = -result;
  }

  scmp_filter_ctx context_;
  int wrong_ = 0;
};

constexpr u64 kLow32 = 0xffffffff;  // of an int the kernel looks at no more

scmp_arg_cmp equals(unsigned argument, u64 value, u64 mask = kLow32) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// What of a call is let through depends on its arguments.
void allow_by_arguments(Filter& filter, const SandboxSettings& settings) {
  if (!settings.spawn) {
    // A thread of this process and nothing else. The flags of clone3 are where a filter cannot look; without it the C
    // library takes clone.
    constexpr u64 kNew = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                         CLONE_NEWNET | CLONE_PTRACE;
    filter.allow_if("clone", {equals(0, CLONE_THREAD, CLONE_THREAD | kNew)});
    filter.fail("clone3", ENOSYS);
    // To this process alone: raise, abort, Ctrl-Z.
    filter.allow_if("kill", {equals(0, static_cast<u64>(getpid()))});
  }
  filter.allow_if("tgkill", {equals(0, static_cast<u64>(getpid()))});
  if (!settings.resource_control) filter.allow_if("prlimit64", {equals(2, 0, ~u64{0})});  // asking, not setting

  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    filter.allow_if("socket", {equals(0, static_cast<u64>(family))});
  }
  // Terminals and sizes of disks; above all not TIOCSTI, which types for the user.
  for (const unsigned long request :
       {0ul + TCGETS, 0ul + TCSETS, 0ul + TCSETSW, 0ul + TCSETSF, 0ul + TCSBRK, 0ul + TCXONC, 0ul + TCFLSH,
        0ul + TIOCGWINSZ, 0ul + TIOCSWINSZ, 0ul + TIOCGPGRP, 0ul + TIOCSPGRP, 0ul + TIOCGSID, 0ul + TIOCGPTN,
        0ul + TIOCSPTLCK, 0ul + TIOCGPTPEER, 0ul + TIOCOUTQ, 0ul + FIONREAD, 0ul + FIONBIO, 0ul + FIOCLEX,
        // BLKGETSIZE64, BLKSSZGET, and the terminal calls of newer C libraries
        0ul + _IOR(0x12, 114, std::size_t), 0ul + _IO(0x12, 104), 0ul + _IOC(_IOC_READ, 'T', 0x2a, 44),
        0ul + _IOC(_IOC_WRITE, 'T', 0x2b, 44), 0ul + _IOC(_IOC_WRITE, 'T', 0x2c, 44),
        0ul + _IOC(_IOC_WRITE, 'T', 0x2d, 44)}) {
    filter.allow_if("ioctl", {equals(1, request)});
  }
  if (settings.sound) {
    // ALSA's and OSS's for streams (types 'A' and 'P'), and those of ALSA's timers that its mixing of programs waits
    // by. Of the latter's type only these, as TIOCSTI has it, too.
    for (const u64 type : {u64{'A'} << 8, u64{'P'} << 8}) filter.allow_if("ioctl", {equals(1, type, 0xff00)});
    for (const u64 timer : {0x54a0, 0x54a1, 0x54a2, 0x54a3}) filter.allow_if("ioctl", {equals(1, timer)});
  }
  // Names of threads, and of memory.
  for (const int what : {PR_SET_NAME, PR_GET_NAME, 0x53564d41}) {
    filter.allow_if("prctl", {equals(0, static_cast<u64>(what))});
  }
}

void allow_lists(Filter& filter, const SandboxSettings& settings) {
  const auto wanted = [&](Group group) {
    switch (group) {
      case kAlways: return true;
      case kSound: return settings.sound;
      case kSpawn: return settings.spawn;
      case kElevate: return settings.elevate_privileges;
      case kResources: return settings.resource_control;
      case kObsolete: return settings.obsolete;
    }
    return false;
  };
#define XLAT_CALLS(group, ...)                                 \
  if (wanted(group)) {                                         \
    for (const char* name : {__VA_ARGS__}) filter.allow(name); \
  }
#include "frontend/host/sandbox_calls.inc"
#undef XLAT_CALLS
}

#if defined(__x86_64__) || defined(__aarch64__)
// In place of a refused call: says so and has it fail. Only what a signal handler may do.
void report_refused(int, siginfo_t* info, void* context) {
  char text[] = "xlat: the sandbox refuses system call          \n";
  char* digit = text + sizeof text - 3;
  for (unsigned number = static_cast<unsigned>(info->si_syscall);; number /= 10) {
    *digit-- = static_cast<char>('0' + number % 10);
    if (number < 10) break;
  }
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) errno = 0;
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  machine.gregs[REG_RAX] = -EPERM;
#else
  machine.regs[0] = static_cast<unsigned long long>(-EPERM);
#endif
}
constexpr bool kCanReport = true;
#else
void report_refused(int, siginfo_t*, void*) {}
constexpr bool kCanReport = false;
#endif

}  // namespace

#ifdef XLAT_SANDBOX_REPORTS
const SandboxReport kSandboxReport = SandboxReport::kOnStderr;
#else
const SandboxReport kSandboxReport = SandboxReport::kSilent;
#endif

std::string_view sandbox_missing() { return {}; }

Status enter_sandbox(const SandboxSettings& settings, SandboxReport report) {
  const bool traps = kCanReport && report == SandboxReport::kOnStderr;
  if (traps) {
    struct sigaction action {};
    action.sa_sigaction = report_refused;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGSYS, &action, nullptr) != 0) return error("-sandbox: sigaction: {}", std::strerror(errno));
  }
  Filter filter(traps ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM));
  allow_lists(filter, settings);
  allow_by_arguments(filter, settings);
  if (const int why = filter.load()) {
    return error("-sandbox: the host takes no filter for system calls: {}; -sandbox off goes on without",
                 std::strerror(why));
  }
  return {};
}

}  // namespace xlat
