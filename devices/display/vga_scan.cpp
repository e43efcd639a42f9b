// The CRTC's way through a frame: which memory each scan line shows.
#include "base/bits.h"
#include "devices/display/vga_core.h"

namespace xlat {

// The CRTC's way through one frame: start address, preset row scan (CR08 bits 4-0) and byte panning (bits 6-5) at the
// top; scan lines doubled by CR09 bit 7; at line compare counter and row scan begin anew at zero.
std::vector<VgaCore::ScanLine> VgaCore::scan_lines() const {
  const unsigned height = display_end() + 1, split = line_compare();
  const u8 last_scan = crtc_[9] & 31, byte_panning = static_cast<u8>(bits(crtc_[8], 5, 2));
  const unsigned repeat = (crtc_[9] & 0x80) ? 2 : 1;
  std::vector<ScanLine> lines;
  lines.reserve(height);
  ScanLine now{start_address() + byte_panning, static_cast<u8>(crtc_[8] & 31), false, true};
  unsigned again = 0;
  for (unsigned y = 0; y < height; ++y) {
    lines.push_back(now);
    now.first = false;
    if (y == split) {  // AR10 bit 5: panning is for the upper part only
      now = {(attr_[0x10] & 0x20) ? 0u : byte_panning, 0, true, true};
      again = 0;
    } else if (++again == repeat) {
      again = 0;
      now.first = now.row_scan == last_scan;
      if (now.first) {
        now.row_scan = 0;
        now.counter += crtc_[0x13] * 2u;
      } else {
        now.row_scan = (now.row_scan + 1) & 31;
      }
    }
  }
  return lines;
}

// AR13. With nine dots 8 means none and 0 to 7 one to eight; in 256-colour modes a pixel is two dots.
unsigned VgaCore::pel_panning(const ScanLine& line) const {
  if (line.below_split && (attr_[0x10] & 0x20)) return 0;
  const unsigned value = attr_[0x13] & 15;
  if (text_mode() && dots_per_character() == 9) return value >= 8 ? 0 : value + 1;
  return (attr_[0x10] & 0x40) ? value & 6 : value & 7;
}

// Memory address the CRTC puts out for its counter's value: byte, word or doubleword mode, and the CGA and Hercules
// substitutions of row scan bits (CR14 bit 6, CR17 bits 0, 1, 5, 6).
u32 VgaCore::crtc_address(u32 counter, unsigned row_scan) const {
  u32 address;
  if (crtc_[0x14] & 0x40) {
    address = counter << 2 | ((counter >> 14) & 3);
  } else if (!(crtc_[0x17] & 0x40)) {
    address = counter << 1 | ((counter >> ((crtc_[0x17] & 0x20) ? 15 : 13)) & 1);
  } else {
    address = counter;
  }
  if (!(crtc_[0x17] & 1)) address = (address & ~0x2000u) | (row_scan & 1) << 13;
  if (!(crtc_[0x17] & 2)) address = (address & ~0x4000u) | ((row_scan >> 1) & 1) << 14;
  return address & 0xffff;
}

// Number of the frame on the screen, for blinking.
u64 VgaCore::frame() const {
  const Timing t = timing();
  return static_cast<u64>(((unsigned __int128)clock_.now() << 16) / (t.line_ns_q16 * t.lines));
}

}  // namespace xlat
