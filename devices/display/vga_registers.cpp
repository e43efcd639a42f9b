// The VGA's ports: miscellaneous output, sequencer, CRTC, graphics and attribute controllers, DAC, status.
#include <algorithm>

#include "base/bits.h"
#include "devices/display/vga_core.h"

namespace xlat {

namespace {

// Bits each register has; the others read as zero (IBM VGA technical reference).
constexpr u8 kSeqMask[8] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff};
constexpr u8 kGfxMask[16] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
constexpr u8 kAttrMask[0x15] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

}  // namespace

VgaCore::VgaCore(Clock& clock, u32 bytes) : clock_(clock), dirty_(bytes), written_(bytes / 4096), vram_(bytes) {}

void VgaCore::map_vga_ports(PortBus& ports) {
  ports.map(0x3b4, 2, ports_3b0_);
  ports.map(0x3ba, 1, ports_3ba_);
  ports.map(0x3c0, 16, ports_3c0_);
  ports.map(0x3d4, 2, ports_3d0_);
  ports.map(0x3da, 1, ports_3da_);
}

void VgaCore::reset_vga() {
  misc_ = feature_ = 0;
  seq_index_ = crtc_index_ = gfx_index_ = attr_index_ = 0;
  attr_data_next_ = false;
  seq_.fill(0);
  crtc_.fill(0);
  gfx_.fill(0);
  attr_.fill(0);
  dac_.fill(0);
  dac_mask_ = 0xff;
  dac_read_ = dac_write_ = dac_component_ = dac_state_ = 0;
  latch_ = 0;
}

u32 VgaCore::Ports::read(u64 offset, unsigned) { return vga_.read_port(static_cast<u16>(base_ + offset)); }
void VgaCore::Ports::write(u64 offset, unsigned, u32 value) {
  vga_.write_port(static_cast<u16>(base_ + offset), static_cast<u8>(value));
}

u8 VgaCore::read_port(u16 port) {
  // MISC bit 0 decides whether the CRTC answers at 3Dx or 3Bx.
  if ((port & 0xfff0) == ((misc_ & 1) ? 0x3b0 : 0x3d0)) return 0xff;
  switch (port) {
    case 0x3c0: return static_cast<u8>(attr_index_);
    case 0x3c1: {
      const unsigned index = attr_index_ & 0x1f;
      return index < attr_.size() ? attr_[index] : u8{0};
    }
    case 0x3c2: return 0x10;  // switch sense: a colour monitor
    case 0x3c4: return seq_index_;
    case 0x3c5: return seq_[seq_index_ & 7];
    case 0x3c6: return dac_mask_;
    case 0x3c7: return dac_state_;
    case 0x3c8: return dac_write_;
    case 0x3c9: {
      const u8 value = dac_[dac_read_ * 3u + dac_component_];
      if (++dac_component_ == 3) dac_component_ = 0, ++dac_read_;
      return value;
    }
    case 0x3ca: return feature_;
    case 0x3cc: return misc_;
    case 0x3ce: return gfx_index_;
    case 0x3cf: return gfx_[gfx_index_ & 15];
    case 0x3b4:
    case 0x3d4: return crtc_index_;
    case 0x3b5:
    case 0x3d5: return crtc_index_ < crtc_.size() ? crtc_[crtc_index_] : u8{0};
    case 0x3ba:
    case 0x3da: return input_status_1();
    default: return 0xff;
  }
}

void VgaCore::write_port(u16 port, u8 value) {
  if ((port & 0xfff0) == ((misc_ & 1) ? 0x3b0 : 0x3d0)) return;
  switch (port) {
    case 0x3c0: write_attribute(value); break;
    case 0x3c2: misc_ = value & 0xef; break;
    case 0x3c4: seq_index_ = value & 7; break;
    case 0x3c5: seq_[seq_index_ & 7] = value & kSeqMask[seq_index_ & 7]; break;
    case 0x3c6: dac_mask_ = value; break;
    case 0x3c7:
      dac_read_ = value;
      dac_component_ = 0;
      dac_state_ = 3;
      break;
    case 0x3c8:
      dac_write_ = value;
      dac_component_ = 0;
      dac_state_ = 0;
      break;
    case 0x3c9:
      dac_[dac_write_ * 3u + dac_component_] = dac_has_8_bits() ? value : value & 0x3f;
      if (++dac_component_ == 3) dac_component_ = 0, ++dac_write_;
      break;
    case 0x3ce: gfx_index_ = value & 15; break;
    case 0x3cf: gfx_[gfx_index_ & 15] = value & kGfxMask[gfx_index_ & 15]; break;
    case 0x3b4:
    case 0x3d4: crtc_index_ = value; break;
    case 0x3b5:
    case 0x3d5: write_crtc(value); break;
    case 0x3ba:
    case 0x3da: feature_ = value & 0x0b; break;
    default: break;
  }
}

