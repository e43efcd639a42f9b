// The binary from outside: bad input, channels, terminal, signals, exit statuses.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "jit/engine.h"
#include "tests/frontend/process.h"
#include "tests/frontend/socket.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

// Fails with status 1 and one line on stderr, which holds `part`; prints nothing.
void fails(const std::vector<std::string>& args, const std::string& part) {
  Process p(args);
  std::string command;
  for (const std::string& arg : args) command += arg + " ";
  INFO(command);
  CHECK(p.wait() == 1);
  INFO(p.errors);
  CHECK(p.errors.starts_with("xlat: "));
  CHECK(std::count(p.errors.begin(), p.errors.end(), '\n') == 1);
  CHECK(p.errors.ends_with("\n"));
  CHECK(p.errors.find(part) != std::string::npos);
  CHECK(p.output.empty());
}

// A TCP port of this host with a listener on it.
struct BusyPort {
  BusyPort() {
    fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd, 1) != 0) std::abort();
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
  }
  ~BusyPort() { close(fd); }
  int fd;
  unsigned port;
};

bool raw_terminal(int fd) {
  termios modes{};
  tcgetattr(fd, &modes);
  return !(modes.c_lflag & ICANON);
}

// What comes before the guest has set up its port is cut to five bits.
template <class Channel>
void wait_for_echo(Channel& channel) {
  for (int tries = 0; tries < 30; ++tries) {
    channel.send("*");
    if (channel.expect("+", 1)) return;
  }
}

bool becomes_raw(int fd) {
  for (int n = 0; n < 1000 && !raw_terminal(fd); ++n) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return raw_terminal(fd);
}

}  // namespace

TEST_CASE("bad input: one line, status 1, nothing written", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kHaltCode));
  std::vector<u8> linux_image = disk_image(2048);
  std::copy_n("HdrS", 4, linux_image.begin() + 0x202);
  store_le<u16>(&linux_image[0x206], 0x20f);
  linux_image[0x1f1] = 40;
  linux_image[0x211] = 1;
  const std::string truncated = dir.write("truncated", linux_image);
  const std::string empty = dir.write("empty", {});
  const std::string busy = dir / "busy";

  fails({dir / "missing.img"}, "missing.img");
  fails({"-hda", dir / "missing.img"}, "missing.img");
  fails({"-cdrom", dir / "missing.iso"}, "missing.iso");
  fails({"-kernel", dir / "missing"}, "missing");
  fails({"-kernel", kernel, "-initrd", dir / "missing"}, "missing");
  fails({"-bios", dir / "missing"}, "missing");
  fails({"-bios", kernel}, "65536");
  fails({"-hda", "/"}, "directory");
  fails({"-unknown"}, "-unknown");
  fails({"-m", "lots"}, "lots");
  fails({"-m", "4G"}, "4G");
  fails({"-m", "639K"}, "639K");
  fails({"-kernel", truncated}, "truncated");
  fails({"-kernel", empty}, "empty");
  fails({"-hda", empty}, "empty");
  fails({empty}, "empty");
  fails({dir.write("zeros", std::vector<u8>(65536))}, "not bootable");
  fails({"-D", "/nonexistent/log", "-d", "int", "-display", "none"}, "/nonexistent/log");
  fails({"-serial", "file:/nonexistent/out", "-kernel", kernel}, "/nonexistent/out");
  fails({"-pidfile", "/nonexistent/pid", "-display", "none", "-kernel", kernel}, "/nonexistent/pid");
  const BusyPort port;
  fails({"-serial", fmt::format("tcp:127.0.0.1:{},server=on,wait=off", port.port), "-kernel", kernel},
        fmt::format("{}", port.port));
  fails({"-serial", "unix:" + (dir / "nobody"), "-kernel", kernel}, "nobody");

  // What a failing run names as output stays as it was.
  dir.write("out", {'o', 'l', 'd'});
  fails({"-serial", "file:" + (dir / "out"), "-serial", "file:" + (dir / "new"), "-D", dir / "log", "-pidfile",
         dir / "pid", "-serial", "unix:" + (dir / "nobody"), "-kernel", kernel},
        "nobody");
  CHECK(std::filesystem::file_size(dir / "out") == 3);
  CHECK_FALSE(std::filesystem::exists(dir / "new"));
  CHECK_FALSE(std::filesystem::exists(dir / "log"));
  CHECK_FALSE(std::filesystem::exists(dir / "pid"));
}

