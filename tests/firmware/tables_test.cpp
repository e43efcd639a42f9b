// ACPI, SMBIOS, e820, CMOS and ROM loading.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <map>

#include "base/bits.h"
#include "firmware/acpi.h"
#include "firmware/e820.h"
#include "firmware/rom.h"
#include "firmware/smbios.h"

using namespace xlat;

namespace {

u8 sum(const u8* p, std::size_t n) {
  u8 s = 0;
  for (std::size_t i = 0; i < n; ++i) s = static_cast<u8>(s + p[i]);
  return s;
}

// Checks the tables at `rsdp` and returns the DSDT's address.
u32 check_acpi(const std::vector<u8>& ram, u32 rsdp) {
  REQUIRE(std::memcmp(&ram[rsdp], "RSD PTR ", 8) == 0);
  CHECK(sum(&ram[rsdp], 20) == 0);
  const auto table = [&](u32 at, const char* signature) {
    REQUIRE(at + 36 < ram.size());
    CHECK(std::memcmp(&ram[at], signature, 4) == 0);
    CHECK(sum(&ram[at], load_le<u32>(&ram[at + 4])) == 0);
    return at;
  };
  const u32 rsdt = table(load_le<u32>(&ram[rsdp + 16]), "RSDT");
  const u32 fadt = table(load_le<u32>(&ram[rsdt + 36]), "FACP");
  const u32 facs = load_le<u32>(&ram[fadt + 36]);
  CHECK(std::memcmp(&ram[facs], "FACS", 4) == 0);
  CHECK(facs % 64 == 0);
  CHECK(load_le<u32>(&ram[fadt + 56]) == 0x600);
  return table(load_le<u32>(&ram[fadt + 40]), "DSDT");
}

}  // namespace

TEST_CASE("acpi: the loader script, run as SeaBIOS runs it, gives tables that link and add up") {
  const AcpiTables acpi({.ram_bytes = 256 << 20});
  std::vector<u8> ram(1 << 20);
  std::map<std::string, std::vector<u8>> files;
  for (const FwCfgFile& f : acpi.files()) files[f.name] = f.bytes;
  std::map<std::string, u32> placed;
  const std::vector<u8>& script = files.at("etc/table-loader");
  REQUIRE(script.size() % 128 == 0);
  u32 next = 0x8000;
  for (std::size_t at = 0; at < script.size(); at += 128) {
    const u8* c = &script[at];
    const std::string name = reinterpret_cast<const char*>(c + 4);
    switch (load_le<u32>(c)) {
      case 1:
        next = static_cast<u32>(align_up(next, load_le<u32>(c + 60)));
        placed[name] = next;
        std::copy(files.at(name).begin(), files.at(name).end(), ram.begin() + next);
        next += static_cast<u32>(files.at(name).size());
        break;
      case 2: {
        REQUIRE(load_le<u32>(c + 116) + 4 <= files.at(name).size());
        CHECK(c[120] == 4);
        u8* field = &ram[placed.at(name) + load_le<u32>(c + 116)];
        store_le<u32>(field, load_le<u32>(field) + placed.at(reinterpret_cast<const char*>(c + 60)));
        break;
      }
      case 3: {
        const u32 offset = load_le<u32>(c + 60), start = load_le<u32>(c + 64), bytes = load_le<u32>(c + 68);
        REQUIRE(u64{start} + bytes <= files.at(name).size());
        u8* base = &ram[placed.at(name)];
        base[offset] = static_cast<u8>(base[offset] - sum(base + start, bytes));
        break;
      }
      default: FAIL("unknown command");
    }
  }
  check_acpi(ram, placed.at("etc/acpi/rsdp"));
}

TEST_CASE("smbios: structures can be walked") {
  const SmbiosTables smbios({.ram_bytes = 512 << 20, .cpus = 2});
  const std::vector<FwCfgFile> files = smbios.files();
  REQUIRE(files.size() == 2);
  const std::vector<u8>&ram = files[0].bytes, &anchor = files[1].bytes;
  CHECK(sum(&anchor[0], 31) == 0);
  CHECK(sum(&anchor[16], 15) == 0);
  CHECK(load_le<u16>(&anchor[22]) == ram.size());
  u32 at = 0;
  const u32 end = static_cast<u32>(ram.size());
  std::vector<unsigned> types;
  while (at < end) {
    types.push_back(ram[at]);
    if (ram[at] == 17) CHECK(load_le<u16>(&ram[at + 12]) == 512);
    at += ram[at + 1];
    while (ram[at] || ram[at + 1]) ++at;
    at += 2;
  }
  CHECK(at == end);
  CHECK(types == std::vector<unsigned>{0, 1, 3, 4, 4, 16, 17, 19, 32, 127});
  CHECK(load_le<u16>(&anchor[28]) == types.size());
}

TEST_CASE("e820 and CMOS") {
  const auto map = e820_for_firmware(64 << 20);
  CHECK(e820_file(map).bytes.size() == map.size() * 20);

  CmosConfig config{.ram_bytes = 64 << 20, .boot_order = "dc"};
  config.drives[0] = {1000, 16, 63};
  config.drives[1] = {16383, 16, 63, 1};
  config.drives[3] = {1219, 16, 63, 2};
  auto values = cmos_values(config);
  REQUIRE(values);
  std::map<u8, u8> cmos(values->begin(), values->end());
  CHECK(cmos[0x3d] == 0x23);
  CHECK((cmos[0x34] | cmos[0x35] << 8) == 48 * 16);
  CHECK((cmos[0x17] | cmos[0x18] << 8) == 63 * 1024);
  CHECK(cmos[0x12] == 0xff);
  CHECK(cmos[0x39] == 0x84);
  CHECK(cmos[0x1b] == 0xe8);
  CHECK(cmos[0x2c] == 63);
  CHECK(cmos[0x38] == 0);
  config.boot_order = "dca";
  config.check_floppy_signature = false;
  values = cmos_values(config);
  REQUIRE(values);
  cmos = {values->begin(), values->end()};
  CHECK(cmos[0x38] == 0x11);
  for (const char* wrong : {"x", "cc", "acdn"}) {
    config.boot_order = wrong;
    CHECK_FALSE(cmos_values(config));
  }
}

TEST_CASE("rom: sizes and mapping") {
  CHECK_FALSE(FirmwareRom::from_bytes({}, "x"));
  CHECK_FALSE(FirmwareRom::from_bytes(std::vector<u8>(1000), "x"));
  CHECK_FALSE(FirmwareRom::from_bytes(std::vector<u8>((16 << 20) + 0x10000), "x"));
  CHECK_FALSE(FirmwareRom::load("/nonexistent"));
  CHECK_FALSE(FirmwareRom::load("/tmp"));
  std::vector<u8> bytes(256 * 1024, 0x11);
  bytes.back() = 0x22;
  auto rom = FirmwareRom::from_bytes(std::move(bytes), "x");
  REQUIRE(rom);
  AddressSpace memory;
  rom->map_below_4g(memory);
  CHECK(memory.read(0xffffffff, 1) == 0x22);
  CHECK(memory.read(0xfffc0000, 1) == 0x11);
  CHECK(memory.read(0xfffbffff, 1) == 0xff);
  CHECK(rom->low_window().size() == 0x20000);
  CHECK(rom->low_window_address() == 0xe0000);
  auto tiny = FirmwareRom::from_bytes(std::vector<u8>(0x10000), "x");
  CHECK(tiny->low_window_address() == 0xf0000);
}
