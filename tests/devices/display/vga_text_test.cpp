// Text screens dot by dot: fonts, cursor, blinking, panning, split screen, palettes.
#include <algorithm>
#include <catch2/catch.hpp>

#include "devices/display/vga.h"
#include "tests/support/vga_mode3.h"

using namespace xlat;

namespace {

struct Screen {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  Vga vga{clock, {}};

  Screen() {
    vga.map_ports(ports);
    memory.map_io(0xa0000, 0x20000, vga.legacy_window());
    test::enter_mode3(ports, memory);
    crtc(0x11, 0x0e);  // CR00-CR07 may be written
    crtc(0x0a, 0x20);  // no cursor
    dac(63, 63, 63, 63);
  }
  void out(u16 port, u8 v) { ports.write(port, 1, v); }
  void seq(u8 i, u8 v) { out(0x3c4, i), out(0x3c5, v); }
  void gfx(u8 i, u8 v) { out(0x3ce, i), out(0x3cf, v); }
  void crtc(u8 i, u8 v) { out(0x3d4, i), out(0x3d5, v); }
  void attr(u8 i, u8 v) {
    ports.read(0x3da, 1);
    out(0x3c0, i), out(0x3c0, v);
    out(0x3c0, 0x20);
    ports.read(0x3da, 1);
  }
  void dac(u8 i, u8 r, u8 g, u8 b) {
    out(0x3c8, i);
    for (const u8 v : {r, g, b}) out(0x3c9, v);
  }
  // Rows of the glyph of `character` in the font at `font` (offset in plane 2), all 32 of them.
  void glyph(u8 character, u8 rows, u32 font = 0) {
    seq(2, 4), seq(4, 6), gfx(5, 0), gfx(6, 4);
    for (u32 n = 0; n < 32; ++n) memory.write(0xa0000 + font + character * 32u + n, 1, rows);
    seq(2, 3), seq(4, 2), gfx(5, 0x10), gfx(6, 0x0e);
  }
  void put(unsigned at, u8 character, u8 attribute) {
    memory.write(0xb8000 + 2 * at, 2, u32{attribute} << 8 | character);
  }
  // One row of `count` dots from (x, y): their DAC red and blue as a letter each, see letter().
  std::string dots(unsigned x, unsigned y, unsigned count) {
    picture = vga.render();
    std::string text;
    for (unsigned n = 0; n < count; ++n) text += letter(&picture.rgb[(std::size_t{y} * picture.width + x + n) * 3]);
    return text;
  }
  // The colours of the tests: '.' black, 'w' light grey, 'W' white, 'b' blue, 'r' red, 'R' light red, '?' others.
  static char letter(const u8* p) {
    const u32 rgb = u32{p[0]} << 16 | u32{p[1]} << 8 | p[2];
    switch (rgb) {
      case 0x000000: return '.';
      case 0xaaaaaa: return 'w';
      case 0xffffff: return 'W';
      case 0x0000aa: return 'b';
      case 0xaa0000: return 'r';
      case 0xff5555: return 'R';
      default: return '?';
    }
  }
  void frames(unsigned n) { clock.skip_to(clock.now() + n * u64{14'268'000}); }  // 70.09 Hz

  Picture picture;
};

}  // namespace

TEST_CASE("vga text: nine and eight dots, line graphics") {
  Screen s;
  s.glyph('x', 0x81);
  s.glyph(0xc4, 0xff);
  s.glyph(0xb0, 0xff);
  s.put(0, 'x', 0x07);
  s.put(1, 0xc4, 0x07);
  s.put(2, 0xb0, 0x17);
  CHECK(s.dots(0, 0, 27) == "w......w.wwwwwwwwwwwwwwwwwb");
  CHECK(s.picture.width == 720);
  CHECK(s.picture.height == 400);
  s.attr(0x10, 0x08);  // line graphics off
  CHECK(s.dots(9, 15, 9) == "wwwwwwww.");
  s.seq(1, 1);  // eight dots
  CHECK(s.dots(0, 3, 24) == "w......wwwwwwwwwwwwwwwww");
  CHECK(s.picture.width == 640);
}

