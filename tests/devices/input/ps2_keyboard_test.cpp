// The keyboard's scan code sets, key types, special keys, repeat and overrun, through the 8042 without translation.
#include <catch2/catch.hpp>

#include "tests/devices/input/kbc_rig.h"

using namespace xlat;
using test::KbcRig;

namespace {

struct Keyboard : KbcRig {
  explicit Keyboard(u8 set) {
    out(0x64, 0x60), out(0x60, 0x00);
    REQUIRE(keyboard({0xf0, set}) == "fa fa ");
  }
  // Keys go down in order and up in reverse order.
  std::string press(std::initializer_list<const char*> names) {
    std::string all;
    for (const char* name : names) kbc.key(*key_by_name(name), true), all += drain();
    for (auto name = names.end(); name-- != names.begin();) kbc.key(*key_by_name(*name), false), all += drain();
    return all;
  }
};

}  // namespace

TEST_CASE("PS/2 keyboard: every key has codes in sets 1 and 2, and releases them", "[input]") {
  for (const u8 set : {1, 2}) {
    Keyboard k(set);
    for (unsigned n = 0; n < key_count(); ++n) {
      const std::string name(key_name(static_cast<KeyCode>(n)));
      INFO(name << " in set " << unsigned{set});
      const std::string bytes = k.press({name.c_str()});
      CHECK(bytes.size() >= 3);
      CHECK((bytes.size() > 3 || name.starts_with("lang")));
    }
  }
}

TEST_CASE("PS/2 keyboard: Pause, Print Screen and the keys with them", "[input]") {
  Keyboard one(1), two(2), three(3);
  CHECK(one.press({"pause"}) == "e1 1d 45 e1 9d c5 ");
  CHECK(two.press({"pause"}) == "e1 14 77 e1 f0 14 f0 77 ");
  CHECK(three.press({"pause"}) == "62 ");
  CHECK(one.press({"ctrl", "pause"}) == "1d e0 46 e0 c6 9d ");
  CHECK(two.press({"ctrl_r", "pause"}) == "e0 14 e0 7e e0 f0 7e e0 f0 14 ");
  CHECK(one.press({"print"}) == "e0 2a e0 37 e0 b7 e0 aa ");
  CHECK(two.press({"sysrq"}) == "e0 12 e0 7c e0 f0 7c e0 f0 12 ");
  CHECK(one.press({"shift", "print"}) == "2a e0 37 e0 b7 aa ");
  CHECK(two.press({"ctrl", "print"}) == "14 e0 7c e0 f0 7c f0 14 ");
  CHECK(one.press({"alt", "print"}) == "38 54 d4 b8 ");
  CHECK(two.press({"alt_r", "print"}) == "e0 11 84 f0 84 e0 f0 11 ");
  CHECK(three.press({"print"}) == "57 ");
}

TEST_CASE("PS/2 keyboard: media, Japanese, Brazilian and Korean keys", "[input]") {
  Keyboard one(1), two(2);
  CHECK(two.press({"calculator"}) == "e0 2b e0 f0 2b ");
  CHECK(one.press({"ac_home"}) == "e0 32 e0 b2 ");
  CHECK(one.press({"audioplay"}) == "e0 22 e0 a2 ");
  CHECK(two.press({"henkan"}) == "64 f0 64 ");
  CHECK(one.press({"yen"}) == "7d fd ");
  CHECK(one.press({"ro"}) == "73 f3 ");
  CHECK(one.press({"kp_comma"}) == "7e fe ");
  CHECK(one.press({"lang1"}) == "f2 ");
  CHECK(two.press({"lang2"}) == "f1 ");
  CHECK(one.press({"f13"}) == "64 e4 ");
  CHECK(two.press({"f24"}) == "5f f0 5f ");
}

