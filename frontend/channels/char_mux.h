// One channel for a serial port and the monitor: Ctrl-A c switches what the keys go to.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace xlat {

class CharMux {
 public:
  struct Sinks {
    std::function<void(std::span<const u8>)> serial;
    std::function<void(std::span<const u8>)> monitor;
    std::function<void()> monitor_shown;          // the monitor has the keys now
    std::function<void(std::string_view)> print;  // to whoever types
    std::function<void()> quit;
  };
  explicit CharMux(Sinks sinks) : sinks_(std::move(sinks)) {}

  // What was typed, from the channel's thread.
  void feed(std::span<const u8> bytes);

 private:
  static constexpr u8 kEscape = 1;  // Ctrl-A
  void escaped(u8 value);

  Sinks sinks_;
  bool after_escape_ = false, monitor_ = false;
};

}  // namespace xlat
