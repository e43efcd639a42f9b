// The Cirrus Logic CL-GD5446, an SVGA on PCI with a BitBLT engine: what systems of the nineties have drivers for.
#pragma once

#include "devices/device.h"
#include "devices/display/vga_core.h"
#include "devices/pci/pci.h"

namespace xlat {

// CL-GD5446 Technical Reference Manual (Cirrus Logic, 1996), whose register names these are: SRx, GRx, CRx. BitBLTs are
// done at once; the video overlay window and the feature connector are not there.
class CirrusVga final : public Device, public PciFunction, public VgaCore {
 public:
  static constexpr u32 kMemoryBytes = 4 << 20;

  CirrusVga(Clock& clock, std::vector<u8> rom, u32 bytes = kMemoryBytes);

  void map_ports(PortBus& ports) { map_vga_ports(ports); }

  std::string_view name() const override { return "cirrus-vga"; }
  void reset() override;
  void serialize(Archive& ar) override;

 private:
  // BAR 0: the frame buffer, and from 16 MiB on what the BitBLT engine takes as its source. BAR 1: registers.
  class Aperture final : public IoHandler {
   public:
    explicit Aperture(CirrusVga& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    CirrusVga& vga_;
  };
  class Mmio final : public IoHandler {
   public:
    explicit Mmio(CirrusVga& vga) : vga_(vga) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;

   private:
    CirrusVga& vga_;
  };

  // ---- cirrus.cpp: registers ----
  u8 read_port(u16 port) override;
  void write_port(u16 port, u8 value) override;
  u8 read_sr() const;
  void write_sr(u8 value);
  u8 read_gr(unsigned index) const;
  void write_gr(unsigned index, u8 value);
  u8 read_cr();
  void write_cr(u8 value);
  std::optional<LinearMode> linear_mode() const override;
  u64 dot_clock() const override;
  u64 overlay_key(unsigned y) const override;
  std::pair<unsigned, unsigned> overlay_lines() const override;
  void draw_overlay(unsigned y, std::span<u32> row) const override;
  bool packed() const { return sr_[7] & 1; }

  // ---- cirrus_memory.cpp ----
  void watch_stores_to(const u8* host_page) const override { watch_stores(host_page); }
  u8 read_memory(u32 offset) override;
  void write_memory(u32 offset, u8 value) override;
  std::optional<u32> banked(u32 offset) const;
  bool registers_in_window(u32 offset) const;
  void write_frame(u32 at, u8 value);
  u8 read_mmio(u32 offset) const;
  void write_mmio(u32 offset, u8 value);
  // The frame buffer is the host's memory where a store means no more than that.
  void update_aperture();

  // ---- cirrus_blit.cpp ----
  struct Blit {
    u32 width = 0, height = 0;  // bytes, lines
    u32 dst_pitch = 0, src_pitch = 0;
    u32 dst = 0, src = 0;
    u32 pixel = 1;  // bytes
    bool backward = false;
    u8 mode = 0, extension = 0;
  };
  Blit blit_registers() const;
  void start_blit();
  void reset_blit();
  void take_source(u8 value);
  void blit_line(Blit& b, std::span<const u8> source);
  void copy_line(const Blit& b, std::span<const u8> source);
  void expand_line(const Blit& b, std::span<const u8> source, unsigned first_bit);
  void solid_fill(const Blit& b);
  void put_pixel(const Blit& b, u32 at, u32 source, bool compare);
  u8 rop(u8 source, u8 destination) const;
  u32 colour_register(unsigned first) const;  // GR0, GR10, GR12, GR14 or the foreground's
  std::vector<u8> pattern_row(const Blit& b, unsigned line) const;
  u8& vram(u64 at) {
    dirty_.mark(at & (memory_bytes() - 1));
    return vram_[at & (memory_bytes() - 1)];
  }
  u8 frame_byte(u64 at) const { return vram_[at & (memory_bytes() - 1)]; }

  std::array<u8, 0x20> sr_{};
  std::array<u8, 0x40> gr_{};
  std::array<u8, 0x40> cr_{};
  u8 hidden_dac_ = 0, hidden_dac_reads_ = 0;
  std::array<u8, 48> cursor_dac_{};
  u16 cursor_x_ = 0, cursor_y_ = 0;

  // A BitBLT whose source the processor writes: what is left of it, and the line being gathered.
  bool taking_source_ = false;
  Blit blit_;  // as the registers said when it began; its places go on with the lines
  u32 source_lines_left_ = 0, source_line_bytes_ = 0, lines_done_ = 0;
  std::vector<u8> source_;
  u8 quiet_writes_ = 0;  // to the aperture since the last such BitBLT

  Aperture aperture_{*this};
  Mmio mmio_{*this};
};

}  // namespace xlat
