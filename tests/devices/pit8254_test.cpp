// The 8254 and port 0x61 through their ports, on virtual time.
#include "devices/pit8254.h"

#include <catch2/catch.hpp>

#include "devices/port61.h"

using namespace xlat;

namespace {
struct Edges : IrqSink {
  int rises = 0;
  bool level = false;
  void set_irq(unsigned, bool on) override {
    if (on && !level) ++rises;
    level = on;
  }
};

struct Rig {
  PortBus ports;
  Clock clock;
  Edges irq0, nmi;
  Pit8254 pit{ports, clock};
  Port61 port61{ports, clock, pit, IrqLine(nmi, 0)};
  Rig() {
    pit.connect_output(0, IrqLine(irq0, 0));
    pit.reset();
    port61.reset();
    to_tick(1000);
  }
  // Runs events up to the first nanosecond of a CLK tick.
  void to_tick(u64 tick) {
    const u64 ns = (tick * 1000000000 + Pit8254::kHz - 1) / Pit8254::kHz;
    while (clock.next_deadline() <= ns) {
      clock.skip_to(clock.next_deadline());
      clock.run_due();
    }
    clock.skip_to(ns);
  }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u32 in(u16 port) { return ports.read(port, 1); }
  u32 latched(unsigned n) {
    out(0x43, static_cast<u8>(n << 6));
    const u32 low = in(static_cast<u16>(0x40 + n));
    return low | in(static_cast<u16>(0x40 + n)) << 8;
  }
};
}  // namespace

TEST_CASE("PIT mode 2 divides and raises IRQ0 once a period") {
  Rig r;
  r.out(0x43, 0x34), r.out(0x40, 100), r.out(0x40, 0);
  const int before = r.irq0.rises;
  r.to_tick(1001);
  CHECK(r.latched(0) == 100);
  r.to_tick(1001 + 99);
  CHECK(r.latched(0) == 1);
  CHECK_FALSE(r.pit.output(0));
  CHECK(r.irq0.rises == before);
  r.to_tick(1001 + 100);
  CHECK(r.latched(0) == 100);
  CHECK(r.irq0.rises == before + 1);
  r.to_tick(1001 + 1050);
  CHECK(r.irq0.rises == before + 10);
  r.out(0x40, 50), r.out(0x40, 0);  // from the next period on
  CHECK(r.latched(0) == 50);        // half of the old period is left
  r.to_tick(1001 + 1120);
  CHECK(r.latched(0) == 30);
  CHECK(r.irq0.rises == before + 11);
  r.to_tick(1001 + 1200);
  CHECK(r.irq0.rises == before + 13);
}

TEST_CASE("PIT mode 0 counts down once") {
  Rig r;
  r.out(0x43, 0x30);
  CHECK_FALSE(r.irq0.level);
  r.out(0x40, 10), r.out(0x40, 0);
  r.to_tick(1010);
  CHECK_FALSE(r.irq0.level);
  r.to_tick(1011);
  CHECK(r.irq0.level);
  r.to_tick(1012);
  CHECK(r.latched(0) == 0xffff);
  CHECK(r.clock.next_deadline() == Clock::kNever);
  r.out(0x40, 20);
  CHECK_FALSE(r.pit.output(0));
}

TEST_CASE("PIT mode 3 is a square wave, odd counts included") {
  Rig r;
  r.out(0x43, 0x36), r.out(0x40, 5), r.out(0x40, 0);
  const bool expected[] = {true, true, true, false, false, true, true, true, false, false};
  for (u64 i = 0; i < 10; ++i) {
    r.to_tick(1001 + i);
    CHECK(r.pit.output(0) == expected[i]);
    CHECK(r.irq0.level == expected[i]);
  }
  r.to_tick(1011);
  CHECK(r.latched(0) == 4);
  r.to_tick(1012);
  CHECK(r.latched(0) == 2);
  r.out(0x40, 8), r.out(0x40, 0);  // the high half goes on to 1014, then four low
  const bool after[] = {true, false, false, false, false, true, true, true, true, false};
  for (u64 i = 0; i < 10; ++i) {
    r.to_tick(1013 + i);
    CHECK(r.pit.output(0) == after[i]);
  }
}

