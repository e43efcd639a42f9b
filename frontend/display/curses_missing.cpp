// Stands for the text display where there is no ncurses.
#include "frontend/display/curses_display.h"

namespace xlat {

Result<std::unique_ptr<TextDisplay>> make_curses_display(TextDisplaySetup) {
  return error("-display curses: this xlat was built without ncurses; install libncurses-dev and build it again");
}

}  // namespace xlat