TEST_CASE("vga text: 40 columns, 43 and 50 lines, doubled scan lines") {
  Screen s;
  s.glyph('x', 0x81);
  s.seq(1, 8);
  s.crtc(1, 39);
  s.crtc(0x13, 20);
  s.put(40, 'x', 0x07);
  CHECK(s.vga.text_columns() == 40);
  CHECK(s.dots(0, 16, 18) == "ww............ww..");
  CHECK(s.picture.width == 720);

  s.seq(1, 0);
  s.crtc(1, 79);
  s.crtc(0x13, 40);
  s.crtc(9, 0x47);  // eight lines a character
  CHECK(s.vga.text_rows() == 50);
  s.put(80 * 49 + 79, 'x', 0x04);
  CHECK(s.dots(79 * 9, 399, 9) == "r......r.");
  s.crtc(0x12, 0x5d);  // 350 lines: 43 rows and six scan lines
  s.crtc(7, 0x1f);
  CHECK(s.picture.height == 400);
  s.put(80 * 42, 'x', 0x04);
  CHECK(s.dots(0, 343, 9) == "r......r.");
  CHECK(s.picture.height == 350);
  s.crtc(9, 0xc7);
  CHECK(s.vga.text_rows() == 22);
}

TEST_CASE("vga text: two fonts chosen by attribute bit 3") {
  Screen s;
  s.glyph('x', 0xf0);
  s.glyph('x', 0x0f, 0x2000);  // second 8 KiB: map 4
  s.glyph('x', 0x3c, 0xc000);  // map 3
  s.put(0, 'x', 0x04);
  s.put(1, 'x', 0x0c);
  s.seq(3, 0x20);  // map A: 4, B: 0
  CHECK(s.dots(0, 0, 18) == "rrrr.........RRRR.");
  s.seq(3, 0x03);  // A: 0, B: 3
  CHECK(s.dots(0, 0, 18) == "..rrrr...RRRR.....");
  s.attr(0x12, 7);  // bit 3 of the colour masked, as 512-character fonts have it
  CHECK(s.dots(9, 0, 9) == "rrrr.....");
}

TEST_CASE("vga text: blinking or bright background") {
  Screen s;
  s.glyph('x', 0xf0);
  s.put(0, 'x', 0xc7);
  CHECK(s.dots(0, 0, 9) == "wwwwrrrrr");
  s.frames(17);
  CHECK(s.dots(0, 0, 9) == "rrrrrrrrr");
  CHECK(s.vga.text_screen().blink);
  s.attr(0x10, 0x04);
  CHECK(s.dots(0, 0, 9) == "wwwwRRRRR");
  CHECK_FALSE(s.vga.text_screen().blink);
}

TEST_CASE("vga text: cursor shape, skew and place") {
  Screen s;
  s.put(80, ' ', 0x07);
  s.crtc(0x0a, 13);
  s.crtc(0x0b, 14);
  s.crtc(0x0f, 80);
  CHECK(s.dots(0, 16 + 12, 9) == ".........");
  CHECK(s.dots(0, 16 + 13, 10) == "wwwwwwwww.");
  CHECK(s.dots(0, 16 + 14, 9) == "wwwwwwwww");
  CHECK(s.dots(0, 16 + 15, 9) == ".........");
  CHECK(s.vga.text_cursor().visible);
  s.frames(9);  // its dark half
  CHECK(s.dots(0, 16 + 13, 9) == ".........");
  s.frames(8);
  s.crtc(0x0b, 14 | 1 << 5);
  CHECK(s.dots(0, 16 + 13, 19) == ".........wwwwwwwww.");
  CHECK(s.vga.text_cursor().column == 1);
  s.crtc(0x0b, 12);  // ends before it starts
  CHECK_FALSE(s.vga.text_cursor().visible);
  CHECK(s.dots(0, 16 + 13, 9) == ".........");
  s.crtc(0x0b, 31);
  s.crtc(0x0a, 20);  // below the character
  CHECK_FALSE(s.vga.text_cursor().visible);
  s.crtc(0x0a, 0x2d);  // off
  CHECK_FALSE(s.vga.text_cursor().visible);
  CHECK(s.dots(0, 16 + 13, 9) == ".........");
}

TEST_CASE("vga text: underline with monochrome attributes") {
  Screen s;
  s.put(0, ' ', 0x01);
  s.put(1, ' ', 0x07);
  s.crtc(0x14, 13);
  CHECK(s.dots(0, 13, 18) == "..................");
  s.attr(0x10, 0x0e);
  CHECK(s.dots(0, 13, 18) == "bbbbbbbbb.........");
  CHECK(s.dots(0, 12, 9) == ".........");
}

