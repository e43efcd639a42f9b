// An image that stands still until it is let go, and a machine that takes what its disks have finished when a test
// says.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "devices/block/disk.h"

namespace xlat {

// Reads and writes wait while it is held; all fail as they are told to.
class SlowImage final : public BlockImage {
 public:
  struct State {
    explicit State(std::size_t bytes) : content(bytes) {}
    std::mutex mutex;
    std::condition_variable changed;
    bool held = false;
    std::vector<u8> content;
    std::atomic<unsigned> flushes = 0;
    std::atomic<bool> flush_fails = false, write_fails = false;

    void hold(bool on) {
      const std::lock_guard lock(mutex);
      held = on;
      changed.notify_all();
    }
    std::unique_ptr<BlockImage> open() { return std::make_unique<SlowImage>(*this); }
  };
  explicit SlowImage(State& state) : state_(state) {}

  u64 size() const override { return state_.content.size(); }
  Status read(u64 at, std::span<u8> to) override {
    const auto lock = wait();
    std::copy_n(state_.content.begin() + static_cast<std::ptrdiff_t>(at), to.size(), to.begin());
    return {};
  }
  Status write(u64 at, std::span<const u8> from) override {
    const auto lock = wait();
    if (state_.write_fails) return error("no room");
    std::copy(from.begin(), from.end(), state_.content.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }
  Status flush() override {
    ++state_.flushes;
    return state_.flush_fails ? Status(error("no room")) : Status();
  }
  bool read_only() const override { return false; }
  const std::string& path() const override { return path_; }

 private:
  std::unique_lock<std::mutex> wait() {
    std::unique_lock lock(state_.mutex);
    state_.changed.wait(lock, [this] { return !state_.held; });
    return lock;
  }
  State& state_;
  std::string path_ = "slow";
};

// What is finished waits here until it is taken.
struct SlowHost final : DiskHost {
  explicit SlowHost(bool by_time) : timed(by_time) {}
  u16 add(Disk& disk) override {
    disks.push_back(&disk);
    return static_cast<u16>(disks.size() - 1);
  }
  void remove(u16 place) override { disks[place] = nullptr; }
  bool by_time() const override { return timed; }
  void finished(u16 place, u64 number) override {
    const std::lock_guard lock(mutex);
    over.emplace_back(place, number);
    changed.notify_all();
  }
  void lost(const std::string& what) override { losses.push_back(what); }
  // Waits for the next one.
  u64 take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !over.empty(); });
    const u64 number = over.front().second;
    over.pop_front();
    return number;
  }
  bool empty() {
    const std::lock_guard lock(mutex);
    return over.empty();
  }
  // Has the next one delivered, if it comes within a moment.
  void deliver_one() {
    std::pair<u16, u64> next;
    {
      std::unique_lock lock(mutex);
      if (!changed.wait_for(lock, std::chrono::milliseconds(1), [this] { return !over.empty(); })) return;
      next = over.front();
      over.pop_front();
    }
    if (Disk* disk = disks[next.first]) disk->deliver(next.second);
  }
  void resume() {
    for (Disk* disk : disks) {
      if (disk) disk->resume();
    }
  }

  const bool timed;
  std::vector<Disk*> disks;
  std::vector<std::string> losses;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<u16, u64>> over;
};

}  // namespace xlat
