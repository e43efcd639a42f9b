// Terminal modes.
#include "frontend/terminal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace xlat {

namespace {

// What a crash handler restores. A signal handler can get at nothing but static storage; only Terminal writes it.
termios crash_modes;
std::atomic<bool> crash_armed = false;

extern "C" void restore_after_crash(int signal) {
  if (crash_armed.exchange(false)) tcsetattr(STDIN_FILENO, TCSANOW, &crash_modes);
  // The handler was reset when it was entered: this ends the process as if it had not been there.
  raise(signal);
}

void arm_crash_handlers() {
  struct sigaction action {};
  action.sa_handler = restore_after_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT}) sigaction(signal, &action, nullptr);
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

void Terminal::restore() {
  const std::lock_guard lock(mutex_);
  wanted_ = false;
  if (!active_) return;
  active_ = false;
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  crash_armed = false;
}

void Terminal::suspend() {
  const std::lock_guard lock(mutex_);
  if (!active_) return;
  active_ = false;
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  crash_armed = false;
}

void Terminal::resume() {
  const std::lock_guard lock(mutex_);
  if (wanted_ && !active_) active_ = set_raw();
}

}  // namespace xlat