void VgaCore::write_attribute(u8 value) {
  if (!attr_data_next_) {
    attr_index_ = value & 0x3f;
  } else {
    const unsigned index = attr_index_ & 0x1f;
    // The palette is the host's only while PAS (bit 5 of the index) is clear.
    if (index < attr_.size() && (index >= 16 || !(attr_index_ & 0x20))) attr_[index] = value & kAttrMask[index];
  }
  attr_data_next_ = !attr_data_next_;
}

void VgaCore::write_crtc(u8 value) {
  if (crtc_index_ >= crtc_.size()) return;
  if (crtc_index_ <= 7 && (crtc_[0x11] & 0x80)) {
    // Protected, except for line compare bit 8.
    if (crtc_index_ == 7) crtc_[7] = static_cast<u8>((crtc_[7] & ~0x10) | (value & 0x10));
    return;
  }
  crtc_[crtc_index_] = value;
}

unsigned VgaCore::display_end() const { return crtc_[0x12] | bits(crtc_[7], 1, 1) << 8 | bits(crtc_[7], 6, 1) << 9; }

unsigned VgaCore::line_compare() const {
  return static_cast<unsigned>(crtc_[0x18] | bits(crtc_[7], 4, 1) << 8 | bits(crtc_[9], 6, 1) << 9);
}

VgaCore::Timing VgaCore::timing() const {
  Timing t;
  const u64 dot_hz = dot_clock();
  const u64 dots = (seq_[1] & 1) ? 8 : 9;
  t.line_chars = crtc_[0] + u64{5};
  t.display_chars = std::min<u64>(crtc_[1] + u64{1}, t.line_chars);
  const u64 line_dots = t.line_chars * dots * ((seq_[1] & 8) ? 2 : 1);
  t.line_ns_q16 = (line_dots * kNanosPerSecond << 16) / dot_hz;
  t.lines = (crtc_[6] | bits(crtc_[7], 0, 1) << 8 | bits(crtc_[7], 5, 1) << 9) + 2;
  t.display_lines = std::min<u64>(display_end() + 1, t.lines);
  t.retrace_start = crtc_[0x10] | bits(crtc_[7], 2, 1) << 8 | bits(crtc_[7], 7, 1) << 9;
  if (t.retrace_start >= t.lines) t.retrace_start = t.lines - 1;
  // CR11 holds the low four bits of the line where retrace ends.
  t.retrace_end = t.retrace_start + std::max<u64>(1, (crtc_[0x11] - t.retrace_start) & 15);
  return t;
}

u8 VgaCore::input_status_1() {
  attr_data_next_ = false;
  const Timing t = timing();
  const u64 frame_q16 = t.line_ns_q16 * t.lines;
  const u64 at = static_cast<u64>(((unsigned __int128)clock_.now() << 16) % frame_q16);
  const u64 line = at / t.line_ns_q16;
  const u64 character = at % t.line_ns_q16 * t.line_chars / t.line_ns_q16;
  const bool vertical = line >= t.retrace_start && line < t.retrace_end;
  const bool disabled = line >= t.display_lines || character >= t.display_chars;
  return static_cast<u8>((vertical ? 0x08 : 0) | (disabled || vertical ? 0x01 : 0));
}

u64 VgaCore::dot_clock() const { return ((misc_ >> 2) & 3) == 1 ? 28'322'000 : 25'175'000; }

// Between 20 and 200 frames a second.
u64 VgaCore::frame_ns() const {
  const Timing t = timing();
  return std::clamp<u64>(t.line_ns_q16 * t.lines >> 16, kNanosPerSecond / 200, kNanosPerSecond / 20);
}

void VgaCore::serialize_vga(Archive& ar) {
  ar(misc_)(feature_);
  ar(seq_index_)(crtc_index_)(
      gfx_index_)(attr_index_)(attr_data_next_)(seq_)(crtc_)(gfx_)(attr_)(dac_)(dac_mask_)(dac_read_)(dac_write_);
  ar.range(dac_component_, u8{0}, u8{2});
  ar(dac_state_)(latch_);
  ar.raw(vram_);
  if (ar.loading()) dirty_.mark_all();
}

}  // namespace xlat
