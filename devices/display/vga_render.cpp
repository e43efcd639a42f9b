// Graphics screens as a monitor shows them: planar, CGA and 256-colour VGA modes, and the linear VBE modes.
#include <algorithm>

#include "base/bits.h"
#include "devices/display/vga.h"

namespace xlat {

// Screen off: SR01 bit 5, or the attribute controller disconnected (PAS clear), or the CRTC held in reset.
bool Vga::blank() const { return (seq_[1] & 0x20) || !(attr_index_ & 0x20) || !(crtc_[0x17] & 0x80); }

Picture Vga::dimensions() const {
  if (vbe_on()) return {vbe_[kVbeXres], vbe_[kVbeYres], {}};
  return {(crtc_[1] + 1u) * (text_mode() ? dots_per_character() : 8) * dot_stretch(), display_end() + 1, {}};
}

Picture Vga::render() const {
  if (vbe_on()) return render_vbe();
  if (blank()) {
    Picture black = dimensions();
    if (!(crtc_[0x17] & 0x80)) black = {640, 400, {}};  // no timing was set up yet
    black.rgb.resize(std::size_t{black.width} * black.height * 3);
    return black;
  }
  return text_mode() ? render_text() : render_planes();
}

std::vector<Rect> Vga::refresh(Surface& surface) const {
  const Picture now = render();
  const bool resized = now.width != surface.width() || now.height != surface.height();
  if (resized) surface.resize(now.width, now.height);
  unsigned first = now.height, last = 0;
  const u8* rgb = now.rgb.data();
  for (unsigned y = 0; y < now.height; ++y) {
    bool changed = false;
    for (u32& pixel : surface.row(y)) {
      const u32 value = u32{rgb[0]} << 16 | u32{rgb[1]} << 8 | rgb[2];
      changed |= pixel != value;
      pixel = value;
      rgb += 3;
    }
    if (changed) first = std::min(first, y), last = y;
  }
  if (resized) return {{0, 0, now.width, now.height}};
  if (first == now.height) return {};
  return {{0, first, now.width, last - first + 1}};
}

Picture Vga::render_planes() const {
  const unsigned characters = crtc_[1] + 1u, stretch = dot_stretch();
  const auto lines = scan_lines();
  Picture picture = dimensions();
  picture.rgb.resize(std::size_t{picture.width} * picture.height * 3);
  const bool many = gfx_[5] & 0x40, interleaved = gfx_[5] & 0x20;

  std::array<std::array<u8, 3>, 256> rgb;
  for (unsigned i = 0; i < 256; ++i) {
    rgb[i] = many ? colour(static_cast<u8>(i)) : colour(palette(static_cast<u8>(i & 15)));
  }
  for (unsigned y = 0; y < picture.height; ++y) {
    const ScanLine& line = lines[y];
    const unsigned shift = pel_panning(line);
    u8* const row = &picture.rgb[std::size_t{y} * picture.width * 3];
    for (unsigned character = 0; character <= characters; ++character) {  // one more, for what panning brings in
      const u32 planes = planes_at(crtc_address(line.counter + character, line.row_scan));
      for (unsigned dot = 0; dot < 8; ++dot) {
        const unsigned x = character * 8 + dot;
        if (x < shift || x - shift >= characters * 8) continue;
        u8 index = 0;
        if (many) {  // a byte a pixel, two dots wide
          index = static_cast<u8>(planes >> (8 * (dot / 2)));
        } else if (interleaved) {  // two bits a pixel, planes 0 and 1 one after the other; 2 and 3 above them
          const unsigned byte = dot / 4, low = 6 - 2 * (dot % 4);
          index = static_cast<u8>(bits(planes, 8 * byte + low, 2) | bits(planes, 16 + 8 * byte + low, 2) << 2);
        } else {
          for (unsigned p = 0; p < 4; ++p) index |= static_cast<u8>(bit(planes, 8 * p + 7 - dot) << p);
        }
        u8* out = row + std::size_t{x - shift} * stretch * 3;
        for (unsigned n = 0; n < stretch; ++n, out += 3) std::copy(rgb[index].begin(), rgb[index].end(), out);
      }
    }
  }
  return picture;
}

Picture Vga::render_vbe() const {
  const unsigned width = vbe_[kVbeXres], height = vbe_[kVbeYres], bpp = vbe_[kVbeBpp];
  const u64 line = vbe_bytes_per_line();
  Picture picture{width, height, {}};
  // A screen larger than the memory cannot be shown; registers alone must not make us allocate for it.
  const unsigned bytes = (bpp + 7) / 8;
  const u64 shown = std::max<u64>(line, bpp == 4 ? width / 2 : u64{width} * bytes);
  if (width == 0 || height == 0 || bytes == 0 || bytes > 4 || shown * height > memory_bytes()) return Picture{};
  picture.rgb.resize(std::size_t{width} * height * 3);
  const auto five = [](u32 v) { return static_cast<u8>(v << 3 | v >> 2); };
  u8* out = picture.rgb.data();
  for (unsigned y = 0; y < height; ++y) {
    const u64 row = (u64{vbe_[kVbeYOffset]} + y) * line;
    for (unsigned x = 0; x < width; ++x, out += 3) {
      const u64 column = u64{vbe_[kVbeXOffset]} + x;
      if (bpp == 4) {
        const u64 at = row + column / 8 * 4;
        if (at + 4 > vram_.size()) continue;
        u8 index = 0;
        for (unsigned p = 0; p < 4; ++p) index |= static_cast<u8>(bit(vram_[at + p], 7 - column % 8) << p);
        const auto c = colour(palette(index));
        std::copy(c.begin(), c.end(), out);
        continue;
      }
      const u64 at = row + column * bytes;
      if (at + bytes > vram_.size()) continue;
      const u32 v = static_cast<u32>(load_le_n(&vram_[at], bytes));
      if (bpp == 8) {
        const auto c = colour(static_cast<u8>(v));
        std::copy(c.begin(), c.end(), out);
      } else if (bpp == 15) {
        out[0] = five(v >> 10 & 31);
        out[1] = five(v >> 5 & 31);
        out[2] = five(v & 31);
      } else if (bpp == 16) {
        const u32 green = v >> 5 & 63;
        out[0] = five(v >> 11 & 31);
        out[1] = static_cast<u8>(green << 2 | green >> 4);
        out[2] = five(v & 31);
      } else {
        out[0] = static_cast<u8>(v >> 16);
        out[1] = static_cast<u8>(v >> 8);
        out[2] = static_cast<u8>(v);
      }
    }
  }
  return picture;
}

}  // namespace xlat
