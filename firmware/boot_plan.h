// What -kernel puts into memory and how it is entered, for the option ROM that does it (boot_rom.asm).
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "firmware/e820.h"

namespace xlat {

// fw_cfg keys of this machine between ROM and machine, as in boot_rom.inc: the ROM writes the BIOS's memory map
// (entries of 20 bytes as INT 15h, AX=E820h gives them), reads the list, and has fw_cfg move each part.
inline constexpr u16 kBootMapKey = 0x8010, kBootListKey = 0x8011;
inline constexpr u16 kBootPartKey = 0x9000;  // parts without a key of their own count from here
inline constexpr std::size_t kBootBufferBytes = 2560;

// Where the ROM's own data lie: from here to the EBDA.
inline constexpr u32 kBootScratchBytes = 4096;

struct BootPart {
  u32 address = 0;
  u32 bytes = 0;  // in memory; beyond `data` there are zeros
  std::vector<u8> data;
  u16 key = 0;  // of fw_cfg, for those that other firmware looks for; 0: any
};

// Real mode: CS:IP is `cs`:`eip`, all other segments `ds`, SP the low half of `esp`. Protected mode: flat segments
// (code 8, data 10h, in a GDT that may go away), paging and interrupts off, A20 open, and the registers that are not
// named are zero.
struct BootEntry {
  bool protected_mode = true;
  u32 eip = 0, eax = 0, ebx = 0, esp = 0;
  u16 ds = 0, cs = 0;
  // Protected mode: what is moved last, to where the ROM's own data lay.
  u32 copy_from = 0, copy_to = 0, copy_bytes = 0;
};

struct BootPlan {
  std::vector<BootPart> parts;
  BootEntry entry;
};

// The list as the ROM reads it, kBootBufferBytes long; part n without a key has kBootPartKey + n. Without a plan the
// ROM goes on to the next boot device.
std::vector<u8> boot_list(const BootPlan* plan);
// How many parts a list holds.
inline constexpr std::size_t kBootListRows = 40;  // where they begin
inline constexpr std::size_t kMostBootParts = (kBootBufferBytes - kBootListRows) / 12;

// The option ROM with its checksums.
std::vector<u8> boot_rom();
inline constexpr const char* kBootRomFile = "genroms/xlat-boot.bin";
// What file "bootorder" says of it.
inline constexpr const char* kBootRomOrder = "/rom@genroms/xlat-boot.bin";

// The map as the ROM wrote it.
std::vector<E820Entry> parse_boot_map(std::span<const u8> bytes);

// Where RAM is, by a memory map.
class FreeMemory {
 public:
  explicit FreeMemory(std::span<const E820Entry> map) : map_(map) {}
  // Whether all of [address, address + bytes) is RAM and none of it the ROM's.
  bool has(u64 address, u64 bytes) const;
  // Whether all of it is RAM, be it the ROM's.
  bool has_ram(u64 address, u64 bytes) const;
  // Where the RAM that holds `address` ends; `address` itself if there is none.
  u64 end_of(u64 address) const;
  // Where conventional memory ends, as INT 12h says.
  u64 low_end() const { return end_of(0); }

 private:
  std::span<const E820Entry> map_;
};

}  // namespace xlat
