// The letters that consoles in a window are drawn with: the 8x16 font of the machine's VGA BIOS.
#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "frontend/display/vt_screen.h"

namespace xlat {

class ConsoleFont {
 public:
  static constexpr unsigned kWidth = 8, kHeight = 16;

  // Finds the font in a VGA BIOS by the look of its first letters.
  static Result<ConsoleFont> load(const std::string& vga_bios);

  // Sixteen rows from the top, the leftmost dot in bit 7. What code page 437 does not have is a question mark.
  std::span<const u8, kHeight> glyph(char32_t character) const;

 private:
  std::array<u8, 256 * kHeight> dots_{};
};

// A terminal's screen, `back` lines scrolled back, in `pixels` of `width` columns (0x00RRGGBB), from its upper left
// corner. The screen must fit. Its cursor is shown where it is not scrolled back.
void draw_console(const VtScreen& screen, unsigned back, const ConsoleFont& font, std::span<u32> pixels,
                  unsigned width);

}  // namespace xlat
