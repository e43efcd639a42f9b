// The 16550A through its ports, on virtual time; shared interrupt lines.
#include "devices/isa/uart16550.h"

#include <catch2/catch.hpp>

#include "devices/chipset/irq_mixer.h"
#include "tests/support/run_clock.h"

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
  std::string sent;
  Uart16550 uart;
  explicit Rig(UartTiming timing = UartTiming::kBaudRate)
      : uart(
            ports, 0x3f8, clock, IrqLine(irq, 4), [this](u8 c) { sent += static_cast<char>(c); }, timing) {
    uart.reset();
    out(3, 0x83), out(0, 1), out(1, 0), out(3, 3);  // 115200 8N1: 86.8 us a character
    out(4, 0x0b);
  }
  void out(unsigned reg, u8 value) { ports.write(static_cast<u16>(0x3f8 + reg), 1, value); }
  u32 in(unsigned reg) { return ports.read(static_cast<u16>(0x3f8 + reg), 1); }
  void pass(u64 ns) { run_clock(clock, clock.now() + ns); }
};
}  // namespace

TEST_CASE("UART transmits at the baud rate") {
  Rig r;
  CHECK(r.in(5) == 0x60);
  r.out(0, 'a');
  CHECK(r.in(5) == 0x20);  // in the shift register already
  r.out(0, 'b');
  CHECK(r.in(5) == 0x00);
  r.pass(86800);
  CHECK(r.sent.empty());
  r.pass(10);
  CHECK(r.sent == "a");
  CHECK(r.in(5) == 0x20);
  r.pass(86810);
  CHECK(r.sent == "ab");
  CHECK(r.in(5) == 0x60);
}

TEST_CASE("UART THR interrupt and FIFO") {
  Rig r;
  r.out(2, 0xc7);
  CHECK(r.in(2) == 0xc1);
  r.out(1, 2);
  CHECK(r.irq.level);
  CHECK(r.in(2) == 0xc2);
  CHECK_FALSE(r.irq.level);
  for (char c = 'A'; c < 'A' + 17; ++c) r.out(0, static_cast<u8>(c));
  CHECK_FALSE(r.irq.level);
  r.pass(16 * 86810);
  CHECK(r.sent == "ABCDEFGHIJKLMNOP");
  CHECK(r.irq.level);
  r.out(4, 0x03);  // OUT2 off
  CHECK_FALSE(r.irq.level);
}

TEST_CASE("UART receives: without FIFO, trigger level, timeout, overrun, break") {
  Rig r;
  r.out(1, 5);
  CHECK(r.uart.can_receive() == 1);
  r.uart.receive('x');
  CHECK(r.uart.can_receive() == 0);
  CHECK(r.in(2) == 4);
  r.uart.receive('y');
  CHECK(r.in(2) == 6);
  CHECK(r.in(5) == 0x63);
  CHECK(r.in(0) == 'y');
  CHECK_FALSE(r.irq.level);
  r.out(2, 0x81);  // FIFO, trigger 8
  CHECK(r.uart.can_receive() == 16);
  for (int i = 0; i < 7; ++i) r.uart.receive(static_cast<u8>('0' + i));
  CHECK_FALSE(r.irq.level);
  r.pass(4 * 86810);
  CHECK(r.in(2) == 0xcc);
  CHECK(r.in(0) == '0');
  CHECK_FALSE(r.irq.level);
  r.uart.receive('7');
  r.uart.receive('8');
  CHECK(r.in(2) == 0xc4);
  int room = 0;
  r.uart.on_can_receive([&] { ++room; });
  for (int i = 1; i < 9; ++i) CHECK(r.in(0) == static_cast<u32>('0' + i));
  CHECK(room == 8);
  CHECK(r.in(5) == 0x60);
  for (int i = 0; i < 20; ++i) r.uart.receive(1);
  CHECK((r.in(5) & 2) == 2);
  r.out(2, 0x83);
  r.uart.receive_break();
  CHECK(r.in(2) == 0xc6);
  CHECK((r.in(5) & 0x91) == 0x91);
  CHECK(r.in(0) == 0);
}

