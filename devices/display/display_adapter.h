// What a display adapter shows, for whoever passes it on: a window, a remote viewer, a terminal, a file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

// A part of a picture, in pixels.
struct Rect {
  unsigned x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Rect&) const = default;
};

// A picture that follows an adapter's screen. Pixels are 0x00RRGGBB, row by row without gaps.
class Surface {
 public:
  unsigned width() const { return width_; }
  unsigned height() const { return height_; }
  std::span<const u32> pixels() const { return pixels_; }
  std::span<u32> row(unsigned y) { return {&pixels_[std::size_t{y} * width_], width_}; }
  std::span<const u32> row(unsigned y) const { return {&pixels_[std::size_t{y} * width_], width_}; }
  // All black.
  void resize(unsigned width, unsigned height) {
    width_ = width;
    height_ = height;
    pixels_.assign(std::size_t{width} * height, 0);
    drawn_from.clear();
  }

  // What the adapter drew this from, in a form of its own, so that it can tell what has changed since. Empty: nothing
  // is known.
  std::vector<u8> drawn_from;

 private:
  unsigned width_ = 0, height_ = 0;
  std::vector<u32> pixels_;
};

// A character screen, for who shows it in a terminal. Rows and columns are 0 outside text modes.
struct TextScreen {
  struct Cell {
    u8 character = ' ';  // code page 437
    u8 attribute = 0x07;
    bool operator==(const Cell&) const = default;
  };
  struct Cursor {
    bool visible = false;
    unsigned row = 0, column = 0;
    bool operator==(const Cursor&) const = default;
  };
  unsigned columns = 0, rows = 0;
  bool blink = false;       // attribute bit 7 makes characters blink instead of their background bright
  std::vector<Cell> cells;  // blank screens hold spaces
  Cursor cursor;
  bool operator==(const TextScreen&) const = default;
};

class DisplayAdapter {
 public:
  virtual ~DisplayAdapter() = default;
  // Brings `surface` to what a monitor shows now. Returns what has changed: nothing, some rectangles, or all of it when
  // the size is another. Looks at the adapter's state and changes nothing that the guest could see.
  virtual std::vector<Rect> refresh(Surface& surface) const = 0;
  // How long a frame takes as the guest has programmed it; a sensible value where that is nonsense.
  virtual u64 frame_ns() const = 0;
  virtual TextScreen text_screen() const = 0;
};

}  // namespace xlat
