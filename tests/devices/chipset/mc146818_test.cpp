// RTC and CMOS through ports 0x70/0x71, on virtual time.
#include "devices/chipset/mc146818.h"

#include <catch2/catch.hpp>

#include "tests/support/run_clock.h"

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
  void pass(u64 ns) { run_clock(clock, clock.now() + ns); }
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

TEST_CASE("RTC alarms: formats, values that match anything, and those that never come") {
  Rig r;
  // Seconds until the flag is set, at most `most`.
  const auto wait = [&r](int most) {
    r.get(0x0c);
    for (int n = 1; n <= most; ++n) {
      r.pass(kNanosPerSecond);
      if (r.get(0x0c) & 0x20) return n;
    }
    return 0;
  };
  const auto start = [&r](u8 b, u8 hours, u8 minutes, u8 seconds) {
    r.set(0x0b, b | 0x80);
    r.set(0, 0), r.set(2, 0), r.set(4, b & 2 ? 0 : (b & 4 ? 12 : 0x12));
    r.set(5, hours), r.set(3, minutes), r.set(1, seconds);
    r.set(0x0b, b);
  };
  start(0x22, 0x00, 0x01, 0x10);  // BCD, 24 hours
  CHECK(wait(200) == 70);
  start(0x26, 0, 1, 10);  // binary
  CHECK(wait(200) == 70);
  start(0x24, 0x81, 0, 0);  // 1 p.m., from midnight
  CHECK(wait(14 * 3600) == 13 * 3600);
  start(0x20, 0x12, 0x00, 0x05);  // BCD, midnight
  CHECK(wait(100) == 5);
  for (const u8 any : {0xc0, 0xff, 0xd5}) {
    start(0x22, any, any, 0x30);
    CHECK(wait(200) == 30);
    CHECK(wait(200) == 60);
    start(0x22, any, any, any);
    CHECK(wait(5) == 1);
    start(0x22, any, 0x02, any);
    CHECK(wait(200) == 120);
    CHECK(wait(200) == 1);
  }
  // SET holds the time and so the alarm.
  start(0x22, 0xff, 0xff, 0xff);
  r.set(0x0b, 0xa2);
  CHECK(wait(5) == 0);
  // Written all the time: what cannot come costs nothing, nor does what is far away.
  for (const u8 never : {0xb3, 0x60, 0x7f, 0x0a}) {
    start(0x22, 0xff, 0xff, never);
    for (int n = 0; n < 100'000; ++n) r.set(static_cast<u8>(n % 2 ? 0x0b : 0x01), n % 2 ? 0x22 : never);
    CHECK(wait(100) == 0);
    start(0x22, never, 0xff, 0x00);
    for (int n = 0; n < 100'000; ++n) r.set(3, static_cast<u8>(0xc0 | n));
    CHECK(wait(100) == 0);
    start(0x22, 0x23, 0x59, 0x59);
    for (int n = 0; n < 100'000; ++n) r.set(1, 0x59);
  }
}

TEST_CASE("RTC: the century has two places, and they are one") {
  Rig r;
  CHECK(r.get(0x37) == 0x20);
  r.set(0x37, 0x19);
  CHECK(r.get(0x32) == 0x19);
  r.set(0x32, 0x21);
  CHECK(r.get(0x37) == 0x21);
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
