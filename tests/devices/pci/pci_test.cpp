// PCI through ports 0xCF8/0xCFC: mechanism 1, BAR sizing and mapping, interrupt wiring.
#include "devices/pci/pci.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
struct Registers : IoHandler {
  u32 last = 0;
  u32 read(u64 offset, unsigned) override { return 0x40 + static_cast<u32>(offset); }
  void write(u64, unsigned, u32 value) override { last = value; }
};

struct Card : PciFunction {
  Registers regs;
  std::vector<u8> vram = std::vector<u8>(8192, 0x5a);
  int moved = 0;
  Card() : PciFunction({.vendor = 0x1234, .device = 0x5678, .class_code = 0x030000, .interrupt_pin = 1}) {
    add_io_bar(0, 16, regs);
    add_memory_bar(1, 4096, regs);
    add_ram_bar(2, 8192, vram.data());
    add_rom_bar({0x55, 0xaa, 1});
    define8(0x40, 0x12, 0x0f);
    define8(0x41, 0xff);
    write_one_clears(0x41, 0x81);
  }
  void bar_changed(unsigned, std::optional<u32>) override { ++moved; }
  using PciFunction::reset_config;
  using PciFunction::serialize_config;
};

struct Lines : IrqSink {
  bool level[4] = {};
  void set_irq(unsigned line, bool on) override { level[line] = on; }
};

struct Rig {
  PortBus ports;
  AddressSpace memory;
  Card card;
  PciBus bus{ports, memory};
  Rig() { bus.add(3, 0, card); }
  void address(unsigned reg) { ports.write(0xcf8, 4, 0x80000000 | 3 << 11 | (reg & 0xfc)); }
  u32 get(unsigned reg, unsigned width) {
    address(reg);
    return ports.read(static_cast<u16>(0xcfc + (reg & 3)), width);
  }
  void set(unsigned reg, unsigned width, u32 value) {
    address(reg);
    ports.write(static_cast<u16>(0xcfc + (reg & 3)), width, value);
  }
};
}  // namespace

TEST_CASE("PCI configuration mechanism 1") {
  Rig r;
  CHECK(r.get(0, 4) == 0x56781234);
  CHECK(r.get(2, 2) == 0x5678);
  CHECK(r.get(1, 1) == 0x12);
  CHECK(r.get(0x0a, 2) == 0x0300);
  r.ports.write(0xcf8, 1, 0xff);  // only double words latch
  r.ports.write(0xcf8, 2, 0xffff);
  CHECK(r.ports.read(0xcf8, 4) == 0x80001808);
  r.ports.write(0xcf8, 4, 0x00001800);  // not enabled
  CHECK(r.ports.read(0xcfc, 4) == 0xffffffff);
  r.ports.write(0xcf8, 4, 0x80011800);  // bus 1
  CHECK(r.ports.read(0xcfc, 4) == 0xffffffff);
  r.ports.write(0xcf8, 4, 0x80002000);  // empty slot
  CHECK(r.ports.read(0xcfc, 2) == 0xffff);
  r.ports.write(0xcfc, 4, 0);
  Registers cf9;
  r.bus.connect_reset_control(cf9);
  r.ports.write(0xcf9, 1, 6);
  CHECK(cf9.last == 6);
}

TEST_CASE("PCI registers keep read-only bits and clear status by writing ones") {
  Rig r;
  r.set(0x40, 2, 0x01ff);
  CHECK(r.get(0x40, 2) == 0xfe1f);
  r.set(0, 4, 0);
  CHECK(r.get(0, 4) == 0x56781234);
  r.card.reset_config();
  CHECK(r.get(0x40, 2) == 0xff12);
}

