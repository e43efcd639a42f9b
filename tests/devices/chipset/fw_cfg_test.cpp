// fw_cfg through its ports and DMA; debugcon; isa-debug-exit.
#include "devices/chipset/fw_cfg.h"

#include <catch2/catch.hpp>

#include "devices/isa/debugcon.h"
#include "devices/isa/isa_debug_exit.h"

using namespace xlat;

namespace {
struct Rig {
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(0x10000, 0xcc);
  FwCfg fw{ports, memory};
  Rig() { memory.map_ram(0, ram.size(), ram.data()); }
  std::vector<u8> get(u16 key, unsigned bytes) {
    ports.write(0x510, 2, key);
    std::vector<u8> out;
    while (bytes-- > 0) out.push_back(static_cast<u8>(ports.read(0x511, 1)));
    return out;
  }
  // Returns the control word afterwards.
  u32 dma(u32 control, u32 length, u64 address, u32 at = 0x100) {
    const auto put = [&](u32 where, u64 v, unsigned n) {
      for (unsigned i = 0; i < n; ++i) ram[where + i] = static_cast<u8>(v >> (8 * (n - 1 - i)));
    };
    put(at, control, 4), put(at + 4, length, 4), put(at + 8, address, 8);
    ports.write(0x514, 4, 0);
    ports.write(0x518, 4, __builtin_bswap32(at));
    return __builtin_bswap32(static_cast<u32>(memory.read(at, 4)));
  }
};
}  // namespace

TEST_CASE("fw_cfg: signature, ID, items, directory") {
  Rig r;
  CHECK(r.get(0, 5) == std::vector<u8>{'Q', 'E', 'M', 'U', 0});
  CHECK(r.get(1, 4) == std::vector<u8>{3, 0, 0, 0});
  CHECK(r.ports.read(0x514, 4) == 0x554d4551);
  CHECK(r.ports.read(0x518, 4) == 0x47464320);
  r.fw.add_u16(kFwCfgNbCpus, 1);
  CHECK(r.get(5, 3) == std::vector<u8>{1, 0, 0});
  CHECK(r.get(0x1234, 2) == std::vector<u8>{0, 0});
  REQUIRE(r.fw.add_file("etc/e820", {1, 2, 3}).ok());
  REQUIRE(r.fw.add_file("bootorder", {9}).ok());
  REQUIRE(r.fw.add_file("etc/e820", {4, 5, 6, 7}).ok());
  CHECK_FALSE(r.fw.add_file(std::string(56, 'x'), {}).ok());
  const std::vector<u8> dir = r.get(0x19, 4 + 2 * 64);
  CHECK(dir[3] == 2);
  CHECK(dir[7] == 4);
  CHECK(dir[9] == 0x20);
  CHECK(std::string(dir.begin() + 12, dir.begin() + 20) == "etc/e820");
  CHECK(dir[4 + 64 + 5] == 0x21);
  CHECK(r.get(0x20, 5) == std::vector<u8>{4, 5, 6, 7, 0});
  CHECK(r.fw.file("bootorder")->at(0) == 9);
}

TEST_CASE("fw_cfg: DMA read, skip, zero fill, write, errors") {
  Rig r;
  std::vector<u8> big(9000);
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<u8>(i * 7);
  REQUIRE(r.fw.add_file("big", big).ok());
  CHECK(r.dma(0x20 << 16 | 8 | 2, 8000, 0x2003) == 0);
  CHECK(std::equal(big.begin(), big.begin() + 8000, r.ram.begin() + 0x2003));
  CHECK(r.dma(4, 500, 0) == 0);
  CHECK(r.dma(2, 1000, 0x8000) == 0);
  CHECK(r.ram[0x8000] == big[8500]);
  CHECK(r.ram[0x8000 + 499] == big[8999]);
  CHECK(r.ram[0x8000 + 500] == 0);
  CHECK(r.ram[0x8000 + 999] == 0);
  CHECK(r.ram[0x8000 + 1000] == 0xcc);
  CHECK(r.dma(0x20 << 16 | 8 | 2, 8, 0x200000) == 1);  // not RAM
  CHECK(r.dma(0x20 << 16 | 8 | 2, ~0u, 0xf000) == 1);  // runs out of RAM
  CHECK(r.dma(0x20 << 16 | 8 | 2, 8, ~u64{0} - 3) == 1);
  CHECK(r.dma(0x20 << 16 | 8 | 16, 8, 0x2000) == 1);  // not writable
  CHECK(r.dma(0x7777u << 16 | 8 | 4, ~0u, 0) == 0);
  int written = 0;
  REQUIRE(r.fw.add_file("vmcoreinfo", {0, 0, 0, 0}, true, [&] { ++written; }).ok());
  r.ram[0x3000] = 0x42;
  CHECK(r.dma(0x21 << 16 | 8 | 16, 4, 0x3000) == 0);
  CHECK(written == 1);
  CHECK(r.fw.file("vmcoreinfo")->at(0) == 0x42);
  CHECK(r.dma(0x21 << 16 | 8 | 16, 5, 0x3000) == 1);
  auto saved = Archive::saver();
  r.fw.serialize(saved);
  Rig other;
  REQUIRE(other.fw.add_file("big", big).ok());
  REQUIRE(other.fw.add_file("vmcoreinfo", {0, 0, 0, 0}, true).ok());
  auto loader = Archive::loader(saved.bytes());
  other.fw.serialize(loader);
  CHECK((loader.ok() && loader.at_end()));
  CHECK(other.fw.file("vmcoreinfo")->at(0) == 0x42);
}

TEST_CASE("debugcon and isa-debug-exit") {
  PortBus ports;
  std::string text;
  DebugCon con(ports, 0x402, [&](u8 c) { text += static_cast<char>(c); });
  CHECK(ports.read(0x402, 1) == 0xe9);
  ports.write(0x402, 1, 'h'), ports.write(0x402, 1, 'i');
  CHECK(text == "hi");
  u32 status = 0;
  IsaDebugExit exit(ports, 0xf4, 4, [&](u32 v) { status = v; });
  CHECK(ports.read(0xf4, 4) == 0);
  ports.write(0xf4, 4, 0x10);
  CHECK(status == 0x21);
  ports.write(0xf4, 1, 0);
  CHECK(status == 1);
}
