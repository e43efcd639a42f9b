// The parallel port through its registers: handshake, interrupt, initialisation, snapshot.
#include "devices/isa/parallel_port.h"

#include <catch2/catch.hpp>
#include <string>

using namespace xlat;

namespace {
struct Line : IrqSink {
  bool level = false;
  void set_irq(unsigned, bool on) override { level = on; }
};
struct Rig {
  PortBus ports;
  Clock clock;
  Line irq;
  std::string printed;
  ParallelPort lpt{ports, 0x378, clock, IrqLine(irq, 7), [this](u8 value) { printed += static_cast<char>(value); }};
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
  void pass() {
    while (clock.next_deadline() != Clock::kNever) clock.skip_to(clock.next_deadline()), clock.run_due();
  }
};
}  // namespace

TEST_CASE("LPT: registers after a reset, and what can be read back") {
  Rig r;
  CHECK(r.in(0x378) == 0xff);
  CHECK(r.in(0x379) == 0xd9);
  CHECK(r.in(0x37a) == 0xcc);
  for (const u8 value : {0x00, 0xaa, 0x55}) {
    r.out(0x378, value);
    CHECK(r.in(0x378) == value);
  }
  r.out(0x37a, 0x2c);
  CHECK(r.in(0x378) == 0xff);
  r.out(0x379, 0);
  CHECK(r.in(0x379) == 0xd9);
  r.out(0x37a, 0x08), r.out(0x37a, 0x0c);
  CHECK(r.in(0x379) == 0xd8);
}

TEST_CASE("LPT: a byte a strobe, busy until it is acknowledged") {
  Rig r;
  r.out(0x378, 'A');
  r.out(0x37a, 0x0d);
  CHECK((r.in(0x379) & 0xc0) == 0x40);
  r.out(0x37a, 0x0d);  // no edge
  CHECK(r.printed == "A");
  r.out(0x37a, 0x0c);
  CHECK((r.in(0x379) & 0xc0) == 0x00);
  r.pass();
  CHECK((r.in(0x379) & 0xc0) == 0xc0);
  CHECK_FALSE(r.irq.level);
  r.out(0x378, 'B');
  r.out(0x37a, 0x1d), r.out(0x37a, 0x1c);
  CHECK_FALSE(r.irq.level);
  r.pass();
  CHECK(r.irq.level);
  r.in(0x379);
  CHECK_FALSE(r.irq.level);
  r.out(0x378, 'C');
  r.out(0x37a, 0x05), r.out(0x37a, 0x04);  // not selected
  r.out(0x37a, 0x09), r.out(0x37a, 0x08);  // in INIT
  r.pass();
  CHECK(r.printed == "AB");
}

TEST_CASE("LPT: reset and snapshot") {
  Rig r, other;
  r.out(0x378, 'A');
  r.out(0x37a, 0x1d), r.out(0x37a, 0x1c);
  Archive saver = Archive::saver();
  r.lpt.serialize(saver);
  Archive loader = Archive::loader(saver.bytes());
  other.lpt.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  other.pass();
  CHECK(other.irq.level);
  CHECK(other.in(0x378) == 'A');
  other.lpt.reset();
  CHECK_FALSE(other.irq.level);
  CHECK(other.in(0x37a) == 0xcc);
}
