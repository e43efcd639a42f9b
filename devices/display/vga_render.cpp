// The screen as a monitor shows it, line by line, and what of it has changed.
#include <algorithm>

#include "base/bits.h"
#include "base/hasher.h"
#include "devices/display/vga_core.h"

namespace xlat {

// All that is the same for every line of a frame.
struct VgaCore::Frame {
  enum class Kind : u8 { kBlank, kText, kPlanes, kLinear };
  Kind kind = Kind::kBlank;
  unsigned width = 0, height = 0;
  std::vector<ScanLine> lines;  // but for linear modes
  std::array<u32, 256> rgb{};   // by the value in memory
  std::optional<LinearMode> linear;
  // Text modes. Fonts are offsets into plane 2, for attribute bit 3 set and clear.
  u32 font_a = 0, font_b = 0;
  bool text_lit = false, cursor_lit = false;
  u64 key = 0;  // of everything but the memory shown, the cursor and blinking
  // The memory last hashed: all scan lines of a row show the same.
  struct Row {
    std::optional<u64> from;
    u64 key = 0;
    bool blinks = false;
  };
  mutable Row row;
};

// Screen off: SR01 bit 5, or the attribute controller disconnected (PAS clear), or the CRTC held in reset.
bool VgaCore::blank() const { return (seq_[1] & 0x20) || !(attr_index_ & 0x20) || !(crtc_[0x17] & 0x80); }

// Four bits through the attribute controller to a DAC index.
u8 VgaCore::palette(u8 four_bits) const {
  const u8 entry = attr_[four_bits & attr_[0x12] & 15];
  const u8 select = attr_[0x14];
  if (attr_[0x10] & 0x80) return static_cast<u8>((entry & 0x0f) | select << 4);
  return static_cast<u8>((entry & 0x3f) | (select & 0x0c) << 4);
}

u32 VgaCore::colour(u8 index) const {
  const u8* entry = &dac_[(index & dac_mask_) * 3u];
  const bool eight = dac_has_8_bits();
  const auto wide = [eight](u8 v) { return eight ? u32{v} : u32{static_cast<u8>(v << 2 | v >> 4)}; };
  return wide(entry[0]) << 16 | wide(entry[1]) << 8 | wide(entry[2]);
}

Picture VgaCore::dimensions() const {
  if (const auto linear = linear_mode()) return {linear->width, linear->height * linear->repeat, {}};
  return {(crtc_[1] + 1u) * (text_mode() ? dots_per_character() : 8) * dot_stretch(), display_end() + 1, {}};
}

VgaCore::Frame VgaCore::begin_frame() const {
  Frame frame;
  frame.linear = linear_mode();
  const Picture size = dimensions();
  frame.width = size.width;
  frame.height = size.height;
  if (frame.linear) {
    frame.kind = Frame::Kind::kLinear;
    // A screen larger than the memory cannot be shown; registers alone must not make us allocate for it.
    const LinearMode& mode = *frame.linear;
    const u64 bytes = mode.depth == 4 ? mode.width / 2 : u64{mode.width} * ((mode.depth + 7) / 8);
    if (mode.depth == 0 || std::max<u64>(mode.pitch, bytes) * mode.height > memory_bytes()) return Frame{};
    for (unsigned n = 0; n < 256; ++n) {
      frame.rgb[n] = colour(mode.depth == 4 ? palette(static_cast<u8>(n & 15)) : static_cast<u8>(n));
    }
  } else if (blank()) {
    if (!(crtc_[0x17] & 0x80)) frame.width = 640, frame.height = 400;  // no timing was set up yet
  } else {
    frame.lines = scan_lines();
    const bool text = text_mode(), many = !text && (gfx_[5] & 0x40);
    frame.kind = text ? Frame::Kind::kText : Frame::Kind::kPlanes;
    for (unsigned n = 0; n < 256; ++n) {
      frame.rgb[n] = colour(many ? static_cast<u8>(n) : palette(static_cast<u8>(n & 15)));
    }
  }
  Hasher key;
  if (frame.kind == Frame::Kind::kText) {
    // Character map select: bits 5, 3, 2 for map A (attribute bit 3 set), 4, 1, 0 for map B, in 8 KiB steps of plane 2.
    const auto font_at = [](unsigned two, unsigned high) { return two * 0x4000u + high * 0x2000u; };
    frame.font_a = font_at(bits(seq_[3], 2, 2), bit(seq_[3], 5));
    frame.font_b = font_at(seq_[3] & 3, bit(seq_[3], 4));
    const u64 now = this->frame();
    frame.text_lit = (now / 16) % 2 == 0;
    frame.cursor_lit = !(crtc_[0x0a] & 0x20) && (now / 8) % 2 == 0;
    for (const u32 font : {frame.font_a, frame.font_b}) {
      for (u32 n = 0; n < 0x2000; ++n) key.add(planes_at(font + n) >> 16 & 0xff);
      if (frame.font_a == frame.font_b) break;
    }
  }
  key.add(static_cast<u64>(frame.kind));
  key.add(u64{frame.width} << 32 | frame.height);
  for (const auto& registers : {std::span<const u8>(seq_), std::span<const u8>(gfx_), std::span<const u8>(attr_)}) {
    key.add(registers.data(), registers.size());
  }
  for (unsigned n = 0; n < crtc_.size(); ++n) {
    if (n != 0x0a && n != 0x0b && n != 0x0e && n != 0x0f) key.add(crtc_[n]);  // the cursor's are part of its line
  }
  key.add(reinterpret_cast<const u8*>(frame.rgb.data()), sizeof frame.rgb);
  if (frame.linear) {
    key.add(frame.linear->depth << 8 | frame.linear->skip << 4 | frame.linear->repeat);
    key.add(frame.linear->start), key.add(frame.linear->pitch);
  }
  frame.key = key.value();
  return frame;
}

// The memory that line `y` shows, from the first byte to behind the last.
std::pair<u64, u64> VgaCore::line_bytes(const LinearMode& mode, unsigned y) const {
  const u64 first = mode.start + y / mode.repeat * mode.pitch;
  const u64 bytes = mode.depth == 4 ? (mode.width + mode.skip + 7) / 8 * 4 : mode.width * ((mode.depth + 7) / 8);
  return {first, std::min<u64>(first + bytes, vram_.size())};
}

// What line `y` is drawn from, as one number.
u64 VgaCore::line_key(const Frame& frame, unsigned y) const {
  Hasher key;
  key.add(overlay_key(y));
  if (frame.kind == Frame::Kind::kLinear) {
    const auto [first, last] = line_bytes(*frame.linear, y);
    if (first < last) key.add(&vram_[first], last - first);
  } else if (frame.kind != Frame::Kind::kBlank) {
    const ScanLine& line = frame.lines[y];
    key.add(u64{line.row_scan} << 1 | line.below_split);
    const bool text = frame.kind == Frame::Kind::kText;
    Frame::Row& row = frame.row;
    // Only the CGA and Hercules substitutions make the row scan part of the address.
    const u64 from = u64{line.counter} << 8 | ((crtc_[0x17] & 3) == 3 ? 0 : line.row_scan);
    if (row.from != from) {
      Hasher cells;
      row = {from, 0, false};
      for (unsigned column = 0; column <= crtc_[1] + 1u; ++column) {
        const u32 planes = planes_at(crtc_address(line.counter + column, line.row_scan));
        cells.add(text ? planes & 0xffff : planes);
        row.blinks |= planes & 0x8000;
      }
      row.key = cells.value();
    }
    key.add(row.key);
    if (text) {
      if (row.blinks && (attr_[0x10] & 8)) key.add(frame.text_lit);
      const u32 cursor = (cursor_address() - line.counter) & 0xffff;
      if (frame.cursor_lit && cursor <= crtc_[1]) key.add(u64{cursor} << 16 | crtc_[0x0a] << 8 | crtc_[0x0b]);
    }
  }
  return key.value();
}

void VgaCore::draw_line(const Frame& frame, unsigned y, std::span<u32> out) const {
  switch (frame.kind) {
    case Frame::Kind::kBlank: std::fill(out.begin(), out.end(), 0u); break;
    case Frame::Kind::kText: draw_text(frame, y, out); break;
    case Frame::Kind::kPlanes: draw_planes(frame, y, out); break;
    case Frame::Kind::kLinear: draw_linear(frame, y, out); break;
  }
  draw_overlay(y, out);
}

void VgaCore::draw_text(const Frame& frame, unsigned y, std::span<u32> out) const {
  const ScanLine& line = frame.lines[y];
  const unsigned columns = text_columns(), dots = dots_per_character(), stretch = dot_stretch();
  const unsigned shift = pel_panning(line);
  const bool blink = attr_[0x10] & 8, mono = attr_[0x10] & 2, line_graphics = attr_[0x10] & 4;
  const unsigned cursor_start = crtc_[0x0a] & 31u, cursor_end = crtc_[0x0b] & 31u, underline = crtc_[0x14] & 31u;
  const unsigned skew = static_cast<unsigned>(bits(crtc_[0x0b], 5, 2));
  for (unsigned column = 0; column <= columns; ++column) {  // one more, for what panning brings in
    const u32 planes = planes_at(crtc_address(line.counter + column, line.row_scan));
    const u8 character = static_cast<u8>(planes), attribute = static_cast<u8>(planes >> 8);
    const u8 fore = attribute & 15, back = (attribute >> 4) & (blink ? 7 : 15);
    const u32 font = (attribute & 8) ? frame.font_a : frame.font_b;
    // Nine dots, the leftmost in bit 8; the ninth is background but for the line graphics C0h-DFh.
    u32 glyph = ((planes_at(font + character * 32u + line.row_scan) >> 16) & 0xff) << 1;
    if (line_graphics && character >= 0xc0 && character < 0xe0) glyph |= (glyph >> 1) & 1;
    if (mono && (attribute & 0x77) == 1 && line.row_scan == underline) glyph = 0x1ff;
    if (blink && (attribute & 0x80) && !frame.text_lit) glyph = 0;
    if (frame.cursor_lit && column >= skew && ((cursor_address() + skew - line.counter - column) & 0xffff) == 0 &&
        line.row_scan >= cursor_start && line.row_scan <= cursor_end) {
      glyph = 0x1ff;
    }
    for (unsigned dot = 0; dot < dots; ++dot) {
      const unsigned x = column * dots + dot;
      if (x < shift || x - shift >= columns * dots) continue;
      std::fill_n(&out[std::size_t{x - shift} * stretch], stretch, frame.rgb[bit(glyph, 8 - dot) ? fore : back]);
    }
  }
}

void VgaCore::draw_planes(const Frame& frame, unsigned y, std::span<u32> out) const {
  const ScanLine& line = frame.lines[y];
  const unsigned characters = crtc_[1] + 1u, stretch = dot_stretch(), shift = pel_panning(line);
  const bool many = gfx_[5] & 0x40, interleaved = gfx_[5] & 0x20;
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
      std::fill_n(&out[std::size_t{x - shift} * stretch], stretch, frame.rgb[index]);
    }
  }
}

