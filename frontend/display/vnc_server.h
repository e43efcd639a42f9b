// -vnc: the guest's screen, keyboard and pointer for viewers that speak RFB (RFC 6143).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "frontend/display/display.h"
#include "frontend/display/screen_feed.h"
#include "frontend/input/keymap.h"
#include "frontend/options/display_settings.h"

namespace xlat {

struct VncSetup {
  Machine& machine;
  ScreenFeed& feed;
  const Keymap& keymap;
  std::string name;                          // of the machine
  std::function<void(std::u32string)> type;  // what a browser pastes
};

class VncServer : public Display {
 public:
  // ---- From any thread ----
  // A connection whose first bytes are the request of a browser's WebSocket, who has shown that he may. Owns `fd`.
  virtual void adopt_browser(int fd, const std::string& peer) = 0;

  // ---- On the machine's thread, for the monitor ----
  virtual std::string info() const = 0;
  virtual bool asks_for_password() const = 0;
  virtual void set_password(std::string password) = 0;
  // Seconds since 1970 after which nobody gets in; nothing: never.
  virtual void expire_password(std::optional<i64> at) = 0;
  virtual bool has_viewers() const = 0;
  virtual void disconnect_viewers() = 0;
};

// Whether this xlat has one.
bool vnc_built();

// Listens where `settings` says; without them for adopt_browser() alone.
Result<std::unique_ptr<VncServer>> make_vnc_server(VncSetup setup, const std::optional<VncSettings>& settings);

}  // namespace xlat
