// A thread that calls something every two milliseconds of host time while the machine runs, so that no slice of
// execution, however slow, lasts much longer.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/types.h"

namespace xlat {

class Ticker {
 public:
  explicit Ticker(std::function<void()> tick) : tick_(std::move(tick)), thread_([this] { run(); }) {}
  ~Ticker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // What runs is worth a tick. The thread goes to sleep only after a while without.
  void wanted() {
    wanted_.store(true, std::memory_order_relaxed);
    if (!asleep_.load()) return;
    {
      const std::lock_guard lock(mutex_);
      asleep_ = false;
    }
    changed_.notify_one();
  }

 private:
  static constexpr std::chrono::milliseconds kPeriod{2};
  static constexpr unsigned kPatience = 8;  // periods

  void run() {
    std::unique_lock lock(mutex_);
    unsigned quiet = 0;
    while (!ended_) {
      if (quiet >= kPatience) {
        asleep_ = true;
        changed_.wait(lock, [this] { return !asleep_ || ended_; });
        quiet = 0;
      }
      changed_.wait_for(lock, kPeriod, [this] { return ended_; });
      quiet = wanted_.exchange(false, std::memory_order_relaxed) ? 0 : quiet + 1;
      if (quiet == 0) tick_();
    }
  }

  std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> wanted_ = false, asleep_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace xlat
