// The 8259A pair through its ports and IRQ inputs.
#include "devices/chipset/pic8259.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
struct Cpu : IrqSink {
  bool intr = false;
  void set_irq(unsigned, bool level) override { intr = level; }
};

struct Rig {
  PortBus ports;
  Cpu cpu;
  Pic8259 pic{ports, IrqLine(cpu, 0)};
  Rig(u8 icw4 = 1) {
    out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, icw4);
    out(0xa0, 0x11), out(0xa1, 0x28), out(0xa1, 2), out(0xa1, 1);
  }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u32 in(u16 port) { return ports.read(port, 1); }
  void pulse(unsigned irq) { pic.set_irq(irq, false), pic.set_irq(irq, true); }
};
}  // namespace

TEST_CASE("PIC: fully nested priorities and non-specific EOI") {
  Rig r;
  r.pulse(5);
  r.pulse(3);
  REQUIRE(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x23);
  CHECK_FALSE(r.cpu.intr);  // 5 waits for 3
  r.pulse(1);
  CHECK(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x21);
  r.out(0x20, 0x0b);
  CHECK(r.in(0x20) == 0x0a);
  r.out(0x20, 0x0a);
  CHECK(r.in(0x20) == 0x20);
  r.out(0x20, 0x20);
  CHECK_FALSE(r.cpu.intr);
  r.out(0x20, 0x20);
  CHECK(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x25);
  r.out(0x20, 0x65);
  CHECK_FALSE(r.cpu.intr);  // the line is still high: no new edge
}

TEST_CASE("PIC: masks, and a request withdrawn is spurious") {
  Rig r;
  r.out(0x21, 0x10);
  CHECK(r.in(0x21) == 0x10);
  r.pulse(4);
  CHECK_FALSE(r.cpu.intr);
  r.out(0x21, 0);
  CHECK(r.cpu.intr);
  r.pic.set_irq(4, false);
  CHECK_FALSE(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x27);
  r.out(0x20, 0x0b);
  CHECK(r.in(0x20) == 0);
}

TEST_CASE("PIC: cascade") {
  Rig r;
  r.pulse(12);
  r.pulse(8);
  CHECK(r.pic.acknowledge() == 0x28);
  CHECK_FALSE(r.cpu.intr);
  r.out(0x20, 0x20);
  CHECK_FALSE(r.cpu.intr);
  r.out(0xa0, 0x20);
  CHECK(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x2c);
  r.out(0xa0, 0x20);
  r.out(0x20, 0x20);
  r.out(0xa1, 0x02);
  r.pulse(9);
  CHECK_FALSE(r.cpu.intr);
  r.out(0xa1, 0);
  CHECK(r.cpu.intr);
  r.pic.set_irq(9, false);
  CHECK_FALSE(r.cpu.intr);
}

TEST_CASE("PIC: level inputs by ELCR ask again until they are released") {
  Rig r;
  r.out(0x4d0, 0xff), r.out(0x4d1, 0xff);
  CHECK(r.in(0x4d0) == 0xf8);
  CHECK(r.in(0x4d1) == 0xde);
  r.pic.set_irq(11, true);
  CHECK(r.pic.acknowledge() == 0x2b);
  r.out(0xa0, 0x20), r.out(0x20, 0x20);
  CHECK(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x2b);
  r.pic.set_irq(11, false);
  r.out(0xa0, 0x20), r.out(0x20, 0x20);
  CHECK_FALSE(r.cpu.intr);
}

TEST_CASE("PIC: rotation, automatic EOI, special mask mode, poll") {
  Rig r;
  r.out(0x20, 0xc3);  // IR3 lowest, IR4 highest
  r.pulse(3), r.pulse(4), r.pulse(0);
  CHECK(r.pic.acknowledge() == 0x24);
  r.out(0x20, 0xa0);  // rotate: IR4 lowest
  CHECK(r.pic.acknowledge() == 0x20);
  r.out(0x20, 0x20);
  CHECK(r.pic.acknowledge() == 0x23);

  Rig a(3);
  a.out(0x20, 0x80);
  a.pulse(1), a.pulse(6);
  CHECK(a.pic.acknowledge() == 0x21);
  CHECK(a.cpu.intr);
  a.pulse(1);
  CHECK(a.pic.acknowledge() == 0x26);

  Rig s;
  s.pulse(2 + 1);
  CHECK(s.pic.acknowledge() == 0x23);
  s.pulse(6);
  CHECK_FALSE(s.cpu.intr);
  s.out(0x21, 0x08), s.out(0x20, 0x68);
  CHECK(s.cpu.intr);
  s.out(0x20, 0x20);  // IR3 is masked: not touched
  s.out(0x20, 0x0b);
  CHECK(s.in(0x20) == 8);
  s.out(0x20, 0x0c);
  CHECK(s.in(0x20) == 0x86);
  CHECK_FALSE(s.cpu.intr);
  s.out(0x20, 0x0c);
  CHECK(s.in(0x20) == 0);
}

TEST_CASE("PIC: special fully nested master lets the slave interrupt itself") {
  Rig r(0x11);
  r.pulse(12);
  CHECK(r.pic.acknowledge() == 0x2c);
  r.pulse(8);
  CHECK(r.cpu.intr);
  CHECK(r.pic.acknowledge() == 0x28);
}

TEST_CASE("PIC: dump, snapshot, reset") {
  Rig r;
  r.pulse(5);
  CHECK(r.pic.dump().find("pic0: irr=20 imr=00 isr=00 hprio=0 irq_base=20") == 0);
  auto saved = Archive::saver();
  r.pic.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.pic.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK(other.pic.acknowledge() == 0x25);
  r.pic.reset();
  CHECK_FALSE(r.cpu.intr);
  CHECK(r.in(0x20) == 0);
}
