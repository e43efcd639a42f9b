// -display curses: the guest's text screen, the monitor and serial ports on the terminal xlat was started on.
#pragma once

#include <memory>

#include "frontend/display/display.h"
#include "frontend/display/terminal_keys.h"
#include "frontend/display/virtual_console.h"
#include "machine/machine.h"

namespace xlat {

class Terminal;

struct CursesSetup {
  Machine& machine;
  Terminal& terminal;
  std::vector<VirtualConsole*> consoles;  // Alt-2 and so on; Alt-1 is the screen
  // From the display's thread: keys for the guest to be pressed together; the terminal is gone.
  std::function<void(std::vector<KeyCode>)> press;
  std::function<void()> gone;
};

// Changes nothing yet, but fails if there is no terminal to show things on. start() takes the terminal; it is given
// back by Terminal::restore().
Result<std::unique_ptr<Display>> make_curses_display(CursesSetup setup);

}  // namespace xlat
