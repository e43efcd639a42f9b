// The text screen: what is in its cells.
#include <algorithm>

#include "base/bits.h"
#include "devices/display/vga_core.h"

namespace xlat {

bool VgaCore::text_mode() const { return !linear_mode() && !(gfx_[6] & 1); }

unsigned VgaCore::text_columns() const { return text_mode() ? crtc_[1] + 1u : 0; }

unsigned VgaCore::text_rows() const {
  if (!text_mode()) return 0;
  const auto lines = scan_lines();
  return static_cast<unsigned>(std::count_if(lines.begin(), lines.end(), [](const ScanLine& l) { return l.first; }));
}

VgaCore::Cell VgaCore::text_cell(unsigned row, unsigned column) const {
  if (column >= text_columns()) return {};
  for (const ScanLine& line : scan_lines()) {
    if (!line.first || row-- != 0) continue;
    const u32 planes = planes_at(crtc_address(line.counter + column, line.row_scan));
    return {static_cast<u8>(planes), static_cast<u8>(planes >> 8)};
  }
  return {};
}

// The cursor is where the counter equals CR0E/0F; CR0B bits 6-5 delay it by characters. Off by CR0A bit 5, or when no
// scan line of a character lies between start and end.
VgaCore::Cursor VgaCore::find_cursor(const std::vector<ScanLine>& lines) const {
  Cursor cursor;
  const u32 at = cursor_address();
  const unsigned columns = text_columns();
  const unsigned start = crtc_[0x0a] & 31u, end = crtc_[0x0b] & 31u;
  unsigned row = 0;
  for (const ScanLine& line : lines) {
    if (!line.first) continue;
    const u32 column = ((at - line.counter) & 0xffff) + static_cast<unsigned>(bits(crtc_[0x0b], 5, 2));
    if (column < columns) {
      cursor = {!(crtc_[0x0a] & 0x20) && start <= end && start <= (crtc_[9] & 31u), row, column};
      break;
    }
    ++row;
  }
  return cursor;
}

VgaCore::Cursor VgaCore::text_cursor() const { return text_mode() ? find_cursor(scan_lines()) : Cursor{}; }

TextScreen VgaCore::text_screen() const {
  TextScreen screen;
  if (!text_mode()) return screen;
  const auto lines = scan_lines();
  screen.columns = text_columns();
  screen.blink = attr_[0x10] & 8;
  for (const ScanLine& line : lines) {
    if (!line.first) continue;
    ++screen.rows;
    for (unsigned column = 0; column < screen.columns; ++column) {
      const u32 planes = blank() ? 0x0020 : planes_at(crtc_address(line.counter + column, line.row_scan));
      screen.cells.push_back({static_cast<u8>(planes), static_cast<u8>(planes >> 8)});
    }
  }
  if (!blank()) screen.cursor = find_cursor(lines);
  return screen;
}

std::string VgaCore::text() const {
  std::string all;
  const TextScreen screen = text_screen();
  for (unsigned row = 0; row < screen.rows; ++row) {
    std::string line;
    for (unsigned column = 0; column < screen.columns; ++column) {
      const u8 c = screen.cells[std::size_t{row} * screen.columns + column].character;
      line += c == 0 ? ' ' : c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + '\n';
  }
  return all;
}

}  // namespace xlat
