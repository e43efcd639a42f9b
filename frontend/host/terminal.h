// The terminal xlat was started on: raw while a guest or the monitor reads it, as it was before at every kind of end.
#pragma once

#include <termios.h>

#include <functional>
#include <mutex>
#include <string>

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

  // A full-screen display has the terminal until restore(), and takes care of its modes. `leave` and `enter` are called
  // around a stop by job control, `leave` by restore() as well, from any thread. After a crash `exit_sequence` is
  // written instead. What is written to stderr meanwhile is kept, if that is the same terminal, and shown at the end.
  struct FullScreen {
    std::function<void()> leave, enter;
    std::string exit_sequence;
  };
  void hand_over(FullScreen display);

  // Around a stop by job control.
  void suspend();
  void resume();

 private:
  bool set_raw();

  std::mutex mutex_;
  bool wanted_ = false, active_ = false, signals_ = false;
  termios before_{};
  FullScreen display_;
  bool handed_over_ = false;
};

}  // namespace xlat
