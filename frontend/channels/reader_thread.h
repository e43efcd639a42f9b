// A thread that waits on descriptors and can be woken and ended.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <thread>

namespace xlat {

class ReaderThread {
 public:
  ReaderThread();
  ~ReaderThread();
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;

  void start(std::function<void()> body) { thread_ = std::thread(std::move(body)); }
  // Ends the thread and waits for it: its wait() returns, and stopping() is true from now on.
  void stop();
  // Makes wait() return once.
  void wake();

  // ---- In the thread ----
  bool stopping() const { return stopping_; }
  // Sleeps until `fd` (none if negative) has one of `events`, someone wakes, or the time is over (-1: never). Returns
  // the events of `fd`.
  short wait(int fd, short events, int timeout_ms = -1);

 private:
  int wake_fd_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace xlat
