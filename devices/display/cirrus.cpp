// The GD5446's registers, its modes and the hardware cursor.
#include "devices/display/cirrus.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/bits.h"
#include "base/hasher.h"
#include "devices/registry.h"

namespace xlat {

namespace {
constexpr u8 kUnlocked = 0x12, kLocked = 0x0f;                 // SR6
constexpr u8 kPartId = 0xb8;                                   // CR27
constexpr u8 kAutoStart = 0x80, kReset = 0x04, kStart = 0x02;  // GR31
// SR12.
constexpr u8 kCursorOn = 0x01, kCursorColours = 0x02, kCursorLarge = 0x04;
}  // namespace

CirrusVga::CirrusVga(Clock& clock, std::vector<u8> rom, u32 bytes)
    : PciFunction({.vendor = 0x1013,
                   .device = 0x00b8,
                   .revision = 0,
                   .class_code = 0x030000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 0}),
      VgaCore(clock, bytes) {
  define16(kPciCommand, 0, 0x0140 | kPciCommandIo | kPciCommandMemory | kPciCommandMaster | kPciCommandIntxDisable);
  add_aperture_bar(0, 32 << 20, aperture_, vram_.data(), bytes, dirty_.flags());
  add_memory_bar(1, 4096, mmio_);
  if (!rom.empty()) add_rom_bar(std::move(rom));
  reset();
}

void CirrusVga::reset() {
  reset_vga();
  sr_.fill(0);
  gr_.fill(0);
  cr_.fill(0);
  sr_[0x06] = kLocked;
  sr_[0x0f] = 0x98;                                                     // 64-bit memory in two banks: 4 MiB
  sr_[0x15] = static_cast<u8>(std::countr_zero(memory_bytes() >> 18));  // 2: 1 MiB, 3: 2 MiB, 4: 4 MiB
  sr_[0x17] = 0x20;                                                     // on PCI
  sr_[0x1f] = 0x2d;                                                     // memory clock
  gr_[0x18] = 0x0f;
  cr_[0x27] = kPartId;
  hidden_dac_ = hidden_dac_reads_ = 0;
  cursor_dac_.fill(0);
  cursor_x_ = cursor_y_ = 0;
  reset_blit();
  quiet_writes_ = 0xff;
  update_aperture();
  reset_config();
}

void CirrusVga::serialize(Archive& ar) {
  ar.section("cirrus", 1);
  serialize_config(ar);
  serialize_vga(ar);
  ar(sr_)(gr_)(cr_)(hidden_dac_)(hidden_dac_reads_)(cursor_dac_)(cursor_x_)(cursor_y_);
  ar(taking_source_)(source_lines_left_)(source_line_bytes_)(lines_done_)(quiet_writes_);
  ar.blob(source_, 16384);
  ar(blit_.width)(blit_.height)(blit_.dst_pitch)(blit_.src_pitch)(blit_.dst)(blit_.src)(blit_.pixel)(blit_.backward);
  ar(blit_.mode)(blit_.extension);
  if (!ar.loading()) return;
  // What the engine would take a line of must be a line.
  const bool bits = blit_.mode & 0x80, pattern = blit_.mode & 0x40;
  const bool blit_good = blit_.pixel >= 1 && blit_.pixel <= 4 && blit_.height <= 2048 && blit_.width <= 8192 &&
                         (bits || pattern || blit_.width <= source_line_bytes_);
  if ((taking_source_ && !blit_good) || source_line_bytes_ > 16384 ||
      (taking_source_ && source_.size() >= source_line_bytes_) || source_lines_left_ > 2048) {
    ar.fail("a BitBLT out of range");
    reset_blit();
  }
  update_aperture();
}

u8 CirrusVga::read_sr() const {
  const unsigned index = seq_index_ & 0x1f;
  if (index == 0x10 || index == 0x11) return static_cast<u8>((index == 0x10 ? cursor_x_ : cursor_y_) >> 3);
  return index < 5 ? seq_[index] : sr_[index];
}

void CirrusVga::write_sr(u8 value) {
  const unsigned index = seq_index_ & 0x1f;
  switch (index) {
    case 0x06: sr_[6] = (value & 0x17) == kUnlocked ? kUnlocked : kLocked; break;
    // The index's upper bits are the position's lower ones.
    case 0x10: cursor_x_ = static_cast<u16>(value << 3 | seq_index_ >> 5); break;
    case 0x11: cursor_y_ = static_cast<u16>(value << 3 | seq_index_ >> 5); break;
    case 0x15: break;
    case 0x17:
      sr_[0x17] = static_cast<u8>((sr_[0x17] & 0x38) | (value & 0xc7));
      update_aperture();
      break;
    default: sr_[index] = value; break;
  }
}

u8 CirrusVga::read_gr(unsigned index) const { return index < gr_.size() ? gr_[index] : u8{0xff}; }

void CirrusVga::write_gr(unsigned index, u8 value) {
  if (index >= gr_.size()) return;
  const u8 before = gr_[index];
  gr_[index] = value;
  switch (index) {
    case 0x05: gr_[5] &= 0x7f; break;
    case 0x0b: update_aperture(); break;
    case 0x21:
    case 0x25:
    case 0x27: gr_[index] &= 0x1f; break;
    case 0x23: gr_[index] &= 0x07; break;
    case 0x2e: gr_[index] &= 0x3f; break;
    case 0x2a:
      gr_[index] &= 0x3f;
      if (gr_[0x31] & kAutoStart) start_blit();
      break;
    case 0x31:
      gr_[0x31] = static_cast<u8>((value & ~1) | (before & 1));  // busy is the engine's
      if ((before & kReset) && !(value & kReset)) {
        reset_blit();
        update_aperture();
      } else if (!(before & kStart) && (value & kStart)) {
        start_blit();
      }
      break;
    default: break;
  }
}

u8 CirrusVga::read_cr() {
  switch (crtc_index_) {
    case 0x22: return static_cast<u8>(latch_ >> (8 * (gfx_[4] & 3)));
    case 0x24: return attr_data_next_ ? 0x80 : 0;
    case 0x26: return attr_index_ & 0x3f;
    default: return cr_[crtc_index_ & 0x3f];
  }
}

void CirrusVga::write_cr(u8 value) {
  const unsigned index = crtc_index_ & 0x3f;
  if (index >= 0x19 && index <= 0x1e) cr_[index] = value;
}

u8 CirrusVga::read_port(u16 port) {
  const bool crtc_here = (port & 0xfff0) != ((misc_ & 1) ? 0x3b0 : 0x3d0);
  if (port != 0x3c6) hidden_dac_reads_ = 0;
  switch (port) {
    case 0x3c5: return read_sr();
    case 0x3c6:
      // The fifth read in a row finds the hidden DAC register.
      if (++hidden_dac_reads_ <= 4) return VgaCore::read_port(port);
      hidden_dac_reads_ = 0;
      return hidden_dac_;
    case 0x3c9:
      if (sr_[0x12] & kCursorColours) {
        const u8 value = cursor_dac_[(dac_read_ & 15) * 3u + dac_component_];
        if (++dac_component_ == 3) dac_component_ = 0, ++dac_read_;
        return value;
      }
      return VgaCore::read_port(port);
    case 0x3cf:
      return gfx_index_ < 9 && gfx_index_ > 1 && gfx_index_ != 5 ? VgaCore::read_port(port) : read_gr(gfx_index_);
    case 0x3b5:
    case 0x3d5: return crtc_here && crtc_index_ >= crtc_.size() ? read_cr() : VgaCore::read_port(port);
    default: return VgaCore::read_port(port);
  }
}

void CirrusVga::write_port(u16 port, u8 value) {
  const bool crtc_here = (port & 0xfff0) != ((misc_ & 1) ? 0x3b0 : 0x3d0);
  const u8 hidden_reads = std::exchange(hidden_dac_reads_, u8{0});
  switch (port) {
    case 0x3c4: seq_index_ = value; break;
    case 0x3c5:
      if ((seq_index_ & 0x1f) < 5) {
        const u8 index = std::exchange(seq_index_, static_cast<u8>(seq_index_ & 7));
        VgaCore::write_port(port, value);
        seq_index_ = index;
      } else {
        write_sr(value);
      }
      break;
    case 0x3c6:
      if (hidden_reads == 4) {
        hidden_dac_ = value;
      } else {
        VgaCore::write_port(port, value);
      }
      break;
    case 0x3c9:
      if (sr_[0x12] & kCursorColours) {
        cursor_dac_[(dac_write_ & 15) * 3u + dac_component_] = value & 0x3f;
        if (++dac_component_ == 3) dac_component_ = 0, ++dac_write_;
      } else {
        VgaCore::write_port(port, value);
      }
      break;
    case 0x3ce: gfx_index_ = value & 0x3f; break;
    case 0x3cf:
      if (gfx_index_ < 9) VgaCore::write_port(port, value);
      write_gr(gfx_index_, value);
      break;
    case 0x3b5:
    case 0x3d5:
      if (crtc_here && crtc_index_ >= crtc_.size()) {
        write_cr(value);
      } else {
        VgaCore::write_port(port, value);
      }
      break;
    default: VgaCore::write_port(port, value); break;
  }
}

// SR7 bit 0: packed pixels, bits 3-1 their size; which of the two 16-bit forms it is, the hidden DAC register says.
std::optional<VgaCore::LinearMode> CirrusVga::linear_mode() const {
  // SeaBIOS' VGA BIOS for this chip sets "screen off" (SR1 bit 5) in its packed modes, and Linux' driver leaves the
  // CRTC's reset bit (CR17 bit 7) clear; both are written for emulators that show a picture all the same.
  if (!packed() || !(gfx_[6] & 1) || !(attr_index_ & 0x20)) return std::nullopt;
  LinearMode mode;
  switch (sr_[7] & 0x0e) {
    case 0x02:
    case 0x06: mode.depth = (hidden_dac_ & 15) == 1 ? 16 : 15; break;
    case 0x04: mode.depth = 24; break;
    case 0x08: mode.depth = 32; break;
    default: mode.depth = 8; break;
  }
  mode.repeat = ((crtc_[9] & 0x1f) + 1u) << (crtc_[9] >> 7);
  mode.width = (crtc_[1] + 1u) * 8;
  mode.height = ((display_end() + 1) << (cr_[0x1a] & 1)) / mode.repeat;
  mode.pitch = (crtc_[0x13] | (cr_[0x1b] & 0x10u) << 4) * u64{8};
  const u32 start = start_address() | (cr_[0x1b] & 0x01u) << 16 | (cr_[0x1b] & 0x0cu) << 15 | (cr_[0x1d] & 0x80u) << 12;
  mode.start = u64{start} * 4 % memory_bytes();
  return mode;
}

// 14.31818 MHz times a numerator, SRB to SRE, by a denominator with a post scalar in bit 0, SR1B to SR1E.
u64 CirrusVga::dot_clock() const {
  const unsigned n = (misc_ >> 2) & 3;
  const u64 numerator = sr_[0x0b + n] & 0x7f, denominator = (sr_[0x1b + n] >> 1) & 0x1f;
  if (numerator == 0 || denominator == 0) return VgaCore::dot_clock();
  return std::max<u64>(u64{14'318'180} * numerator / denominator >> (sr_[0x1b + n] & 1), 1'000'000);
}

// ---- The hardware cursor: two planes at the end of the memory, a line of each after the other or 128 bytes apart ----

namespace {
struct CursorLine {
  const u8* planes[2];
  unsigned size;
};

std::optional<CursorLine> cursor_line(std::span<const u8> vram, u8 sr12, u8 sr13, unsigned y, unsigned top) {
  const unsigned size = (sr12 & kCursorLarge) ? 64 : 32;
  if (!(sr12 & kCursorOn) || y < top || y >= top + size) return std::nullopt;
  const std::size_t base = vram.size() - 16384;
  if (size == 64) {
    const u8* line = &vram[base + (sr13 & 0x3cu) * 256 + (y - top) * 16];
    return CursorLine{{line, line + 8}, size};
  }
  const u8* line = &vram[base + (sr13 & 0x3fu) * 256 + (y - top) * 4];
  return CursorLine{{line, line + 128}, size};
}
}  // namespace

std::pair<unsigned, unsigned> CirrusVga::overlay_lines() const {
  return (sr_[0x12] & kCursorOn) ? std::pair(unsigned{cursor_y_}, cursor_y_ + 64u) : std::pair(0u, 0u);
}

u64 CirrusVga::overlay_key(unsigned y) const {
  const auto line = cursor_line(vram_, sr_[0x12], sr_[0x13], y, cursor_y_);
  if (!line) return 0;
  Hasher key;
  key.add(u64{cursor_x_} << 8 | sr_[0x12]);
  for (const u8* plane : line->planes) key.add(plane, line->size / 8);
  key.add(cursor_dac_.data(), cursor_dac_.size());
  return key.value();
}

void CirrusVga::draw_overlay(unsigned y, std::span<u32> row) const {
  const auto line = cursor_line(vram_, sr_[0x12], sr_[0x13], y, cursor_y_);
  if (!line) return;
  const auto colour_of = [this](unsigned n) {
    u32 rgb = 0;
    for (unsigned k = 0; k < 3; ++k) {
      const u8 six = cursor_dac_[3 * n + k] & 0x3f;
      rgb = rgb << 8 | static_cast<u8>(six << 2 | six >> 4);
    }
    return rgb;
  };
  const u32 colours[2] = {colour_of(0), colour_of(15)};
  for (unsigned n = 0; n < line->size && cursor_x_ + n < row.size(); ++n) {
    u32& pixel = row[cursor_x_ + n];
    const bool invert = bit(line->planes[0][n / 8], 7 - n % 8), opaque = bit(line->planes[1][n / 8], 7 - n % 8);
    if (opaque) {
      pixel = colours[invert];
    } else if (invert) {
      pixel ^= 0xffffff;
    }
  }
}

namespace {

constexpr Property kProperties[] = {
    number("vgamem_mb", "4", "MiB of video memory: 1, 2 or 4", 1, 4),
    text("romfile", "vgabios-cirrus.bin", "file of the VGA BIOS; romfile= for none"),
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  auto rom = board.rom(values.text("romfile"));
  if (!rom) return rom.error();
  const u32 bytes = std::bit_ceil(static_cast<u32>(values.number("vgamem_mb"))) << 20;
  auto vga = std::make_unique<CirrusVga>(board.clock(), std::move(*rom), bytes);
  vga->map_ports(board.ports());
  board.set_vga_window(vga->legacy_window());
  return std::unique_ptr<Device>(std::move(vga));
}

}  // namespace

extern const DeviceType kCirrusVgaType = {
    "cirrus-vga", "PCI", DeviceType::Category::kDisplay, "Cirrus Logic CL-GD5446, the graphics adapter of -vga cirrus",
    kProperties,  make};

}  // namespace xlat
