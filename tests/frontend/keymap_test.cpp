// Keyboard layouts and keysyms, and where a picture lies in a window.
#include "frontend/input/keymap.h"

#include <catch2/catch.hpp>

#include "firmware/rom.h"
#include "frontend/display/console_font.h"
#include "frontend/display/viewport.h"
#include "frontend/input/keysym_keys.h"

namespace xlat {

namespace {

// "shift+a", "acute e".
std::string typed(const char* layout, char32_t character) {
  std::string text;
  for (const KeyStroke& stroke : Keymap::find(layout)->type(character)) {
    if (!text.empty()) text += ' ';
    if (stroke.shift) text += "shift+";
    if (stroke.altgr) text += "altgr+";
    text += key_name(stroke.key);
  }
  return text;
}

// "+shift +1 -shift".
std::string done(const std::vector<KeyInput>& keys) {
  std::string text;
  for (const KeyInput& key : keys) {
    text += (text.empty() ? "" : " ") + std::string(key.down ? "+" : "-") + std::string(key_name(key.key));
  }
  return text;
}

}  // namespace

TEST_CASE("characters on keyboard layouts", "[keymap]") {
  CHECK(typed("en-us", U'a') == "a");
  CHECK(typed("en-us", U'A') == "shift+a");
  CHECK(typed("en-us", U'|') == "shift+backslash");
  CHECK(typed("en-us", U'\n') == "ret");
  CHECK(typed("en-us", U'é').empty());
  CHECK(typed("de", U'z') == "y");
  CHECK(typed("de", U'@') == "altgr+q");
  CHECK(typed("de", U'\\') == "altgr+minus");
  CHECK(typed("de", U'<') == "less");
  CHECK(typed("de", U'^') == "grave_accent spc");
  CHECK(typed("de", U'é') == "equal e");
  CHECK(typed("de", U'€') == "altgr+e");
  CHECK(typed("fr", U'1') == "shift+1");
  CHECK(typed("fr", U'^') == "altgr+9");
  CHECK(typed("fr", U'ê') == "bracket_left e");
  CHECK(typed("en-gb", U'#') == "backslash");
  CHECK(typed("it", U'{') == "shift+altgr+bracket_left");
  CHECK(typed("pt-br", U'/') == "ro");
  CHECK(typed("ja", U'|') == "shift+yen");
  CHECK(typed("pl", U'Ł') == "shift+altgr+l");
  CHECK(typed("sv", U'~') == "altgr+bracket_right spc");
  CHECK(Keymap::find("xx") == nullptr);
  for (const std::string_view name : Keymap::names()) {
    INFO(std::string(name));
    const Keymap& map = *Keymap::find(name);
    for (char32_t c = U' '; c < 0x7f; ++c) {
      INFO(static_cast<char>(c));
      CHECK(!map.type(c).empty());  // whatever a shell wants
      const auto keys = map.stroke(c);
      CHECK((keys && keys->keys().size() <= 3));
    }
  }
}

TEST_CASE("keysyms of viewers", "[keymap]") {
  KeysymKeys us(Keymap::us());
  CHECK(done(us.keysym('a', true)) == "+a");
  CHECK(done(us.keysym('a', true)).empty());  // the viewer repeats; the guest does so by itself
  CHECK(done(us.keysym('a', false)) == "-a");
  CHECK(done(us.keysym('!', true)) == "+shift +1 -shift");
  CHECK(done(us.keysym('!', false)) == "-1");
  CHECK(done(us.keysym(0xffe1, true)) == "+shift");
  CHECK(done(us.keysym('1', true)) == "+1");  // as programs type "!"
  CHECK(done(us.keysym('1', false)) == "-1");
  CHECK(done(us.keysym('A', true)) == "+a");
  CHECK(done(us.keysym(0xffe1, false)) == "-shift");
  CHECK(done(us.keysym('a', false)) == "-a");  // went down as "A"
  CHECK(done(us.keysym(0xffe5, true)) == "+caps_lock");
  CHECK(done(us.keysym(0xffe5, false)) == "-caps_lock");
  CHECK(done(us.keysym('B', true)) == "+b");
  CHECK(done(us.keysym('B', false)) == "-b");
  CHECK(done(us.keysym(0xff0d, true)) == "+ret");
  CHECK(done(us.keysym(0xffbe, true)) == "+f1");
  CHECK(done(us.keysym(0xffb7, true)) == "+kp_7");
  CHECK(done(us.number(0xc8, true)) == "+up");
  CHECK(done(us.keysym(0x12345, true)).empty());
  CHECK(done(us.keysym(0xffffffff, true)).empty());
  CHECK(us.release_all().size() == 4);
  CHECK(us.release_all().empty());

  KeysymKeys de(*Keymap::find("de"));
  CHECK(done(de.keysym('@', true)) == "+alt_r +q -alt_r");
  CHECK(done(de.keysym(0xfe03, true)) == "+alt_r");  // ISO_Level3_Shift
  CHECK(done(de.keysym(0x20ac, true)) == "+e");      // EuroSign
  CHECK(done(de.keysym(0x010020ac, false)) == "-e");
  CHECK(done(de.keysym(0xfe52, true)) == "+grave_accent");  // dead_circumflex
  KeysymKeys many(Keymap::us());
  for (u32 keysym = 0; keysym < 0x20000; ++keysym) many.keysym(keysym, true);
  CHECK(many.release_all().size() <= 64);
}

TEST_CASE("where a picture lies in a window", "[window]") {
  Viewport v = Viewport::fit(720, 400, 1500, 1000, Scaling::kInteger);
  CHECK((v.x == 30 && v.y == 100 && v.width == 1440 && v.height == 800));
  CHECK(v.whole_factor(720, 400));
  CHECK(v.contains(30, 100));
  CHECK_FALSE(v.contains(29, 100));
  CHECK(v.across(30, 32767) == 0);
  CHECK(v.across(0, 32767) == 0);
  CHECK(v.across(1469, 32767) == 32767);
  CHECK(v.down(5000, 32767) == 32767);
  v = Viewport::fit(720, 400, 1500, 1000, Scaling::kSmooth);
  CHECK((v.width == 1500 && v.height == 833 && v.x == 0));
  v = Viewport::fit(1024, 768, 500, 700, Scaling::kInteger);  // smaller than the picture
  CHECK((v.width == 500 && v.height == 375));
  v = Viewport::fit(640, 480, 0, 0, Scaling::kSmooth);
  CHECK((v.width == 0 && v.across(5, 100) == 0));
}

TEST_CASE("a console is drawn with the BIOS's letters", "[window]") {
  auto font = ConsoleFont::load(kDefaultVgaBios);
  REQUIRE(font);
  CHECK(font->glyph(U' ')[5] == 0);
  CHECK(font->glyph(U'█')[5] == 0xff);
  CHECK(font->glyph(U'\u4e00')[5] == font->glyph(U'?')[5]);
  CHECK_FALSE(ConsoleFont::load("/dev/null"));
  VtScreen screen(10, 3);
  screen.feed({reinterpret_cast<const u8*>("\x1b[31;44mA"), 9});
  std::vector<u32> pixels(80 * 48, 1);
  draw_console(screen, 0, *font, pixels, 80);
  CHECK(std::count(pixels.begin(), pixels.begin() + 8, 0x0000aa) == 8);  // above the letter
  CHECK(std::count(pixels.begin(), pixels.end(), 0xaa0000) > 10);
  CHECK(std::count(pixels.begin(), pixels.end(), 0xaaaaaa) == 8 * 16);  // the cursor
  CHECK(std::count(pixels.begin(), pixels.end(), 1) == 0);
}

}  // namespace xlat
