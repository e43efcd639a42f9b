// Stands for the text display where there is no ncurses.
#include "frontend/display/curses_display.h"

namespace xlat {

Result<std::unique_ptr<Display>> make_curses_display(CursesSetup) {
  return error("-display curses: this xlat was built without ncurses; install libncurses-dev and build it again");
}

}  // namespace xlat
