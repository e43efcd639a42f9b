// Panning and cell mapping of the text display.
#include "frontend/display/text_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/display/cp437.h"

namespace xlat {

void Pan::update(unsigned content, unsigned space, unsigned cursor) {
  count = std::min(content, space);
  margin = (space - count) / 2;
  if (cursor < content && count > 0) {
    if (cursor < first) first = cursor;
    if (cursor >= first + count) first = cursor - count + 1;
  }
  first = std::min(first, content - count);
}

ShownCell shown_cell(const TextScreen::Cell& cell, bool blink) {
  ShownCell shown;
  shown.character = cp437_to_unicode(cell.character);
  shown.fore = cell.attribute & 15;
  shown.back = (cell.attribute >> 4) & (blink ? 7 : 15);
  shown.blink = blink && (cell.attribute & 0x80);
  return shown;
}

std::string screen_notice(const ScreenShot& shot) {
  if (!shot.adapter) return "This machine has no graphics adapter.";
  if (!shot.text.cells.empty()) return {};
  return fmt::format("{}x{} Graphic mode", shot.width, shot.height);
}

}  // namespace xlat
