// -display sdl: the guest's screen, the monitor and serial ports in a window.
#pragma once

#include <memory>

#include "frontend/display/display.h"
#include "frontend/display/screen_feed.h"
#include "frontend/display/virtual_console.h"
#include "frontend/options/display_settings.h"
#include "machine/machine.h"

namespace xlat {

struct WindowSetup {
  Machine& machine;
  ScreenFeed& feed;
  std::vector<VirtualConsole*> consoles;  // Ctrl-Alt-2 and so on; Ctrl-Alt-1 is the screen
  std::string name;                       // of the machine, for the title
  std::string vga_bios;                   // whose font the consoles have
  WindowOptions options;
  // From the window's thread: text for the guest's keyboard; the user closed the window.
  std::function<void(std::u32string)> type;
  std::function<void()> closed;
};

// Whether this xlat has one, and whether it would show up anywhere: a display server was named by the environment.
bool window_built();
bool display_server_named();

Result<std::unique_ptr<Display>> make_window(WindowSetup setup);

}  // namespace xlat
