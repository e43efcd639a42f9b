// Direct boot: Linux and Multiboot images, whole, truncated and damaged; chipset set-up.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/bits.h"
#include "devices/i440fx.h"
#include "devices/piix3.h"
#include "devices/piix3_ide.h"
#include "devices/piix4_pm.h"
#include "devices/vga.h"
#include "firmware/linux_boot.h"
#include "firmware/low_memory.h"
#include "firmware/multiboot.h"
#include "firmware/pc_setup.h"

using namespace xlat;

namespace {

std::vector<u8> linux_kernel(u16 version = 0x20f, std::size_t code_bytes = 4096) {
  std::vector<u8> k(512 * 3 + code_bytes);
  k[0x1f1] = 2;
  store_le<u32>(&k[0x1f4], static_cast<u32>(code_bytes / 16));
  store_le<u16>(&k[0x1fe], 0xaa55);
  k[0x200] = 0xeb;
  k[0x201] = 0x66;
  std::memcpy(&k[0x202], "HdrS", 4);
  store_le(&k[0x206], version);
  k[0x211] = 1;
  store_le<u32>(&k[0x214], 0x100000);
  store_le<u32>(&k[0x22c], 0x37ffffff);
  store_le<u32>(&k[0x238], 2047);
  store_le<u32>(&k[0x260], 0x20000);
  for (std::size_t i = 0; i < code_bytes; ++i) k[512 * 3 + i] = static_cast<u8>(i * 3 + 1);
  return k;
}

constexpr u64 kRam = 4 << 20;

std::vector<u8> multiboot_aout() {
  std::vector<u8> k(600, 0x90);
  u8* h = &k[64];
  store_le<u32>(h, 0x1badb002);
  store_le<u32>(h + 4, 0x10003);
  store_le<u32>(h + 8, 0u - 0x1badb002 - 0x10003);
  store_le<u32>(h + 12, 0x100040);
  store_le<u32>(h + 16, 0x100000);
  store_le<u32>(h + 20, 0x100000 + 600);
  store_le<u32>(h + 24, 0x101000);
  store_le<u32>(h + 28, 0x100060);
  return k;
}

std::vector<u8> multiboot_elf() {
  std::vector<u8> k(512, 0x90);
  std::memset(k.data(), 0, 0x80);
  std::memcpy(k.data(),
              "\x7f"
              "ELF\1\1\1",
              7);
  store_le<u16>(&k[16], 2);
  store_le<u16>(&k[18], 3);
  store_le<u32>(&k[24], 0xc0100010);  // virtual entry point
  store_le<u32>(&k[28], 52);
  store_le<u16>(&k[42], 32);
  store_le<u16>(&k[44], 1);
  u8* p = &k[52];
  store_le<u32>(p, 1);
  store_le<u32>(p + 4, 0x100);
  store_le<u32>(p + 8, 0xc0100000);
  store_le<u32>(p + 12, 0x100000);
  store_le<u32>(p + 16, 0x100);
  store_le<u32>(p + 20, 0x3000);
  store_le<u32>(&k[0x60], 0x1badb002);
  store_le<u32>(&k[0x64], 3);
  store_le<u32>(&k[0x68], 0u - 0x1badb002 - 3);
  return k;
}

}  // namespace

TEST_CASE("linux: kernel, initrd and boot parameters") {
  const auto kernel = linux_kernel();
  const std::vector<u8> initrd(5000, 0x77);
  std::vector<u8> ram(kRam);
  const auto entry = load_linux({kernel, initrd, "console=ttyS0 quiet", e820_for_direct_boot(kRam), kBootRsdp}, ram);
  REQUIRE(entry);
  CHECK(entry.value().eip == 0x100000);
  const u8* zero = &ram[entry.value().esi];
  CHECK(std::memcmp(zero + 0x202, "HdrS", 4) == 0);
  CHECK(zero[0x210] == 0xff);
  CHECK(std::string(reinterpret_cast<char*>(&ram[load_le<u32>(zero + 0x228)])) == "console=ttyS0 quiet");
  const u32 initrd_at = load_le<u32>(zero + 0x218);
  CHECK(initrd_at % 4096 == 0);
  CHECK(initrd_at + 5000 <= kRam);
  CHECK(ram[initrd_at + 4999] == 0x77);
  CHECK(load_le<u32>(zero + 0x21c) == 5000);
  CHECK(zero[0x1e8] == 4);
  CHECK(zero[0x0f] == 1);
  CHECK(zero[0x07] == 80);
  CHECK(load_le<u64>(zero + 0x70) == kBootRsdp);
  CHECK(std::equal(kernel.begin() + 1536, kernel.end(), ram.begin() + 0x100000));
  const u64 code = load_le<u64>(&ram[entry.value().gdt_base + entry.value().code_selector]);
  CHECK(code == 0x00cf9b000000ffff);
}

