// i440FX, PIIX3 and PIIX4 power management through configuration space, ports and memory.
#include <catch2/catch.hpp>

#include "devices/chipset/i440fx.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "tests/support/run_clock.h"

using namespace xlat;

namespace {
struct Lines : IrqSink {
  bool level[16] = {};
  void set_irq(unsigned line, bool on) override { level[line] = on; }
};

struct Device5 : PciFunction {
  Device5() : PciFunction({.vendor = 1, .device = 2, .interrupt_pin = 1}) {}
};

struct Rig {
  PortBus ports;
  AddressSpace memory;
  Clock clock;
  std::vector<u8> ram = std::vector<u8>(0x100000, 0x11);
  std::vector<u8> bios = std::vector<u8>(0x20000, 0x99);
  Lines irq;
  PciBus bus{ports, memory};
  ShadowMap shadow{memory, ram.data()};
  I440fx host{shadow};
  Piix3 isa{lines()};
  Piix4Pm pm{ports, clock, IrqLine(irq, 9)};
  Rig() {
    shadow.set_rom(0xe0000, bios);
    bus.add(0, 0, host), bus.add(1, 0, isa), bus.add(1, 3, pm);
    isa.connect(bus);
    host.reset(), isa.reset(), pm.reset();
  }
  std::array<IrqLine, 16> lines() {
    std::array<IrqLine, 16> all;
    for (unsigned i = 0; i < 16; ++i) all[i] = IrqLine(irq, i);
    return all;
  }
  void address(unsigned dev, unsigned fn, unsigned reg) {
    ports.write(0xcf8, 4, 0x80000000 | dev << 11 | fn << 8 | (reg & 0xfc));
  }
  u32 get(unsigned dev, unsigned fn, unsigned reg, unsigned width) {
    address(dev, fn, reg);
    return ports.read(static_cast<u16>(0xcfc + (reg & 3)), width);
  }
  void set(unsigned dev, unsigned fn, unsigned reg, unsigned width, u32 value) {
    address(dev, fn, reg);
    ports.write(static_cast<u16>(0xcfc + (reg & 3)), width, value);
  }
  void pass(u64 ns) { run_clock(clock, clock.now() + ns); }
  void pm_on() { set(1, 3, 0x40, 4, 0x601), set(1, 3, 0x80, 1, 1); }
};
}  // namespace

TEST_CASE("i440FX: identification") {
  Rig r;
  CHECK(r.get(0, 0, 0, 4) == 0x12378086);
  CHECK(r.get(0, 0, 0x2c, 4) == 0x11001af4);
  CHECK(r.get(0, 0, 8, 4) == 0x06000002);
  CHECK(r.get(1, 0, 0, 4) == 0x70008086);
  CHECK(r.get(1, 0, 0x0e, 1) == 0x80);
  CHECK(r.get(1, 3, 0, 4) == 0x71138086);
  CHECK(r.get(1, 1, 0, 4) == 0xffffffff);
}

TEST_CASE("i440FX: PAM shadows the BIOS") {
  Rig r;
  CHECK(r.memory.read(0xf0000, 1) == 0x99);
  CHECK(r.memory.read(0xc0000, 1) == 0xff);
  r.memory.write(0xf0000, 1, 0x22);
  CHECK(r.ram[0xf0000] == 0x11);
  r.set(0, 0, 0x59, 1, 0x20);  // writes to RAM, reads from ROM
  r.memory.write(0xf0000, 1, 0x22);
  CHECK(r.memory.read(0xf0000, 1) == 0x99);
  CHECK(r.ram[0xf0000] == 0x22);
  r.set(0, 0, 0x59, 4, 0x33333333);
  CHECK(r.get(0, 0, 0x59, 1) == 0x30);
  CHECK(r.memory.read(0xf0000, 1) == 0x22);
  r.memory.write(0xc4000, 1, 0x33);
  CHECK(r.memory.read(0xc4000, 1) == 0x33);
  r.set(0, 0, 0x59, 1, 0x10);
  r.memory.write(0xfffff, 1, 0x44);
  CHECK(r.memory.read(0xfffff, 1) == 0x11);
  r.set(0, 0, 0x5a, 1, 0x01);  // C0000 read-only RAM, C4000 bus
  CHECK(r.memory.read(0xc0000, 1) == 0x11);
  CHECK(r.memory.read(0xc4000, 1) == 0xff);
  auto saved = Archive::saver();
  r.host.serialize(saved);
  r.host.reset();
  CHECK(r.memory.read(0xf0000, 1) == 0x99);
  auto loader = Archive::loader(saved.bytes());
  r.host.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK(r.memory.read(0xf0000, 1) == 0x22);
}

