// Ways to the GD5446's memory: the window at A0000h, the aperture of BAR 0, memory-mapped registers.
#include "base/bits.h"
#include "devices/display/cirrus.h"

namespace xlat {

namespace {
// GRB, graphics controller mode extensions.
constexpr u8 kTwoBanks = 0x01, kBy8 = 0x02, kExtendedWrites = 0x04, kBy16 = 0x10, kCoarseBanks = 0x20;
// The aperture is the host's memory again when so many writes have come after a BitBLT that took its source from there.
constexpr u8 kQuiet = 64;
constexpr u32 kBlitWindow = 16 << 20;

struct MmioRegister {
  u8 offset, gr;
};
// Chapter "memory-mapped I/O": where the graphics registers of the BitBLT engine are.
constexpr MmioRegister kMmio[] = {
    {0x00, 0x00}, {0x01, 0x10}, {0x02, 0x12}, {0x03, 0x14}, {0x04, 0x01}, {0x05, 0x11}, {0x06, 0x13}, {0x07, 0x15},
    {0x08, 0x20}, {0x09, 0x21}, {0x0a, 0x22}, {0x0b, 0x23}, {0x0c, 0x24}, {0x0d, 0x25}, {0x0e, 0x26}, {0x0f, 0x27},
    {0x10, 0x28}, {0x11, 0x29}, {0x12, 0x2a}, {0x14, 0x2c}, {0x15, 0x2d}, {0x16, 0x2e}, {0x17, 0x2f}, {0x18, 0x30},
    {0x1a, 0x32}, {0x1b, 0x33}, {0x1c, 0x34}, {0x1d, 0x35}, {0x20, 0x38}, {0x21, 0x39}, {0x40, 0x31},
};
}  // namespace

u8 CirrusVga::read_mmio(u32 offset) const {
  for (const MmioRegister& r : kMmio) {
    if (r.offset == offset) return read_gr(r.gr);
  }
  return 0xff;
}

void CirrusVga::write_mmio(u32 offset, u8 value) {
  for (const MmioRegister& r : kMmio) {
    if (r.offset == offset) return write_gr(r.gr, value);
  }
}

// SR17 bit 2: the registers are at B8000h, or with bit 6 at the end of the frame buffer.
bool CirrusVga::registers_in_window(u32 offset) const {
  return (sr_[0x17] & 0x44) == 0x04 && offset >= 0x18000 && offset < 0x18100;
}

// In packed modes the window has two halves, each of which shows a bank: GR9 the first, GRA or what follows the second.
std::optional<u32> CirrusVga::banked(u32 offset) const {
  if (offset >= 0x10000) return std::nullopt;
  const unsigned half = offset >> 15;
  const bool two = gr_[0x0b] & kTwoBanks;
  u32 at = u32{gr_[two ? 9 + half : 9]} << ((gr_[0x0b] & kCoarseBanks) ? 14 : 12);
  at += two ? offset & 0x7fff : offset;
  if ((gr_[0x0b] & (kBy16 | kExtendedWrites)) == (kBy16 | kExtendedWrites)) {
    at = (at - (offset & 0x7fff)) + ((offset & 0x7fff) << 4);
  } else if (gr_[0x0b] & kBy8) {
    at = (at - (offset & 0x7fff)) + ((offset & 0x7fff) << 3);
  }
  return at < memory_bytes() ? std::optional(at) : std::nullopt;
}

u8 CirrusVga::read_memory(u32 offset) {
  if (registers_in_window(offset)) return read_mmio(offset & 0xff);
  if (!packed()) return VgaCore::read_memory(offset);
  const auto at = banked(offset);
  return at ? frame_byte(*at) : u8{0xff};
}

void CirrusVga::write_memory(u32 offset, u8 value) {
  if (registers_in_window(offset)) return write_mmio(offset & 0xff, value);
  if (taking_source_ && offset < 0x10000) return take_source(value);
  if (!packed()) return VgaCore::write_memory(offset, value);
  if (const auto at = banked(offset)) write_frame(*at, value);
}

// Write modes 4 and 5 (GRB bit 2): each bit of the value is a pixel, set ones in the foreground colour, in mode 5 the
// others in the background colour.
void CirrusVga::write_frame(u32 at, u8 value) {
  const unsigned write_mode = gr_[5] & 7;
  if (!(gr_[0x0b] & kExtendedWrites) || write_mode < 4 || write_mode > 5) {
    vram(at) = value;
    return;
  }
  const bool wide = gr_[0x0b] & kBy16;
  for (unsigned n = 0; n < 8; ++n) {
    const bool set = bit(value, 7 - n);
    if (!set && write_mode == 4) continue;
    if (!wide) {
      vram(at + n) = gr_[set ? 1 : 0];
    } else {
      vram(at + 2 * n) = gr_[set ? 1 : 0];
      vram(at + 2 * n + 1) = gr_[set ? 0x11 : 0x10];
    }
  }
}

void CirrusVga::update_aperture() {
  const bool plain_writes = !(gr_[0x0b] & (kExtendedWrites | kBy8 | kBy16));
  const bool registers_at_end = (sr_[0x17] & 0x44) == 0x44;
  set_direct(0, plain_writes && !registers_at_end && !taking_source_ && quiet_writes_ >= kQuiet);
}

u32 CirrusVga::Aperture::read(u64 offset, unsigned width) {
  u32 value = 0;
  for (unsigned n = 0; n < width; ++n) {
    const u32 at = static_cast<u32>(offset + n);
    const bool registers =
        (vga_.sr_[0x17] & 0x44) == 0x44 && at < vga_.memory_bytes() && at >= vga_.memory_bytes() - 256;
    const u8 byte = at >= kBlitWindow ? u8{0xff} : registers ? vga_.read_mmio(at & 0xff) : vga_.frame_byte(at);
    value |= u32{byte} << (8 * n);
  }
  return value;
}

void CirrusVga::Aperture::write(u64 offset, unsigned width, u32 value) {
  for (unsigned n = 0; n < width; ++n) {
    const u32 at = static_cast<u32>(offset + n);
    const u8 byte = static_cast<u8>(value >> (8 * n));
    if ((vga_.sr_[0x17] & 0x44) == 0x44 && at < vga_.memory_bytes() && at >= vga_.memory_bytes() - 256) {
      vga_.write_mmio(at & 0xff, byte);
    } else if (vga_.taking_source_) {
      vga_.take_source(byte);
    } else if (at < kBlitWindow) {
      u32 to = at;
      if ((vga_.gr_[0x0b] & (kBy16 | kExtendedWrites)) == (kBy16 | kExtendedWrites)) {
        to <<= 4;
      } else if (vga_.gr_[0x0b] & kBy8) {
        to <<= 3;
      }
      vga_.write_frame(to, byte);
    }
  }
  if (vga_.taking_source_ || vga_.quiet_writes_ >= kQuiet) return;
  if (++vga_.quiet_writes_ == kQuiet) vga_.update_aperture();
}

u32 CirrusVga::Mmio::read(u64 offset, unsigned width) {
  u32 value = 0;
  for (unsigned n = 0; n < width; ++n) {
    const u32 at = static_cast<u32>(offset + n);
    // QEMU's and the chip's: the VGA's ports from 3C0h stand at 0 to 1Fh when the upper part is asked for.
    value |= u32{at >= 0x100 ? vga_.read_mmio(at - 0x100) : vga_.read_port(static_cast<u16>(0x3c0 + at))} << (8 * n);
  }
  return value;
}

void CirrusVga::Mmio::write(u64 offset, unsigned width, u32 value) {
  for (unsigned n = 0; n < width; ++n) {
    const u32 at = static_cast<u32>(offset + n);
    const u8 byte = static_cast<u8>(value >> (8 * n));
    at >= 0x100 ? vga_.write_mmio(at - 0x100, byte) : vga_.write_port(static_cast<u16>(0x3c0 + at), byte);
  }
}

}  // namespace xlat
