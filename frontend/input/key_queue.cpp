// Steps on a timer of virtual time.
#include "frontend/input/key_queue.h"

namespace xlat {

void KeyQueue::press(const std::vector<KeyCode>& keys, u64 hold_ns) {
  for (const KeyCode key : keys) steps_.push_back({{key, true}, hold_ns});
  for (std::size_t n = keys.size(); n-- > 0;) steps_.push_back({{keys[n], false}, hold_ns});
  if (!timer_.pending()) next();
}

void KeyQueue::add(KeyInput input, u64 pause_ns) {
  steps_.push_back({input, pause_ns});
  if (!timer_.pending()) next();
}

void KeyQueue::next() {
  while (!steps_.empty()) {
    const Step step = steps_.front();
    steps_.pop_front();
    machine_.gate().post(step.input);
    if (step.pause_ns) {
      timer_.schedule(machine_.pc().clock.now() + step.pause_ns);
      return;
    }
  }
}

}  // namespace xlat