TEST_CASE("UART loopback, modem status, scratch, divisor") {
  Rig r;
  r.out(4, 0x1f);
  CHECK((r.in(6) & 0xf0) == 0xf0);
  r.out(4, 0x10);
  CHECK(r.in(6) == 0x0f);
  CHECK(r.in(6) == 0);
  r.out(0, 0x5a);
  r.pass(90000);
  CHECK(r.in(0) == 0x5a);
  CHECK(r.sent.empty());
  CHECK(r.uart.can_receive() == 0);
  r.out(4, 0x0b);
  r.in(6);
  r.out(1, 8);
  r.uart.set_modem_lines(Uart16550::kDsr | Uart16550::kDcd);
  CHECK(r.irq.level);
  CHECK(r.in(2) == 0);
  CHECK(r.in(6) == 0xa1);
  CHECK_FALSE(r.irq.level);
  r.out(7, 0x42);
  CHECK(r.in(7) == 0x42);
  r.out(3, 0x80), r.out(0, 0x34), r.out(1, 0x12);
  CHECK(r.in(0) == 0x34);
  CHECK(r.in(1) == 0x12);
}

TEST_CASE("UART without wire time") {
  Rig r(UartTiming::kInstant);
  r.out(1, 2);
  r.in(2);
  r.out(0, 'q');
  CHECK(r.sent == "q");
  CHECK(r.in(5) == 0x60);
  CHECK(r.irq.level);
}

TEST_CASE("UART passes eight bits before and whatever LCR says") {
  for (const auto timing : {UartTiming::kInstant, UartTiming::kBaudRate}) {
    PortBus ports;
    Clock clock;
    std::string sent;
    Uart16550 uart(
        ports, 0x3f8, clock, {}, [&](u8 value) { sent += static_cast<char>(value); }, timing);
    uart.reset();
    CHECK(ports.read(0x3fb, 1) == 0);
    for (unsigned lcr = 0; lcr < 8; ++lcr) {
      if (lcr) ports.write(0x3fb, 1, lcr);
      ports.write(0x3f8, 1, 0xc8);
      while (clock.next_deadline() != Clock::kNever) clock.skip_to(clock.next_deadline()), clock.run_due();
      uart.receive(0xe9);
      CHECK(ports.read(0x3f8, 1) == 0xe9);
      ports.write(0x3fc, 1, 0x10);  // loopback
      ports.write(0x3f8, 1, 0xf7);
      while (clock.next_deadline() != Clock::kNever) clock.skip_to(clock.next_deadline()), clock.run_due();
      CHECK(ports.read(0x3f8, 1) == 0xf7);
      ports.write(0x3fc, 1, 0);
    }
    CHECK(sent == std::string(8, static_cast<char>(0xc8)));
    uart.reset();
    ports.write(0x3fb, 1, 0x80);
    CHECK(ports.read(0x3f8, 2) == 12);
  }
}

TEST_CASE("UART snapshot") {
  Rig r;
  r.out(2, 1);
  r.out(0, 'a'), r.out(0, 'b');
  r.uart.receive('c');
  auto saved = Archive::saver();
  r.uart.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.uart.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  other.pass(200000);
  CHECK(other.sent == "ab");
  CHECK(other.in(0) == 'c');
}

TEST_CASE("shared interrupt lines are ored") {
  struct Pic : IrqSink {
    bool level[16] = {};
    void set_irq(unsigned line, bool on) override { level[line] = on; }
  } pic;
  IrqMixer mixer(pic);
  const IrqLine com1 = mixer.input(4), com3 = mixer.input(4), com2 = mixer.input(3);
  com1.raise(), com3.raise(), com2.raise();
  com1.lower(), com2.lower();
  CHECK((pic.level[4] && !pic.level[3]));
  com3.lower();
  CHECK_FALSE(pic.level[4]);
}
