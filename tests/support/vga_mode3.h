// A VGA in BIOS mode 3, set through its ports and memory as a VGA BIOS does it.
#pragma once

#include "base/bits.h"
#include "mmu/address_space.h"
#include "mmu/port_bus.h"

namespace xlat::test {

// 80x25 characters of 9x16 dots on a screen of spaces. The font is empty.
inline void enter_mode3(PortBus& ports, AddressSpace& memory) {
  constexpr u8 kSeq[5] = {0x03, 0x00, 0x03, 0x00, 0x02};
  constexpr u8 kCrtc[0x19] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
                              0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
  constexpr u8 kGfx[9] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff};
  constexpr u8 kAttr[0x15] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
                              0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};
  const auto out = [&ports](u16 port, u32 value) { ports.write(port, 1, value); };
  const auto set = [&out](u16 index_port, unsigned index, u8 value) {
    out(index_port, index);
    out(static_cast<u16>(index_port + 1), value);
  };
  out(0x3c2, 0x67);
  for (unsigned n = 0; n < std::size(kSeq); ++n) set(0x3c4, n, kSeq[n]);
  set(0x3d4, 0x11, 0);  // registers 0 to 7 may be written
  for (unsigned n = 0; n < std::size(kCrtc); ++n) set(0x3d4, n, kCrtc[n]);
  for (unsigned n = 0; n < std::size(kGfx); ++n) set(0x3ce, n, kGfx[n]);
  ports.read(0x3da, 1);
  for (unsigned n = 0; n < std::size(kAttr); ++n) {
    out(0x3c0, n);
    out(0x3c0, kAttr[n]);
  }
  out(0x3c0, 0x20);
  out(0x3c6, 0xff);
  out(0x3c8, 0);
  for (unsigned n = 0; n < 64; ++n) {  // EGA colours: rgbRGB, two thirds and one third of full intensity
    for (const unsigned primary : {2u, 1u, 0u}) out(0x3c9, (bit(n, primary) ? 42 : 0) + (bit(n, primary + 3) ? 21 : 0));
  }
  for (u32 at = 0; at < 0x8000; at += 2) memory.write(0xb8000 + at, 2, 0x0720);
}

}  // namespace xlat::test
