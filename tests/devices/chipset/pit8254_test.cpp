// The 8254 and port 0x61 through their ports, on virtual time.
#include "devices/chipset/pit8254.h"

#include <catch2/catch.hpp>

#include "devices/chipset/port61.h"
#include "tests/support/run_clock.h"

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
    run_clock(clock, ns);
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

TEST_CASE("PIT status: the mode as written, and the null count until the count is loaded") {
  Rig r;
  const auto status = [&r] {
    r.out(0x43, 0xe8);
    return r.in(0x42);
  };
  u64 tick = 1010;
  const auto pass = [&](u64 ticks) { r.to_tick(tick += ticks); };
  r.out(0x61, 1);
  // Every mode with its aliases, both ways to count; the null count goes with the CLK that loads.
  for (u8 control = 0; control < 0x40; ++control) {
    if (!(control & 0x30)) continue;
    r.out(0x43, 0x80 | control);
    const unsigned mode = control >> 1 & 7;
    INFO("control word " << unsigned{control});
    CHECK((status() & 0x3f) == control);
    CHECK((status() & 0x40) != 0);
    pass(5);
    CHECK((status() & 0x40) != 0);
    r.out(0x42, 0x40);
    if ((control & 0x30) == 0x30) {
      CHECK((status() & 0x40) != 0);
      r.out(0x42, 0x01);
    }
    CHECK((status() & 0x40) != 0);
    pass(2);
    const bool triggered = mode == 1 || mode == 5;
    CHECK((status() & 0x40) == (triggered ? 0x40 : 0));
    if (triggered) {
      r.out(0x61, 0), r.out(0x61, 1);
      CHECK((status() & 0x40) != 0);
      pass(2);
      CHECK((status() & 0x40) == 0);
      // The same count again is a new one.
      r.out(0x42, 0x40);
      if ((control & 0x30) == 0x30) r.out(0x42, 0x01);
      pass(2);
      CHECK((status() & 0x40) != 0);
      r.out(0x61, 0), r.out(0x61, 1);
      pass(2);
      CHECK((status() & 0x40) == 0);
    }
  }
  // Modes 2 and 3 take a new count at the end of the cycle, or of half of it, or when the gate opens.
  for (const u8 control : {0xb4, 0xb6}) {
    r.out(0x43, control), r.out(0x42, 100), r.out(0x42, 0);
    pass(10);
    r.out(0x42, 100), r.out(0x42, 0);
    pass(20);
    CHECK((status() & 0x40) != 0);
    pass(100);
    CHECK((status() & 0x40) == 0);
    r.out(0x61, 0);
    r.out(0x42, 50), r.out(0x42, 0);
    pass(200);
    CHECK((status() & 0x40) != 0);
    r.out(0x61, 1);
    pass(2);
    CHECK((status() & 0x40) == 0);
  }
}

TEST_CASE("PIT latches: the first holds, status comes before the count, one of several counters each") {
  Rig r;
  r.out(0x61, 1);
  r.out(0x43, 0x34), r.out(0x40, 0), r.out(0x40, 0x40);
  r.out(0x43, 0xb0), r.out(0x42, 0), r.out(0x42, 0x80);
  r.to_tick(1102);
  r.out(0x43, 0xca);  // count and status of counters 0 and 2
  r.to_tick(1202);
  r.out(0x43, 0xca);  // held already
  r.out(0x43, 0x80);
  r.out(0x43, 0x00);
  const u32 held2 = 0x8000 - 101, held0 = 0x4000 - 101;
  CHECK(r.in(0x42) == 0x30);
  CHECK(r.in(0x42) == (held2 & 0xff));
  CHECK(r.in(0x40) == 0xb4);
  CHECK(r.in(0x40) == (held0 & 0xff));
  CHECK(r.in(0x42) == held2 >> 8);
  CHECK(r.in(0x40) == held0 >> 8);
  // Free again; a new control word drops what was latched.
  CHECK(r.latched(2) == 0x8000 - 201);
  r.out(0x43, 0xc8);
  r.out(0x43, 0xb0), r.out(0x42, 0x34), r.out(0x42, 0x12);
  r.to_tick(1203);
  CHECK(r.in(0x42) == 0x34);
  CHECK(r.in(0x42) == 0x12);
  // Mode 0 stops at the first byte of a new count and goes on with the second.
  r.to_tick(1213);
  r.out(0x42, 0x00);
  const u32 stopped = r.latched(2);
  r.to_tick(1300);
  CHECK(r.latched(2) == stopped);
  r.out(0x42, 0x20);
  r.to_tick(1301);
  CHECK(r.latched(2) == 0x2000);
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
