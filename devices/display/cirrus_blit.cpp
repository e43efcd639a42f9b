// The BitBLT engine: copies, patterns, colour expansion, fills, with sixteen raster operations and transparency.
#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "devices/display/cirrus.h"

namespace xlat {

namespace {
// GR30, BLT mode.
constexpr u8 kBackward = 0x01, kToMemory = 0x02, kFromMemory = 0x04, kTransparent = 0x08, kPattern = 0x40,
             kExpand = 0x80;
// GR33, BLT mode extensions.
constexpr u8 kDwordLines = 0x01, kInvertExpand = 0x02, kSolid = 0x04;
}  // namespace

CirrusVga::Blit CirrusVga::blit_registers() const {
  const auto word = [this](unsigned index, u8 high) { return gr_[index] | u32(gr_[index + 1] & high) << 8; };
  const auto address = [&](unsigned index) { return word(index, 0xff) | u32(gr_[index + 2] & 0x3f) << 16; };
  Blit b;
  b.width = word(0x20, 0x1f) + 1;
  b.height = word(0x22, 0x07) + 1;
  b.dst_pitch = word(0x24, 0x1f);
  b.src_pitch = word(0x26, 0x1f);
  b.dst = address(0x28);
  b.src = address(0x2c);
  b.mode = gr_[0x30];
  b.extension = gr_[0x33];
  b.pixel = ((b.mode >> 4) & 3) + 1;
  b.backward = b.mode & kBackward;
  return b;
}

u32 CirrusVga::colour_register(unsigned first) const {
  return gr_[first] | u32{gr_[first + 0x10]} << 8 | u32{gr_[first + 0x12]} << 16 | u32{gr_[first + 0x14]} << 24;
}

// GR32. Swapping the digits of a code inverts the source.
u8 CirrusVga::rop(u8 s, u8 d) const {
  unsigned value = d;
  switch (gr_[0x32]) {
    case 0x00: value = 0; break;
    case 0x05: value = s & d; break;
    case 0x06: value = d; break;
    case 0x09: value = s & ~d; break;
    case 0x0b: value = ~unsigned{d}; break;
    case 0x0d: value = s; break;
    case 0x0e: value = 0xff; break;
    case 0x50: value = ~s & d; break;
    case 0x59: value = s ^ d; break;
    case 0x6d: value = s | d; break;
    case 0x90: value = ~s & ~d; break;
    case 0x95: value = ~(s ^ d); break;
    case 0xad: value = s | ~d; break;
    case 0xd0: value = ~unsigned{s}; break;
    case 0xd6: value = ~s | d; break;
    case 0xda: value = ~s | ~d; break;
    default: break;
  }
  return static_cast<u8>(value);
}

// One pixel whose lowest byte is at `at`. With `compare` it stays as it is where the result is the transparent colour
// (GR34, GR35).
void CirrusVga::put_pixel(const Blit& b, u32 at, u32 source, bool compare) {
  u32 result = 0;
  for (unsigned n = 0; n < b.pixel; ++n)
    result |= u32{rop(static_cast<u8>(source >> (8 * n)), frame_byte(at + n))} << (8 * n);
  const u32 key = b.pixel == 1 ? gr_[0x34] : gr_[0x34] | u32{gr_[0x35]} << 8;
  if (compare && result == key) return;
  for (unsigned n = 0; n < b.pixel; ++n) vram(at + n) = static_cast<u8>(result >> (8 * n));
}

// The bytes of `source` to the line at b.dst; while going backward that is its last byte, and the source's too.
void CirrusVga::copy_line(const Blit& b, std::span<const u8> source) {
  const bool compare = (b.mode & kTransparent) && b.pixel <= 2;
  const unsigned step = compare ? b.pixel : 1;
  for (unsigned n = 0; n + step <= b.width; n += step) {
    const u32 at = b.backward ? b.dst - n - (step - 1) : b.dst + n;
    if (!compare) {
      vram(at) = rop(source[n], frame_byte(at));
      continue;
    }
    // Backward, the pixel's highest byte comes first.
    u32 pixel = 0;
    for (unsigned k = 0; k < step; ++k) pixel |= u32{source[n + k]} << (8 * (b.backward ? step - 1 - k : k));
    put_pixel(b, at, pixel, true);
  }
}

// Bits of `source`, from the high end, to foreground and background. GR2F leaves out pixels at the left.
void CirrusVga::expand_line(const Blit& b, std::span<const u8> source, unsigned first_bit) {
  const unsigned skip = b.pixel == 3 ? (gr_[0x2f] & 0x1f) / 3 : gr_[0x2f] & 7;
  const bool transparent = b.mode & kTransparent, inverted = transparent && (b.extension & kInvertExpand);
  const u32 fore = colour_register(1), back = colour_register(0);
  for (unsigned n = skip; (n + 1) * b.pixel <= b.width; ++n) {
    const unsigned at = (first_bit + n) % (8 * static_cast<unsigned>(source.size()));
    const bool set = bit(source[at / 8], 7 - at % 8) != inverted;
    if (!set && transparent) continue;
    const u32 place = b.backward ? b.dst - n * b.pixel - (b.pixel - 1) : b.dst + n * b.pixel;
    put_pixel(b, place, inverted ? back : set ? fore : back, false);
  }
}

// Eight pixels of the pattern's line; one of 24 bits takes 32 bytes in memory.
std::vector<u8> CirrusVga::pattern_row(const Blit& b, unsigned line) const {
  const unsigned bytes = 8 * b.pixel, pitch = b.pixel == 3 ? 32 : bytes;
  const u32 first = (b.src & ~7u) + ((b.src + line) & 7) * pitch;
  std::vector<u8> row(bytes);
  for (unsigned n = 0; n < bytes; ++n)
    row[n] = source_.empty() ? frame_byte(first + n) : source_[(first + n) % source_.size()];
  return row;
}

void CirrusVga::solid_fill(const Blit& b) {
  Blit line = b;
  const u32 colour = colour_register(1);
  for (unsigned y = 0; y < b.height; ++y, line.dst += b.dst_pitch) {
    for (unsigned n = 0; n + b.pixel <= b.width; n += b.pixel) put_pixel(line, line.dst + n, colour, false);
  }
}

// Line `lines_done_` of the BitBLT to b.dst, from `source` or, where that is empty, from video memory at b.src.
void CirrusVga::blit_line(Blit& b, std::span<const u8> source) {
  const unsigned line = lines_done_++;
  if (b.mode & kPattern) {
    if (b.mode & kExpand) {
      const u32 at = (b.src & ~7u) + ((b.src + line) & 7);
      const u8 row = source_.empty() ? frame_byte(at) : source_[at % source_.size()];
      expand_line(b, {&row, 1}, 0);
    } else {
      const std::vector<u8> row = pattern_row(b, line);
      const unsigned skip = b.pixel == 3 ? gr_[0x2f] & 0x1f : (gr_[0x2f] & 7) * b.pixel;
      for (unsigned n = skip; n + b.pixel <= b.width; n += b.pixel) {
        u32 pixel = 0;
        for (unsigned k = 0; k < b.pixel; ++k) pixel |= u32{row[(n + k) % row.size()]} << (8 * k);
        put_pixel(b, b.dst + n, pixel, (b.mode & kTransparent) && b.pixel <= 2);
      }
    }
  } else {
    const unsigned bits = b.width / b.pixel;
    const unsigned bytes = (b.mode & kExpand) ? (bits + 7) / 8 : b.width;
    std::vector<u8> gathered;
    if (source.empty()) {
      for (unsigned n = 0; n < bytes; ++n) gathered.push_back(frame_byte(b.backward ? b.src - n : b.src + n));
      source = gathered;
    }
    if (b.mode & kExpand) {
      expand_line(b, source, 0);
      b.src += bytes;  // lines of bits follow each other
    } else {
      copy_line(b, source);
      b.src += b.backward ? ~b.src_pitch + 1 : b.src_pitch;
    }
  }
  b.dst += b.backward ? ~b.dst_pitch + 1 : b.dst_pitch;
}

void CirrusVga::start_blit() {
  reset_blit();
  Blit b = blit_registers();
  if (b.mode & kToMemory) return;  // nothing that is known of uses it
  constexpr u8 kKinds = kTransparent | kPattern | kExpand;
  if ((b.extension & kSolid) && (b.mode & kKinds) == (kPattern | kExpand)) return solid_fill(b);
  if (!(b.mode & kFromMemory)) {
    for (unsigned y = 0; y < b.height; ++y) blit_line(b, {});
    return;
  }
  // The source comes as writes to the aperture: a pattern, or lines that end with a byte or a doubleword.
  const unsigned bits = b.width / b.pixel;
  if (b.mode & kPattern) {
    source_line_bytes_ = (b.mode & kExpand) ? 8 : b.pixel == 3 ? 256 : 64 * b.pixel;
    source_lines_left_ = 1;
  } else {
    source_line_bytes_ = !(b.mode & kExpand)           ? (b.width + 3) & ~3u
                         : (b.extension & kDwordLines) ? (bits + 31) / 32 * 4
                                                       : (bits + 7) / 8;
    source_lines_left_ = b.height;
  }
  taking_source_ = source_line_bytes_ != 0;
  blit_ = b;
  gr_[0x31] |= 0x01;  // busy
  update_aperture();
}

void CirrusVga::reset_blit() {
  taking_source_ = false;
  source_.clear();
  source_lines_left_ = source_line_bytes_ = lines_done_ = 0;
  quiet_writes_ = 0;
  gr_[0x31] &= static_cast<u8>(~0x0b);  // neither busy nor started
}

void CirrusVga::take_source(u8 value) {
  source_.push_back(value);
  if (source_.size() < source_line_bytes_) return;
  if (blit_.mode & kPattern) {
    for (unsigned y = 0; y < blit_.height; ++y) blit_line(blit_, {});
    return reset_blit();
  }
  const std::vector<u8> line = std::exchange(source_, {});
  blit_line(blit_, line);
  if (--source_lines_left_ == 0) reset_blit();
}

}  // namespace xlat