TEST_CASE("i440FX: SMRAM opens, locks, and follows SMM") {
  Rig r;
  bool open = false;
  r.host.on_smram([&](bool on) { open = on; });
  CHECK(r.get(0, 0, 0x72, 1) == 0x02);
  r.set(0, 0, 0x72, 1, 0x4a);
  CHECK(open);
  r.set(0, 0, 0x72, 1, 0x5a);
  CHECK(r.get(0, 0, 0x72, 1) == 0x1a);
  CHECK_FALSE(open);
  r.set(0, 0, 0x72, 1, 0x42);
  CHECK(r.get(0, 0, 0x72, 1) == 0x1a);
  r.host.set_smm(true);
  CHECK(open);
  r.host.reset();
  CHECK_FALSE(open);
  r.set(0, 0, 0x72, 1, 0x4a);
  CHECK(open);
}

TEST_CASE("PIIX3: PCI interrupts are routed and shared") {
  Rig r;
  Device5 a, b;
  r.bus.add(5, 0, a), r.bus.add(9, 0, b);  // slots 5 and 9 INTA# are both PIRQA#
  a.set_intx(true);
  for (bool level : r.irq.level) CHECK_FALSE(level);
  CHECK(r.get(1, 0, 0x60, 4) == 0x80808080);
  r.set(1, 0, 0x60, 1, 11);
  CHECK(r.irq.level[11]);
  b.set_intx(true);
  a.set_intx(false);
  CHECK(r.irq.level[11]);
  r.set(1, 0, 0x60, 1, 10);
  CHECK((r.irq.level[10] && !r.irq.level[11]));
  r.set(1, 0, 0x60, 1, 13);  // reserved
  CHECK_FALSE(r.irq.level[10]);
  r.set(1, 0, 0x60, 1, 10);
  b.set_intx(false);
  CHECK_FALSE(r.irq.level[10]);
}

TEST_CASE("PIIX3: reset control register") {
  Rig r;
  int hard = 0, soft = 0;
  r.isa.on_reset_request([&](bool all) { ++(all ? hard : soft); });
  r.ports.write(0xcf9, 1, 2);
  CHECK(r.ports.read(0xcf9, 1) == 2);
  CHECK(hard == 0);
  r.ports.write(0xcf9, 1, 6);
  CHECK(hard == 1);
  r.ports.write(0xcf9, 1, 4);
  CHECK(soft == 1);
  r.ports.write(0xcf8, 4, 0x80000000);
  CHECK(r.ports.read(0xcf8, 4) == 0x80000000);
}