namespace {

u32 from_15_bits(u32 v) {
  const auto five = [](u32 c) { return c << 3 | c >> 2; };
  return five(v >> 10 & 31) << 16 | five(v >> 5 & 31) << 8 | five(v & 31);
}

u32 from_16_bits(u32 v) {
  const auto five = [](u32 c) { return c << 3 | c >> 2; };
  const u32 green = v >> 5 & 63;
  return five(v >> 11 & 31) << 16 | (green << 2 | green >> 4) << 8 | five(v & 31);
}

}  // namespace

void VgaCore::draw_linear(const Frame& frame, unsigned y, std::span<u32> out) const {
  const LinearMode& mode = *frame.linear;
  const u64 line = mode.start + y / mode.repeat * mode.pitch;
  const unsigned bytes = (mode.depth + 7) / 8;
  const u64 there = line < vram_.size() ? vram_.size() - line : 0;  // bytes of memory from here on
  if (mode.depth == 4) {
    for (unsigned x = 0; x < mode.width; ++x) {
      const u64 column = u64{x} + mode.skip, at = column / 8 * 4;
      u8 index = 0;
      for (unsigned p = 0; p < 4 && at + 4 <= there; ++p) {
        index |= static_cast<u8>(bit(vram_[line + at + p], 7 - column % 8) << p);
      }
      out[x] = at + 4 <= there ? frame.rgb[index] : 0;
    }
    return;
  }
  const unsigned shown = static_cast<unsigned>(std::min<u64>(mode.width, there / bytes));
  const u8* from = shown ? &vram_[line] : nullptr;
  const auto each = [&](auto pixel) {
    for (unsigned x = 0; x < shown; ++x, from += bytes) out[x] = pixel(from);
  };
  switch (mode.depth) {
    case 8: each([&](const u8* p) { return frame.rgb[*p]; }); break;
    case 15: each([](const u8* p) { return from_15_bits(load_le<u16>(p)); }); break;
    case 16: each([](const u8* p) { return from_16_bits(load_le<u16>(p)); }); break;
    case 24: each([](const u8* p) { return u32{p[2]} << 16 | u32{p[1]} << 8 | p[0]; }); break;
    default: each([](const u8* p) { return load_le<u32>(p) & 0xffffff; }); break;
  }
  std::fill(out.begin() + shown, out.end(), 0u);
}

