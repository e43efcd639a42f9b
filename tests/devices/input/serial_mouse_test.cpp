// The serial mouse on the line of a 16550A: power by DTR and RTS, its identity, packets in the time of 1200 baud.
#include "devices/input/serial_mouse.h"

#include <catch2/catch.hpp>

#include "devices/isa/uart16550.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {

struct NoLine : IrqSink {
  void set_irq(unsigned, bool) override {}
};

struct Rig {
  PortBus ports;
  Clock clock;
  NoLine irq;
  InputHub hub;
  CharChannel line{"m", nullptr};
  SerialMouse mouse{clock, line, hub};
  Uart16550 uart{ports, 0x3f8, clock, IrqLine(irq, 4), nullptr, UartTiming::kInstant};

  Rig() {
    line.attach(uart);
    uart.on_can_receive([this] { line.feed(); });
    uart.on_modem_control([this] { line.modem_control(uart.modem_control() & 1, uart.modem_control() & 2); });
    uart.reset();
  }
  void power(bool on) { ports.write(0x3fc, 1, on ? 3 : 0); }
  std::vector<u8> pass(unsigned bytes) {
    std::vector<u8> got;
    for (unsigned n = 0; n < bytes; ++n) {
      run_clock(clock, clock.now() + SerialMouse::kByteNs);
      if (ports.read(0x3fd, 1) & 1) got.push_back(static_cast<u8>(ports.read(0x3f8, 1)));
    }
    return got;
  }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST_CASE("serial mouse: says M when it gets power, then who it is", "[input]") {
  Rig r;
  r.hub.move(5, 5, 0, 0);
  CHECK(r.pass(5).empty());
  CHECK_FALSE(r.mouse.active());
  r.power(true);
  CHECK(r.mouse.active());
  const Bytes all = r.pass(60);
  REQUIRE(all.size() > 20);
  CHECK(all[0] == 'M');
  CHECK(all[1] == '3');
  CHECK(all[2] == 0x08);
  CHECK(all.back() == 0x09);
  u8 sum = 0;
  for (std::size_t n = 2; n < all.size(); ++n)
    sum = static_cast<u8>(sum + (n + 3 == all.size() || n + 2 == all.size() ? 0 : all[n]));
  const auto digit = [](u8 b) { return static_cast<unsigned>(b + 0x20 <= '9' ? b + 0x20 - '0' : b + 0x20 - 'A' + 10); };
  CHECK(digit(all[all.size() - 3]) * 16 + digit(all[all.size() - 2]) == sum);
  r.power(false);
  r.power(true);
  CHECK(r.pass(1) == Bytes{'M'});
}

TEST_CASE("serial mouse: packets of three bytes, four for the middle button", "[input]") {
  Rig r;
  r.power(true);
  r.pass(60);
  r.hub.move(5, -3, 0, 0);
  CHECK(r.pass(4) == Bytes{0x4c, 0x05, 0x3d});
  r.hub.move(0, 0, 0, kLeftButton);
  CHECK(r.pass(4) == Bytes{0x60, 0, 0});
  r.hub.move(0, 0, 0, kRightButton);
  CHECK(r.pass(4) == Bytes{0x50, 0, 0});
  r.hub.move(0, 0, 1, kMiddleButton);
  CHECK(r.pass(5) == Bytes{0x40, 0, 0, 0x20});
  r.hub.move(0, 0, 0, 0);
  CHECK(r.pass(5) == Bytes{0x40, 0, 0, 0});
  r.hub.move(300, 0, 0, 0);  // 127, 127, 46
  CHECK(r.pass(10) == Bytes{0x41, 0x3f, 0, 0x41, 0x3f, 0, 0x40, 0x2e, 0});
  r.hub.move(1, 0, 0, 0);
  r.hub.move(1, 0, 0, 0);  // while the packet is on its way
  r.hub.move(1, 0, 0, 0);
  CHECK(r.pass(7) == Bytes{0x40, 1, 0, 0x40, 2, 0});
}

TEST_CASE("serial mouse: nobody reads, and a state that is saved", "[input]") {
  Rig r;
  r.power(true);
  for (int n = 0; n < 10'000; ++n) {
    r.hub.move(1, 1, 0, 0);
    r.clock.skip_to(r.clock.now() + SerialMouse::kByteNs);
    r.clock.run_due();
  }
  CHECK(r.line.waiting() < 100);
  auto saved = Archive::saver();
  r.mouse.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.mouse.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK(other.mouse.active());
}