TEST_CASE("PIT mode 1 and 5 wait for the gate, mode 4 for the count") {
  Rig r;
  r.out(0x43, 0xb2), r.out(0x42, 4), r.out(0x42, 0);
  CHECK(r.pit.output(2));
  r.out(0x61, 1);
  r.to_tick(1001);
  CHECK_FALSE(r.pit.output(2));
  r.to_tick(1004);
  CHECK((r.in(0x61) & 0x20) == 0);
  r.to_tick(1005);
  CHECK((r.in(0x61) & 0x20) == 0x20);
  r.out(0x61, 0);
  r.out(0x43, 0xba), r.out(0x42, 4), r.out(0x42, 0);
  r.out(0x61, 1);
  r.to_tick(1010);
  CHECK_FALSE(r.pit.output(2));
  r.to_tick(1011);
  CHECK(r.pit.output(2));
  r.out(0x43, 0x38), r.out(0x40, 3), r.out(0x40, 0);
  r.to_tick(1015);
  CHECK_FALSE(r.pit.output(0));
  const int rises = r.irq0.rises;
  r.to_tick(1016);
  CHECK(r.pit.output(0));
  CHECK(r.irq0.level);
  CHECK(r.irq0.rises == rises + 1);
}

TEST_CASE("PIT gate stops counter 2, BCD, read-back and byte order") {
  Rig r;
  r.out(0x61, 1);
  r.out(0x43, 0xb1), r.out(0x42, 0x00), r.out(0x42, 0x10);
  r.to_tick(1002);
  CHECK(r.latched(2) == 0x999);
  r.out(0x61, 0);
  r.to_tick(2000);
  CHECK(r.latched(2) == 0x999);
  r.out(0x61, 1);
  r.to_tick(2010);
  r.out(0x43, 0xc8);  // count and status of counter 2
  CHECK(r.in(0x42) == 0x31);
  r.to_tick(2100);
  CHECK(r.in(0x42) == 0x89);
  CHECK(r.in(0x42) == 0x09);
  r.out(0x43, 0x94), r.out(0x42, 9);
  r.out(0x43, 0xe8);
  CHECK(r.in(0x42) == 0xd4);  // OUT high, null count, low byte only, mode 2
  r.to_tick(2101);
  CHECK(r.in(0x42) == 9);
  CHECK(r.in(0x42) == 9);
  CHECK(r.in(0x43) == 0xff);
}

TEST_CASE("PIT survives illegal counts and a long sleep") {
  Rig r;
  for (u8 mode = 0; mode < 8; ++mode) {
    r.out(0x43, static_cast<u8>(0x30 | mode << 1));
    r.out(0x40, 1), r.out(0x40, 0);
    r.to_tick(5000 + mode * 100u);
  }
  r.out(0x43, 0x35), r.out(0x40, 0xff), r.out(0x40, 0xff);
  r.in(0x40);
  r.out(0x43, 0x34), r.out(0x40, 2), r.out(0x40, 0);
  const int before = r.irq0.rises;
  r.clock.skip_to(r.clock.now() + 3600 * kNanosPerSecond);
  r.clock.run_due();
  CHECK(r.irq0.rises == before + 1);
}

TEST_CASE("port 0x61: refresh toggle, speaker, NMI latches") {
  Rig r;
  const u32 a = r.in(0x61);
  r.clock.skip_to(r.clock.now() + 15085);
  CHECK(((a ^ r.in(0x61)) & 0x10) == 0x10);
  r.out(0x61, 3);
  CHECK((r.in(0x61) & 0x0f) == 3);
  r.port61.io_channel_check();
  CHECK(r.nmi.level);
  CHECK((r.in(0x61) & 0x40) == 0x40);
  r.port61.set_nmi_masked(true);
  CHECK_FALSE(r.nmi.level);
  r.port61.set_nmi_masked(false);
  r.out(0x61, 8);
  CHECK_FALSE(r.nmi.level);
  CHECK((r.in(0x61) & 0x40) == 0);
}

TEST_CASE("PIT snapshot goes on where it was") {
  Rig r;
  r.out(0x43, 0x34), r.out(0x40, 100), r.out(0x40, 0);
  r.to_tick(1050);
  auto saved = Archive::saver();
  r.pit.serialize(saved);
  Rig other;
  other.to_tick(1050);
  auto loader = Archive::loader(saved.bytes());
  other.pit.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  CHECK(other.latched(0) == r.latched(0));
  const int before = other.irq0.rises;
  other.to_tick(1101);
  CHECK(other.irq0.rises == before + 1);
}
