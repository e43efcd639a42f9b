// A20 through the keyboard controller and port 92h: who moved it last, resets, snapshots.
#include "devices/chipset/a20_gate.h"

#include <catch2/catch.hpp>

#include "devices/chipset/port92.h"
#include "devices/input/kbc8042.h"

using namespace xlat;

namespace {
struct Rig {
  PortBus ports;
  Clock clock;
  Kbc8042 kbc{ports, clock, {}, {}};
  Port92 port92{ports};
  bool line = false;
  A20Gate gate{[this](bool open) { line = open; }};
  int resets = 0;
  Rig() {
    kbc.on_a20([this](bool on) { gate.set(on); });
    port92.on_a20([this](bool on) { gate.set(on); });
    kbc.on_reset_request([this] { ++resets; });
    port92.on_reset_request([this] { ++resets; });
    reset();
  }
  void reset() { kbc.reset(), port92.reset(), gate.reset(); }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u8 output_port() {
    out(0x64, 0xd0);
    return static_cast<u8>(ports.read(0x60, 1));
  }
};
}  // namespace

TEST_CASE("A20 follows who moved it last") {
  Rig r;
  CHECK(r.line);
  CHECK(r.output_port() == 0xcf);
  CHECK(r.ports.read(0x92, 1) == 0);
  r.out(0x92, 2);
  CHECK(r.line);
  r.out(0x64, 0xdd);
  CHECK_FALSE(r.line);
  CHECK(r.output_port() == 0xcd);
  CHECK(r.ports.read(0x92, 1) == 2);
  r.out(0x64, 0xdf);
  CHECK(r.line);
  r.out(0x92, 0);
  CHECK_FALSE(r.line);
  r.out(0x64, 0xd1), r.out(0x60, 0xcf);
  CHECK(r.line);
  r.out(0x64, 0xd1), r.out(0x60, 0xcd);
  CHECK_FALSE(r.line);
  CHECK(r.resets == 0);
}

TEST_CASE("A20 is open after a reset, and closed by either afterwards") {
  Rig r;
  for (const bool fast : {false, true}) {
    r.out(0x92, 2);
    r.out(0x64, 0xdd);
    r.reset();
    CHECK(r.line);
    CHECK(r.ports.read(0x92, 1) == 0);
    CHECK(r.output_port() == 0xcf);
    if (fast) r.out(0x92, 2), r.out(0x92, 0);
    if (!fast) r.out(0x64, 0xdd);
    CHECK_FALSE(r.line);
    r.reset();
  }
}

TEST_CASE("resets by the output port, its pulses and port 92h") {
  Rig r;
  r.out(0x64, 0xfe);
  CHECK(r.resets == 1);
  for (const u8 pulse : {0xf1, 0xfd, 0xff}) r.out(0x64, pulse);
  CHECK(r.resets == 1);
  CHECK(r.line);
  r.out(0x64, 0xf0);
  CHECK(r.resets == 2);
  r.out(0x64, 0xd1), r.out(0x60, 0xce);
  CHECK(r.resets == 3);
  r.out(0x92, 3);
  CHECK(r.resets == 4);
  r.out(0x92, 3);  // no edge
  CHECK(r.resets == 4);
  r.out(0x92, 2), r.out(0x92, 1);
  CHECK(r.resets == 5);
}

TEST_CASE("A20 in a snapshot") {
  Rig r, other;
  r.out(0x92, 0);
  Archive saver = Archive::saver();
  r.gate.serialize(saver);
  Archive loader = Archive::loader(saver.bytes());
  other.gate.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK_FALSE(other.gate.open());
  CHECK_FALSE(other.line);
}
