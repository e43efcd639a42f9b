// -kernel: what of Linux and Multiboot images, whole, truncated and damaged, goes where.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/bits.h"
#include "devices/chipset/fw_cfg.h"
#include "firmware/linux_boot.h"
#include "firmware/multiboot.h"

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

std::vector<u8> multiboot2_elf(bool is64, std::initializer_list<u32> tags = {}) {
  std::vector<u8> k(1024, 0x90);
  std::memset(k.data(), 0, 0x200);
  std::memcpy(k.data(),
              "\x7f"
              "ELF\1\1\1",
              7);
  k[4] = is64 ? 2 : 1;
  store_le<u16>(&k[16], 2);
  store_le<u16>(&k[18], is64 ? 62 : 3);
  u8* p = &k[64];
  store_le<u32>(p, 1);
  if (is64) {
    store_le<u64>(&k[24], 0xffffffff80100010);
    store_le<u64>(&k[32], 64);
    store_le<u64>(&k[40], 256);
    store_le<u16>(&k[54], 56);
    store_le<u16>(&k[56], 1);
    store_le<u16>(&k[58], 64);
    store_le<u16>(&k[60], 2);
    store_le<u64>(p + 8, 0x200);
    store_le<u64>(p + 16, 0xffffffff80100000);
    store_le<u64>(p + 24, 0x100000);
    store_le<u64>(p + 32, 0x100);
    store_le<u64>(p + 40, 0x3000);
    u8* section = &k[256 + 64];  // bytes of the file that are not loaded: a symbol table
    store_le<u32>(section + 4, 2);
    store_le<u64>(section + 24, 0x3c0);
    store_le<u64>(section + 32, 0x40);
  } else {
    store_le<u32>(&k[24], 0xc0100010);
    store_le<u32>(&k[28], 64);
    store_le<u16>(&k[42], 32);
    store_le<u16>(&k[44], 1);
    store_le<u32>(p + 4, 0x200);
    store_le<u32>(p + 8, 0xc0100000);
    store_le<u32>(p + 12, 0x100000);
    store_le<u32>(p + 16, 0x100);
    store_le<u32>(p + 20, 0x3000);
  }
  u8* h = &k[0x180];
  const u32 length = static_cast<u32>(16 + 4 * tags.size() + 8);
  store_le<u32>(h, 0xe85250d6);
  store_le<u32>(h + 8, length);
  store_le<u32>(h + 12, 0u - 0xe85250d6 - length);
  u8* to = h + 16;
  for (const u32 word : tags) store_le(to, word), to += 4;
  store_le<u64>(to, u64{8} << 32);  // end
  return k;
}

// The memory map SeaBIOS gives in a machine with so much RAM.
std::vector<E820Entry> bios_map(u64 ram) {
  return {{0, 0x9fc00, E820Type::kRam},
          {0x9fc00, 0x400, E820Type::kReserved},
          {0xf0000, 0x10000, E820Type::kReserved},
          {0x100000, ram - 0x100000 - 0x20000, E820Type::kRam},
          {ram - 0x20000, 0x20000, E820Type::kReserved}};
}

// Memory after the ROM has done as it was told.
std::vector<u8> loaded(const BootPlan& plan, u8 before = 0xee) {
  std::vector<u8> ram(kRam, before);
  for (const BootPart& part : plan.parts) {
    REQUIRE(u64{part.address} + part.bytes <= ram.size());
    REQUIRE(part.data.size() <= part.bytes);
    std::fill_n(ram.begin() + part.address, part.bytes, u8{0});
    std::copy(part.data.begin(), part.data.end(), ram.begin() + part.address);
  }
  std::copy_n(ram.begin() + plan.entry.copy_from, plan.entry.copy_bytes, ram.begin() + plan.entry.copy_to);
  return ram;
}

std::string text_at(const std::vector<u8>& ram, u32 at) { return reinterpret_cast<const char*>(&ram[at]); }