TEST_CASE("vga text: start address, line compare and preset row scan") {
  Screen s;
  s.glyph('a', 0x80);
  s.glyph('b', 0x40);
  s.put(0, 'a', 0x07);    // shown below the split
  s.put(800, 'b', 0x07);  // shown at the top
  s.crtc(0x0c, 800 >> 8);
  s.crtc(0x0d, 800 & 0xff);
  CHECK(s.dots(0, 0, 3) == ".w.");
  s.crtc(0x18, 199);
  s.crtc(7, 0x0f);
  s.crtc(9, 0x0f);
  CHECK(s.dots(0, 199, 3) == "...");
  CHECK(s.dots(0, 200, 3) == "w..");
  CHECK(s.vga.text_rows() == 26);  // 12 rows and a half, 12 and a half below
  CHECK(s.vga.text_cell(0, 0).character == 'b');
  CHECK(s.vga.text_cell(13, 0).character == 'a');
  s.crtc(8, 6);  // the first row begins with its seventh scan line
  CHECK(s.dots(0, 9, 3) == ".w.");
  CHECK(s.dots(0, 10, 3) == "...");
  CHECK(s.dots(0, 200, 3) == "w..");
  CHECK(s.dots(0, 215, 3) == "w..");
}

TEST_CASE("vga text: pel and byte panning") {
  Screen s;
  s.glyph('x', 0x81);
  for (unsigned n = 0; n < 4000; ++n) s.put(n, 'x', 0x07);
  s.put(0, 'x', 0x04);
  s.put(80, 'x', 0x04);
  s.attr(0x13, 8);
  CHECK(s.dots(0, 0, 10) == "r......r.w");
  s.attr(0x13, 0);
  CHECK(s.dots(0, 0, 9) == "......r.w");
  CHECK(s.dots(711, 0, 9) == "......w.r");  // the next character comes in from the right
  s.attr(0x13, 7);
  CHECK(s.dots(0, 0, 9) == ".w......w");
  s.attr(0x13, 8);
  s.crtc(8, 1 << 5);
  CHECK(s.dots(0, 0, 2) == "w.");
  CHECK(s.dots(711, 0, 2) == "r.");
  s.attr(0x13, 0);
  s.crtc(0x18, 15);
  s.crtc(7, 0x0f);
  s.crtc(9, 0x0f);
  CHECK(s.dots(0, 16, 2) == "..");
  s.attr(0x10, 0x2c);  // below the split nothing is panned
  CHECK(s.dots(0, 16, 2) == "r.");
  CHECK(s.dots(0, 15, 2) == "..");
  s.seq(1, 1);
  s.attr(0x13, 3);
  s.crtc(8, 0);
  CHECK(s.dots(0, 0, 6) == "....rw");
}

TEST_CASE("vga text: palette, colour select and DAC mask") {
  Screen s;
  s.glyph('x', 0xff);
  s.put(0, 'x', 0x02);
  s.attr(2, 0x3f);
  CHECK(s.dots(0, 0, 1) == "W");
  s.attr(0x14, 0x04);  // DAC 7Fh
  s.dac(0x7f, 42, 0, 0);
  CHECK(s.dots(0, 0, 1) == "r");
  s.attr(0x10, 0x8c);  // P54S: bits 5-4 from colour select as well
  s.attr(0x14, 0x06);
  s.dac(0x6f, 0, 0, 42);
  CHECK(s.dots(0, 0, 1) == "b");
  s.out(0x3c6, 0x07);
  s.dac(7, 63, 63, 63);
  CHECK(s.dots(0, 0, 1) == "W");
}

TEST_CASE("vga text: the screen at once, blank screens") {
  Screen s;
  s.put(81, 'Q', 0x1e);
  s.crtc(0x0a, 0);
  s.crtc(0x0f, 81);
  auto screen = s.vga.text_screen();
  CHECK(screen.columns == 80);
  CHECK(screen.rows == 25);
  REQUIRE(screen.cells.size() == 2000);
  CHECK(screen.cells[81] == TextScreen::Cell{'Q', 0x1e});
  CHECK(screen.cursor == TextScreen::Cursor{true, 1, 1});
  s.seq(1, 0x20);
  screen = s.vga.text_screen();
  CHECK(screen.cells[81] == TextScreen::Cell{' ', 0});
  CHECK_FALSE(screen.cursor.visible);
  const Picture black = s.vga.render();
  CHECK(black.width == 720);
  CHECK(std::all_of(black.rgb.begin(), black.rgb.end(), [](u8 v) { return v == 0; }));
  s.seq(1, 0);
  s.gfx(6, 5);
  CHECK(s.vga.text_screen().cells.empty());
  CHECK(s.vga.dimensions().width == 640);
}
