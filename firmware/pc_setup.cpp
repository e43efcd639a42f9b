// Chipset initialization without firmware.
#include "firmware/pc_setup.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/bits.h"
#include "firmware/e820.h"

namespace xlat {

namespace {

class PciConfig {
 public:
  explicit PciConfig(PortBus& ports) : ports_(ports) {}

  u32 read(unsigned devfn, unsigned offset, unsigned width) {
    select(devfn, offset);
    return ports_.read(static_cast<u16>(0xcfc + (offset & 3)), width);
  }
  void write(unsigned devfn, unsigned offset, unsigned width, u32 value) {
    select(devfn, offset);
    ports_.write(static_cast<u16>(0xcfc + (offset & 3)), width, value);
  }

 private:
  void select(unsigned devfn, unsigned offset) { ports_.write(0xcf8, 4, 0x80000000 | devfn << 8 | (offset & 0xfc)); }
  PortBus& ports_;
};

struct Bar {
  unsigned devfn, offset;
  bool io;
  u32 size;
};

constexpr u8 kPirqIrqs[4] = {10, 10, 11, 11};  // as SeaBIOS routes them

void assign_bars(PciConfig& pci, const std::vector<unsigned>& functions, u64 ram_bytes) {
  std::vector<Bar> bars;
  for (const unsigned devfn : functions) {
    if ((pci.read(devfn, 0x0e, 1) & 0x7f) != 0) continue;  // bridges: none here
    pci.write(devfn, 0x04, 2, pci.read(devfn, 0x04, 2) & ~3u);
    for (unsigned offset = 0x10; offset < 0x28; offset += 4) {
      pci.write(devfn, offset, 4, 0xffffffff);
      const u32 value = pci.read(devfn, offset, 4);
      const bool io = value & 1;
      const u32 mask_bits = value & (io ? ~u32{3} : ~u32{15});
      pci.write(devfn, offset, 4, 0);
      if (value == 0 || mask_bits == 0) continue;
      bars.push_back({devfn, offset, io, mask_bits & (~mask_bits + 1)});
      if (!io && (value & 6) == 4) offset += 4;  // 64-bit: the upper half stays zero
    }
  }
  // The largest first leave no holes.
  std::stable_sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) { return a.size > b.size; });
  u64 io_at = 0xc000, memory_at = std::max<u64>(pci_window_start(ram_bytes), 0xe0000000);
  for (const Bar& bar : bars) {
    u64& at = bar.io ? io_at : memory_at;
    const u64 start = align_up(at, bar.size);
    if (start + bar.size > (bar.io ? 0x10000u : kPciWindowEnd)) continue;  // stays unassigned
    pci.write(bar.devfn, bar.offset, 4, static_cast<u32>(start));
    at = start + bar.size;
    pci.write(bar.devfn, 0x04, 2, pci.read(bar.devfn, 0x04, 2) | (bar.io ? 1 : 2));
  }
}

void set_up_pci(PortBus& ports, u64 ram_bytes) {
  PciConfig pci(ports);
  std::vector<unsigned> functions;
  for (unsigned device = 0; device < 32; ++device) {
    if (pci.read(device * 8, 0, 2) == 0xffff) continue;
    const bool multifunction = pci.read(device * 8, 0x0e, 1) & 0x80;
    for (unsigned f = 0; f < (multifunction ? 8u : 1u); ++f) {
      if (pci.read(device * 8 + f, 0, 2) != 0xffff) functions.push_back(device * 8 + f);
    }
  }
  if (functions.empty()) return;
  assign_bars(pci, functions, ram_bytes);

  for (const unsigned devfn : functions) {
    const u32 id = pci.read(devfn, 0, 4);
    const unsigned pin = pci.read(devfn, 0x3d, 1);
    if (pin >= 1 && pin <= 4) pci.write(devfn, 0x3c, 1, kPirqIrqs[(devfn / 8 + pin - 2) & 3]);
    switch (id) {
      case 0x12378086:  // 440FX: PAM0-6, reads and writes to RAM
        pci.write(devfn, 0x59, 1, 0x30);
        for (unsigned reg = 0x5a; reg <= 0x5f; ++reg) pci.write(devfn, reg, 1, 0x33);
        break;
      case 0x70008086:  // PIIX3: PIRQRCA-D
        for (unsigned i = 0; i < 4; ++i) pci.write(devfn, 0x60 + i, 1, kPirqIrqs[i]);
        break;
      case 0x70108086:  // PIIX3 IDE: decode both channels
        pci.write(devfn, 0x40, 2, 0x8000);
        pci.write(devfn, 0x42, 2, 0x8000);
        pci.write(devfn, 0x04, 2, pci.read(devfn, 0x04, 2) | 1);
        break;
      case 0x71138086:  // PIIX4 power management: PMBASE, PMREGMISC, SMBus base and enable
        pci.write(devfn, 0x40, 4, 0x601);
        pci.write(devfn, 0x80, 1, 1);
        pci.write(devfn, 0x90, 4, 0x701);
        pci.write(devfn, 0xd2, 1, 0x09);
        pci.write(devfn, 0x04, 2, pci.read(devfn, 0x04, 2) | 1);
        pci.write(devfn, 0x3c, 1, 9);  // its interrupt is the SCI
        break;
      default: break;
    }
    // Bus mastering for whoever can; SERR# off.
    pci.write(devfn, 0x04, 2, pci.read(devfn, 0x04, 2) | 4);
  }
  // ELCR: PIRQs are level-triggered.
  u32 levels = 0;
  for (const u8 irq : kPirqIrqs) levels |= 1u << irq;
  ports.write(0x4d0, 1, levels & 0xff);
  ports.write(0x4d1, 1, levels >> 8);
}

}  // namespace

void set_up_chipset(PortBus& ports, u64 ram_bytes) {
  const auto out = [&ports](u16 port, u8 value) { ports.write(port, 1, value); };
  set_up_pci(ports, ram_bytes);

  // 8259A pair: vectors 08h and 70h, cascade on IRQ 2, masks as a BIOS leaves them.
  out(0x20, 0x11);
  out(0xa0, 0x11);
  out(0x21, 0x08);
  out(0xa1, 0x70);
  out(0x21, 0x04);
  out(0xa1, 0x02);
  out(0x21, 0x01);
  out(0xa1, 0x01);
  out(0x21, 0xb8);
  out(0xa1, 0x8f);
  // 8254: counter 0 at 18.2 Hz, counter 1 at the old refresh rate.
  out(0x43, 0x36);
  out(0x40, 0);
  out(0x40, 0);
  out(0x43, 0x54);
  out(0x41, 18);
  // 8237A pair: clear, channel 4 cascades.
  out(0x0d, 0);
  out(0xda, 0);
  out(0xd6, 0xc0);
  out(0xd4, 0);
  // MC146818: 32.768 kHz divider, 1024 Hz rate; 24 hours, BCD, no interrupts.
  out(0x70, 0x0a);
  out(0x71, 0x26);
  out(0x70, 0x0b);
  out(0x71, 0x02);
  out(0x70, 0x0f);
  out(0x71, 0x00);
  out(0x92, 0x02);  // A20 on
}

}  // namespace xlat
