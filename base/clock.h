// Virtual time: a function of the instruction count, and the queue of events devices schedule on it.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "base/archive.h"
#include "base/types.h"

namespace xlat {

inline constexpr u64 kNanosPerSecond = 1'000'000'000;

class Clock;

// One pending event of a device. The device owns it and serializes it; it fires at most once a schedule.
class Timer {
 public:
  Timer(Clock& clock, std::function<void()> fire) : clock_(clock), fire_(std::move(fire)) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires at virtual time `at` (ns). A time in the past fires at the next instruction boundary.
  void schedule(u64 at);
  void cancel();
  bool pending() const { return pending_; }
  u64 deadline() const { return at_; }
  void serialize(Archive& ar);

 private:
  friend class Clock;
  Clock& clock_;
  std::function<void()> fire_;
  u64 at_ = 0;
  u64 order_ = 0;  // ties fire in the order they were scheduled
  bool pending_ = false;
};

// now() = base_ns + (count - base_count) * rate. Deterministic runs never change the rate; paced runs change it through
// the input gate only. Halted time is skipped by moving base_ns.
class Clock {
 public:
  static constexpr u64 kNever = std::numeric_limits<u64>::max();

  // Instructions retired. The engine publishes it before any device can look.
  u64 count() const { return count_; }
  void set_count(u64 count) { count_ = count; }

  // Virtual nanoseconds since power-on.
  u64 now() const { return base_ns_ + static_cast<u64>(((unsigned __int128)(count_ - base_count_) * rate_) >> 32); }

  // Nanoseconds an instruction, as a 32.32 fixed-point number; not zero.
  u64 rate() const { return rate_; }
  void set_rate(u64 ns_per_instruction_q32);

  // The least instruction count at which now() >= ns. kNever stays kNever.
  u64 count_at(u64 ns) const;

  // Moves time forward to `ns` without running instructions (HLT).
  void skip_to(u64 ns);

  // Deadline of the next event, or kNever.
  u64 next_deadline() const;
  // Fires every event due at now(), in order.
  void run_due();

  // Called whenever an earlier deadline appears, so that the engine can shorten its slice.
  void on_earlier_deadline(std::function<void()> hook) { earlier_ = std::move(hook); }

  // Comes first in a state. Events that are no device's, and so not part of it, stay as far ahead as they were.
  void serialize(Archive& ar);

 private:
  friend class Timer;
  void rebase();

  u64 count_ = 0;
  u64 base_count_ = 0;
  u64 base_ns_ = 0;
  u64 rate_ = u64{8} << 32;
  u64 next_order_ = 0;
  std::vector<Timer*> timers_;  // pending ones, unsorted: there are a dozen
  std::function<void()> earlier_;
};

}  // namespace xlat
