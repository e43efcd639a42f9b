// The font in the BIOS image, and drawing with it.
#include "frontend/display/console_font.h"

#include <algorithm>

#include "firmware/rom.h"
#include "frontend/display/cp437.h"

namespace xlat {

namespace {

// Letter 0 is blank, letter 1 a face; this is IBM's, and every VGA BIOS has it.
constexpr u8 kFirstLetters[] = {0, 0, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0,
                                0, 0, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e, 0, 0, 0, 0};

// The PC's sixteen colours, as the DAC has them after a mode set.
constexpr u32 kColours[16] = {0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
                              0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff};

u8 code_of(char32_t character) {
  if (character >= 0x20 && character < 0x7f) return static_cast<u8>(character);
  for (unsigned code = 0; code < 256; ++code) {
    if (cp437_to_unicode(static_cast<u8>(code)) == character) return static_cast<u8>(code);
  }
  return '?';
}

}  // namespace

Result<ConsoleFont> ConsoleFont::load(const std::string& vga_bios) {
  auto rom = read_whole_file(vga_bios, "VGA BIOS", 1 << 20);
  if (!rom) return rom.error();
  ConsoleFont font;
  const auto at = std::search(rom->begin(), rom->end(), std::begin(kFirstLetters), std::end(kFirstLetters));
  if (rom->end() - at < static_cast<std::ptrdiff_t>(font.dots_.size())) {
    return error("'{}': this VGA BIOS has no font of 8x16 dots for the consoles of the window", vga_bios);
  }
  std::copy_n(at, font.dots_.size(), font.dots_.begin());
  return font;
}

std::span<const u8, ConsoleFont::kHeight> ConsoleFont::glyph(char32_t character) const {
  return std::span<const u8, kHeight>(&dots_[std::size_t{code_of(character)} * kHeight], kHeight);
}

void draw_console(const VtScreen& screen, unsigned back, const ConsoleFont& font, std::span<u32> pixels,
                  unsigned width) {
  const bool cursor = screen.cursor_visible() && back == 0;
  for (unsigned row = 0; row < screen.rows(); ++row) {
    const auto& line = screen.line(row, back);
    for (unsigned column = 0; column < screen.columns(); ++column) {
      const ShownCell& cell = line[column];
      u32 fore = kColours[cell.fore & 15], behind = kColours[cell.back & 15];
      if (cursor && row == screen.cursor_row() && column == screen.cursor_column()) std::swap(fore, behind);
      const auto glyph = font.glyph(cell.character);
      for (unsigned y = 0; y < ConsoleFont::kHeight; ++y) {
        const bool line_below = cell.underline && y == ConsoleFont::kHeight - 2;
        const unsigned dots = line_below ? 0xff : glyph[y];
        u32* const out =
            &pixels[std::size_t{row * ConsoleFont::kHeight + y} * width + std::size_t{column} * ConsoleFont::kWidth];
        for (unsigned x = 0; x < ConsoleFont::kWidth; ++x) out[x] = dots & (0x80u >> x) ? fore : behind;
      }
    }
  }
}

}  // namespace xlat
