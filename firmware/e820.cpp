// Memory maps and CMOS contents.
#include "firmware/e820.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

std::vector<E820Entry> e820_for_firmware(u64 ram_bytes) { return {{0, ram_bytes, E820Type::kRam}}; }

FwCfgFile e820_file(const std::vector<E820Entry>& map) {
  FwCfgFile file{"etc/e820", std::vector<u8>(map.size() * 20)};
  for (std::size_t i = 0; i < map.size(); ++i) {
    store_le<u64>(&file.bytes[i * 20], map[i].address);
    store_le<u64>(&file.bytes[i * 20 + 8], map[i].bytes);
    store_le<u32>(&file.bytes[i * 20 + 16], static_cast<u32>(map[i].type));
  }
  return file;
}

u32 pci_window_start(u64 ram_bytes) {
  if (ram_bytes <= 0x80000000) return 0x80000000;
  if (ram_bytes <= 0xc0000000) return 0xc0000000;
  return 0xe0000000;
}

Result<CmosValues> cmos_boot_order(const CmosConfig& config) {
  CmosValues values;
  // Boot devices, a nibble each: first and second in 3Dh, third in the high half of 38h.
  u8 nibbles[3] = {};
  std::string_view seen;
  if (config.boot_order.size() > 3) {
    return error("boot order '{}' has more than three letters; the BIOS tries at most three devices",
                 config.boot_order);
  }
  for (std::size_t i = 0; i < config.boot_order.size(); ++i) {
    const char letter = config.boot_order[i];
    constexpr std::string_view kLetters = "acdn";
    const std::size_t at = kLetters.find(letter);
    if (at == std::string_view::npos) {
      return error("boot order '{}': no boot device '{}'; there are a (floppy), c (disk), d (CD-ROM), n (network)",
                   config.boot_order, letter);
    }
    if (seen.find(letter) != std::string_view::npos) {
      return error("boot order '{}' names '{}' twice", config.boot_order, letter);
    }
    nibbles[i] = static_cast<u8>(at + 1);
    seen = config.boot_order.substr(0, i + 1);
  }
  values.emplace_back(u8{0x3d}, static_cast<u8>(nibbles[1] << 4 | nibbles[0]));
  values.emplace_back(u8{0x38}, static_cast<u8>(nibbles[2] << 4 | (config.check_floppy_signature ? 0 : 1)));
  return values;
}

Result<CmosValues> cmos_values(const CmosConfig& config) {
  auto order = cmos_boot_order(config);
  if (!order) return order.error();
  CmosValues values = std::move(*order);
  const auto set = [&values](unsigned index, u64 value) {
    values.emplace_back(static_cast<u8>(index), static_cast<u8>(value));
  };
  const auto set16 = [&set](unsigned index, u64 value) {
    set(index, value);
    set(index + 1, value >> 8);
  };

  const u64 ram = config.ram_bytes;
  const u64 above_1m = ram > 0x100000 ? ram - 0x100000 : 0, above_16m = ram > 0x1000000 ? ram - 0x1000000 : 0;
  set16(0x15, std::min<u64>(ram / 1024, 640));
  set16(0x17, std::min<u64>(above_1m / 1024, 65535));
  set16(0x30, std::min<u64>(above_1m / 1024, 65535));
  set16(0x34, std::min<u64>(above_16m / 65536, 65535));
  for (unsigned i = 0; i < 3; ++i) set(0x5b + i, 0);  // nothing above 4 GiB
  set(0x5f, config.cpus - 1);

  set(0x10, config.floppy_types[0] << 4 | config.floppy_types[1]);
  const unsigned floppies = (config.floppy_types[0] != 0) + (config.floppy_types[1] != 0);
  set(0x14, 0x06 | (floppies ? 1 | (floppies - 1) << 6 : 0));  // equipment: FPU, mouse, floppies

  u8 types = 0, translation = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const CmosDrive& d = config.drives[i];
    if (d.cylinders == 0) continue;
    translation |= static_cast<u8>((d.translation & 3) << (2 * i));
    if (i > 1) continue;
    types |= i == 0 ? 0xf0 : 0x0f;  // type is in 19h or 1Ah: 47, with the parameters from 1Bh or 24h on
    set(0x19 + i, 47);
    const unsigned at = i == 0 ? 0x1b : 0x24;
    set16(at, d.cylinders);
    set(at + 2, d.heads);
    set16(at + 3, 0xffff);  // no write precompensation
    set(at + 5, 0xc0 | (d.heads > 8) << 3);
    set16(at + 6, d.cylinders);  // landing zone
    set(at + 8, d.sectors);
  }
  set(0x12, types);
  set(0x39, translation);
  return values;
}

}  // namespace xlat
