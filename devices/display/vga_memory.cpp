// Host access to video memory through A0000h-BFFFFh: read and write modes, latches, chaining.
#include "base/bits.h"
#include "devices/display/vga_core.h"

namespace xlat {

namespace {
// Four bits to four bytes of all ones or zeros, one a plane.
constexpr u32 expand(u8 nibble) {
  u32 value = 0;
  for (unsigned p = 0; p < 4; ++p) value |= bit(nibble, p) ? u32{0xff} << (8 * p) : 0;
  return value;
}
constexpr u32 repeat(u8 byte) { return byte * 0x01010101u; }
}  // namespace

u32 VgaCore::Window::read(u64 offset, unsigned width) {
  u32 value = 0;
  for (unsigned i = 0; i < width; ++i) value |= u32{vga_.read_memory(static_cast<u32>(offset + i))} << (8 * i);
  return value;
}

void VgaCore::Window::write(u64 offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; ++i) {
    vga_.write_memory(static_cast<u32>(offset + i), static_cast<u8>(value >> (8 * i)));
  }
}

u32 VgaCore::load_planes(u32 offset) const { return load_le<u32>(&vram_[offset * std::size_t{4}]); }

// Makes an offset from A0000h one into the window that GR06 selects; false outside it.
bool VgaCore::window_offset(u32& offset) const {
  switch ((gfx_[6] >> 2) & 3) {
    case 0: return offset < 0x20000;
    case 1: return offset < 0x10000;
    case 2: offset -= 0x10000; return offset < 0x8000;
    default: offset -= 0x18000; return offset < 0x8000;
  }
}

u8 VgaCore::read_memory(u32 offset) {
  return (misc_ & 2) && window_offset(offset) ? read_planes(offset & 0xffff) : u8{0xff};
}

// `at` counts the bytes of the window; what plane and byte of it that is depends on the mode.
u8 VgaCore::read_planes(u32 at) {
  u8 plane = gfx_[4] & 3;
  if (chain4()) {
    plane = at & 3;
    at &= ~3u;
  } else if (gfx_[5] & 0x10) {  // host odd/even
    plane = static_cast<u8>((plane & 2) | (at & 1));
    at &= ~1u;
  }
  latch_ = load_planes(at);
  if (!(gfx_[5] & 8) || chain4()) return static_cast<u8>(latch_ >> (8 * plane));
  // Read mode 1: ones where all planes that care equal the compare value.
  const u32 differs = (latch_ ^ expand(gfx_[2])) & expand(gfx_[7]);
  return static_cast<u8>(~(differs | differs >> 8 | differs >> 16 | differs >> 24));
}

void VgaCore::write_memory(u32 offset, u8 value) {
  if ((misc_ & 2) && window_offset(offset)) write_planes(offset & 0xffff, value);
}

void VgaCore::write_planes(u32 at, u8 value) {
  u8 planes = seq_[2];
  if (chain4()) {
    planes &= static_cast<u8>(1 << (at & 3));
    at &= ~3u;
  } else if (!(seq_[4] & 4)) {  // odd/even: even addresses to planes 0 and 2, odd ones to 1 and 3
    planes &= (at & 1) ? 0x0a : 0x05;
    at &= ~1u;
  }
  u32 bit_mask = repeat(gfx_[8]);
  const u8 rotated = static_cast<u8>(value >> (gfx_[3] & 7) | value << (8 - (gfx_[3] & 7)));
  u32 data = 0;
  switch (gfx_[5] & 3) {
    case 0: {
      const u32 from_set_reset = expand(gfx_[1]);
      data = (repeat(rotated) & ~from_set_reset) | (expand(gfx_[0]) & from_set_reset);
      break;
    }
    case 1:
      data = latch_;
      bit_mask = ~u32{0};
      break;
    case 2: data = expand(value & 15); break;
    case 3:
      bit_mask &= repeat(rotated);
      data = expand(gfx_[0]);
      break;
  }
  if ((gfx_[5] & 3) != 1) {
    switch ((gfx_[3] >> 3) & 3) {
      case 0: break;
      case 1: data &= latch_; break;
      case 2: data |= latch_; break;
      case 3: data ^= latch_; break;
    }
    data = (data & bit_mask) | (latch_ & ~bit_mask);
  }
  const u32 enabled = expand(planes);
  store_le<u32>(plane_bytes(at), (data & enabled) | (load_planes(at) & ~enabled));
}

}  // namespace xlat
