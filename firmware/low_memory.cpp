// Contents of the first megabyte without firmware.
#include "firmware/low_memory.h"

#include <bit>

#include "base/bits.h"

namespace xlat {

Status place_bios_data(std::span<u8> ram, const BdaConfig& config) {
  if (ram.size() < 0x100000)
    return error("{} bytes of RAM are too few to boot a kernel; give at least 1 MiB", ram.size());
  u8* bda = &ram[0x400];
  constexpr u16 kPorts[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
  unsigned serial = 0;
  for (unsigned i = 0; i < 4; ++i) {
    if (bit(config.serial_ports, i)) store_le(bda + 2 * serial++, kPorts[i]);
  }
  store_le<u16>(bda + 0x0e, kBootEbda >> 4);
  const unsigned floppies = config.floppies ? 1u | (config.floppies - 1u) << 6 : 0;
  // Equipment: FPU, mouse, 80x25 colour, COM ports, floppies.
  store_le<u16>(bda + 0x10, static_cast<u16>(0x26 | serial << 9 | floppies));
  store_le<u16>(bda + 0x13, kBootEbda / 1024);
  bda[0x49] = 3;  // video mode, columns, page size, CRTC port
  store_le<u16>(bda + 0x4a, 80);
  store_le<u16>(bda + 0x4c, 0x1000);
  store_le<u16>(bda + 0x60, 0x0d0e);
  store_le<u16>(bda + 0x63, 0x3d4);
  bda[0x75] = config.disks;
  bda[0x84] = 24;  // rows - 1
  store_le<u16>(bda + 0x85, 16);
  bda[0x87] = 0x60;
  ram[kBootEbda] = 1;  // EBDA size in KiB
  return {};
}

Status place_tables(std::span<u8> ram, const AcpiTables& acpi, const SmbiosTables& smbios) {
  if (Status s = acpi.place(ram, kBootRsdp, kBootTables); !s) return s;
  const u32 next = static_cast<u32>(align_up(kBootTables + acpi.tables_bytes(), 16));
  if (next + smbios.tables_bytes() > 0x100000) return error("ACPI and SMBIOS tables do not fit into 64 KiB");
  return smbios.place(ram, kBootSmbiosAnchor, next);
}

void place_boot_gdt(std::span<u8> ram, u32 address, BootEntry& entry) {
  ASSERT(ram.size() >= u64{address} + kBootGdtBytes);
  u8* gdt = &ram[address];
  store_le<u64>(gdt, 0);
  store_le<u64>(gdt + 8, 0);
  store_le<u64>(gdt + 16, 0x00cf9b000000ffff);  // code, execute/read, accessed, 4 GiB
  store_le<u64>(gdt + 24, 0x00cf93000000ffff);  // data, read/write, accessed, 4 GiB
  entry.gdt_base = address;
  entry.gdt_limit = kBootGdtBytes - 1;
  entry.code_selector = 0x10;
  entry.data_selector = 0x18;
}

}  // namespace xlat