TEST_CASE("help and version", "[program]") {
  Process help({"-help"});
  CHECK(help.wait() == 0);
  CHECK(help.output.find("-kernel FILE") != std::string::npos);
  Process version({"--version"});
  CHECK(version.wait() == 0);
  CHECK(version.output == "xlat version 0.1.0\n");
}

TEST_CASE("serial port and monitor on Unix sockets", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kEchoCode));
  Process p({"-m", "4", "-display", "none", "-vga", "none", "-kernel", kernel, "-pidfile", dir / "pid", "-serial",
             "unix:" + (dir / "serial") + ",server=on,wait=off", "-monitor",
             "unix:" + (dir / "monitor") + ",server,nowait"});
  {
    Socket serial(Socket::connect_unix(dir / "serial"));
    REQUIRE(serial.valid());
    wait_for_echo(serial);
    serial.send("HAL");
    CHECK(serial.expect("IBM"));
  }
  // The next caller is served too.
  Socket serial(Socket::connect_unix(dir / "serial"));
  serial.send("@AB");
  CHECK(serial.expect("ABC"));

  fails({"-kernel", kernel, "-serial", "unix:" + (dir / "serial") + ",server=on"}, "in use");

  CHECK(std::filesystem::exists(dir / "pid"));
  Socket monitor(Socket::connect_unix(dir / "monitor"));
  REQUIRE(monitor.valid());
  CHECK(monitor.expect("(xlat) "));
  monitor.send("stop\n");
  monitor.send("info status\n");
  CHECK(monitor.expect("VM status: paused"));
  monitor.send("c\ninfo status\n");
  CHECK(monitor.expect("VM status: running"));
  monitor.send("quit\n");
  CHECK(p.wait() == 0);
  CHECK(p.errors.empty());
  CHECK_FALSE(std::filesystem::exists(dir / "serial"));
  CHECK_FALSE(std::filesystem::exists(dir / "pid"));
}

TEST_CASE("a TCP server that waits holds the machine", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kEchoCode));
  Process p(
      {"-m", "4", "-display", "none", "-vga", "none", "-kernel", kernel, "-serial", "unix:" + (dir / "s") + ",server"});
  Socket serial(Socket::connect_unix(dir / "s"));
  wait_for_echo(serial);
  serial.send("a");
  CHECK(serial.expect("b"));
  kill(p.pid(), SIGTERM);
  CHECK(p.wait() == 0);
  CHECK(p.errors.find("waiting for a connection") != std::string::npos);

  // SIGTERM ends the waiting as well.
  Process waiting({"-m", "4", "-display", "none", "-kernel", kernel, "-serial", "unix:" + (dir / "t") + ",server"});
  while (!std::filesystem::exists(dir / "t")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  kill(waiting.pid(), SIGTERM);
  CHECK(waiting.wait() == 0);
}

TEST_CASE("TCP client and pseudo-terminal", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kEchoCode));
  const BusyPort port;  // we are the server
  Process p({"-m", "4", "-display", "none", "-vga", "none", "-kernel", kernel, "-serial",
             fmt::format("tcp:127.0.0.1:{}", port.port), "-monitor", "pty"});
  Socket serial(accept(port.fd, nullptr, nullptr));
  REQUIRE(serial.valid());
  wait_for_echo(serial);
  serial.send("HAL");
  CHECK(serial.expect("IBM"));
  REQUIRE(p.expect(" (label monitor)"));
  const auto start = p.output.find("/dev/pts/");
  REQUIRE(start != std::string::npos);
  Socket monitor(open(p.output.substr(start, p.output.find(' ', start) - start).c_str(), O_RDWR | O_NOCTTY));
  REQUIRE(monitor.valid());
  CHECK(monitor.expect("(xlat) "));
  monitor.send("quit\r");
  CHECK(p.wait() == 0);
}