bool names(const Result<BootPlan>& plan, const char* text) {
  return !plan.ok() && plan.error().message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("boot ROM: signature, length, checksums and the Plug and Play header") {
  const std::vector<u8> rom = boot_rom();
  CHECK(load_le<u16>(rom.data()) == 0xaa55);
  CHECK(rom.size() == rom[2] * 512u);
  const auto sum = [&](std::size_t from, std::size_t bytes) {
    u8 s = 0;
    for (std::size_t n = 0; n < bytes; ++n) s = static_cast<u8>(s + rom[from + n]);
    return s;
  };
  CHECK(sum(0, rom.size()) == 0);
  const u16 pnp = load_le<u16>(&rom[0x1a]);
  CHECK(std::memcmp(&rom[pnp], "$PnP", 4) == 0);
  CHECK(sum(pnp, rom[pnp + 5] * 16u) == 0);
  CHECK(load_le<u16>(&rom[pnp + 0x1a]) != 0);
}

TEST_CASE("boot plan: the list and the map as the ROM has them") {
  CHECK(load_le<u32>(&boot_list(nullptr)[4]) == 2);
  BootPlan plan;
  plan.parts.push_back({0x100000, 4096, {1, 2}, kFwCfgKernelData});
  plan.parts.push_back({0x200000, 1, {3}, 0});
  plan.entry = {.protected_mode = true, .eip = 1, .eax = 2, .ebx = 3, .esp = 4};
  const std::vector<u8> list = boot_list(&plan);
  CHECK(list.size() == kBootBufferBytes);
  CHECK(load_le<u32>(&list[0]) == 2);
  CHECK(load_le<u32>(&list[4]) == 1);
  CHECK(load_le<u32>(&list[8]) == 1);
  CHECK(load_le<u32>(&list[20]) == 4);
  CHECK(load_le<u32>(&list[kBootListRows + 4]) == 4096);
  CHECK(load_le<u32>(&list[kBootListRows + 8]) == (u32{kFwCfgKernelData} << 16 | 0x0a));
  CHECK(load_le<u32>(&list[kBootListRows + 12 + 8]) == ((kBootPartKey + 1u) << 16 | 0x0a));
  std::vector<u8> map(kBootBufferBytes);
  store_le<u64>(&map[8], 0x9fc00);
  store_le<u32>(&map[16], 1);
  CHECK(parse_boot_map(map).size() == 1);
}

TEST_CASE("boot plan: what is free, by the map; the ROM's own memory is not") {
  const auto map = bios_map(kRam);
  const FreeMemory memory(map);
  CHECK(memory.low_end() == 0x9fc00);
  CHECK(memory.end_of(0x100000) == kRam - 0x20000);
  CHECK(memory.has(0, 0x9ec00));
  CHECK_FALSE(memory.has(0, 0x9ec01));
  CHECK_FALSE(memory.has(0xa0000, 1));
  CHECK(memory.has(0x100000, kRam - 0x120000));
  CHECK_FALSE(memory.has(0x100000, kRam - 0x11ffff));
  CHECK_FALSE(memory.has(~u64{0}, 2));
  CHECK_FALSE(FreeMemory({}).has(0, 1));
}

TEST_CASE("linux: setup code, command line, kernel and initrd") {
  const auto kernel = linux_kernel();
  const std::vector<u8> initrd(5000, 0x77);
  const auto plan = plan_linux({kernel, initrd, "console=ttyS0 quiet vga=0x317"}, bios_map(kRam));
  REQUIRE(plan);
  const std::vector<u8> ram = loaded(plan.value());
  const BootEntry& entry = plan.value().entry;
  CHECK_FALSE(entry.protected_mode);
  CHECK(entry.cs == entry.ds + 0x20);
  CHECK(entry.eip == 0);
  const u8* setup = &ram[entry.ds * 16u];
  CHECK(entry.ds * 16u + (entry.esp & 0xffff) < load_le<u32>(setup + 0x228));
  CHECK(std::memcmp(setup + 0x202, "HdrS", 4) == 0);
  CHECK(setup[0x210] == 0xb0);
  CHECK((setup[0x211] & 0x80) != 0);
  CHECK(load_le<u16>(setup + 0x1fa) == 0x317);
  CHECK(text_at(ram, load_le<u32>(setup + 0x228)) == "console=ttyS0 quiet vga=0x317");
  const u32 initrd_at = load_le<u32>(setup + 0x218);
  CHECK(initrd_at % 4096 == 0);
  CHECK(initrd_at + 5000 <= kRam - 0x20000);
  CHECK(ram[initrd_at + 4999] == 0x77);
  CHECK(load_le<u32>(setup + 0x21c) == 5000);
  CHECK(std::equal(kernel.begin() + 1536, kernel.end(), ram.begin() + 0x100000));
}

TEST_CASE("linux: initrd stays below initrd_addr_max; old protocols; zImage lies low") {
  auto kernel = linux_kernel();
  store_le<u32>(&kernel[0x22c], 0x1fffff);
  const std::vector<u8> initrd(4096, 1);
  auto plan = plan_linux({kernel, initrd, ""}, bios_map(kRam));
  REQUIRE(plan);
  CHECK(load_le<u32>(&plan.value().parts[0].data[0x218]) == 0x1ff000);
  kernel = linux_kernel(0x201);
  plan = plan_linux({kernel, {}, "x"}, bios_map(kRam));
  REQUIRE(plan);
  const BootPart& setup = plan.value().parts[0];
  CHECK(load_le<u16>(&setup.data[0x20]) == 0xa33f);
  CHECK(text_at(loaded(plan.value()), setup.address + load_le<u16>(&setup.data[0x22])) == "x");
  kernel = linux_kernel(0x201);
  kernel[0x211] = 0;
  plan = plan_linux({kernel, {}, "x"}, bios_map(kRam));
  REQUIRE(plan);
  CHECK(plan.value().entry.ds == 0x9000);
  CHECK(loaded(plan.value())[0x10000] == kernel[1536]);
}

TEST_CASE("linux: vga= is read as boot loaders do") {
  const auto mode = [](const char* line) {
    const auto kernel = linux_kernel();
    return load_le<u16>(&plan_linux({kernel, {}, line}, bios_map(kRam)).value().parts[0].data[0x1fa]);
  };
  CHECK(mode("vga=normal") == 0xffff);
  CHECK(mode("a vga=ext b") == 0xfffe);
  CHECK(mode("vga=ask") == 0xfffd);
  CHECK(mode("vga=791") == 791);
  CHECK(mode("novga=5") == 0);
  CHECK(mode("vga=x vga=0X1f") == 0x1f);
}

TEST_CASE("linux: what does not fit says so") {
  const auto kernel = linux_kernel();
  const std::vector<u8> huge(kRam);
  CHECK(names(plan_linux({kernel, huge, ""}, bios_map(kRam)), "initrd"));
  CHECK(names(plan_linux({kernel, {}, std::string(2048, 'x')}, bios_map(kRam)), "2047"));
  CHECK(names(plan_linux({kernel, {}, ""}, bios_map(0x130000)), "-m"));
  CHECK(names(plan_linux({kernel, {}, ""}, {}), "-m"));
}

TEST_CASE("linux: every truncation and many damages are harmless") {
  const auto kernel = linux_kernel(0x20f, 1024);
  const auto map = bios_map(kRam);
  const std::vector<u8> initrd(100);
  for (std::size_t n = 0; n < kernel.size(); ++n) {
    const std::vector<u8> cut(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(n));
    // The header counts in 16-byte units, and not every kernel is padded to one.
    CHECK(plan_linux({cut, initrd, "a"}, map).ok() == (n + 16 > kernel.size()));
  }
  for (std::size_t at = 0x1f0; at < 0x270; ++at) {
    for (const u8 v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      auto bad = kernel;
      bad[at] = v;
      (void)plan_linux({bad, initrd, "a"}, map);
    }
  }
}

TEST_CASE("multiboot: address fields") {
  const auto kernel = multiboot_aout();
  CHECK(looks_like_multiboot(kernel));
  const std::vector<MultibootModule> modules = {{std::vector<u8>(5000, 0x42), "mod one"},
                                                {std::vector<u8>(3, 0x43), "mod2"}};
  const auto plan = plan_multiboot({kernel, modules, "kernel arg", {}}, bios_map(kRam));
  REQUIRE(plan);
  const std::vector<u8> ram = loaded(plan.value());
  const BootEntry& entry = plan.value().entry;
  CHECK(entry.protected_mode);
  CHECK(entry.eax == 0x2badb002);
  CHECK(entry.eip == 0x100060);
  CHECK(ram[0x100000 + 599] == 0x90);
  CHECK(ram[0x100000 + 600] == 0);
  CHECK(ram[0x100fff] == 0);
  const u8* mbi = &ram[entry.ebx];
  CHECK(load_le<u32>(mbi) == 0x24f);
  CHECK(load_le<u32>(mbi + 4) == 639);
  CHECK(load_le<u32>(mbi + 8) == 3 * 1024 - 128);
  CHECK(text_at(ram, load_le<u32>(mbi + 16)) == "kernel arg");
  REQUIRE(load_le<u32>(mbi + 20) == 2);
  const u8* mods = &ram[load_le<u32>(mbi + 24)];
  CHECK(load_le<u32>(mods) % 4096 == 0);
  CHECK(load_le<u32>(mods + 4) - load_le<u32>(mods) == 5000);
  CHECK(ram[load_le<u32>(mods + 16)] == 0x43);
  CHECK(text_at(ram, load_le<u32>(mods + 8)) == "mod one");
  CHECK(load_le<u32>(mbi + 44) == 5 * 24);
  CHECK(load_le<u32>(&ram[load_le<u32>(mbi + 48)]) == 20);
}

TEST_CASE("multiboot: ELF") {
  const auto kernel = multiboot_elf();
  const auto plan = plan_multiboot({kernel, {}, "", {}}, bios_map(kRam));
  REQUIRE(plan);
  const std::vector<u8> ram = loaded(plan.value());
  CHECK(plan.value().entry.eip == 0x100010);
  CHECK(ram[0x1000ff] == 0x90);
  CHECK(ram[0x100100] == 0);
  CHECK(plan.value().entry.ebx < 0xa000);
}

TEST_CASE("multiboot: the information lies low, where kernels do not put their own data") {
  auto kernel = multiboot_elf();
  const std::vector<MultibootModule> modules = {{std::vector<u8>(10, 0x42), "mod"}};
  auto plan = plan_multiboot({kernel, modules, "arg", {}}, bios_map(kRam));
  REQUIRE(plan);
  std::vector<u8> ram = loaded(plan.value());
  const u8* mbi = &ram[plan.value().entry.ebx];
  for (const unsigned at : {16u, 24u, 48u, 64u}) {
    INFO("field " << at);
    CHECK(load_le<u32>(mbi + at) >= 0x9000);
    CHECK(load_le<u32>(mbi + at) < 0xa000);
  }
  CHECK(load_le<u32>(&ram[load_le<u32>(mbi + 24)]) == 0x103000);  // the module itself

  // A kernel that is loaded there itself gets it behind its end.
  store_le<u32>(&kernel[52 + 12], 0x8000);
  store_le<u32>(&kernel[52 + 8], 0x8000);
  store_le<u32>(&kernel[24], 0x8010);
  plan = plan_multiboot({kernel, modules, "arg", {}}, bios_map(kRam));
  REQUIRE(plan);
  CHECK(plan.value().entry.eip == 0x8010);
  CHECK(plan.value().entry.ebx >= 0x100000);
}

TEST_CASE("multiboot: a kernel may lie right below the EBDA, where the ROM's own data are") {
  for (const u32 at : {0x9eb80u, 0x9ec00u, 0x9f000u, 0x9fa00u}) {
    INFO("at " << at);
    auto kernel = multiboot_elf();
    store_le<u32>(&kernel[52 + 12], at);
    store_le<u32>(&kernel[52 + 20], 0x180);  // 100h bytes and as many zeros as half
    const auto plan = plan_multiboot({kernel, {}, "arg", {}}, bios_map(kRam));
    REQUIRE(plan);
    for (const BootPart& part : plan.value().parts) {
      CHECK((part.address >= 0x9fc00 || part.address + part.bytes <= 0x9ec00));
    }
    CHECK(plan.value().entry.copy_from >= 0x100000);
    const std::vector<u8> ram = loaded(plan.value());
    CHECK(std::count(ram.begin() + at, ram.begin() + at + 0x100, 0x90) == 0x100);
    CHECK(std::count(ram.begin() + at + 0x100, ram.begin() + at + 0x180, 0) == 0x80);
  }
  auto kernel = multiboot_elf();
  store_le<u32>(&kernel[52 + 12], 0x9fa00);
  CHECK(names(plan_multiboot({kernel, {}, "", {}}, bios_map(kRam)), "ends at 0x9fc00"));
}

TEST_CASE("multiboot: a segment of zeros may lie beyond the file's end") {
  auto kernel = multiboot_elf();
  store_le<u32>(&kernel[52 + 4], 0x100000);  // p_offset
  store_le<u32>(&kernel[52 + 16], 0);        // p_filesz
  const auto plan = plan_multiboot({kernel, {}, "", {}}, bios_map(kRam));
  REQUIRE(plan);
  CHECK(loaded(plan.value())[0x1000ff] == 0);
}

TEST_CASE("multiboot 2: 32-bit and 64-bit ELF, tags of the information") {
  std::vector<u8> rsdp(36, 0x55);
  const std::vector<MultibootModule> modules = {{std::vector<u8>(100, 0x42), "mod one"}};
  for (const bool is64 : {false, true}) {
    // Requires a memory map and RSDP (type 1); asks, if it can be had, for something unknown.
    const auto kernel = multiboot2_elf(is64, {1, 16, 6, 14, 1 << 16 | 1, 12, 77, 0});
    CHECK(looks_like_multiboot2(kernel));
    CHECK_FALSE(looks_like_multiboot(kernel));
    const auto plan = plan_multiboot2({kernel, modules, "kernel arg", rsdp}, bios_map(kRam));
    REQUIRE(plan);
    const std::vector<u8> ram = loaded(plan.value());
    CHECK(plan.value().entry.eax == 0x36d76289);
    CHECK(plan.value().entry.eip == 0x100010);
    CHECK(plan.value().entry.ebx % 8 == 0);
    CHECK(ram[0x100fff] == 0);
    std::vector<u32> types;
    const u32 info = plan.value().entry.ebx, end = info + load_le<u32>(&ram[info]);
    for (u32 at = info + 8; at < end; at += static_cast<u32>(align_up(load_le<u32>(&ram[at + 4]), 8))) {
      const u32 type = load_le<u32>(&ram[at]);
      types.push_back(type);
      if (type == 1) CHECK(text_at(ram, at + 8) == "kernel arg");
      if (type == 3) CHECK(ram[load_le<u32>(&ram[at + 8]) + 99] == 0x42);
      if (type == 4) CHECK(load_le<u32>(&ram[at + 8]) == 639);
      if (type == 6) CHECK(load_le<u32>(&ram[at + 8]) == 24);
      if (type == 9) CHECK(ram[load_le<u32>(&ram[at + 20 + 64 + 16])] == 0x90);
    }
    CHECK(types == (is64 ? std::vector<u32>{1, 2, 3, 4, 5, 6, 8, 9, 14, 15, 0}
                         : std::vector<u32>{1, 2, 3, 4, 5, 6, 8, 14, 15, 0}));
  }
}

TEST_CASE("multiboot 2: what is required and not there is named") {
  const auto map = bios_map(kRam);
  const auto asked = [&](std::initializer_list<u32> tags) {
    const auto kernel = multiboot2_elf(false, tags);
    return plan_multiboot2({kernel, {}, "", {}}, map);
  };
  CHECK(names(asked({1, 12, 77, 0}), "77"));
  CHECK(names(asked({99, 8}), "99"));
  CHECK(asked({1 << 16 | 99, 8}).ok());
  CHECK(asked({5, 20, 1024, 768, 32, 0}).ok());
  CHECK(names(asked({2, 24, 0x100180, 0x100000, 0, 0}), "entry"));
  CHECK(asked({2, 24, 0x100180, 0x100000, 0, 0, 3, 12, 0x100010, 0}).ok());
}

TEST_CASE("multiboot: every truncation and damage is harmless") {
  const auto map = bios_map(2 << 20);
  for (const auto& kernel : {multiboot_aout(), multiboot_elf(), multiboot2_elf(false, {1, 12, 6, 0}),
                             multiboot2_elf(true, {2, 24, 0x100180, 0x100000, 0, 0, 3, 12, 0x100010, 0})}) {
    const bool second = looks_like_multiboot2(kernel);
    const auto plan = [&](const std::vector<u8>& bytes) {
      return second ? plan_multiboot2({bytes, {}, "", {}}, map) : plan_multiboot({bytes, {}, "", {}}, map);
    };
    REQUIRE(plan(kernel).ok());
    for (std::size_t n = 0; n < kernel.size(); ++n) {
      const std::vector<u8> cut(kernel.begin(), kernel.begin() + static_cast<std::ptrdiff_t>(n));
      const auto planned = plan(cut);
      if (!second) CHECK_FALSE(planned.ok());
    }
    for (std::size_t at = 0; at < std::min<std::size_t>(kernel.size(), 0x1d0); ++at) {
      for (const u8 v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        auto bad = kernel;
        bad[at] = v;
        // Keep the header's checksum right, so that the fields behind it are reached.
        for (const u32 h : {64u, 0x60u}) {
          if (load_le<u32>(&bad[h]) == 0x1badb002)
            store_le<u32>(&bad[h + 8], 0u - 0x1badb002 - load_le<u32>(&bad[h + 4]));
        }
        if (load_le<u32>(&bad[0x180]) == 0xe85250d6) {
          store_le<u32>(&bad[0x18c], 0u - 0xe85250d6 - load_le<u32>(&bad[0x184]) - load_le<u32>(&bad[0x188]));
        }
        (void)plan(bad);
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
