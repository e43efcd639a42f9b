// The 8042 with keyboard and mouse through ports 0x60/0x64, and port 0x92.
#include "devices/input/kbc8042.h"

#include <catch2/catch.hpp>

#include "devices/chipset/port92.h"
#include "tests/devices/input/kbc_rig.h"

using namespace xlat;
using test::KbcRig;

TEST_CASE("8042: self tests, command byte, RAM") {
  KbcRig r;
  CHECK(r.in(0x64) == 0x10);
  r.out(0x64, 0xaa);
  CHECK(r.in(0x64) == 0x1d);
  CHECK(r.in(0x60) == 0x55);
  CHECK(r.in(0x64) == 0x1c);
  r.out(0x64, 0xab);
  CHECK(r.in(0x60) == 0);
  r.out(0x64, 0x60), r.out(0x60, 0x45);
  r.out(0x64, 0x20);
  CHECK(r.in(0x60) == 0x45);
  r.out(0x64, 0x62), r.out(0x60, 0x99), r.out(0x64, 0x22);
  CHECK(r.in(0x60) == 0x99);
  r.out(0x64, 0xa7), r.out(0x64, 0xad), r.out(0x64, 0x20);
  CHECK(r.in(0x60) == 0x75);
}

TEST_CASE("8042: A20 and reset") {
  KbcRig r;
  r.out(0x64, 0xdd);
  CHECK_FALSE(r.a20);
  r.out(0x64, 0xd0);
  CHECK((r.in(0x60) & 3) == 1);
  r.out(0x64, 0xd1), r.out(0x60, 0xdf);
  CHECK(r.a20);
  r.out(0x64, 0xff);
  CHECK(r.resets == 0);
  r.out(0x64, 0xfe);
  CHECK(r.resets == 1);
  r.out(0x64, 0xd1), r.out(0x60, 0xde);
  CHECK(r.resets == 2);
}

TEST_CASE("8042: keyboard commands") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x03);
  CHECK(r.keyboard({0xff}) == "fa aa ");
  CHECK(r.keyboard({0xf2}) == "fa ab 83 ");
  CHECK(r.keyboard({0xee}) == "ee ");
  CHECK(r.keyboard({0xed, 0x05}) == "fa fa ");
  CHECK(r.kbc.keyboard().leds() == 5);
  CHECK(r.keyboard({0xf0, 0}) == "fa fa 02 ");
  CHECK(r.keyboard({0xf0, 1}) == "fa fa ");
  CHECK(r.keyboard({0xf0, 0}) == "fa fa 01 ");
  CHECK(r.keyboard({0xf0, 4}) == "fa fe ");
  CHECK(r.keyboard({0x00}) == "fe ");
  CHECK(r.keyboard({0xfe}) == "fe ");
  r.kbc.key(KeyCode::kUp, true);
  r.kbc.key(KeyCode::kUp, false);
  CHECK(r.drain() == "e0 48 e0 c8 ");  // set 1 from the keyboard itself
  CHECK(r.keyboard({0xf5}) == "fa ");
  r.kbc.key(KeyCode::kA, true);
  r.kbc.key(KeyCode::kA, false);
  CHECK(r.drain().empty());
}

TEST_CASE("8042: keys arrive with IRQ1, translated or not") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x41);
  r.kbc.key(*key_by_name("a"), true);
  CHECK_FALSE(r.irq.level[1]);
  r.pass(60000);
  CHECK(r.irq.level[1]);
  CHECK(r.in(0x60) == 0x1e);
  CHECK_FALSE(r.irq.level[1]);
  CHECK(r.in(0x60) == 0x1e);
  r.kbc.key(KeyCode::kA, false);
  CHECK(r.drain() == "9e ");
  r.kbc.key(KeyCode::kDelete, true), r.kbc.key(KeyCode::kDelete, false);
  CHECK(r.drain() == "e0 53 e0 d3 ");
  r.kbc.key(KeyCode::kF7, true), r.kbc.key(KeyCode::kF7, false);
  CHECK(r.drain() == "41 c1 ");
  r.kbc.key(KeyCode::kPause, true), r.kbc.key(KeyCode::kPause, false);
  CHECK(r.drain() == "e1 1d 45 e1 9d c5 ");
  r.kbc.key(KeyCode::kPrint, true), r.kbc.key(KeyCode::kPrint, false);
  CHECK(r.drain() == "e0 2a e0 37 e0 b7 e0 aa ");
  CHECK(r.keyboard({0xf2}) == "fa ab 41 ");
  r.out(0x64, 0x60), r.out(0x60, 0x00);
  r.kbc.key(KeyCode::kA, true), r.kbc.key(KeyCode::kA, false);
  r.pass(60000);
  CHECK_FALSE(r.irq.level[1]);
  CHECK(r.drain() == "1c f0 1c ");
  r.out(0x64, 0xad);
  r.kbc.key(KeyCode::kB, true);
  CHECK(r.drain().empty());
  r.out(0x64, 0xae);
  CHECK(r.drain() == "32 ");
}

