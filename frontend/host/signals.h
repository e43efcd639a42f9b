// Signals as calls in a thread: an end asked for, and stops by job control.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace xlat {

class Terminal;

// Blocks the signals it handles in the calling thread and those started later, so it comes before any other thread.
class Signals {
 public:
  explicit Signals(Terminal& terminal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // `end` is called for SIGINT, SIGTERM and SIGHUP; who sends a second one while the first is being seen to means it.
  void start(std::function<void()> end);
  void stop();

 private:
  void run();

  Terminal& terminal_;
  std::function<void()> end_;
  int signal_fd_ = -1, stop_fd_ = -1;
  sigset_t before_{};
  std::thread thread_;
};

}  // namespace xlat