TEST_CASE("PIIX4: power off, power button, ACPI enable") {
  Rig r;
  int off = 0;
  r.pm.on_power_off([&] { ++off; });
  int suspended = 0;
  r.pm.on_suspend([&] { ++suspended; });
  CHECK(r.ports.read(0x604, 2) == 0xffff);
  r.pm_on();
  CHECK(r.pm.pm_base() == 0x600);
  CHECK(r.ports.read(0x604, 2) == 0);
  r.ports.write(0xb2, 1, 0xf1);
  CHECK(r.ports.read(0x604, 2) == 1);
  r.ports.write(0x602, 2, 0x100);
  r.pm.press_power_button();
  CHECK(r.irq.level[9]);
  CHECK(r.ports.read(0x600, 2) == 0x100);
  r.ports.write(0x600, 2, 0x100);
  CHECK_FALSE(r.irq.level[9]);
  // SLP_TYP 1 sleeps, 0 and 2 are off, others are left at once.
  r.ports.write(0x604, 2, 0x0401);
  CHECK(suspended == 0);  // without SLP_EN
  r.ports.write(0x604, 2, 0x2401);
  CHECK((suspended == 1 && off == 0 && r.pm.status() == 0));
  r.pm.reset();
  r.pm.wake(false);
  CHECK(r.pm.status() == 0x8100);
  r.pm.reset();
  r.pm.wake(true);
  CHECK(r.pm.status() == 0x8400);
  r.pm.reset();
  r.pm_on();
  r.ports.write(0x604, 2, 0x2801);
  CHECK((suspended == 1 && off == 1));
  off = 0;
  r.ports.write(0x604, 2, 0x0001);
  r.ports.write(0x604, 2, 0x3001);  // another sleep state
  CHECK(off == 0);
  CHECK((r.ports.read(0x600, 2) & 0x8000) == 0x8000);
  r.ports.write(0x604, 2, 0x2001);
  CHECK(off == 1);
  r.ports.write(0xb2, 1, 0xf0);
  CHECK((r.ports.read(0x604, 2) & 1) == 0);
  CHECK(r.get(1, 3, 0x5b, 1) == 2);
}

TEST_CASE("PIIX4: PM timer counts at 3.579545 MHz and its overflow is an SCI") {
  Rig r;
  r.pm_on();
  r.ports.write(0xb2, 1, 0xf1);
  r.pass(kNanosPerSecond);
  CHECK(r.ports.read(0x608, 4) == 3579545);
  CHECK(r.ports.read(0x600, 2) == 0);
  r.ports.write(0x602, 2, 1);
  r.pass(1343484000);  // bit 23 toggles at 2.34348 s
  CHECK_FALSE(r.irq.level[9]);
  r.pass(10000);
  CHECK(r.irq.level[9]);
  CHECK(r.ports.read(0x600, 2) == 1);
  r.ports.write(0x600, 2, 1);
  CHECK_FALSE(r.irq.level[9]);
  r.pass(3 * kNanosPerSecond);
  CHECK(r.irq.level[9]);
  CHECK((r.ports.read(0x608, 4) >> 24) == 0);
}

TEST_CASE("PIIX4: GPEs, SMBus without devices, snapshot") {
  Rig r;
  r.ports.write(0xb2, 1, 0xf1);
  CHECK(r.ports.read(0xb2, 1) == 0xf1);
  r.ports.write(0xafe2, 2, 0x0002);
  r.pm.raise_gpe(1);
  CHECK(r.irq.level[9]);
  CHECK(r.ports.read(0xafe0, 4) == 0x00020002);
  r.ports.write(0xafe0, 1, 2);
  CHECK_FALSE(r.irq.level[9]);
  r.set(1, 3, 0x90, 4, 0xb101), r.set(1, 3, 0xd2, 1, 9), r.set(1, 3, 4, 2, 1);
  CHECK(r.pm.smbus_base() == 0xb100);
  CHECK(r.ports.read(0xb100, 1) == 0);
  r.ports.write(0xb104, 1, 0xa1), r.ports.write(0xb102, 1, 0x48);
  CHECK(r.ports.read(0xb100, 1) == 4);
  CHECK(r.ports.read(0xb102, 1) == 8);
  r.ports.write(0xb100, 1, 4);
  CHECK(r.ports.read(0xb100, 1) == 0);
  r.pm_on();
  r.ports.write(0x602, 2, 0x101);
  auto saved = Archive::saver();
  r.pm.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.pm.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK(other.ports.read(0x602, 2) == 0x101);
  other.pm.reset();
  CHECK(other.ports.read(0x602, 2) == 0xffff);
}