// Takes note of the pages that were written since the last time.
void VgaCore::look() const {
  ++looked_;
  for (std::size_t page = 0; page < dirty_.pages(); ++page) {
    if (!dirty_.take(page)) continue;
    written_[page] = looked_;
    watch_stores_to(&vram_[page * 4096]);
  }
}

// The surface remembers the frame's key, the look it was drawn after, and a key of each line; only lines with another
// one are drawn, and of these the part that came out different has changed. In a linear mode a line whose pages were
// not written is as it was.
std::vector<Rect> VgaCore::refresh(Surface& surface) const {
  const Frame frame = begin_frame();
  const bool resized = frame.width != surface.width() || frame.height != surface.height();
  if (resized) surface.resize(frame.width, frame.height);
  constexpr unsigned kHead = 3;  // key of the frame, look, lines of the overlay
  const std::size_t bytes = (std::size_t{frame.height} + kHead) * sizeof(u64);
  const bool known = surface.drawn_from.size() == bytes;
  if (!known) surface.drawn_from.assign(bytes, 0);
  const auto key_at = [&](unsigned n) { return surface.drawn_from.data() + n * sizeof(u64); };
  const bool same_frame = known && load_le<u64>(key_at(0)) == frame.key;
  store_le<u64>(key_at(0), frame.key);
  const u64 looked = load_le<u64>(key_at(1)), overlay_before = load_le<u64>(key_at(2));
  if (frame.linear) look();
  store_le<u64>(key_at(1), looked_);
  const auto overlay = overlay_lines();
  store_le<u64>(key_at(2), u64{overlay.first} << 32 | overlay.second);
  const auto untouched = [&](unsigned y) {
    if (!same_frame || !frame.linear || (y >= overlay.first && y < overlay.second)) return false;
    if (y >= overlay_before >> 32 && y < (overlay_before & 0xffffffff)) return false;
    const auto [first, last] = line_bytes(*frame.linear, y);
    if (first >= last) return true;
    for (u64 page = first / 4096; page <= (last - 1) / 4096; ++page) {
      if (written_[page] > looked) return false;
    }
    return true;
  };

  std::vector<Rect> changed;
  std::vector<u32> drawn(frame.width);
  for (unsigned y = 0; y < frame.height; ++y) {
    if (untouched(y)) continue;
    const u64 key = line_key(frame, y);
    if (same_frame && load_le<u64>(key_at(y + kHead)) == key) continue;
    store_le<u64>(key_at(y + kHead), key);
    draw_line(frame, y, drawn);
    const std::span<u32> row = surface.row(y);
    const auto first = std::mismatch(row.begin(), row.end(), drawn.begin()).first;
    if (first == row.end()) continue;
    const auto last = std::mismatch(row.rbegin(), row.rend(), drawn.rbegin()).first;
    const unsigned left = static_cast<unsigned>(first - row.begin()), right = static_cast<unsigned>(row.rend() - last);
    std::copy(drawn.begin(), drawn.end(), row.begin());
    Rect* below = changed.empty() ? nullptr : &changed.back();
    if (below && below->y + below->height == y) {
      const unsigned x = std::min(below->x, left);
      below->width = std::max(below->x + below->width, right) - x;
      below->x = x;
      ++below->height;
    } else {
      changed.push_back({left, y, right - left, 1});
    }
  }
  if (resized) return {{0, 0, frame.width, frame.height}};
  return changed;
}

Picture VgaCore::render() const {
  Surface surface;
  refresh(surface);
  Picture picture{surface.width(), surface.height(), {}};
  picture.rgb.reserve(surface.pixels().size() * 3);
  for (const u32 pixel : surface.pixels()) {
    for (const unsigned shift : {16u, 8u, 0u}) picture.rgb.push_back(static_cast<u8>(pixel >> shift));
  }
  return picture;
}

}  // namespace xlat
