// Terminal modes.
#include "frontend/host/terminal.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>

namespace xlat {

namespace {

// What a crash handler restores. A signal handler can get at nothing but static storage; only Terminal writes it.
termios crash_modes;
std::atomic<bool> crash_armed = false;
std::array<char, 512> crash_text;
std::atomic<std::size_t> crash_text_size = 0;
// Where stderr went while a full-screen display has the terminal, and the file that stands for it.
std::atomic<int> real_stderr = -1, kept_stderr = -1;

// Only calls that a signal handler may make.
void show_kept_stderr() {
  const int to = real_stderr.exchange(-1), from = kept_stderr.exchange(-1);
  if (to < 0) return;
  dup2(to, STDERR_FILENO);
  close(to);
  std::array<char, 512> buffer;
  lseek(from, 0, SEEK_SET);
  for (;;) {
    const ssize_t n = read(from, buffer.data(), buffer.size());
    if (n <= 0 || write(STDERR_FILENO, buffer.data(), static_cast<std::size_t>(n)) < 0) break;
  }
  close(from);
}

extern "C" void restore_after_crash(int signal) {
  if (crash_armed.exchange(false)) {
    if (const std::size_t size = crash_text_size; size && write(STDOUT_FILENO, crash_text.data(), size) < 0) {
      crash_text_size = 0;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &crash_modes);
  }
  show_kept_stderr();
  // The handler was reset when it was entered: this ends the process as if it had not been there.
  raise(signal);
}

void arm_crash_handlers() {
  struct sigaction action {};
  action.sa_handler = restore_after_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGTRAP, SIGSYS, SIGALRM, SIGUSR1,
                           SIGUSR2, SIGXCPU, SIGVTALRM, SIGPROF, SIGPOLL}) {
    sigaction(signal, &action, nullptr);
  }
}

// In the background, changing modes would stop the process.
bool in_foreground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

}  // namespace

Terminal::~Terminal() { restore(); }

bool Terminal::set_raw() {
  if (!isatty(STDIN_FILENO) || !in_foreground() || tcgetattr(STDIN_FILENO, &before_) != 0) return false;
  crash_modes = before_;
  crash_armed = true;
  termios raw = before_;
  raw.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_oflag |= OPOST;
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
  if (!signals_) raw.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  raw.c_cflag = (raw.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void Terminal::make_raw(bool signals) {
  const std::lock_guard lock(mutex_);
  wanted_ = true;
  signals_ = signals;
  arm_crash_handlers();
  active_ = set_raw();
}

void Terminal::hand_over(FullScreen display) {
  const std::lock_guard lock(mutex_);
  tcgetattr(STDIN_FILENO, &before_);
  crash_modes = before_;
  const std::size_t size = std::min(display.exit_sequence.size(), crash_text.size());
  std::copy_n(display.exit_sequence.begin(), size, crash_text.begin());
  crash_text_size = size;
  display_ = std::move(display);
  handed_over_ = true;
  crash_armed = true;
  arm_crash_handlers();
  struct stat out {
  }, err{};
  if (isatty(STDERR_FILENO) && fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
      out.st_rdev == err.st_rdev) {
    const int file = memfd_create("stderr", MFD_CLOEXEC), copy = dup(STDERR_FILENO);
    if (file >= 0 && copy >= 0 && dup2(file, STDERR_FILENO) >= 0) {
      kept_stderr = file;
      real_stderr = copy;
    }
  }
}

void Terminal::restore() {
  const std::lock_guard lock(mutex_);
  if (handed_over_) {
    handed_over_ = false;
    display_.leave();
    crash_armed = false;
    show_kept_stderr();
    return;
  }
  wanted_ = false;
  if (!active_) return;
  active_ = false;
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  crash_armed = false;
}

void Terminal::suspend() {
  const std::lock_guard lock(mutex_);
  if (handed_over_) display_.leave();
  if (!active_) return;
  active_ = false;
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  crash_armed = false;
}

void Terminal::resume() {
  const std::lock_guard lock(mutex_);
  if (handed_over_) display_.enter();
  if (wanted_ && !active_) active_ = set_raw();
}

}  // namespace xlat
