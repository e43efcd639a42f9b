// The filter on system calls: that it is on in every thread, what it refuses, that a refusal ends nothing.
#include "frontend/host/sandbox.h"

#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "frontend/options/command_line.h"
#include "tests/frontend/process.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "Seccomp:" of /proc/PID/status.
std::string field(const std::string& status, const std::string& name) {
  const std::size_t at = status.find("\n" + name + ":");
  if (at == std::string::npos) return "none";
  const std::size_t from = status.find_first_not_of(" \t", at + name.size() + 2);
  return status.substr(from, status.find('\n', from) - from);
}

// A machine that has begun to run: only then does the monitor answer.
struct Running {
  explicit Running(std::vector<std::string> more) {
    std::vector<std::string> args = {"-m", "8", "-display", "none", "-monitor", "stdio", "-serial", "pty"};
    args.insert(args.end(), more.begin(), more.end());
    process.emplace(args);
    process->send("info status\n");
    CHECK(process->expect("VM status"));
    folder = "/proc/" + std::to_string(process->pid());
  }
  ~Running() {
    process->send("quit\n");
    CHECK(process->wait() == 0);
  }
  std::optional<Process> process;
  std::string folder;
};

// Runs `body` in a process of its own; its exit status and what it wrote to stderr.
std::pair<int, std::string> in_child(const std::function<int()>& body) {
  int err[2];
  if (pipe(err) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(err[1], 2);
    _exit(body());
  }
  close(err[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = read(err[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  close(err[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text};
}

bool refused(long result) { return result == -1 && errno == EPERM; }

#if defined(__x86_64__)
constexpr int kRefusedCalls = 17;
#else
constexpr int kRefusedCalls = 16;
#endif

// Calls that xlat has no use for, and some arguments of those it has; the number of the first that is not refused, or
// 0.
int refused_calls() {
  char program[] = "/bin/true";
  char* const arguments[] = {program, nullptr};
  if (!refused(execve(program, arguments, nullptr))) return 1;
  if (!refused(fork())) return 2;
  if (!refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) return 3;
  if (!refused(kill(getppid(), 0))) return 4;
  if (!refused(socket(AF_PACKET, SOCK_RAW, 0))) return 5;
  if (!refused(ioctl(0, TIOCSTI, "x"))) return 6;
  if (!refused(syscall(SYS_unshare, 0))) return 7;
  if (!refused(syscall(SYS_mount, "a", "b", "c", 0, nullptr))) return 8;
  if (!refused(syscall(SYS_bpf, 0, nullptr, 0))) return 9;
  if (!refused(syscall(SYS_io_uring_setup, 1, nullptr))) return 10;
  if (!refused(syscall(SYS_process_vm_readv, getppid(), nullptr, 0, nullptr, 0, 0))) return 11;
  if (!refused(setuid(getuid()))) return 12;
  if (!refused(setpriority(PRIO_PROCESS, 0, 1))) return 13;
  const rlimit limit{1, 1};
  if (!refused(setrlimit(RLIMIT_CORE, &limit))) return 14;
  if (!refused(syscall(SYS_keyctl, 0, 0))) return 15;
  if (!refused(syscall(SYS_seccomp, 0, 0, nullptr))) return 16;
#if defined(__x86_64__)
  if (!refused(syscall(0x40000000 | SYS_getpid))) return kRefusedCalls;  // of the x32 ABI
#endif
  return 0;
}

// What must go on working.
int allowed_calls() {
  bool ran = false;
  std::thread([&] { ran = true; }).join();
  if (!ran) return 101;
  if (const int fd = socket(AF_INET, SOCK_STREAM, 0); fd < 0 || listen(fd, 1) != 0) return 102;
  if (const int fd = posix_openpt(O_RDWR | O_NOCTTY); fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0) return 103;
  if (const int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600); fd >= 0 && fsync(fd) != 0) return 104;
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return 105;
  signal(SIGUSR1, SIG_IGN);
  if (raise(SIGUSR1) != 0 || kill(getpid(), SIGUSR1) != 0) return 106;
  return 0;
}

}  // namespace

TEST_CASE("the sandbox is on in every thread after the start", "[sandbox]") {
  if (!sandbox_missing().empty()) return;
  for (const std::vector<std::string>& on : std::vector<std::vector<std::string>>{{}, {"-sandbox", "on"}}) {
    const Running xlat(on);
    unsigned threads = 0;
    for (const auto& thread : std::filesystem::directory_iterator(xlat.folder + "/task")) {
      const std::string status = read_text(thread.path() / "status");
      CHECK(field(status, "Seccomp") == "2");
      CHECK(field(status, "NoNewPrivs") == "1");
      ++threads;
    }
    CHECK(threads >= 2);
  }
}

TEST_CASE("-sandbox off leaves the process as it was", "[sandbox]") {
  const Running xlat({"-sandbox", "off"});
  const std::string ours = read_text("/proc/self/status"), theirs = read_text(xlat.folder + "/status");
  CHECK(field(theirs, "Seccomp") == field(ours, "Seccomp"));
  CHECK(field(theirs, "NoNewPrivs") == field(ours, "NoNewPrivs"));
}

TEST_CASE("what the monitor opens later is not refused", "[sandbox]") {
  const TempDir dir;
  const std::string screen = dir / "screen.ppm", memory = dir / "memory", socket = dir / "gdb";
  const std::string floppy = dir.write("floppy", std::vector<u8>(1440 * 1024));
  Running xlat({});
  xlat.process->send("screendump " + screen + "\nmemsave 0 64 " + memory + "\nchange floppy0 " + floppy +
                     "\ngdbserver unix:" + socket + ",server=on,wait=off\ninfo block\n");
  CHECK(xlat.process->expect(floppy));
  CHECK(xlat.process->expect("Waiting for gdb"));
  CHECK(std::filesystem::file_size(screen) > 100);
  CHECK(std::filesystem::file_size(memory) == 64);
  CHECK(std::filesystem::exists(socket));
  xlat.process->send("gdbserver tcp:localhost:0\ngdbserver pty\ninfo version\n");
  CHECK(xlat.process->expect("0.1"));
  CHECK(xlat.process->output.find("ould not") == std::string::npos);
}

TEST_CASE("a refused call fails and ends nothing", "[sandbox]") {
  if (!sandbox_missing().empty()) return;
  const auto both = [](SandboxReport report) {
    return in_child([report] {
      if (!enter_sandbox({}, report)) return 100;
      const int first = refused_calls();
      return first ? first : allowed_calls();
    });
  };
  const auto [status, silent] = both(SandboxReport::kSilent);
  CHECK(status == 0);
  CHECK(silent.empty());
  const auto [traced_status, reported] = both(SandboxReport::kOnStderr);
  CHECK(traced_status == 0);
  CHECK(reported.find("xlat: the sandbox refuses system call") == 0);
  CHECK(std::count(reported.begin(), reported.end(), '\n') == kRefusedCalls);
}

TEST_CASE("a group of calls can be let through", "[sandbox]") {
  if (!sandbox_missing().empty()) return;
  CHECK(in_child([] {
          if (!enter_sandbox({.spawn = true})) return 100;
          const pid_t pid = fork();
          if (pid == 0) _exit(0);
          if (pid < 0 || waitpid(pid, nullptr, 0) != pid) return 1;
          return refused(setpriority(PRIO_PROCESS, 0, 1)) ? 0 : 2;
        }).first == 0);
  CHECK(in_child([] {
          if (!enter_sandbox({.obsolete = true, .elevate_privileges = true, .resource_control = true})) return 100;
          if (setuid(getuid()) != 0 || setpriority(PRIO_PROCESS, 0, 1) != 0) return 1;
          return refused(fork()) ? 0 : 2;
        }).first == 0);
}

TEST_CASE("core files and the guest's memory", "[sandbox]") {
  const auto ram_flags = [](const std::string& folder) {
    const std::string maps = read_text(folder + "/smaps");
    const std::size_t flags = maps.find("VmFlags:", maps.find("xlat-ram"));
    return maps.substr(flags, maps.find('\n', flags) - flags);
  };
  const auto core_limit = [](const std::string& folder) {
    const std::string limits = read_text(folder + "/limits"), name = "Max core file size";
    std::istringstream rest(limits.substr(limits.find(name) + name.size()));
    std::string soft;
    rest >> soft;
    return soft;
  };
  {
    const Running xlat({});
    CHECK(core_limit(xlat.folder) == "0");
    CHECK(ram_flags(xlat.folder).find(" dd") != std::string::npos);
  }
  const Running xlat({"-machine", "pc,dump-guest-core=on"});
  CHECK(core_limit(xlat.folder) == core_limit("/proc/self"));
  CHECK(ram_flags(xlat.folder).find(" dd") == std::string::npos);
}

TEST_CASE("-sandbox as QEMU spells it", "[sandbox]") {
  const auto parse = [](const std::string& value) {
    const std::vector<std::string> args = {"-sandbox", value};
    return parse_command_line(args);
  };
  using Mode = SandboxSettings::Mode;
  CHECK(parse_command_line({})->sandbox.mode == Mode::kDefault);
  CHECK(parse("off")->sandbox.mode == Mode::kOff);
  for (const char* wrong : {"maybe", "off,spawn=perhaps", "off,spawn=children", "off,spwan=deny"}) {
    const auto settings = parse(wrong);
    REQUIRE_FALSE(settings);
    CHECK(settings.error().message.starts_with("-sandbox: "));
  }
  auto on = parse("on,obsolete=allow,elevateprivileges=children,spawn=deny,resourcecontrol=deny");
  if (!sandbox_missing().empty()) {
    REQUIRE_FALSE(on);
    CHECK(on.error().message.starts_with("-sandbox on: this xlat was built with"));
    return;
  }
  REQUIRE(on);
  CHECK(on->sandbox.mode == Mode::kOn);
  CHECK(on->sandbox.obsolete);
  CHECK(on->sandbox.elevate_privileges);
  CHECK_FALSE(on->sandbox.spawn);
  CHECK_FALSE(on->sandbox.resource_control);
}

}  // namespace xlat
