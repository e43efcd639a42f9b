// RTC and CMOS through ports 0x70/0x71, on virtual time.
#include "devices/mc146818.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
struct Line : IrqSink {
  bool level = false;
  int rises = 0;
  void set_irq(unsigned, bool on) override {
    if (on && !level) ++rises;
    level = on;
  }
};
constexpr i64 kStart = 1709164799;  // 2024-02-28 23:59:59 UTC, a Wednesday

struct Rig {
  PortBus ports;
  Clock clock;
  Line irq;
  Mc146818 rtc{ports, clock, IrqLine(irq, 8), kStart};
  void set(u8 index, u8 value) { ports.write(0x70, 1, index), ports.write(0x71, 1, value); }
  u32 get(u8 index) {
    ports.write(0x70, 1, index);
    return ports.read(0x71, 1);
  }
  void pass(u64 ns) {
    const u64 end = clock.now() + ns;
    while (clock.next_deadline() <= end) {
      clock.skip_to(clock.next_deadline());
      clock.run_due();
    }
    clock.skip_to(end);
  }
};
}  // namespace

TEST_CASE("RTC shows the time it was given and counts over a leap day") {
  Rig r;
  CHECK(r.get(0) == 0x59);
  CHECK(r.get(4) == 0x23);
  CHECK(r.get(6) == 4);
  CHECK(r.get(7) == 0x28);
  r.pass(kNanosPerSecond);
  CHECK(r.get(0) == 0);
  CHECK(r.get(4) == 0);
  CHECK(r.get(7) == 0x29);
  CHECK(r.get(8) == 2);
  CHECK(r.get(9) == 0x24);
  CHECK(r.get(0x32) == 0x20);
  r.pass(86400 * kNanosPerSecond);
  CHECK(r.get(7) == 1);
  CHECK(r.get(8) == 3);
}

TEST_CASE("RTC binary and 12-hour formats, setting the time") {
  Rig r;
  r.set(0x0b, 0x84);  // SET, binary, 12 hours
  r.set(0, 58), r.set(2, 59), r.set(4, 0x80 | 11), r.set(7, 31), r.set(8, 12), r.set(9, 99), r.set(0x32, 19);
  r.pass(5 * kNanosPerSecond);
  CHECK(r.get(0) == 58);
  r.set(0x0b, 0x04);
  r.pass(kNanosPerSecond);
  CHECK(r.get(0) == 59);
  CHECK(r.get(4) == (0x80 | 11));
  r.pass(kNanosPerSecond);
  CHECK(r.get(4) == 12);  // midnight
  CHECK(r.get(9) == 0);
  CHECK(r.get(0x32) == 20);
}

TEST_CASE("RTC update in progress comes before each second") {
  Rig r;
  CHECK(r.get(0x0a) == 0x26);
  r.pass(kNanosPerSecond - 1000000);
  CHECK(r.get(0x0a) == 0xa6);
  r.pass(1000000);
  CHECK(r.get(0x0a) == 0x26);
  CHECK(r.get(0) == 0);
}

TEST_CASE("RTC periodic, update-ended and alarm interrupts") {
  Rig r;
  r.set(0x0b, 0x42);
  r.pass(976563);
  CHECK(r.irq.level);
  CHECK(r.get(0x0c) == 0xc0);
  CHECK_FALSE(r.irq.level);
  for (int i = 0; i < 1023; ++i) {
    r.pass(976563);
    r.get(0x0c);
  }
  CHECK(r.irq.rises == 1024);
  r.set(0x0b, 0x12);
  r.get(0x0c);
  r.pass(kNanosPerSecond);
  CHECK(r.irq.level);
  CHECK((r.get(0x0c) & 0x90) == 0x90);
  r.set(0x0b, 0x22);
  r.set(5, 0), r.set(3, 1), r.set(1, 0xff);  // every second of 00:01
  r.get(0x0c);
  r.pass(56 * kNanosPerSecond);
  CHECK_FALSE(r.irq.level);
  r.pass(3 * kNanosPerSecond);
  CHECK(r.irq.level);
  CHECK((r.get(0x0c) & 0xa0) == 0xa0);
  CHECK((r.get(0x0c) & 0x20) == 0);
  r.set(1, 0xb3);  // never
  r.pass(3 * 86400 * kNanosPerSecond);
  CHECK_FALSE(r.irq.level);
}

TEST_CASE("RTC CMOS bytes, NMI mask, reset, snapshot") {
  Rig r;
  r.rtc.set_cmos(0x34, 0x12);
  r.rtc.set_cmos(0x0d, 0);
  CHECK(r.get(0x34) == 0x12);
  CHECK(r.get(0x0d) == 0x80);
  r.set(0x7f, 0x55);
  bool masked = false;
  r.rtc.on_nmi_mask([&](bool on) { masked = on; });
  CHECK(r.get(0xff) == 0x55);
  CHECK(masked);
  CHECK(r.ports.read(0x70, 1) == 0xff);
  r.set(0x0b, 0x72);
  r.rtc.reset();
  CHECK(r.get(0x0b) == 0x02);
  CHECK(r.get(0x7f) == 0x55);
  r.pass(10 * kNanosPerSecond);
  auto saved = Archive::saver();
  r.rtc.serialize(saved);
  Rig other;
  other.pass(10 * kNanosPerSecond);
  auto loader = Archive::loader(saved.bytes());
  other.rtc.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  CHECK(other.get(0x34) == 0x12);
  CHECK(other.get(0) == 9);
}
