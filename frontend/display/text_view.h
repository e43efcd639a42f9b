// What part of a text screen a terminal shows, and how the card's cells look there.
#pragma once

#include "devices/display/display_adapter.h"
#include "frontend/display/vt_screen.h"

namespace xlat {

// One direction of a screen of `content` places in a window of `space`: centred if it fits, else moved just so far that
// the cursor is inside.
struct Pan {
  unsigned first = 0;   // place of the screen that is shown first
  unsigned margin = 0;  // empty places of the window before it
  unsigned count = 0;   // places shown

  void update(unsigned content, unsigned space, unsigned cursor);
};

// Attribute byte and code page 437 to colours and Unicode.
ShownCell shown_cell(const TextScreen::Cell& cell, bool blink);

// The screen of a machine at one moment, as the display thread gets it.
struct ScreenShot {
  bool adapter = false;
  TextScreen text;  // empty in graphics modes
  unsigned width = 0, height = 0;
  bool operator==(const ScreenShot&) const = default;
};
// What to show instead of text; empty in text modes.
std::string screen_notice(const ScreenShot& shot);

}  // namespace xlat
