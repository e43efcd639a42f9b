// The VGA itself: register file, four planes, text and graphics screens. The adapters of this folder are built on it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/archive.h"
#include "base/clock.h"
#include "devices/display/display_adapter.h"
#include "mmu/dirty_pages.h"
#include "mmu/port_bus.h"

namespace xlat {

// A picture on its own: `rgb` holds width * height * 3 bytes, row by row.
struct Picture {
  unsigned width = 0, height = 0;
  std::vector<u8> rgb;
};

// Register names and bits are IBM's (VGA technical reference). What an adapter has beyond the VGA it adds by
// overriding: registers, the window onto its memory, and modes in which the memory is one long row of pixels.
class VgaCore : public DisplayAdapter {
 public:
  // `bytes` of memory: a power of two of at least 256 KiB.
  VgaCore(Clock& clock, u32 bytes);
  ~VgaCore() override = default;

  // Ports 3B4/3B5/3BA, 3C0-3CF, 3D4/3D5/3DA.
  void map_vga_ports(PortBus& ports);
  // Answers at A0000h-BFFFFh, offset 0 being A0000h.
  IoHandler& legacy_window() { return window_; }

  // The text screen. Rows and columns are 0 outside text modes.
  bool text_mode() const;
  unsigned text_columns() const;
  unsigned text_rows() const;
  using Cell = TextScreen::Cell;
  using Cursor = TextScreen::Cursor;
  Cell text_cell(unsigned row, unsigned column) const;
  Cursor text_cursor() const;
  TextScreen text_screen() const override;
  // Rows joined by newlines, trailing blanks cut; characters outside ASCII as '?'.
  std::string text() const;

  std::vector<Rect> refresh(Surface& surface) const override;
  u64 frame_ns() const override;
  // The screen as a monitor shows it now, whatever the mode; blank screens are black.
  Picture render() const;
  // The size of that picture; its `rgb` is empty.
  Picture dimensions() const;

  std::span<const u8> memory() const { return vram_; }

 protected:
  // A mode in which pixels follow each other in memory.
  struct LinearMode {
    unsigned width = 0, height = 0;
    unsigned depth = 0;   // bits a pixel: 8, 15, 16, 24, 32, or 4 in planes
    u64 start = 0;        // of the first pixel, in bytes
    unsigned skip = 0;    // pixels left out at the left edge
    u64 pitch = 0;        // bytes from line to line
    unsigned repeat = 1;  // times each line is shown
  };

  // ---- What an adapter adds ----
  virtual u8 read_port(u16 port);
  virtual void write_port(u16 port, u8 value);
  // Through the window; `offset` from A0000h.
  virtual u8 read_memory(u32 offset);
  virtual void write_memory(u32 offset, u8 value);
  virtual std::optional<LinearMode> linear_mode() const { return std::nullopt; }
  virtual bool dac_has_8_bits() const { return false; }
  // The dot clock in Hz that MISC bits 3-2 choose.
  virtual u64 dot_clock() const;
  // What is shown on top of line `y`, as a hardware cursor: a value that is another when it looks another, and drawing.
  virtual u64 overlay_key(unsigned) const { return 0; }
  // The lines it may be on: the first, and the one behind the last.
  virtual std::pair<unsigned, unsigned> overlay_lines() const { return {0, 0}; }
  virtual void draw_overlay(unsigned, std::span<u32>) const {}

  // The next store to this page of the memory sets its flag in dirty_.
  virtual void watch_stores_to(const u8* host_page) const = 0;

  void reset_vga();
  void serialize_vga(Archive& ar);

  // ---- vga_registers.cpp ----
  void write_attribute(u8 value);
  void write_crtc(u8 value);
  u8 input_status_1();
  struct Timing {
    u64 line_ns_q16, line_chars, display_chars, lines, display_lines, retrace_start, retrace_end;
  };
  Timing timing() const;
  unsigned display_end() const;  // last displayed scan line
  unsigned line_compare() const;

