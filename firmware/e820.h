// The memory map a guest is told, and the CMOS bytes in which SeaBIOS looks for memory size, drives and boot order.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "firmware/fw_cfg_file.h"

namespace xlat {

enum class E820Type : u32 { kRam = 1, kReserved = 2, kAcpi = 3, kNvs = 4 };

struct E820Entry {
  u64 address = 0;
  u64 bytes = 0;
  E820Type type = E820Type::kRam;
};

// For firmware: RAM from 0, which it carves up itself. `ram_bytes` lies below 4 GiB as everywhere here.
std::vector<E820Entry> e820_for_firmware(u64 ram_bytes);
// etc/e820, entries as they are in BIOS call E820h.
FwCfgFile e820_file(const std::vector<E820Entry>& map);

// Where BARs start: the place SeaBIOS chooses, which the DSDT has to name.
u32 pci_window_start(u64 ram_bytes);
inline constexpr u32 kPciWindowEnd = 0xfec00000;

// What the BIOS must know of a hard disk; cylinders 0 for none.
struct CmosDrive {
  u16 cylinders = 0;
  u8 heads = 0;
  u8 sectors = 0;
  u8 translation = 0;  // 0 none, 1 LBA-assisted, 2 large, 3 revised CHS
};

struct CmosConfig {
  u64 ram_bytes = 0;
  unsigned cpus = 1;
  std::string_view boot_order = "cad";  // QEMU's letters: a floppy, c disk, d CD-ROM, n network
  bool check_floppy_signature = true;   // a floppy without 55AAh at the end of its boot sector is passed over
  std::array<u8, 2> floppy_types{};     // CMOS types: 0 none, 2 1.2 MB, 4 1.44 MB, 5 2.88 MB
  std::array<CmosDrive, 4> drives{};    // primary master and slave, secondary master and slave
};

// Index/value pairs.
using CmosValues = std::vector<std::pair<u8, u8>>;
// Fails for boot letters that do not exist, doubled ones and more than three.
Result<CmosValues> cmos_values(const CmosConfig& config);
// Those that say what is booted from, alone.
Result<CmosValues> cmos_boot_order(const CmosConfig& config);

}  // namespace xlat