TEST_CASE("PS/2 keyboard: set 3 and what its keys do", "[input]") {
  Keyboard k(3);
  CHECK(k.keyboard({0xf0, 0}) == "fa fa 03 ");
  CHECK(k.press({"a"}) == "1c ");
  CHECK(k.press({"ctrl", "alt", "delete"}) == "11 19 64 f0 19 f0 11 ");
  CHECK(k.press({"ctrl_r"}) == "58 ");
  CHECK(k.press({"kp_divide", "f1", "up"}) == "77 07 63 ");
  k.kbc.key(KeyCode::kF1, true);  // make only
  CHECK(k.drain() == "07 ");
  k.pass(kNanosPerSecond);
  CHECK(k.drain().empty());
  k.kbc.key(KeyCode::kF1, false);
  k.kbc.key(KeyCode::kUp, true);  // repeats
  k.pass(505'000'000);
  CHECK(k.drain() == "63 63 ");
  k.kbc.key(KeyCode::kUp, false);
  CHECK(k.drain().empty());

  CHECK(k.keyboard({0xfa}) == "fa ");  // all repeat, and have a break code
  CHECK(k.press({"f1", "a"}) == "07 1c f0 1c f0 07 ");
  CHECK(k.keyboard({0xfd, 0x1c, 0x32, 0xf4}) == "fa fa fa fa ");  // A and B: make only
  CHECK(k.press({"a"}) == "1c ");
  CHECK(k.press({"b"}) == "32 ");
  CHECK(k.press({"c"}) == "21 f0 21 ");
  CHECK(k.keyboard({0xf8}) == "fa ");
  CHECK(k.press({"a"}) == "1c f0 1c ");
  CHECK(k.keyboard({0xfb, 0x1c}) == "fa fa ");
  k.kbc.key(KeyCode::kB, true);  // further keys of the list may come: nothing is sent meanwhile
  CHECK(k.drain().empty());
  CHECK(k.keyboard({0xee}) == "ee 32 ");
  k.kbc.key(KeyCode::kB, false);
  CHECK(k.drain() == "f0 32 ");
  CHECK(k.press({"a"}) == "1c ");
  CHECK(k.keyboard({0xf9}) == "fa ");
  CHECK(k.press({"shift"}) == "12 ");
  CHECK(k.keyboard({0xf6}) == "fa ");  // back to set 2
  CHECK(k.press({"shift"}) == "12 f0 12 ");
}

TEST_CASE("PS/2 keyboard: the key pressed last repeats", "[input]") {
  Keyboard k(1);
  CHECK(k.keyboard({0xf3, 0x60}) == "fa fa ");  // 1 s, 30 a second
  k.kbc.key(KeyCode::kA, true);
  k.kbc.key(KeyCode::kB, true);
  CHECK(k.drain() == "1e 30 ");
  k.kbc.key(KeyCode::kA, false);  // the other key stops nothing
  CHECK(k.drain() == "9e ");
  k.pass(900'000'000);
  CHECK(k.drain().empty());
  k.pass(101'000'000);
  CHECK(k.drain() == "30 ");
  k.kbc.key(KeyCode::kPause, true);  // never repeats, and ends what did
  CHECK(k.drain() == "e1 1d 45 e1 9d c5 ");
  k.pass(2 * kNanosPerSecond);
  CHECK(k.drain().empty());
}

TEST_CASE("PS/2 keyboard: sixteen bytes of keys, then an overrun", "[input]") {
  Keyboard k(2);
  k.out(0x64, 0xad);
  for (const char* name : {"up", "down", "left", "right"}) k.kbc.key(*key_by_name(name), true);
  for (const char* name : {"up", "down"}) k.kbc.key(*key_by_name(name), false);
  k.kbc.key(KeyCode::kLeft, false);  // three bytes, for which there is no room
  k.kbc.key(KeyCode::kRight, false);
  k.out(0x64, 0xae);
  CHECK(k.drain() == "e0 75 e0 72 e0 6b e0 74 e0 f0 75 e0 f0 72 00 ");
  CHECK(k.press({"a"}) == "1c f0 1c ");
}

TEST_CASE("PS/2 keyboard: resend, and a state that is saved", "[input]") {
  Keyboard k(3);
  CHECK(k.keyboard({0xfd, 0x12}) == "fa fa ");
  CHECK(k.keyboard({0xed, 0x02}) == "fa fa ");
  CHECK(k.press({"b"}) == "32 ");
  CHECK(k.keyboard({0xfe}) == "32 ");
  auto saved = Archive::saver();
  k.kbc.serialize(saved);
  KbcRig other;
  auto loader = Archive::loader(saved.bytes());
  other.kbc.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  other.kbc.key(KeyCode::kShift, true), other.kbc.key(KeyCode::kShift, false);
  CHECK(other.drain() == "12 ");
  CHECK(other.kbc.keyboard().dump().find("Num Lock on, Caps Lock off, Scroll Lock off\nscan code set 3, enabled") == 0);
}
