// What a BIOS leaves in the first megabyte, for machines that boot a kernel without one.
#pragma once

#include <span>

#include "base/result.h"
#include "firmware/acpi.h"
#include "firmware/boot_entry.h"
#include "firmware/smbios.h"

namespace xlat {

// Where direct boot puts things below 1 MiB.
inline constexpr u32 kBootGdt = 0x1000;
inline constexpr u32 kBootGdtBytes = 32;
inline constexpr u32 kBootParams = 0x90000;       // Linux's zero page
inline constexpr u32 kBootCommandLine = 0x91000;  // up to the EBDA
inline constexpr u32 kBootEbda = 0x9fc00;
inline constexpr u32 kBootRsdp = 0xf0000;
inline constexpr u32 kBootSmbiosAnchor = 0xf0020;
inline constexpr u32 kBootTables = 0xf0100;

struct BdaConfig {
  u8 serial_ports = 1;  // bit n: COM(n + 1) exists
  u8 disks = 0;
  u8 floppies = 0;
};

// BIOS data area and EBDA, as far as kernels look there: ports, memory size, video mode.
Status place_bios_data(std::span<u8> ram, const BdaConfig& config);
// ACPI and SMBIOS tables in the F segment, where systems search for them.
Status place_tables(std::span<u8> ram, const AcpiTables& acpi, const SmbiosTables& smbios);
// A GDT with flat code and data at selectors 10h and 18h (the Linux boot protocol's), and `entry` pointing to it.
void place_boot_gdt(std::span<u8> ram, u32 address, BootEntry& entry);

}  // namespace xlat