TEST_CASE("8042: typematic repeat and overrun") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x41);
  r.keyboard({0xf3, 0x00});  // 250 ms, 30 a second
  r.kbc.key(KeyCode::kX, true);
  r.kbc.key(KeyCode::kX, true);
  CHECK(r.drain() == "2d ");
  r.pass(249000000);
  CHECK((r.in(0x64) & 1) == 0);
  int repeats = 0;
  for (int i = 0; i < 1000; ++i) {
    r.pass(1000000);
    if (r.in(0x64) & 1) ++repeats, r.in(0x60);
  }
  CHECK(repeats >= 29);
  CHECK(repeats <= 31);
  r.kbc.key(KeyCode::kX, false);
  CHECK(r.drain() == "ad ");
  r.pass(2 * kNanosPerSecond);
  CHECK((r.in(0x64) & 1) == 0);
  for (int i = 0; i < 100; ++i) r.kbc.key(KeyCode::kY, i % 2 == 0);
  CHECK(r.drain().find("ff") != std::string::npos);
}

TEST_CASE("8042: mouse reset, wheel knock, packets, remote mode") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x03);
  CHECK(r.mouse({0xff}) == "fa aa 00 ");
  CHECK(r.mouse({0xf2}) == "fa 00 ");
  CHECK(r.mouse({0xe9}) == "fa 00 02 64 ");
  CHECK(r.mouse({0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2}) == "fa fa fa fa fa fa fa 03 ");
  r.kbc.mouse_move(5, 5, 0);
  CHECK(r.drain().empty());
  CHECK(r.mouse({0xf4}) == "fa ");
  r.kbc.mouse_move(3, 2, -1);
  r.pass(60000);
  CHECK(r.irq.level[12]);
  CHECK((r.in(0x64) & 0x21) == 0x21);
  CHECK(r.drain() == "28 03 fe ff ");
  r.kbc.mouse_buttons(1);
  r.pass(20000000);
  CHECK(r.drain() == "09 00 00 00 ");
  r.kbc.mouse_move(-300, 0, 0);
  r.pass(20000000);
  CHECK(r.drain() == "19 01 00 00 ");
  r.pass(20000000);
  CHECK(r.drain() == "19 d3 00 00 ");
  CHECK(r.mouse({0xf0}) == "fa ");
  r.kbc.mouse_move(1, -1, 0);
  r.pass(20000000);
  CHECK(r.drain().empty());
  CHECK(r.mouse({0xeb}) == "fa 09 01 01 00 ");
  CHECK(r.mouse({0xea, 0xe7}) == "fa fa ");
  r.kbc.mouse_move(5, 0, 0);
  r.pass(20000000);
  CHECK(r.drain() == "09 09 00 00 ");
  CHECK(r.mouse({0xee, 0x12, 0xec}) == "fa 12 fa ");
}

TEST_CASE("8042: mouse with five buttons, resend, overflow", "[input]") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x03);
  r.mouse({0xf3, 200, 0xf3, 100, 0xf3, 80});
  CHECK(r.mouse({0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2}) == "fa fa fa fa fa fa fa 04 ");
  r.mouse({0xf4});
  r.kbc.mouse_buttons(0x18);
  CHECK(r.drain() == "08 00 00 30 ");
  r.pass(20'000'000);
  r.kbc.mouse_move(0, 0, -1);
  CHECK(r.drain() == "08 00 00 3f ");
  CHECK(r.mouse({0xfe}) == "08 00 00 3f ");
  CHECK(r.mouse({0xe8, 3, 0xe9}) == "fa fa fa 20 03 50 ");
  CHECK(r.mouse({0xfe}) == "fa 20 03 50 ");
  CHECK(r.mouse({0xe8, 4}) == "fa fe ");
  r.mouse({0xf5, 0xf0});
  r.kbc.mouse_move(0, -(1 << 20) - 1, 0);  // more than it keeps
  CHECK(r.mouse({0xeb}) == "fa 88 00 ff 30 ");
  CHECK(r.mouse({0xeb}) == "fa 08 00 ff 30 ");
}

TEST_CASE("8042: snapshot with bytes on their way") {
  KbcRig r;
  r.out(0x64, 0x60), r.out(0x60, 0x41);
  r.kbc.key(KeyCode::kA, true);
  auto saved = Archive::saver();
  r.kbc.serialize(saved);
  KbcRig other;
  auto loader = Archive::loader(saved.bytes());
  other.kbc.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  CHECK(other.drain() == "1e ");
}

TEST_CASE("key names") {
  for (unsigned i = 0; i < key_count(); ++i) {
    const KeyCode key = static_cast<KeyCode>(i);
    CHECK(key_by_name(key_name(key)) == key);
  }
  CHECK(key_by_name("kp_enter") == KeyCode::kKpEnter);
  CHECK_FALSE(key_by_name("nonsense"));
}

TEST_CASE("port 0x92") {
  PortBus ports;
  Port92 port(ports);
  bool a20 = false;
  int resets = 0;
  port.on_a20([&](bool on) { a20 = on; });
  port.on_reset_request([&] { ++resets; });
  ports.write(0x92, 1, 0xfe);
  CHECK(a20);
  CHECK(ports.read(0x92, 1) == 2);
  ports.write(0x92, 1, 1);
  ports.write(0x92, 1, 1);
  CHECK_FALSE(a20);
  CHECK(resets == 1);
}
