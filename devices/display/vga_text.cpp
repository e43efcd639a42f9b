// The text screen: what is in its cells, and how a monitor shows it.
#include <algorithm>

#include "base/bits.h"
#include "devices/display/vga.h"

namespace xlat {

bool Vga::text_mode() const { return !vbe_on() && !(gfx_[6] & 1); }

unsigned Vga::text_columns() const { return text_mode() ? crtc_[1] + 1u : 0; }

unsigned Vga::text_rows() const {
  if (!text_mode()) return 0;
  const auto lines = scan_lines();
  return static_cast<unsigned>(std::count_if(lines.begin(), lines.end(), [](const ScanLine& l) { return l.first; }));
}

// The CRTC's way through one frame: start address, preset row scan (CR08 bits 4-0) and byte panning (bits 6-5) at the
// top; scan lines doubled by CR09 bit 7; at line compare counter and row scan begin anew at zero.
std::vector<Vga::ScanLine> Vga::scan_lines() const {
  const unsigned height = display_end() + 1, split = line_compare();
  const u8 last_scan = crtc_[9] & 31, byte_panning = static_cast<u8>(bits(crtc_[8], 5, 2));
  const unsigned repeat = (crtc_[9] & 0x80) ? 2 : 1;
  std::vector<ScanLine> lines;
  lines.reserve(height);
  ScanLine now{start_address() + byte_panning, static_cast<u8>(crtc_[8] & 31), false, true};
  unsigned again = 0;
  for (unsigned y = 0; y < height; ++y) {
    lines.push_back(now);
    now.first = false;
    if (y == split) {  // AR10 bit 5: panning is for the upper part only
      now = {(attr_[0x10] & 0x20) ? 0u : byte_panning, 0, true, true};
      again = 0;
    } else if (++again == repeat) {
      again = 0;
      now.first = now.row_scan == last_scan;
      if (now.first) {
        now.row_scan = 0;
        now.counter += crtc_[0x13] * 2u;
      } else {
        now.row_scan = (now.row_scan + 1) & 31;
      }
    }
  }
  return lines;
}

// AR13. With nine dots 8 means none and 0 to 7 one to eight; in 256-colour modes a pixel is two dots.
unsigned Vga::pel_panning(const ScanLine& line) const {
  if (line.below_split && (attr_[0x10] & 0x20)) return 0;
  const unsigned value = attr_[0x13] & 15;
  if (text_mode() && dots_per_character() == 9) return value >= 8 ? 0 : value + 1;
  return (attr_[0x10] & 0x40) ? value & 6 : value & 7;
}

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

Vga::Cell Vga::text_cell(unsigned row, unsigned column) const {
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
Vga::Cursor Vga::find_cursor(const std::vector<ScanLine>& lines) const {
  Cursor cursor;
  const u32 at = u32{crtc_[0x0e]} << 8 | crtc_[0x0f];
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

Vga::Cursor Vga::text_cursor() const { return text_mode() ? find_cursor(scan_lines()) : Cursor{}; }

TextScreen Vga::text_screen() const {
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

std::string Vga::text() const {
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
  const auto lines = scan_lines();
  const unsigned columns = text_columns(), dots = dots_per_character(), stretch = dot_stretch();
  Picture picture = dimensions();
  picture.rgb.resize(std::size_t{picture.width} * picture.height * 3);

  // Character map select: bits 5, 3, 2 for map A (attribute bit 3 set), 4, 1, 0 for map B, in 8 KiB steps of plane 2.
  const auto font_at = [](unsigned two, unsigned high) { return two * 0x4000u + high * 0x2000u; };
  const u32 font_a = font_at(bits(seq_[3], 2, 2), bit(seq_[3], 5)), font_b = font_at(seq_[3] & 3, bit(seq_[3], 4));
  const bool blink = attr_[0x10] & 8, mono = attr_[0x10] & 2, line_graphics = attr_[0x10] & 4;
  const u64 now = frame();
  const bool text_lit = (now / 16) % 2 == 0, cursor_lit = !(crtc_[0x0a] & 0x20) && (now / 8) % 2 == 0;
  const unsigned cursor_start = crtc_[0x0a] & 31u, cursor_end = crtc_[0x0b] & 31u, underline = crtc_[0x14] & 31u;
  const u32 cursor_at = u32{crtc_[0x0e]} << 8 | crtc_[0x0f];
  const unsigned skew = static_cast<unsigned>(bits(crtc_[0x0b], 5, 2));
  std::array<std::array<u8, 3>, 16> rgb;
  for (u8 n = 0; n < 16; ++n) rgb[n] = colour(palette(n));

  for (unsigned y = 0; y < picture.height; ++y) {
    const ScanLine& line = lines[y];
    const unsigned shift = pel_panning(line);
    u8* const row = &picture.rgb[std::size_t{y} * picture.width * 3];
    for (unsigned column = 0; column <= columns; ++column) {  // one more, for what panning brings in
      const u32 planes = planes_at(crtc_address(line.counter + column, line.row_scan));
      const u8 character = static_cast<u8>(planes), attribute = static_cast<u8>(planes >> 8);
      const u8 fore = attribute & 15, back = (attribute >> 4) & (blink ? 7 : 15);
      const u32 font = (attribute & 8) ? font_a : font_b;
      // Nine dots, the leftmost in bit 8; the ninth is background but for the line graphics C0h-DFh.
      u32 glyph = ((planes_at(font + character * 32u + line.row_scan) >> 16) & 0xff) << 1;
      if (line_graphics && character >= 0xc0 && character < 0xe0) glyph |= (glyph >> 1) & 1;
      if (mono && (attribute & 0x77) == 1 && line.row_scan == underline) glyph = 0x1ff;
      if (blink && (attribute & 0x80) && !text_lit) glyph = 0;
      if (cursor_lit && column >= skew && ((cursor_at + skew - line.counter - column) & 0xffff) == 0 &&
          line.row_scan >= cursor_start && line.row_scan <= cursor_end) {
        glyph = 0x1ff;
      }
      for (unsigned dot = 0; dot < dots; ++dot) {
        const unsigned x = column * dots + dot;
        if (x < shift || x - shift >= columns * dots) continue;
        const auto& c = rgb[bit(glyph, 8 - dot) ? fore : back];
        for (unsigned n = 0; n < stretch; ++n) {
          std::copy(c.begin(), c.end(), row + (std::size_t{x - shift} * stretch + n) * 3);
        }
      }
    }
  }
  return picture;
}

}  // namespace xlat