  // ---- vga_memory.cpp ----
  bool window_offset(u32& offset) const;
  u8 read_planes(u32 at);
  void write_planes(u32 at, u8 value);
  u32 memory_bytes() const { return static_cast<u32>(vram_.size()); }
  u8* plane_bytes(u32 offset) {
    dirty_.mark(offset * std::size_t{4});
    return &vram_[offset * std::size_t{4}];
  }
  u32 planes_at(u32 offset) const { return load_planes(offset & 0xffff); }
  u32 load_planes(u32 offset) const;
  bool chain4() const { return seq_[4] & 8; }

  // ---- vga_scan.cpp: the CRTC's way through a frame ----
  // What the CRTC addresses on one scan line: its counter at the left edge and the row scan.
  struct ScanLine {
    u32 counter;
    u8 row_scan;
    bool below_split;  // after line compare
    bool first;        // of a character row
  };
  std::vector<ScanLine> scan_lines() const;
  u32 crtc_address(u32 counter, unsigned row_scan) const;
  unsigned pel_panning(const ScanLine& line) const;  // dots the picture moves to the left
  unsigned dots_per_character() const { return (seq_[1] & 1) ? 8 : 9; }
  unsigned dot_stretch() const { return (seq_[1] & 8) ? 2 : 1; }  // dot clock halved
  u32 start_address() const { return u32{crtc_[0x0c]} << 8 | crtc_[0x0d]; }
  u32 cursor_address() const { return u32{crtc_[0x0e]} << 8 | crtc_[0x0f]; }
  u64 frame() const;

  // ---- vga_text.cpp, vga_render.cpp ----
  struct Frame;
  Cursor find_cursor(const std::vector<ScanLine>& lines) const;
  u32 colour(u8 index) const;      // DAC entry as 0x00RRGGBB
  u8 palette(u8 four_bits) const;  // attribute controller
  bool blank() const;
  Frame begin_frame() const;
  std::pair<u64, u64> line_bytes(const LinearMode& mode, unsigned y) const;
  u64 line_key(const Frame& frame, unsigned y) const;
  void draw_line(const Frame& frame, unsigned y, std::span<u32> out) const;
  void draw_text(const Frame& frame, unsigned y, std::span<u32> out) const;
  void draw_planes(const Frame& frame, unsigned y, std::span<u32> out) const;
  void draw_linear(const Frame& frame, unsigned y, std::span<u32> out) const;

  Clock& clock_;
  // What has been written since a linear mode was last drawn; `looked_` counts these looks, `written_` has for each
  // page the last one that found it written.
  mutable DirtyPages dirty_;
  mutable std::vector<u64> written_;
  mutable u64 looked_ = 0;
  void look() const;
  std::vector<u8> vram_;  // byte p + 4 * n is byte n of plane p; linear frame buffers see it as it lies

  u8 misc_ = 0, feature_ = 0;
  u8 seq_index_ = 0, crtc_index_ = 0, gfx_index_ = 0, attr_index_ = 0;
  bool attr_data_next_ = false;
  std::array<u8, 8> seq_{};
  std::array<u8, 0x19> crtc_{};
  std::array<u8, 16> gfx_{};
  std::array<u8, 0x15> attr_{};
  std::array<u8, 768> dac_{};
  u8 dac_mask_ = 0xff, dac_read_ = 0, dac_write_ = 0, dac_component_ = 0, dac_state_ = 0;
  u32 latch_ = 0;

 private:
  class Ports final : public IoHandler {
   public:
    Ports(VgaCore& vga, u16 base) : vga_(vga), base_(base) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    VgaCore& vga_;
    u16 base_;
  };
  class Window final : public IoHandler {
   public:
    explicit Window(VgaCore& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    VgaCore& vga_;
  };

  Ports ports_3b0_{*this, 0x3b4}, ports_3ba_{*this, 0x3ba}, ports_3c0_{*this, 0x3c0}, ports_3d0_{*this, 0x3d4},
      ports_3da_{*this, 0x3da};
  Window window_{*this};
};

}  // namespace xlat
