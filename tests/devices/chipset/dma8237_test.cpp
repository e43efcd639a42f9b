// The 8237A pair through its ports: programming, transfers, terminal count.
#include "devices/chipset/dma8237.h"

#include <catch2/catch.hpp>
#include <numeric>

using namespace xlat;

namespace {
struct Rig {
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(0x40000);
  Dma8237 dma{ports, memory};
  Rig() { memory.map_ram(0, ram.size(), ram.data()); }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u32 in(u16 port) { return ports.read(port, 1); }
  void program(u8 mode, u8 page, u16 address, u16 count) {  // channel 2
    out(0x0a, 6), out(0x0c, 0), out(0x0b, mode | 2), out(0x81, page);
    out(4, static_cast<u8>(address)), out(4, static_cast<u8>(address >> 8));
    out(5, static_cast<u8>(count)), out(5, static_cast<u8>(count >> 8));
    out(0x0a, 2);
  }
};
}  // namespace

TEST_CASE("DMA moves bytes to memory up to the terminal count") {
  Rig r;
  r.program(0x44, 1, 0x1000, 9);
  std::vector<u8> data(16);
  std::iota(data.begin(), data.end(), u8{1});
  CHECK(r.dma.ready(2));
  DmaResult d = r.dma.transfer(2, std::span(data).first(4), DmaDirection::kToMemory);
  CHECK((d.bytes == 4 && !d.terminal_count));
  r.out(0x0c, 0);
  CHECK(r.in(4) == 4);
  CHECK(r.in(4) == 0x10);
  CHECK(r.in(5) == 5);
  d = r.dma.transfer(2, std::span(data).subspan(4), DmaDirection::kToMemory);
  CHECK((d.bytes == 6 && d.terminal_count));
  CHECK(r.ram[0x11000] == 1);
  CHECK(r.ram[0x11009] == 10);
  CHECK(r.ram[0x1100a] == 0);
  CHECK_FALSE(r.dma.ready(2));
  CHECK(r.in(8) == 0x04);
  CHECK(r.in(8) == 0);
  CHECK(r.in(0x0f) == 0xff);
}

TEST_CASE("DMA from memory, wrapping, decrementing, autoinit, verify, wrong direction") {
  Rig r;
  std::iota(r.ram.begin(), r.ram.end(), u8{0});
  std::vector<u8> data(8);
  r.program(0x58, 1, 0xfffe, 3);
  DmaResult d = r.dma.transfer(2, data, DmaDirection::kFromMemory);
  CHECK((d.bytes == 4 && d.terminal_count));
  CHECK((data[0] == 0xfe && data[1] == 0xff && data[2] == 0 && data[3] == 1));
  CHECK(r.dma.ready(2));
  CHECK(r.dma.transfer(2, data, DmaDirection::kFromMemory).bytes == 4);
  CHECK(r.dma.transfer(2, data, DmaDirection::kToMemory).bytes == 0);
  r.program(0x68, 0, 1, 2);
  r.dma.transfer(2, data, DmaDirection::kFromMemory);
  CHECK((data[0] == 1 && data[1] == 0 && data[2] == 0xff));
  r.program(0x40, 0, 0x100, 3);
  r.ram[0x100] = 0x77;
  d = r.dma.transfer(2, data, DmaDirection::kToMemory);
  CHECK((d.bytes == 4 && d.terminal_count && r.ram[0x100] == 0x77));
  r.program(0x44, 0, 0, 0xffff);
  r.out(8, 4);
  CHECK_FALSE(r.dma.ready(2));
}

TEST_CASE("DMA of words on channel 5, page registers, master clear") {
  Rig r;
  r.out(0xd8, 0), r.out(0xd6, 0x45), r.out(0x8b, 3);
  r.out(0xc4, 0x80), r.out(0xc4, 0), r.out(0xc6, 1), r.out(0xc6, 0);
  r.out(0xd4, 1);
  std::vector<u8> data{1, 2, 3, 4, 5};
  const DmaResult d = r.dma.transfer(5, data, DmaDirection::kToMemory);
  CHECK((d.bytes == 4 && d.terminal_count));
  CHECK(r.ram[0x20100] == 1);
  CHECK(r.ram[0x20103] == 4);
  CHECK(r.in(0x8b) == 3);
  CHECK(r.in(0x80) == 0);
  r.out(0x0e, 0);
  CHECK(r.dma.ready(1));
  r.out(0x0d, 0);
  CHECK_FALSE(r.dma.ready(1));
  CHECK_FALSE(r.dma.ready(4));
  CHECK_FALSE(r.dma.ready(99));
}

TEST_CASE("DMA snapshot") {
  Rig r;
  r.program(0x44, 1, 0x1000, 9);
  auto saved = Archive::saver();
  r.dma.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.dma.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  std::vector<u8> data{9};
  CHECK(other.dma.transfer(2, data, DmaDirection::kToMemory).bytes == 1);
  CHECK(other.ram[0x11000] == 9);
}
