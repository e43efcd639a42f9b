// Stands for the window where there is no SDL.
#include "frontend/display/window.h"

namespace xlat {

bool window_built() { return false; }
bool display_server_named() { return false; }

Result<std::unique_ptr<Display>> make_window(WindowSetup) {
  return error("-display sdl: this xlat was built without SDL; install libsdl2-dev and build it again");
}

}  // namespace xlat
