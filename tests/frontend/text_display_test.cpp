// The pieces of the text display: keys, code page, panning, the terminal in memory.
#include <catch2/catch.hpp>
#include <random>

#include "frontend/display/cp437.h"
#include "frontend/display/terminal_keys.h"
#include "frontend/display/text_view.h"
#include "frontend/display/virtual_console.h"

namespace xlat {

namespace {

std::string keys(const TerminalKey& key) {
  std::string text;
  for (const KeyCode k : guest_keys(key)) text += (text.empty() ? "" : "-") + std::string(key_name(k));
  return text;
}
std::string keys(char32_t c) { return keys(TerminalKey{.character = c}); }

struct Vt {
  VtScreen screen;
  std::string answers;
  explicit Vt(unsigned columns = 20, unsigned rows = 5) : screen(columns, rows) {
    screen.on_answer([this](std::string_view text) { answers += text; });
  }
  Vt& feed(std::string_view text) {
    screen.feed({reinterpret_cast<const u8*>(text.data()), text.size()});
    return *this;
  }
  std::string row(unsigned n, unsigned back = 0) const {
    std::string text;
    for (const ShownCell& c : screen.line(n, back)) text += utf8(c.character);
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }
  std::string all() const {
    std::string text;
    for (unsigned n = 0; n < screen.rows(); ++n) text += row(n) + "|";
    return text;
  }
  std::string cursor() const { return fmt::format("{},{}", screen.cursor_row(), screen.cursor_column()); }
};

}  // namespace

TEST_CASE("terminal keys on the guest's keyboard", "[text]") {
  CHECK(keys(U'a') == "a");
  CHECK(keys(U'A') == "shift-a");
  CHECK(keys(U'5') == "5");
  CHECK(keys(U'%') == "shift-5");
  CHECK(keys(U')') == "shift-0");
  CHECK(keys(U' ') == "spc");
  CHECK(keys(U'\\') == "backslash");
  CHECK(keys(U'|') == "shift-backslash");
  CHECK(keys(U'~') == "shift-grave_accent");
  CHECK(keys(U'"') == "shift-apostrophe");
  CHECK(keys(3) == "ctrl-c");
  CHECK(keys(26) == "ctrl-z");
  CHECK(keys(9) == "tab");
  CHECK(keys(10) == "ctrl-j");
  CHECK(keys(13) == "ret");
  CHECK(keys(27) == "esc");
  CHECK(keys(0) == "ctrl-spc");
  CHECK(keys(0x1e) == "ctrl-shift-6");
  CHECK(keys(0x7f) == "backspace");
  CHECK(keys(U'\u00e4').empty());
  CHECK(keys(U'\u20ac').empty());
  for (char32_t c = 0; c < 0x80; ++c) CHECK_FALSE(keys(c).empty());
  CHECK(keys(TerminalKey{.character = U'x', .alt = true}) == "alt-x");
  CHECK(keys(TerminalKey{.character = U'X', .alt = true}) == "alt-shift-x");
  CHECK(keys(TerminalKey{.character = 9, .shift = true}) == "shift-tab");
  CHECK(keys(TerminalKey{.special = SpecialKey::kUp}) == "up");
  CHECK(keys(TerminalKey{.special = SpecialKey::kPageDown, .ctrl = true}) == "ctrl-pgdn");
  CHECK(keys(TerminalKey{.special = SpecialKey::kDelete, .ctrl = true, .alt = true}) == "ctrl-alt-delete");
  CHECK(keys(*function_key(1)) == "f1");
  CHECK(keys(*function_key(10)) == "f10");
  CHECK(keys(*function_key(12)) == "f12");
  CHECK(keys(*function_key(13)) == "shift-f1");
  CHECK(keys(*function_key(26)) == "ctrl-f2");
  CHECK(keys(*function_key(51)) == "alt-f3");
  CHECK_FALSE(function_key(0));
  CHECK_FALSE(function_key(64));
}

TEST_CASE("terminal keys as bytes", "[text]") {
  CHECK(terminal_bytes({.character = U'a'}) == "a");
  CHECK(terminal_bytes({.character = U'\u20ac'}) == "\xe2\x82\xac");
  CHECK(terminal_bytes({.character = U'f', .alt = true}) ==
        "\x1b"
        "f");
  CHECK(terminal_bytes({.special = SpecialKey::kUp}) == "\x1b[A");
  CHECK(terminal_bytes({.special = SpecialKey::kLeft, .ctrl = true}) == "\x1b[1;5D");
  CHECK(terminal_bytes({.special = SpecialKey::kDelete}) == "\x1b[3~");
  CHECK(terminal_bytes({.special = SpecialKey::kBackspace}) == "\x7f");
  CHECK(terminal_bytes(*function_key(1)) == "\x1bOP");
  CHECK(terminal_bytes(*function_key(17)) == "\x1b[15;2~");
}

TEST_CASE("cells in Unicode and ASCII", "[text]") {
  CHECK(cp437_to_unicode(0) == U' ');
  CHECK(cp437_to_unicode(1) == U'\u263a');
  CHECK(cp437_to_unicode(0x1f) == U'\u25bc');
  CHECK(cp437_to_unicode('A') == U'A');
  CHECK(cp437_to_unicode(0x7f) == U'\u2302');
  CHECK(cp437_to_unicode(0x84) == U'\u00e4');
  CHECK(cp437_to_unicode(0xb3) == U'\u2502');
  CHECK(cp437_to_unicode(0xc4) == U'\u2500');
  CHECK(cp437_to_unicode(0xc9) == U'\u2554');
  CHECK(cp437_to_unicode(0xdb) == U'\u2588');
  CHECK(cp437_to_unicode(0xe1) == U'\u00df');
  CHECK(cp437_to_unicode(0xfe) == U'\u25a0');
  CHECK(cp437_to_unicode(0xff) == U' ');
  CHECK(cp437_to_ascii(0xb3) == '|');
  CHECK(cp437_to_ascii(0xc4) == '-');
  CHECK(cp437_to_ascii(0xda) == '+');
  CHECK(cp437_to_ascii(0x81) == 'u');
  for (unsigned n = 0; n < 256; ++n) {
    const char c = cp437_to_ascii(static_cast<u8>(n));
    CHECK((c >= 0x20 && c < 0x7f));
  }
  const ShownCell bright = shown_cell({0xdb, 0x9e}, false);
  CHECK(bright == ShownCell{U'\u2588', 14, 9, false, false});
  CHECK(shown_cell({'x', 0x9e}, true) == ShownCell{U'x', 14, 1, true, false});

  CHECK(screen_notice({}) == "This machine has no graphics adapter.");
  CHECK(screen_notice({true, {}, 640, 480}) == "640x480 Graphic mode");
  ScreenShot shot{true, {}, 720, 400};
  shot.text.cells.resize(1);
  CHECK(screen_notice(shot).empty());
}

TEST_CASE("panning follows the cursor", "[text]") {
  Pan pan;
  pan.update(80, 100, 5);
  CHECK(pan.margin == 10);
  CHECK(pan.count == 80);
  CHECK(pan.first == 0);
  pan.update(80, 40, 5);
  CHECK((pan.margin == 0 && pan.count == 40 && pan.first == 0));
  pan.update(80, 40, 40);
  CHECK(pan.first == 1);
  pan.update(80, 40, 79);
  CHECK(pan.first == 40);
  pan.update(80, 40, 60);
  CHECK(pan.first == 40);
  pan.update(80, 40, 80);  // no cursor: stays
  CHECK(pan.first == 40);
  pan.update(80, 70, 80);
  CHECK(pan.first == 10);
  pan.update(80, 40, 3);
  CHECK(pan.first == 3);
  pan.update(25, 1, 24);
  CHECK((pan.first == 24 && pan.count == 1));
  pan.update(0, 10, 0);
  CHECK(pan.count == 0);
}

TEST_CASE("terminal in memory: text, wrapping, scrolling, history", "[text]") {
  Vt t(5, 3);
  t.feed("abcdef\r\ngh\tX");
  CHECK(t.all() == "abcde|f|gh  X|");
  CHECK(t.cursor() == "2,4");
  t.feed("Y");
  CHECK(t.all() == "f|gh  X|Y|");
  CHECK(t.row(0, 1) == "abcde");
  CHECK(t.row(1, 1) == "f");
  CHECK(t.screen.history() == 1);
  t.feed("\r\n1\b2\xc3\xa4\xe2\x82\xac\xff");
  CHECK(t.row(2) == "2\u00e4\u20ac\ufffd");
  t.screen.resize(10, 2);
  CHECK(t.all() == "Y|2\u00e4\u20ac\ufffd|");
  CHECK(t.cursor() == "1,4");
  t.screen.resize(3, 4);
  CHECK(t.all() == "Y|2\u00e4\u20ac|||");
}

TEST_CASE("terminal in memory: control functions", "[text]") {
  Vt t;
  t.feed("one\r\ntwo\r\nthree\x1b[2;2HX\x1b[K");
  CHECK(t.all() == "one|tX|three|||");
  t.feed("\x1b[A\x1b[3D\x1b[2C#\x1b[1K!");
  CHECK(t.all() == "   !|tX|three|||");
  t.feed("\x1b[2J\x1b[Hhome\x1b[1;3H\x1b[2@");
  CHECK(t.all() == "ho  me|||||");
  t.feed("\x1b[2P");
  CHECK(t.all() == "home|||||");
  t.feed("\x1b[H1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4;1H\n");
  CHECK(t.all() == "1ome|3|4||5|");
  t.feed("\x1b[2;1H\x1bM");
  CHECK(t.all() == "1ome||3|4|5|");
  t.feed(
      "\x1b[L\x1b[M\x1b[r\x1b"
      "7\x1b[5;5H\x1b[6n\x1b[5n\x1b"
      "8");
  CHECK(t.answers == "\x1b[5;5R\x1b[0n");
  CHECK(t.cursor() == "0,0");
  t.feed("\x1b]0;title\x07\x1b(B\x1b[?25l\x1b[1;33;44mC\x1b[0;7mD");
  CHECK_FALSE(t.screen.cursor_visible());
  CHECK(t.screen.line(0)[0] == ShownCell{U'C', 14, 1, false, false});
  CHECK(t.screen.line(0)[1] == ShownCell{U'D', 0, 7, false, false});
  t.feed(
      "\x1b[38;5;200;91mE\x1b"
      "c");
  CHECK(t.all() == "|||||");
  CHECK(t.screen.cursor_visible());
}

TEST_CASE("terminal in memory: random bytes do no harm", "[text]") {
  std::mt19937 rng(7);
  Vt t;
  constexpr std::string_view kLikely = "\x1b[];0129?HJKLMPSTX@mrABCDEFGd\r\n\b\t";
  for (int n = 0; n < 300'000; ++n) {
    const u8 value = rng() % 3 ? static_cast<u8>(kLikely[rng() % kLikely.size()]) : static_cast<u8>(rng());
    t.screen.feed({&value, 1});
    if (n % 500 == 0) t.screen.resize(1 + rng() % 40, 1 + rng() % 20);
    if (n % 100 == 0) (void)t.screen.line(rng() % 50, rng() % 100);
  }
  CHECK(t.screen.line(0).size() == t.screen.columns());
}

TEST_CASE("virtual console: output, keys, answers", "[text]") {
  VirtualConsole console("serial0");
  std::string typed;
  bool connected = false;
  CharHandlers handlers;
  handlers.input = [&](std::span<const u8> bytes) { typed.append(bytes.begin(), bytes.end()); };
  handlers.connected = [&] { connected = true; };
  REQUIRE(console.start(handlers, -1).ok());
  CHECK(connected);
  const u64 before = console.version();
  console.write_text("hi\x1b[6n");
  CHECK(console.version() != before);
  console.type("x");
  CHECK(typed == "\x1b[1;3Rx");
  console.with_screen([](VtScreen& screen) { CHECK(screen.line(0)[1].character == U'i'); });
  console.stop();
  console.type("y");
  CHECK(typed == "\x1b[1;3Rx");
}

}  // namespace xlat