TEST_CASE("linux: initrd stays below initrd_addr_max; old protocols") {
  auto kernel = linux_kernel();
  store_le<u32>(&kernel[0x22c], 0x1fffff);
  const std::vector<u8> initrd(4096, 1);
  std::vector<u8> ram(kRam);
  auto entry = load_linux({kernel, initrd, "", {}, 0}, ram);
  REQUIRE(entry);
  CHECK(load_le<u32>(&ram[kBootParams + 0x218]) == 0x1ff000);
  kernel = linux_kernel(0x201);
  REQUIRE(load_linux({kernel, {}, "x", {}, 0}, ram));
  CHECK(load_le<u16>(&ram[kBootParams + 0x20]) == 0xa33f);
}

TEST_CASE("linux: what does not fit says so") {
  const auto kernel = linux_kernel();
  std::vector<u8> ram(kRam);
  const std::vector<u8> huge(kRam);
  CHECK(load_linux({kernel, huge, "", {}, 0}, ram).error().message.find("initrd") != std::string::npos);
  const std::string line(2048, 'x');
  CHECK(load_linux({kernel, {}, line, {}, 0}, ram).error().message.find("2047") != std::string::npos);
  std::vector<u8> small(1 << 20);
  CHECK(load_linux({kernel, {}, "", {}, 0}, small).error().message.find("-m") != std::string::npos);
  auto zimage = kernel;
  zimage[0x211] = 0;
  CHECK_FALSE(load_linux({zimage, {}, "", {}, 0}, ram));
}

TEST_CASE("linux: every truncation and many damages are harmless") {
  const auto kernel = linux_kernel(0x20f, 1024);
  std::vector<u8> ram(kRam);
  const std::vector<u8> initrd(100);
  for (std::size_t n = 0; n < kernel.size(); ++n) {
    const std::vector<u8> cut(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(n));
    // The header counts in 16-byte units, and not every kernel is padded to one.
    CHECK(load_linux({cut, initrd, "a", {}, 0}, ram).ok() == (n + 16 > kernel.size()));
  }
  for (std::size_t at = 0x1f0; at < 0x270; ++at) {
    for (const u8 v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      auto bad = kernel;
      bad[at] = v;
      (void)load_linux({bad, initrd, "a", {}, 0}, ram);
    }
  }
}

TEST_CASE("multiboot: address fields") {
  const auto kernel = multiboot_aout();
  CHECK(looks_like_multiboot(kernel));
  std::vector<u8> ram(kRam, 0xee);
  MultibootBoot boot{
      .kernel = kernel, .modules = {}, .command_line = "kernel arg", .memory_map = e820_for_direct_boot(kRam)};
  boot.modules.push_back({std::vector<u8>(5000, 0x42), "mod one"});
  boot.modules.push_back({std::vector<u8>(3, 0x43), "mod2"});
  const auto entry = load_multiboot(boot, ram);
  REQUIRE(entry);
  CHECK(entry.value().eax == 0x2badb002);
  CHECK(entry.value().eip == 0x100060);
  CHECK(ram[0x100000 + 599] == 0x90);
  CHECK(ram[0x100000 + 600] == 0);
  CHECK(ram[0x100fff] == 0);
  const u8* mbi = &ram[entry.value().ebx];
  CHECK(load_le<u32>(mbi) == 0x24f);
  CHECK(load_le<u32>(mbi + 8) == 3 * 1024);
  CHECK(std::string(reinterpret_cast<char*>(&ram[load_le<u32>(mbi + 16)])) == "kernel arg");
  REQUIRE(load_le<u32>(mbi + 20) == 2);
  const u8* mods = &ram[load_le<u32>(mbi + 24)];
  CHECK(load_le<u32>(mods) % 4096 == 0);
  CHECK(load_le<u32>(mods + 4) - load_le<u32>(mods) == 5000);
  CHECK(ram[load_le<u32>(mods + 16)] == 0x43);
  CHECK(std::string(reinterpret_cast<char*>(&ram[load_le<u32>(mods + 8)])) == "mod one");
  CHECK(load_le<u32>(mbi + 44) == 4 * 24);
  CHECK(load_le<u32>(&ram[load_le<u32>(mbi + 48)]) == 20);
  CHECK(entry.value().gdt_base > 0x101000);
}

