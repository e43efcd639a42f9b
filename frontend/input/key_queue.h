// Keys that a program types: one after the other with time between them, so that no guest misses any.
#pragma once

#include <deque>
#include <vector>

#include "machine/machine.h"

namespace xlat {

// Keys to be pressed and released one after the other, in virtual time, through the input gate.
class KeyQueue {
 public:
  static constexpr std::size_t kMostSteps = 8192;  // who types on should ask waiting() first

  explicit KeyQueue(Machine& machine) : machine_(machine), timer_(machine.pc().clock, [this] { next(); }) {}
  // Presses the keys in order and releases them in reverse order, with `hold_ns` after each step.
  void press(const std::vector<KeyCode>& keys, u64 hold_ns);
  // One step of that: at once if nothing waits and the last step's time is over.
  void add(KeyInput input, u64 pause_ns);
  std::size_t waiting() const { return steps_.size(); }

 private:
  struct Step {
    KeyInput input;
    u64 pause_ns;  // after it
  };
  void next();

  Machine& machine_;
  Timer timer_;
  std::deque<Step> steps_;
};

}  // namespace xlat
