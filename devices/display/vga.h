// A VGA with Bochs VBE extensions, as PCI device 1234:1111: register file, four planes, text and graphics screens.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "devices/display/display_adapter.h"
#include "devices/pci/pci.h"
#include "mmu/port_bus.h"

namespace xlat {

// What a monitor shows: `rgb` holds width * height * 3 bytes, row by row.
struct Picture {
  unsigned width = 0, height = 0;
  std::vector<u8> rgb;
};

// Register names and bits are IBM's (VGA technical reference); the VBE part is Bochs' "dispi" interface, ID B0C5h.
class Vga final : public Device, public PciFunction, public DisplayAdapter {
 public:
  static constexpr u32 kMemoryBytes = 16 << 20;  // the usual size

  // `rom` is the VGA BIOS for the expansion ROM BAR; empty for none. `bytes` is a power of two of at least 1 MiB.
  Vga(Clock& clock, std::vector<u8> rom, u32 bytes = kMemoryBytes);

  // Ports 3B4/3B5/3BA, 3C0-3CF, 3D4/3D5/3DA and 1CE-1D0.
  void map_ports(PortBus& ports);
  // Answers at A0000h-BFFFFh, offset 0 being A0000h.
  IoHandler& legacy_window() { return window_; }

  std::string_view name() const override { return "vga"; }
  void reset() override;
  void serialize(Archive& ar) override;

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

  // The screen as a monitor shows it now, whatever the mode; blank screens are black.
  Picture render() const;
  // The size of that picture; its `rgb` is empty.
  Picture dimensions() const;
  std::vector<Rect> refresh(Surface& surface) const override;
  u64 frame_ns() const override;

  std::span<const u8> memory() const { return vram_; }

 private:
  class Ports final : public IoHandler {
   public:
    Ports(Vga& vga, u16 base) : vga_(vga), base_(base) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Vga& vga_;
    u16 base_;
  };
  class DispiPorts final : public IoHandler {
   public:
    explicit DispiPorts(Vga& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Vga& vga_;
  };
  class Window final : public IoHandler {
   public:
    explicit Window(Vga& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Vga& vga_;
  };
  class Mmio final : public IoHandler {
   public:
    explicit Mmio(Vga& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    Vga& vga_;
  };

  // vga_registers.cpp
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);
  void write_attribute(u8 value);
  void write_crtc(u8 value);
  u8 input_status_1();
  struct Timing {
    u64 line_ns_q16, line_chars, display_chars, lines, display_lines, retrace_start, retrace_end;
  };
  Timing timing() const;
  unsigned display_end() const;  // last displayed scan line
  unsigned line_compare() const;

  // vga_memory.cpp
  u32 memory_bytes() const { return static_cast<u32>(vram_.size()); }
  u8 read_memory(u32 offset);
  void write_memory(u32 offset, u8 value);
  bool window_offset(u32& offset) const;
  u8* plane_bytes(u32 offset) { return &vram_[offset * std::size_t{4}]; }
  u32 planes_at(u32 offset) const { return load_planes(offset & 0xffff); }
  u32 load_planes(u32 offset) const;
  bool chain4() const { return seq_[4] & 8; }

  // vga_dispi.cpp
  u16 read_dispi(unsigned index) const;
  void write_dispi(unsigned index, u16 value);
  void enable_dispi(u16 value);
  bool vbe_on() const { return vbe_[kVbeEnable] & 1; }
  unsigned vbe_bytes_per_line() const;
  enum VbeRegister {
    kVbeId,
    kVbeXres,
    kVbeYres,
    kVbeBpp,
    kVbeEnable,
    kVbeBank,
    kVbeVirtWidth,
    kVbeVirtHeight,
    kVbeXOffset,
    kVbeYOffset,
    kVbeMemory64k,
    kVbeRegisters
  };

  // vga_text.cpp, vga_render.cpp
  // What the CRTC addresses on one scan line: its counter at the left edge and the row scan.
  struct ScanLine {
    u32 counter;
    u8 row_scan;
    bool below_split;  // after line compare
    bool first;        // of a character row
  };
  std::vector<ScanLine> scan_lines() const;
  u32 crtc_address(u32 counter, unsigned row_scan) const;
  Cursor find_cursor(const std::vector<ScanLine>& lines) const;
  unsigned pel_panning(const ScanLine& line) const;  // dots the picture moves to the left
  unsigned dots_per_character() const { return (seq_[1] & 1) ? 8 : 9; }
  unsigned dot_stretch() const { return (seq_[1] & 8) ? 2 : 1; }  // dot clock halved
  u32 start_address() const { return u32{crtc_[0x0c]} << 8 | crtc_[0x0d]; }
  std::array<u8, 3> colour(u8 index) const;  // DAC entry
  u8 palette(u8 four_bits) const;            // attribute controller
  bool blank() const;
  Picture render_text() const;
  Picture render_planes() const;
  Picture render_vbe() const;
  u64 frame() const;

  Clock& clock_;
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
  u16 vbe_index_ = 0;
  std::array<u16, kVbeRegisters> vbe_{};

  Ports ports_3b0_{*this, 0x3b4}, ports_3ba_{*this, 0x3ba}, ports_3c0_{*this, 0x3c0}, ports_3d0_{*this, 0x3d4},
      ports_3da_{*this, 0x3da};
  DispiPorts dispi_ports_{*this};
  Window window_{*this};
  Mmio mmio_{*this};
};

}  // namespace xlat
