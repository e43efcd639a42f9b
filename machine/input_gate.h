// The one gate: everything that enters the machine from outside is stamped with the instruction count here, so that a
// run is a function of its start and of this stream.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "base/types.h"
#include "devices/input/input_hub.h"
#include "devices/net/nic.h"

namespace xlat {

struct CharInput {
  u16 channel;  // place in MachineConfig::channels
  u8 value;
};
// A frame for the network card at this place among Pc::networks().
struct FrameInput {
  u16 network;
  std::shared_ptr<const NetFrame> frame;
};
// Its cable is pulled out or plugged in.
struct LinkInput {
  u16 network;
  bool up;
};
struct KeyInput {
  KeyCode key;
  bool down;
};
struct MouseInput {
  i32 dx, dy, dz;
  u8 buttons;
};
// The pointer is at a place on the screen; wheel as MouseInput's dz.
struct PointerInput {
  PointerPosition at;
  i32 wheel;
  u8 buttons;
};
// The user has chosen the mouse or tablet with this number.
struct ChoosePointerInput {
  unsigned number;
};
// The request with this number of the disk at this place among Pc::disks() is over.
struct DiskInput {
  u16 disk;
  u64 request;
};
struct ResetInput {};
struct PowerButtonInput {};
struct WakeInput {};  // ends ACPI S3
// The host's clock, as the virtual time an instruction takes from now on and the time to skip to, if any.
struct TimeInput {
  u64 rate;  // ns an instruction, 32.32 fixed point
};
// Halted time passed: virtual time is now `now` ns.
struct IdleInput {
  u64 now;
};

using Input = std::variant<CharInput, FrameInput, LinkInput, KeyInput, MouseInput, PointerInput, ChoosePointerInput,
                           DiskInput, ResetInput, PowerButtonInput, WakeInput, TimeInput, IdleInput>;

struct StampedInput {
  u64 count;  // instructions retired when it entered
  Input input;
};

class InputGate {
 public:
  using Clock = std::chrono::steady_clock;

  // From any thread. `wake` (set by the machine) makes the engine come back soon.
  void post(Input input) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(input);
    }
    nudge();
  }
  // From any thread: a control request is waiting, look up.
  void nudge() {
    {
      const std::lock_guard lock(mutex_);
      nudged_ = true;
    }
    changed_.notify_all();
    if (wake_) wake_();
  }
  void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }

  // By the machine's thread, between instructions: takes the next input and stamps it. Nothing if none waits.
  std::optional<Input> take(u64 count) {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    const Input input = queue_.front();
    queue_.pop_front();
    if (record_) record_->push_back({count, input});
    return input;
  }
  // The machine's own reading of the host's clock enters here as well.
  void stamp(u64 count, const Input& input) {
    if (record_) record_->push_back({count, input});
  }

  // Sleeps until something is posted or nudged, or until `deadline` (forever if none).
  void wait(std::optional<Clock::time_point> deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return nudged_ || !queue_.empty(); };
    if (deadline) {
      changed_.wait_until(lock, *deadline, ready);
    } else {
      changed_.wait(lock, ready);
    }
    nudged_ = false;
  }

  // The same for a machine that stands still: only a nudge ends it, as what is posted waits.
  void wait_for_nudge() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return nudged_; });
    nudged_ = false;
  }

  // Keeps every stamped input in `record`; null stops.
  void record_to(std::vector<StampedInput>* record) { record_ = record; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Input> queue_;
  bool nudged_ = false;
  std::function<void()> wake_;
  std::vector<StampedInput>* record_ = nullptr;
};

}  // namespace xlat