TEST_CASE("multiboot: ELF") {
  const auto kernel = multiboot_elf();
  std::vector<u8> ram(kRam, 0xee);
  const auto entry = load_multiboot({.kernel = kernel, .modules = {}, .command_line = "", .memory_map = {}}, ram);
  REQUIRE(entry);
  CHECK(entry.value().eip == 0x100010);
  CHECK(ram[0x1000ff] == 0x90);
  CHECK(ram[0x100100] == 0);
  CHECK(entry.value().ebx >= 0x103000);
}

TEST_CASE("multiboot: every truncation and damage is harmless") {
  std::vector<u8> ram(2 << 20);
  for (const auto& kernel : {multiboot_aout(), multiboot_elf()}) {
    for (std::size_t n = 0; n < kernel.size(); ++n) {
      const std::vector<u8> cut(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(n));
      CHECK_FALSE(load_multiboot({.kernel = cut, .modules = {}, .command_line = "", .memory_map = {}}, ram));
    }
    for (std::size_t at = 0; at < 0x80; ++at) {
      for (const u8 v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        auto bad = kernel;
        bad[at] = v;
        // Keep the header's checksum right, so that the fields behind it are reached.
        for (const u32 h : {64u, 0x60u}) {
          if (load_le<u32>(&bad[h]) == 0x1badb002)
            store_le<u32>(&bad[h + 8], 0u - 0x1badb002 - load_le<u32>(&bad[h + 4]));
        }
        (void)load_multiboot({.kernel = bad, .modules = {}, .command_line = "", .memory_map = {}}, ram);
      }
    }
  }
}

TEST_CASE("multiboot: module option") {
  char name[] = "/tmp/xlat,mod-XXXXXX";
  REQUIRE(mkstemp(name) >= 0);
  std::ofstream(name) << "data";
  std::string escaped = name;
  escaped.insert(escaped.find(','), 1, ',');
  auto modules = load_multiboot_modules(escaped + " a=1," + escaped);
  REQUIRE(modules);
  REQUIRE(modules->size() == 2);
  CHECK((*modules)[0].command_line == std::string(name) + " a=1");
  CHECK((*modules)[1].bytes.size() == 4);
  CHECK_FALSE(load_multiboot_modules("/nonexistent"));
  CHECK_FALSE(load_multiboot_modules(escaped + ", x"));
  std::remove(name);
}

TEST_CASE("chipset set-up assigns BARs and enables the IDE channels") {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  PciBus pci(ports, memory);
  IdeChannel primary("ide0", IrqLine()), secondary("ide1", IrqLine());
  Piix3Ide ide(memory, primary, secondary);
  Vga vga(clock, {});
  pci.add(1, 1, ide);
  std::vector<u8> ram(2 << 20);
  memory.map_ram(0, 0xa0000, ram.data());
  ShadowMap shadow(memory, ram.data());
  I440fx host(shadow);
  Piix3 bridge({});
  Piix4Pm pm(ports, clock, IrqLine());
  pci.add(0, 0, host);
  pci.add(1, 0, bridge);
  pci.add(1, 3, pm);
  pci.add(2, 0, vga);
  set_up_chipset(ports, 128 << 20);
  CHECK(ide.bar_address(4) == 0xc000);
  CHECK(ide.config16(0x40) == 0x8000);
  CHECK(ide.bus_master());
  REQUIRE(vga.bar_address(0));
  CHECK(*vga.bar_address(0) == 0xe0000000);
  CHECK(vga.bar_address(2) == 0xe1000000);
  memory.write(0xe0000000, 4, 0x12345678);
  CHECK(load_le<u32>(vga.memory().data()) == 0x12345678);
  CHECK(pm.pm_base() == 0x600);
  CHECK(pm.smbus_base() == 0x700);
  CHECK(bridge.config32(0x60) == 0x0b0b0a0a);
  for (const u32 at : {0xc0000u, 0xe8000u, 0xf0000u, 0xffffcu}) {
    memory.write(at, 4, at);
    CHECK(load_le<u32>(&ram[at]) == at);
    CHECK(memory.read(at, 4) == at);
  }
  PortBus isa;
  set_up_chipset(isa, 1 << 20);  // no PCI: nothing to find, nothing to fear
}
