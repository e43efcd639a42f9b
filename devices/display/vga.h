// A VGA with Bochs VBE extensions, as PCI device 1234:1111: the adapter of -vga std.
#pragma once

#include "devices/device.h"
#include "devices/display/vga_core.h"
#include "devices/pci/pci.h"

namespace xlat {

// The VBE part is Bochs' "dispi" interface, ID B0C5h; BAR 2 has the registers and the EDID as QEMU's adapter does
// (docs/specs/standard-vga of QEMU).
class Vga final : public Device, public PciFunction, public VgaCore {
 public:
  static constexpr u32 kMemoryBytes = 16 << 20;  // the usual size

  // `rom` is the VGA BIOS for the expansion ROM BAR; empty for none. `bytes` is a power of two of at least 1 MiB.
  // `edid` may be empty: then the monitor says nothing of itself.
  Vga(Clock& clock, std::vector<u8> rom, u32 bytes = kMemoryBytes, std::vector<u8> edid = {});

  // The VGA's ports and 1CE-1D0.
  void map_ports(PortBus& ports);

  std::string_view name() const override { return "vga"; }
  void reset() override;
  void serialize(Archive& ar) override;

 private:
  class DispiPorts final : public IoHandler {
   public:
    explicit DispiPorts(Vga& vga) : vga_(vga) {}
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

  void watch_stores_to(const u8* host_page) const override { watch_stores(host_page); }
  u8 read_memory(u32 offset) override;
  void write_memory(u32 offset, u8 value) override;
  std::optional<LinearMode> linear_mode() const override;
  bool dac_has_8_bits() const override { return vbe_[kVbeEnable] & 0x20; }

  u16 read_dispi(unsigned index) const;
  void write_dispi(unsigned index, u16 value);
  void enable_dispi(u16 value);
  bool vbe_on() const { return vbe_[kVbeEnable] & 1; }
  unsigned vbe_bytes_per_line() const;
  bool in_planes() const { return vbe_[kVbeBpp] == 4; }
  // What the window shows in a VBE mode: a byte of the frame buffer or, of 16 colours, of each plane.
  std::optional<u32> banked(u32 offset) const;

  u16 vbe_index_ = 0;
  std::array<u16, kVbeRegisters> vbe_{};
  std::vector<u8> edid_;

  DispiPorts dispi_ports_{*this};
  Mmio mmio_{*this};
};

}  // namespace xlat
