// Random port accesses and damaged snapshots: whatever a guest or a file does, the chipset stays sane.
#include <catch2/catch.hpp>
#include <random>

#include "devices/chipset/dma8237.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/irq_mixer.h"
#include "devices/chipset/mc146818.h"
#include "devices/chipset/pic8259.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/chipset/port61.h"
#include "devices/chipset/port92.h"
#include "devices/input/kbc8042.h"
#include "devices/isa/debugcon.h"
#include "devices/isa/isa_debug_exit.h"
#include "devices/isa/uart16550.h"

using namespace xlat;

namespace {
struct Nobody : IrqSink {
  void set_irq(unsigned, bool) override {}
};

struct Card : PciFunction, IoHandler {
  std::vector<u8> vram = std::vector<u8>(65536);
  Card() : PciFunction({.vendor = 0x1234, .device = 0x1111, .class_code = 0x030000, .interrupt_pin = 1}) {
    add_ram_bar(0, 65536, vram.data());
    add_memory_bar(1, 4096, *this);
    add_io_bar(4, 16, *this, kWidthsAll);
    add_rom_bar(std::vector<u8>(5000, 1));
  }
  u32 read(u64 offset, unsigned) override { return static_cast<u32>(offset); }
  void write(u64 offset, unsigned, u32) override { set_intx(offset & 1); }
};

struct Machine {
  PortBus ports;
  AddressSpace memory;
  Clock clock;
  std::vector<u8> ram = std::vector<u8>(0x100000);
  std::vector<u8> bios = std::vector<u8>(0x20000);
  Nobody cpu;
  Pic8259 pic{ports, IrqLine(cpu, 0)};
  IrqMixer irqs{pic};
  PciBus bus{ports, memory};
  ShadowMap shadow{memory, ram.data()};
  I440fx host{shadow};
  Piix3 isa{lines()};
  Piix4Pm pm{ports, clock, irqs.input(9)};
  Card card;
  Pit8254 pit{ports, clock};
  Port61 port61{ports, clock, pit, IrqLine(cpu, 1)};
  Mc146818 rtc{ports, clock, irqs.input(8), 1700000000};
  Dma8237 dma{ports, memory};
  Kbc8042 kbc{ports, clock, irqs.input(1), irqs.input(12)};
  Port92 port92{ports};
  Uart16550 com1{ports, 0x3f8, clock, irqs.input(4), {}};
  Uart16550 com3{ports, 0x3e8, clock, irqs.input(4), {}, UartTiming::kInstant};
  FwCfg fw{ports, memory};
  DebugCon debug{ports, 0xe9, {}};
  IsaDebugExit exit{ports, 0x501, 2, {}};
  std::vector<Device*> all{&pic, &irqs, &bus, &host,   &isa,  &pm,   &pit, &port61,
                           &rtc, &dma,  &kbc, &port92, &com1, &com3, &fw};

  Machine() {
    memory.map_ram(0, ram.size(), ram.data());
    shadow.set_rom(0xe0000, bios);
    pit.connect_output(0, irqs.input(0));
    bus.add(0, 0, host), bus.add(1, 0, isa), bus.add(1, 3, pm), bus.add(2, 0, card);
    isa.connect(bus);
    REQUIRE(fw.add_file("f", std::vector<u8>(100), true).ok());
    for (Device* d : all) d->reset();
  }
  std::array<IrqLine, 16> lines() {
    std::array<IrqLine, 16> out;
    for (unsigned i = 0; i < 16; ++i) out[i] = irqs.input(i);
    return out;
  }

  void torment(std::mt19937& rng, int steps) {
    static constexpr u16 kPorts[] = {0x00,  0x20,  0x40,   0x43,   0x60,  0x64,  0x61,  0x70,  0x71,  0x80,  0x92,
                                     0xa0,  0xb2,  0xc0,   0xd0,   0x3e8, 0x3f8, 0x3fc, 0x4d0, 0x510, 0x511, 0x514,
                                     0x518, 0x600, 0xafe0, 0xb100, 0xcf8, 0xcf9, 0xcfc, 0xcfc, 0xcfc};
    for (int i = 0; i < steps; ++i) {
      const u32 r = static_cast<u32>(rng());
      const unsigned width = 1u << (r & 1 ? 0 : (r >> 1) % 3);
      u16 port = static_cast<u16>(kPorts[(r >> 4) % std::size(kPorts)] + (r >> 10) % 16 * ((r >> 14) & 1));
      if ((r >> 16) % 16 == 0) port = static_cast<u16>(rng());
      u32 value = static_cast<u32>(rng());
      if (port == 0xcf8 && width == 4) value = 0x80000000 | (value & 0x1bfc);  // devices 0-3
      if (r >> 20 & 1) {
        ports.write(port, width, value);
      } else {
        ports.read(port, width);
      }
      switch ((r >> 21) % 16) {
        case 0: clock.skip_to(clock.now() + value % 1000000); break;
        case 1: kbc.key(static_cast<KeyCode>(value & 0x7f), value & 0x80); break;
        case 2:
          kbc.mouse_move(static_cast<int>(value), static_cast<int>(value << 8), static_cast<int>(value << 16));
          break;
        case 3: com1.receive(static_cast<u8>(value)); break;
        case 4: pic.acknowledge(); break;
        case 5: {
          u8 data[300] = {};
          dma.transfer(value % 9, std::span(data).first(value % 300), static_cast<DmaDirection>(value >> 31));
          break;
        }
        case 6: memory.write(value, 4, value); break;
        default: break;
      }
      clock.run_due();
    }
  }
};
}  // namespace

TEST_CASE("the chipset survives random accesses") {
  std::mt19937 rng(1);
  for (int run = 0; run < 4; ++run) {
    Machine m;
    m.torment(rng, 20000);
    for (Device* d : m.all) d->reset();
    m.torment(rng, 1000);
  }
}

TEST_CASE("the chipset survives damaged snapshots") {
  std::mt19937 rng(2);
  Machine m;
  for (int run = 0; run < 150; ++run) {
    m.torment(rng, 50);
    auto saved = Archive::saver();
    for (Device* d : m.all) d->serialize(saved);
    std::vector<u8> bytes = saved.bytes();
    for (int i = 0; i < 4; ++i) bytes[rng() % bytes.size()] = static_cast<u8>(rng());
    for (int i = 0; i < 8; ++i) bytes[rng() % bytes.size()] ^= static_cast<u8>(1 << rng() % 8);
    if (run % 8 == 0) bytes.resize(rng() % bytes.size());
    auto loader = Archive::loader(bytes);
    for (Device* d : m.all) d->serialize(loader);
    m.torment(rng, 200);
    for (Device* d : m.all) d->reset();
  }
}
