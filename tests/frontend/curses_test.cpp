// -display curses from outside, on a pseudo-terminal: what it shows, and that the terminal comes back.
#include <sys/ioctl.h>
#include <termios.h>

#include <catch2/catch.hpp>

#include "tests/frontend/process.h"
#include "tests/frontend/temp_dir.h"

namespace xlat {

namespace {

// Writes "Hi" to the text screen's second row, then halts.
const std::vector<u8> kGreetCode = {0x66, 0xc7, 0x05, 0xa0, 0x80, 0x0b, 0x00, 'H',  0x1e, 0x66, 0xc7,
                                    0x05, 0xa2, 0x80, 0x0b, 0x00, 'i',  0x1e, 0xf4, 0xeb, 0xfd};

bool canonical(int fd) {
  termios modes{};
  tcgetattr(fd, &modes);
  return (modes.c_lflag & ICANON) && (modes.c_lflag & ECHO) && (modes.c_lflag & ISIG);
}

struct Curses {
  TempDir dir;
  Process process;
  explicit Curses(std::vector<std::string> more = {}) : process(arguments(dir, std::move(more)), true) {
    winsize size{.ws_row = 30, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(process.terminal(), TIOCSWINSZ, &size);
  }
  static std::vector<std::string> arguments(const TempDir& dir, std::vector<std::string> more) {
    setenv("TERM", "xterm-256color", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    std::vector<std::string> args = {"-display", "curses", "-kernel",
                                     dir.write("kernel", multiboot_kernel(kGreetCode))};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  void restored() {
    CHECK(canonical(process.terminal()));
    // The last switch of screens is the one back.
    const auto to = process.output.rfind("\x1b[?1049h"), from = process.output.rfind("\x1b[?1049l");
    REQUIRE(to != std::string::npos);
    REQUIRE(from != std::string::npos);
    CHECK(from > to);
  }
};

}  // namespace

TEST_CASE("curses: screen, monitor, serial port, quit", "[curses]") {
  Curses c;
  REQUIRE(c.process.expect("Hi"));
  CHECK_FALSE(canonical(c.process.terminal()));
  c.process.output.erase(c.process.output.find("Hi"));
  c.process.send(
      "\x1b"
      "2");
  REQUIRE(c.process.expect("(xlat)"));
  c.process.send("info st\t\r");
  REQUIRE(c.process.expect("VM status: running"));
  c.process.send(
      "\x1b"
      "1");
  REQUIRE(c.process.expect("Hi"));
  c.process.send(
      "\x1b"
      "2");
  c.process.send("quit\r");
  CHECK(c.process.wait() == 0);
  CHECK(canonical(c.process.terminal()));
}

TEST_CASE("curses: the terminal comes back after signals and crashes", "[curses]") {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    Curses c;
    REQUIRE(c.process.expect("Hi"));
    kill(c.process.pid(), signal);
    CHECK(c.process.wait() == 0);
    c.restored();
  }
  for (const int signal : {SIGABRT, SIGUSR1}) {
    Curses c;
    REQUIRE(c.process.expect("Hi"));
    kill(c.process.pid(), signal);
    CHECK(c.process.wait() == 128 + signal);
    c.restored();
  }
}

TEST_CASE("curses: keys reach the serial console", "[curses]") {
  TempDir dir;
  setenv("TERM", "xterm", 1);
  Process p({"-display", "curses", "-kernel", dir.write("echo", multiboot_kernel(kEchoCode))}, true);
  REQUIRE(p.expect("\x1b[?1049h"));
  p.send(
      "\x1b"
      "3");
  // What comes before the guest has set up its port is cut to five bits.
  for (int tries = 0; tries < 30 && p.output.find("RRR") == std::string::npos; ++tries) {
    p.send("QQQ");
    p.expect("RRR", 1);
  }
  CHECK(p.output.find("RRR") != std::string::npos);
  kill(p.pid(), SIGTERM);
  CHECK(p.wait() == 0);
}

TEST_CASE("curses: graphics modes say so", "[curses]") {
  TempDir dir;
  setenv("TERM", "xterm", 1);
  // GR06 = 5: graphics.
  const std::vector<u8> code = {0x66, 0xba, 0xce, 0x03, 0x66, 0xb8, 0x06, 0x05, 0x66, 0xef, 0xf4, 0xeb, 0xfd};
  Process p({"-display", "curses", "-kernel", dir.write("kernel", multiboot_kernel(code))}, true);
  CHECK(p.expect("640x400 Graphic mode"));
  kill(p.pid(), SIGTERM);
  CHECK(p.wait() == 0);
}

TEST_CASE("curses: where it cannot be", "[curses]") {
  TempDir dir;
  const std::string kernel = dir.write("kernel", multiboot_kernel(kHaltCode));
  Process no_terminal({"-curses", "-kernel", kernel});
  CHECK(no_terminal.wait() == 1);
  CHECK(no_terminal.errors.find("must be a terminal") != std::string::npos);
  setenv("TERM", "no-such-terminal", 1);
  Process unknown({"-display", "curses", "-kernel", kernel}, true);
  CHECK(unknown.wait() == 1);
  CHECK(unknown.output.find("'no-such-terminal' is unknown") != std::string::npos);
  CHECK(unknown.output.find("\x1b[?1049h") == std::string::npos);
  setenv("TERM", "dumb", 1);
  Process dumb({"-display", "curses", "-kernel", kernel}, true);
  CHECK(dumb.wait() == 1);
  CHECK(dumb.output.find("cannot move its cursor") != std::string::npos);
  setenv("TERM", "xterm", 1);
  Process log({"-display", "curses", "-d", "int", "-kernel", kernel}, true);
  CHECK(log.wait() == 1);
  CHECK(log.output.find("with -D") != std::string::npos);
}

}  // namespace xlat
