// The text screen: what is in its cells, and how a monitor shows it.
#include <algorithm>

#include "base/bits.h"
#include "devices/vga.h"

namespace xlat {

bool Vga::text_mode() const { return !vbe_on() && !(gfx_[6] & 1); }

unsigned Vga::character_height() const { return ((crtc_[9] & 31u) + 1) * ((crtc_[9] & 0x80) ? 2 : 1); }

unsigned Vga::text_columns() const { return text_mode() ? crtc_[1] + 1u : 0; }

unsigned Vga::text_rows() const { return text_mode() ? (display_end() + 1) / character_height() : 0; }

// Memory address the CRTC puts out for its counter's value: byte, word or doubleword mode, and the CGA and Hercules
// substitutions of row scan bits (CR14 bit 6, CR17 bits 0, 1, 5, 6).
u32 Vga::crtc_address(u32 counter, unsigned row_scan) const {
  u32 address;
  if (crtc_[0x14] & 0x40) {
    address = counter << 2 | ((counter >> 14) & 3);
  } else if (!(crtc_[0x17] & 0x40)) {
    address = counter << 1 | ((counter >> ((crtc_[0x17] & 0x20) ? 15 : 13)) & 1);
  } else {
    address = counter;
  }
  if (!(crtc_[0x17] & 1)) address = (address & ~0x2000u) | (row_scan & 1) << 13;
  if (!(crtc_[0x17] & 2)) address = (address & ~0x4000u) | ((row_scan >> 1) & 1) << 14;
  return address & 0xffff;
}

// The CRTC's counter at a cell, with the screen split at line compare.
u32 Vga::text_address(unsigned row, unsigned column) const {
  const unsigned height = character_height();
  const unsigned first_below = line_compare() / height + 1;
  const u32 pitch = crtc_[0x13] * 2u;
  if (row >= first_below) return (row - first_below) * pitch + column;
  return start_address() + row * pitch + column;
}

Vga::Cell Vga::text_cell(unsigned row, unsigned column) const {
  if (row >= text_rows() || column >= text_columns()) return {};
  const u32 planes = planes_at(crtc_address(text_address(row, column), 0));
  return {static_cast<u8>(planes), static_cast<u8>(planes >> 8)};
}

Vga::Cursor Vga::text_cursor() const {
  Cursor cursor;
  const unsigned rows = text_rows(), columns = text_columns();
  const u32 at = u32{crtc_[0x0e]} << 8 | crtc_[0x0f];
  const u32 pitch = crtc_[0x13] * 2u;
  const u32 from_start = (at - start_address()) & 0xffff;
  if (pitch == 0) return cursor;
  cursor.row = from_start / pitch;
  cursor.column = from_start % pitch;
  cursor.visible =
      !(crtc_[0x0a] & 0x20) && (crtc_[0x0a] & 31) <= (crtc_[0x0b] & 31) && cursor.row < rows && cursor.column < columns;
  return cursor;
}

std::string Vga::text() const {
  std::string all;
  for (unsigned row = 0; row < text_rows(); ++row) {
    std::string line;
    for (unsigned column = 0; column < text_columns(); ++column) {
      const u8 c = text_cell(row, column).character;
      line += c == 0 ? ' ' : c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + '\n';
  }
  return all;
}

// Four bits through the attribute controller to a DAC index.
u8 Vga::palette(u8 four_bits) const {
  const u8 entry = attr_[four_bits & attr_[0x12] & 15];
  const u8 select = attr_[0x14];
  if (attr_[0x10] & 0x80) return static_cast<u8>((entry & 0x0f) | select << 4);
  return static_cast<u8>((entry & 0x3f) | (select & 0x0c) << 4);
}

std::array<u8, 3> Vga::colour(u8 index) const {
  const u8* entry = &dac_[(index & dac_mask_) * 3u];
  if (vbe_[kVbeEnable] & 0x20) return {entry[0], entry[1], entry[2]};
  const auto wide = [](u8 six) { return static_cast<u8>(six << 2 | six >> 4); };
  return {wide(entry[0]), wide(entry[1]), wide(entry[2])};
}

Picture Vga::render_text() const {
  const unsigned columns = text_columns(), rows = text_rows();
  const unsigned lines = (crtc_[9] & 31u) + 1, repeat = (crtc_[9] & 0x80) ? 2 : 1;
  const unsigned dots = (seq_[1] & 1) ? 8 : 9, stretch = (seq_[1] & 8) ? 2 : 1;
  Picture picture{columns * dots * stretch, rows * lines * repeat, {}};
  picture.rgb.resize(std::size_t{picture.width} * picture.height * 3);

  // Character map select: bits 5, 3, 2 for map A (attribute bit 3 set), 4, 1, 0 for map B, in 8 KiB steps of plane 2.
  const auto font_at = [](unsigned two, unsigned high) { return two * 0x4000u + high * 0x2000u; };
  const u32 font_a = font_at(bits(seq_[3], 2, 2), bit(seq_[3], 5)), font_b = font_at(seq_[3] & 3, bit(seq_[3], 4));
  const bool blink_on = attr_[0x10] & 8, mono = attr_[0x10] & 2, wide_graphics = attr_[0x10] & 4;
  const u64 now = frame();
  const Cursor cursor = text_cursor();
  const bool cursor_lit = cursor.visible && (now / 8) % 2 == 0, text_lit = (now / 16) % 2 == 0;

  for (unsigned row = 0; row < rows; ++row) {
    for (unsigned column = 0; column < columns; ++column) {
      const Cell cell = text_cell(row, column);
      u8 fore = cell.attribute & 15, back = cell.attribute >> 4;
      if (blink_on) {
        if ((back & 8) && !text_lit) fore = back & 7;
        back &= 7;
      }
      const auto fore_rgb = colour(palette(fore)), back_rgb = colour(palette(back));
      const u32 font = (cell.attribute & 8) ? font_a : font_b;
      for (unsigned line = 0; line < lines; ++line) {
        u32 glyph = ((planes_at(font + cell.character * 32u + line) >> 16) & 0xff) << 1;
        if (wide_graphics && cell.character >= 0xc0 && cell.character < 0xe0) glyph |= (glyph >> 1) & 1;
        if (mono && (cell.attribute & 0x77) == 1 && line == (crtc_[0x14] & 31u)) glyph = 0x1ff;
        if (cursor_lit && row == cursor.row && column == cursor.column && line >= (crtc_[0x0a] & 31u) &&
            line <= (crtc_[0x0b] & 31u)) {
          glyph = 0x1ff;
        }
        for (unsigned again = 0; again < repeat; ++again) {
          const std::size_t y = (std::size_t{row} * lines + line) * repeat + again;
          u8* out = &picture.rgb[(y * picture.width + std::size_t{column} * dots * stretch) * 3];
          for (unsigned dot = 0; dot < dots * stretch; ++dot, out += 3) {
            const auto& rgb = bit(glyph, 8 - dot / stretch) ? fore_rgb : back_rgb;
            std::copy(rgb.begin(), rgb.end(), out);
          }
        }
      }
    }
  }
  return picture;
}

}  // namespace xlat
