// What -display, -vnc and their like ask for.
#pragma once

#include <string>

#include "frontend/display/viewport.h"

namespace xlat {

enum class DisplayKind : unsigned char { kNone, kCurses, kWindow };

struct WindowOptions {
  Scaling scaling = Scaling::kInteger;
  bool full_screen = false;
  bool close = true;         // the window's close button ends xlat
  bool show_cursor = false;  // the host's pointer, even where the guest draws its own
  enum class Hotkey : unsigned char { kCtrlAlt, kCtrlAltShift, kRightCtrl } hotkey = Hotkey::kCtrlAlt;
};

// Where a server for viewers listens.
struct ListenAddress {
  std::string host = "127.0.0.1";
  unsigned port = 0, last_port = 0;  // the first one that is free of them
  std::string unix_path = {};        // in place of host and port

  bool operator==(const ListenAddress&) const = default;
};

struct VncSettings {
  ListenAddress address;
  bool websocket = false;
  ListenAddress websocket_address;  // its port is 0: 5700 and the display's number
  bool password = false;            // nobody gets in until the monitor has set one
  bool shared = false;              // no viewer can have the machine for itself
  unsigned key_delay_ms = 10;
  bool announce = false;  // nobody asked for it: say where it listens
};

struct WebSettings {
  ListenAddress address{.host = "127.0.0.1", .port = 6080, .last_port = 6080};
};

}  // namespace xlat
