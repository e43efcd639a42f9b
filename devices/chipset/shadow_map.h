// C0000-FFFFF behind the PAM registers: each 16 KiB segment reads and writes RAM or what is on the bus.
#pragma once

#include <array>
#include <span>

#include "mmu/address_space.h"

namespace xlat {

// The bus side of a page is ROM bytes where set_rom() put some, else nothing.
class ShadowMap {
 public:
  static constexpr u32 kFirst = 0xc0000, kEnd = 0x100000;
  static constexpr u32 kSegment = 0x4000;

  // `ram` is the host byte of physical address 0; RAM reaches at least to 1 MiB.
  ShadowMap(AddressSpace& memory, u8* ram) : memory_(memory), ram_(ram) {}

  // `bytes` answer at `phys` on the bus, both multiples of 4 KiB within C0000-FFFFF; they must outlive the map.
  void set_rom(u32 phys, std::span<u8> bytes) {
    ASSERT(phys >= kFirst && phys + bytes.size() <= kEnd && phys % 4096 == 0 && bytes.size() % 4096 == 0);
    for (u32 i = 0; i < bytes.size() / 4096; ++i) rom_[(phys - kFirst) / 4096 + i] = bytes.data() + i * 4096u;
    apply_all();
  }

  // Segment [phys, phys + 16 KiB): reads come from RAM if `read_ram`, writes go to RAM if `write_ram`.
  void set_segment(u32 phys, bool read_ram, bool write_ram) {
    u8& mode = modes_[(phys - kFirst) / kSegment];
    const u8 wanted = static_cast<u8>((read_ram ? 1 : 0) | (write_ram ? 2 : 0));
    if (mode == wanted) return;
    mode = wanted;
    apply(phys);
  }

  void apply_all() {
    for (u32 phys = kFirst; phys < kEnd; phys += kSegment) apply(phys);
  }

 private:
  void apply(u32 segment) {
    const u8 mode = modes_[(segment - kFirst) / kSegment];
    for (u32 phys = segment; phys < segment + kSegment; phys += 4096) {
      u8* ram = ram_ + phys;
      memory_.map_split(phys, 4096, mode & 1 ? ram : rom_[(phys - kFirst) / 4096], mode & 2 ? ram : nullptr);
    }
  }

  AddressSpace& memory_;
  u8* ram_;
  std::array<u8*, (kEnd - kFirst) / 4096> rom_{};
  std::array<u8, (kEnd - kFirst) / kSegment> modes_{};
};

}  // namespace xlat