TEST_CASE("serial port to a file, exit status of isa-debug-exit", "[program]") {
  TempDir dir;
  dir.write("out", std::vector<u8>(100, 'x'));
  // mov al, 'h'; mov dx, 3f8h; out dx, al; mov al, 16; out 0f4h, al; jmp $
  const std::string kernel = dir.write(
      "kernel", multiboot_kernel({0xb0, 'h', 0x66, 0xba, 0xf8, 0x03, 0xee, 0xb0, 16, 0xe6, 0xf4, 0xeb, 0xfe}));
  Process p({"-m", "4", "-display", "none", "-vga", "none", "-kernel", kernel, "-serial", "file:" + (dir / "out"),
             "-device", "isa-debug-exit,iobase=0xf4"});
  CHECK(p.wait() == 33);
  CHECK(std::filesystem::file_size(dir / "out") == 1);
}

TEST_CASE("-no-reboot ends at a reset", "[program]") {
  TempDir dir;
  // mov al, 0feh; out 64h, al; jmp $
  const std::string kernel = dir.write("kernel", multiboot_kernel({0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe}));
  Process p({"-m", "4", "-display", "none", "-vga", "none", "-kernel", kernel, "-no-reboot"});
  CHECK(p.wait() == 0);
}

TEST_CASE("the terminal is raw while the machine runs and as before afterwards", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kEchoCode));
  const std::vector<std::string> args = {"-m", "4", "-vga", "none", "-kernel", kernel, "-nographic"};
  SECTION("Ctrl-A keys") {
    Process p(args, true);
    REQUIRE(becomes_raw(p.terminal()));
    wait_for_echo(p);
    p.send("H");
    CHECK(p.expect("I"));
    p.send("\x03");  // to the guest
    CHECK(p.expect("\x04"));
    p.send("\x01h");
    CHECK(p.expect("Ctrl-A x"));
    p.send(std::string("\x01") + "c");
    CHECK(p.expect("(xlat) "));
    p.send("info status\r");
    CHECK(p.expect("VM status: running"));
    p.send(std::string("\x01") + "cX");
    CHECK(p.expect("Y"));
    p.send("\x01x");
    CHECK(p.wait() == 0);
    CHECK_FALSE(raw_terminal(p.terminal()));
  }
  SECTION("SIGTERM") {
    Process p(args, true);
    REQUIRE(becomes_raw(p.terminal()));
    kill(p.pid(), SIGTERM);
    CHECK(p.wait() == 0);
    CHECK_FALSE(raw_terminal(p.terminal()));
  }
  SECTION("a crash") {
    Process p(args, true);
    REQUIRE(becomes_raw(p.terminal()));
    kill(p.pid(), SIGABRT);
    CHECK(p.wait() == 128 + SIGABRT);
    CHECK_FALSE(raw_terminal(p.terminal()));
  }
  SECTION("job control") {
    Process p(args, true);
    REQUIRE(becomes_raw(p.terminal()));
    kill(p.pid(), SIGTSTP);
    int status = 0;
    REQUIRE(waitpid(p.pid(), &status, WUNTRACED) == p.pid());
    CHECK(WIFSTOPPED(status));
    CHECK_FALSE(raw_terminal(p.terminal()));
    kill(p.pid(), SIGCONT);
    CHECK(becomes_raw(p.terminal()));
    p.send("\x01x");
    CHECK(p.wait() == 0);
  }
  SECTION("-serial stdio leaves Ctrl-C to the terminal") {
    Process p({"-m", "4", "-vga", "none", "-kernel", kernel, "-display", "none", "-serial", "stdio"}, true);
    REQUIRE(becomes_raw(p.terminal()));
    wait_for_echo(p);
    p.send("H");
    CHECK(p.expect("I"));
    p.send("\x03");
    CHECK(p.wait() == 0);
    CHECK_FALSE(raw_terminal(p.terminal()));
  }
}

