// Who gets a key or a motion, and mouse motion made of positions.
#include "devices/input/input_hub.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {

struct Keys final : KeyboardInput {
  bool on = true;
  std::vector<std::pair<KeyCode, bool>> got;
  bool active() const override { return on; }
  void key(KeyCode key, bool down) override { got.emplace_back(key, down); }
};
struct Mouse final : RelativePointer {
  std::vector<std::array<i32, 4>> got;
  bool active() const override { return true; }
  void move(i32 dx, i32 dy, i32 dz, u8 buttons) override { got.push_back({dx, dy, dz, buttons}); }
};
struct Tablet final : AbsolutePointer {
  bool on = false;
  std::vector<std::array<i32, 4>> got;
  bool active() const override { return on; }
  void move(u16 x, u16 y, i32 wheel, u8 buttons) override { got.push_back({x, y, wheel, buttons}); }
};

PointerPosition at(unsigned x, unsigned y) {  // pixels of a 640x480 screen
  const auto scaled = [](unsigned v, unsigned size) { return static_cast<u16>((v * 32767 + size - 2) / (size - 1)); };
  return {scaled(x, 640), scaled(y, 480), 640, 480};
}

}  // namespace

TEST_CASE("keys go to the newest keyboard that listens, releases to all", "[input]") {
  InputHub hub;
  hub.key(KeyCode::kA, true);  // to nobody
  Keys old, usb;
  usb.on = false;
  hub.add(old);
  hub.add(usb);
  hub.key(KeyCode::kA, true);
  CHECK(old.got.size() == 1);
  CHECK(usb.got.empty());
  usb.on = true;
  hub.key(KeyCode::kB, true);
  CHECK(old.got.size() == 1);
  CHECK(usb.got.size() == 1);
  hub.key(KeyCode::kA, false);
  CHECK(old.got.back() == std::pair(KeyCode::kA, false));
  hub.remove(usb);
  hub.key(KeyCode::kC, true);
  CHECK(old.got.back() == std::pair(KeyCode::kC, true));
}

TEST_CASE("positions reach a tablet as they are, a mouse as motion in pixels", "[input]") {
  InputHub hub;
  Mouse mouse;
  Tablet tablet;
  hub.add(mouse);
  hub.add(tablet);
  CHECK_FALSE(hub.absolute());
  hub.point(at(100, 100), 0, 0);  // from where is not known
  CHECK(mouse.got == std::vector<std::array<i32, 4>>{{0, 0, 0, 0}});
  hub.point(at(110, 95), 1, kLeftButton);
  CHECK(mouse.got.back() == std::array<i32, 4>{10, -5, 1, 1});
  for (unsigned x = 0; x < 640; x += 7) hub.point(at(x, 0), 0, 0);
  hub.point(at(639, 479), 0, 0);
  i32 sum_x = 100, sum_y = 100;
  for (const auto& step : mouse.got) sum_x += step[0], sum_y += step[1];
  CHECK(sum_x == 639);
  CHECK(sum_y == 479);

  tablet.on = true;
  hub.note_pointers();
  CHECK(hub.absolute());
  hub.point({40000, 16000, 640, 480}, -1, kSideButton);  // beyond the edge
  CHECK(tablet.got == std::vector<std::array<i32, 4>>{{32767, 16000, -1, 8}});
  hub.move(1, 2, 3, 4);
  CHECK(mouse.got.back() == std::array<i32, 4>{1, 2, 3, 4});
  hub.remove(tablet);
  CHECK_FALSE(hub.absolute());
  hub.point({0, 0, 0, 0}, 0, 0);  // a screen without pixels
}

TEST_CASE("the last position is part of what is saved", "[input]") {
  InputHub one, two;
  Mouse mouse;
  two.add(mouse);
  one.point(at(50, 60), 0, 0);
  Archive out = Archive::saver();
  one.serialize(out);
  Archive in = Archive::loader(out.bytes());
  two.serialize(in);
  CHECK(in.ok());
  two.point(at(55, 60), 0, 0);
  CHECK(mouse.got == std::vector<std::array<i32, 4>>{{5, 0, 0, 0}});
}

TEST_CASE("the user chooses among pointers", "[input]") {
  InputHub hub;
  Keys keys;
  Mouse first, second;
  Tablet tablet;
  hub.add(keys);
  hub.add(first, "first");
  hub.add(second);
  hub.add(tablet);
  const auto list = [&hub] {
    std::string text;
    for (const auto& p : hub.pointers()) {
      text += (p.current ? "*" : " ") + std::to_string(p.number) + p.name + (p.absolute ? "!" : "") + ";";
    }
    return text;
  };
  CHECK(list() == " 2first;*3QEMU HID Mouse;");
  CHECK(hub.is_keyboard(1));
  CHECK_FALSE(hub.is_keyboard(2));
  hub.choose(2);
  hub.move(1, 2, 0, 0);
  CHECK(first.got.size() == 1);
  tablet.on = true;
  hub.note_pointers();
  CHECK(list() == "*2first; 3QEMU HID Mouse; 4QEMU HID Tablet!;");
  CHECK_FALSE(hub.absolute());
  hub.choose(4);
  CHECK(hub.absolute());
  CHECK(list() == " 2first; 3QEMU HID Mouse;*4QEMU HID Tablet!;");
  hub.point(at(10, 20), 0, 0);
  hub.move(0, 0, 0, kLeftButton);  // where it is
  REQUIRE(tablet.got.size() == 2);
  CHECK(tablet.got[1][0] == tablet.got[0][0]);
  CHECK(tablet.got[1][3] == kLeftButton);
  auto saved = Archive::saver();
  hub.serialize(saved);
  InputHub other;
  other.add(keys);
  other.add(first, "first");
  auto loader = Archive::loader(saved.bytes());
  other.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  tablet.on = false;
  hub.note_pointers();
  CHECK(list() == " 2first;*3QEMU HID Mouse;");  // the one chosen is away
}
