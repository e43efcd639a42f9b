// The Ctrl-A keys.
#include "frontend/channels/char_mux.h"

namespace xlat {

void CharMux::feed(std::span<const u8> bytes) {
  std::size_t start = 0;
  const auto pass = [&](std::size_t end) {
    if (end > start) (monitor_ ? sinks_.monitor : sinks_.serial)(bytes.subspan(start, end - start));
    start = end;
  };
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    if (after_escape_) {
      after_escape_ = false;
      start = n + 1;
      escaped(bytes[n]);
    } else if (bytes[n] == kEscape) {
      pass(n);
      start = n + 1;
      after_escape_ = true;
    }
  }
  pass(bytes.size());
}

void CharMux::escaped(u8 value) {
  switch (value) {
    case 'a':
    case kEscape: (monitor_ ? sinks_.monitor : sinks_.serial)(std::span(&kEscape, 1)); break;
    case 'c':
      monitor_ = !monitor_;
      if (monitor_) sinks_.monitor_shown();
      break;
    case 'x':
      sinks_.print("xlat: Terminated\r\n");
      sinks_.quit();
      break;
    case 'h':
    case '?':
      sinks_.print(
          "\r\n"
          "Ctrl-A h    print this help\r\n"
          "Ctrl-A x    quit xlat\r\n"
          "Ctrl-A c    switch between the serial port and the monitor\r\n"
          "Ctrl-A a    send Ctrl-A\r\n");
      break;
    default: break;
  }
}

}  // namespace xlat