TEST_CASE("a monitor client that floods and does not read, and the end by a signal", "[program]") {
  TempDir dir;
  const std::string socket = dir / "monitor", kernel = dir.write("kernel", multiboot_kernel(kHaltCode));
  for (const bool paused : {false, true}) {
    std::vector<std::string> args = {"-display", "none", "-m",       "16",
                                     "-kernel",  kernel, "-monitor", "unix:" + socket + ",server=on,wait=off"};
    if (paused) args.push_back("-S");
    Process p(args);
    const int fd = Socket::connect_unix(socket);
    REQUIRE(fd >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    std::string lines;
    for (int n = 0; n < 2000; ++n) lines += "info registers\nsendkey a\nx /4000xb 0\n";
    const auto end = Process::Clock::now() + std::chrono::seconds(1);
    while (Process::Clock::now() < end) {
      if (write(fd, lines.data(), lines.size()) < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::ifstream status(fmt::format("/proc/{}/status", p.pid()));
    std::string word;
    long kib = 0;
    while (status >> word) {
      if (word == "VmRSS:") status >> kib;
    }
    CHECK(kib > 0);
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed for a while
    CHECK(kib < 200 * 1024);
#endif
    kill(p.pid(), SIGTERM);
    CHECK(p.wait(10) == 0);
    close(fd);
  }
}

TEST_CASE("SIGTERM ends a machine whose output nobody takes", "[program]") {
  TempDir dir;
  // mov dx, 3f8h; out dx, al; jmp to the latter
  const std::string kernel = dir.write("kernel", multiboot_kernel({0x66, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xfd}));
  Process p({"-display", "none", "-m", "16", "-kernel", kernel, "-serial", "stdio", "-monitor", "none"});
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  kill(p.pid(), SIGTERM);
  CHECK(p.wait(10, false) == 128 + SIGTERM);
}

TEST_CASE("-S waits for the monitor", "[program]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kEchoCode));
  Process p({"-m", "4", "-vga", "none", "-kernel", kernel, "-S", "-monitor", "stdio", "-display", "none"});
  p.send("info registers\n");
  CHECK(p.expect("EIP=0000fff0"));
  p.send("cont\ninfo status\n");
  CHECK(p.expect("VM status: running"));
  p.send("quit\n");
  CHECK(p.wait() == 0);
}

TEST_CASE("lockstep prints the difference and exits with status 1", "[frontend]") {
  if (!jit::jit_available()) return;
  Process p({"-display", "none", "-m", "8", "-icount", "shift=2,sleep=off", "-engine", "lockstep,inject=20"});
  CHECK(p.wait() == 1);
  INFO(p.errors);
  for (const char* part : {"lockstep: ", "DIFFERING: eax", "GUEST CODE:", "IR:", "HOST CODE:", "not eax", "STATES:"}) {
    CHECK(p.errors.find(part) != std::string::npos);
  }
}

TEST_CASE("translated code has names in perf's map", "[frontend]") {
  if (!jit::jit_available()) return;
  Process p({"-display", "none", "-m", "8", "-monitor", "stdio", "-perfmap"});
  const std::string path = fmt::format("/tmp/perf-{}.map", p.pid());
  std::string text;
  for (int tries = 0; tries < 300 && text.find("guest_") == std::string::npos; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::ifstream in(path);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  p.send("quit\n");
  CHECK(p.wait() == 0);
  INFO(text);
  std::istringstream lines(text);
  std::string line;
  unsigned named = 0;
  while (std::getline(lines, line) && !lines.eof()) {
    unsigned long start = 0, size = 0;
    char name[64] = {};
    REQUIRE(std::sscanf(line.c_str(), "%lx %lx %63s", &start, &size, name) == 3);
    CHECK(start > 0x10000);
    CHECK(size > 0);
    CHECK((std::string(name) == "xlat_stubs" || std::string(name).starts_with("guest_")));
    ++named;
  }
  CHECK(named > 1);
  unlink(path.c_str());
}

TEST_CASE("the engine's counters are in the monitor and, at the end, in the log", "[frontend]") {
  const std::vector<std::string> everywhere = {"writes that hit code (SMC)", "TLB misses filled", "TLB flushes"};
  const std::vector<std::string> jit = {"translated blocks", "chained exits", "code cache flushes"};
  for (const char* engine : {"interp", "jit"}) {
    const bool translates = std::string(engine) == "jit";
    if (translates && !jit::jit_available()) continue;
    Process p({"-display", "none", "-m", "8", "-monitor", "stdio", "-engine", engine, "-d", "jit"});
    CHECK(p.expect("(xlat)"));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    p.send("info jit\n");
    CHECK(p.expect("TLB flushes"));
    p.send("quit\n");
    CHECK(p.wait() == 0);
    INFO(p.output << p.errors);
    for (const std::string& text : {p.output, p.errors}) {
      for (const std::string& name : everywhere) CHECK(text.find(name) != std::string::npos);
      for (const std::string& name : jit) CHECK((text.find(name) != std::string::npos) == translates);
    }
  }
}

// Under sanitizers address space cannot be limited.
#ifndef __SANITIZE_ADDRESS__
TEST_CASE("a host without the memory for the code cache", "[frontend]") {
  if (!jit::jit_available()) return;
  const auto start = [](std::vector<std::string> args) {
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    const rlimit small{u64{1500} << 20, limit.rlim_max};
    setrlimit(RLIMIT_AS, &small);
    args.insert(args.end(), {"-m", "8", "-display", "none", "-monitor", "stdio"});
    auto process = std::make_unique<Process>(args);
    setrlimit(RLIMIT_AS, &limit);
    return process;
  };
  // Asked for, it is one line and status 1.
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"-accel", "jit,tb-size=1024"}, {"-engine", "lockstep", "-accel", "tcg,tb-size=1024"}}) {
    const auto p = start(args);
    CHECK(p->wait() == 1);
    INFO(p->errors);
    CHECK(p->errors.starts_with("xlat: code cache: a mapping of 1024 MiB failed: Cannot allocate memory; give less"));
    CHECK(std::count(p->errors.begin(), p->errors.end(), '\n') == 1);
    CHECK(p->output.empty());
  }
  // By default the interpreter takes its place, with a warning.
  const auto p = start({"-accel", "tcg,tb-size=1024"});
  CHECK(p->expect("(xlat)"));
  p->send("info jit\nquit\n");
  CHECK(p->wait() == 0);
  INFO(p->errors);
  CHECK(p->errors.starts_with("xlat: warning: code cache: a mapping of 1024 MiB failed"));
  CHECK(std::count(p->errors.begin(), p->errors.end(), '\n') == 1);
  CHECK(p->output.find("translated blocks") == std::string::npos);
}
#endif

TEST_CASE("code caches of sizes that are none", "[frontend]") {
  for (const char* size : {"0", "-1", "1025", "99999999999999999999", "many", "1K", ""}) {
    fails({"-accel", fmt::format("jit,tb-size={}", size)}, "tb-size=");
  }
}

TEST_CASE("a guest that resets by triple faults over and over is told of, once", "[program]") {
  TempDir dir;
  // lidt of an empty table / ud2
  const std::string kernel =
      dir.write("kernel", multiboot_kernel({0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b}));
  Process p({"-display", "none", "-m", "8", "-vga", "none", "-kernel", kernel, "-monitor", "stdio"});
  CHECK(p.expect_error("3 in a row, the last at 0008:00100028; with -no-reboot"));
  p.send("quit\n");
  CHECK(p.wait() == 0);
  CHECK(std::count(p.errors.begin(), p.errors.end(), '\n') == 1);
}

}  // namespace xlat