TEST_CASE("PCI BARs are sized, mapped and moved") {
  Rig r;
  for (unsigned bar = 0; bar < 4; ++bar) r.set(0x10 + 4 * bar, 4, 0xffffffff);
  r.set(0x30, 4, 0xffffffff);
  CHECK(r.get(0x10, 4) == 0xfffffff1);
  CHECK(r.get(0x14, 4) == 0xfffff000);
  CHECK(r.get(0x18, 4) == 0xffffe008);
  CHECK(r.get(0x1c, 4) == 0);
  CHECK(r.get(0x30, 4) == 0xfffff001);
  r.set(0x10, 4, 0xc000);
  r.set(0x14, 4, 0xe0000000);
  r.set(0x18, 4, 0xe0002000);
  r.set(0x30, 4, 0xe0004001);
  CHECK(r.ports.read(0xc001, 1) == 0xff);
  CHECK(r.memory.read(0xe0002000, 1) == 0xff);
  r.set(4, 2, 7);
  CHECK(r.ports.read(0xc001, 1) == 0x41);
  CHECK(r.memory.read(0xe0000008, 4) == 0x48);
  CHECK(r.memory.read(0xe0002000, 1) == 0x5a);
  CHECK(r.memory.read(0xe0004000, 4) == 0xff01aa55);
  r.memory.write(0xe0004000, 1, 0);
  r.memory.write(0xe0003fff, 1, 0x77);
  CHECK(r.card.vram[8191] == 0x77);
  CHECK(r.memory.read(0xe0004000, 1) == 0x55);
  CHECK(r.card.moved == 4);
  r.set(0x18, 4, 0xe0006000);
  CHECK(r.memory.read(0xe0002000, 1) == 0xff);
  CHECK(r.memory.read(0xe0007fff, 1) == 0x77);
  CHECK(r.card.bar_address(2) == 0xe0006000);
  auto saved = Archive::saver();
  r.card.serialize_config(saved);
  r.card.reset_config();
  CHECK(r.ports.read(0xc001, 1) == 0xff);
  CHECK(r.memory.read(0xe0000008, 4) == 0xffffffff);
  auto loader = Archive::loader(saved.bytes());
  r.card.serialize_config(loader);
  CHECK(loader.ok());
  CHECK(r.ports.read(0xc001, 1) == 0x41);
  CHECK(r.memory.read(0xe0007fff, 1) == 0x77);
}

TEST_CASE("PCI memory BARs do not hide RAM, and what they hid comes back") {
  Rig r;
  std::vector<u8> ram(4096, 0x11);
  r.memory.map_ram(0x1000, 4096, ram.data());
  Card other;
  r.bus.add(4, 0, other);
  r.set(4, 2, 3);
  r.set(0x18, 4, 0x2000);
  r.set(0x14, 4, 0x1000);
  CHECK(r.memory.read(0x1000, 1) == 0x11);
  CHECK(r.memory.read(0x2000, 1) == 0x5a);
  other.config_write(4, 2, 2);
  other.vram[0] = 0x99;
  other.config_write(0x18, 4, 0x2000);
  CHECK(r.memory.read(0x2000, 1) == 0x5a);
  r.set(0x18, 4, 0x8000);
  CHECK(r.memory.read(0x2000, 1) == 0x99);
  CHECK(r.memory.read(0x1000, 1) == 0x11);
  r.set(0x14, 4, 0xfffff000);
  CHECK(r.memory.read(0x1000, 1) == 0x11);
  r.bus.remove(other);
}

TEST_CASE("PCI interrupt pins are swizzled over the slots and can be disabled") {
  Rig r;
  Lines lines;
  for (unsigned i = 0; i < 4; ++i) r.bus.connect_pirq(i, IrqLine(lines, i));
  r.card.set_intx(true);  // slot 3 INTA# -> PIRQC#
  CHECK((!lines.level[0] && !lines.level[1] && lines.level[2] && !lines.level[3]));
  CHECK((r.get(6, 2) & 8) == 8);
  r.set(4, 2, 0x400);
  CHECK_FALSE(lines.level[2]);
  r.set(4, 2, 0);
  CHECK(lines.level[2]);
  r.card.set_intx(false);
  CHECK_FALSE(lines.level[2]);
}
