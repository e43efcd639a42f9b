// The terminal xlat was started on: raw while a guest or the monitor reads it, as it was before at every kind of end.
#pragma once

#include <termios.h>

#include <mutex>

namespace xlat {

class Terminal {
 public:
  Terminal() = default;
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Characters arrive one by one and are not echoed. `signals`: Ctrl-C and Ctrl-Z still act on xlat.
  void make_raw(bool signals);
  void restore();

  // Around a stop by job control.
  void suspend();
  void resume();

 private:
  bool set_raw();

  std::mutex mutex_;
  bool wanted_ = false, active_ = false, signals_ = false;
  termios before_{};
};

}  // namespace xlat
