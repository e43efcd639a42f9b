// Bochs VBE ("dispi") registers and the memory-mapped register BAR.
#include <algorithm>

#include "base/bits.h"
#include "devices/display/vga.h"

namespace xlat {

namespace {
constexpr u16 kEnabled = 0x01, kGetCaps = 0x02, kNoClear = 0x80;
constexpr u16 kMaxXres = 16000, kMaxYres = 12000, kMaxBpp = 32;
}  // namespace

Vga::Vga(Clock& clock, std::vector<u8> rom, u32 bytes, std::vector<u8> edid)
    : PciFunction({.vendor = 0x1234,
                   .device = 0x1111,
                   .revision = 2,
                   .class_code = 0x030000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 0}),
      VgaCore(clock, bytes),
      edid_(std::move(edid)) {
  // The VGA's fixed ports hang on the I/O enable bit, which firmware looks at to find the primary display.
  define16(kPciCommand, 0, 0x0140 | kPciCommandIo | kPciCommandMemory | kPciCommandMaster | kPciCommandIntxDisable);
  add_ram_bar(0, bytes, vram_.data(), dirty_.flags());
  add_memory_bar(2, 4096, mmio_);
  if (!rom.empty()) add_rom_bar(std::move(rom));
  reset();
}

void Vga::map_ports(PortBus& ports) {
  map_vga_ports(ports);
  ports.map(0x1ce, 3, dispi_ports_, kWidth1 | kWidth2);
}

void Vga::reset() {
  reset_vga();
  vbe_index_ = 0;
  vbe_.fill(0);
  vbe_[kVbeId] = 0xb0c5;
  vbe_[kVbeMemory64k] = static_cast<u16>(memory_bytes() >> 16);
  reset_config();
}

void Vga::serialize(Archive& ar) {
  ar.section("vga", 2);
  serialize_config(ar);
  serialize_vga(ar);
  ar(vbe_index_)(vbe_);
  if (ar.loading() && vbe_[kVbeBpp] > 32) ar.fail("VBE depth out of range"), vbe_[kVbeBpp] = 8;
}

std::optional<u32> Vga::banked(u32 offset) const {
  if (!vbe_on() || !(misc_ & 2) || !window_offset(offset)) return std::nullopt;
  return (u32{vbe_[kVbeBank]} << 16 | (offset & 0xffff)) & ((in_planes() ? memory_bytes() / 4 : memory_bytes()) - 1);
}

u8 Vga::read_memory(u32 offset) {
  const auto at = banked(offset);
  if (!at) return VgaCore::read_memory(offset);
  return in_planes() ? read_planes(*at) : vram_[*at];
}

void Vga::write_memory(u32 offset, u8 value) {
  const auto at = banked(offset);
  if (!at) {
    VgaCore::write_memory(offset, value);
  } else if (in_planes()) {
    write_planes(*at, value);
  } else {
    vram_[*at] = value;
    dirty_.mark(*at);
  }
}

std::optional<VgaCore::LinearMode> Vga::linear_mode() const {
  if (!vbe_on()) return std::nullopt;
  LinearMode mode{.width = vbe_[kVbeXres], .height = vbe_[kVbeYres], .depth = vbe_[kVbeBpp]};
  mode.pitch = vbe_bytes_per_line();
  mode.start = u64{vbe_[kVbeYOffset]} * mode.pitch;
  if (mode.depth == 4) {
    mode.start += u64{vbe_[kVbeXOffset]} / 8 * 4;
    mode.skip = vbe_[kVbeXOffset] % 8;
  } else {
    mode.start += u64{vbe_[kVbeXOffset]} * ((mode.depth + 7) / 8);
  }
  return mode;
}

u32 Vga::DispiPorts::read(u64 offset, unsigned width) {
  if (width != 2) return 0xff;
  if (offset == 0) return vga_.vbe_index_;
  return vga_.read_dispi(vga_.vbe_index_);
}

void Vga::DispiPorts::write(u64 offset, unsigned width, u32 value) {
  if (width != 2) return;
  if (offset == 0) {
    vga_.vbe_index_ = static_cast<u16>(value);
  } else {
    vga_.write_dispi(vga_.vbe_index_, static_cast<u16>(value));
  }
}

unsigned Vga::vbe_bytes_per_line() const {
  const unsigned width = vbe_[kVbeVirtWidth];
  return vbe_[kVbeBpp] == 4 ? width / 2 : width * ((vbe_[kVbeBpp] + 7u) / 8);
}

u16 Vga::read_dispi(unsigned index) const {
  if (index >= kVbeRegisters) return 0;
  if (vbe_[kVbeEnable] & kGetCaps) {
    if (index == kVbeXres) return kMaxXres;
    if (index == kVbeYres) return kMaxYres;
    if (index == kVbeBpp) return kMaxBpp;
  }
  return vbe_[index];
}

void Vga::write_dispi(unsigned index, u16 value) {
  switch (index) {
    case kVbeId:
      if (value >= 0xb0c0 && value <= 0xb0c5) vbe_[kVbeId] = value;
      break;
    case kVbeXres:  // resolution and depth change only while disabled, as in Bochs
      if (!vbe_on() && value >= 1 && value <= kMaxXres) vbe_[kVbeXres] = value & static_cast<u16>(~7);
      break;
    case kVbeYres:
      if (!vbe_on() && value >= 1 && value <= kMaxYres) vbe_[kVbeYres] = value;
      break;
    case kVbeBpp:
      if (vbe_on()) break;
      if (value == 0) value = 8;
      if (value == 4 || value == 8 || value == 15 || value == 16 || value == 24 || value == 32) vbe_[kVbeBpp] = value;
      break;
    case kVbeEnable: enable_dispi(value); break;
    case kVbeBank: vbe_[kVbeBank] = static_cast<u16>(value % (memory_bytes() >> 16)); break;
    case kVbeVirtWidth:
    case kVbeVirtHeight:
    case kVbeXOffset:
    case kVbeYOffset: {
      if (index == kVbeVirtHeight) break;  // follows from width and memory
      vbe_[index] = value;
      vbe_[kVbeVirtWidth] = std::max(vbe_[kVbeVirtWidth], vbe_[kVbeXres]);
      const unsigned line = vbe_bytes_per_line();
      vbe_[kVbeVirtHeight] = static_cast<u16>(std::min<unsigned>(line ? memory_bytes() / line : 0, 0xffff));
      break;
    }
    default: break;
  }
}

void Vga::enable_dispi(u16 value) {
  const bool was_on = vbe_on();
  const u16 allowed = 0xe3;
  if ((value & kEnabled) && !was_on) {
    vbe_[kVbeVirtWidth] = vbe_[kVbeXres];
    vbe_[kVbeXOffset] = vbe_[kVbeYOffset] = 0;
    vbe_[kVbeBank] = 0;
    const u64 line = vbe_bytes_per_line();
    vbe_[kVbeVirtHeight] = static_cast<u16>(std::min<u64>(line ? memory_bytes() / line : 0, 0xffff));
    if (!(value & kNoClear)) {
      dirty_.mark_all();
      std::fill_n(vram_.begin(), static_cast<std::ptrdiff_t>(std::min<u64>(line * vbe_[kVbeYres], memory_bytes())),
                  u8{0});
    }
  } else if (!(value & kEnabled)) {
    vbe_[kVbeBank] = 0;
  }
  // Widening or narrowing the DAC rescales what it holds.
  if (((value ^ vbe_[kVbeEnable]) & 0x20) != 0) {
    for (u8& c : dac_) c = (value & 0x20) ? static_cast<u8>(c << 2 | c >> 4) : static_cast<u8>(c >> 2);
  }
  vbe_[kVbeEnable] = value & allowed;
}

// BAR 2: the EDID at 0, VGA ports 3C0h-3DFh at 400h, dispi registers at 500h, and at 600h the size of that block and
// the frame buffer's byte order, which is little-endian.
u32 Vga::Mmio::read(u64 offset, unsigned width) {
  if (offset + width <= vga_.edid_.size()) return static_cast<u32>(load_le_n(&vga_.edid_[offset], width));
  if (offset >= 0x400 && offset < 0x420) {
    u32 value = 0;
    for (unsigned i = 0; i < width; ++i) {
      value |= u32{vga_.read_port(static_cast<u16>(0x3c0 + ((offset - 0x400 + i) & 0x1f)))} << (8 * i);
    }
    return value;
  }
  if (offset >= 0x500 && offset < 0x516) {
    const unsigned index = static_cast<unsigned>(offset - 0x500) / 2;
    if (width == 1) return (vga_.read_dispi(index) >> (8 * (offset & 1))) & 0xff;
    return vga_.read_dispi(index) | (width == 4 ? u32{vga_.read_dispi(index + 1)} << 16 : 0);
  }
  if (offset == 0x600) return 8;
  if (offset == 0x604) return static_cast<u32>(0x1e1e1e1e & mask(8 * width));
  return 0;
}

void Vga::Mmio::write(u64 offset, unsigned width, u32 value) {
  if (offset >= 0x400 && offset < 0x420) {
    for (unsigned i = 0; i < width; ++i) {
      vga_.write_port(static_cast<u16>(0x3c0 + ((offset - 0x400 + i) & 0x1f)), static_cast<u8>(value >> (8 * i)));
    }
  } else if (offset >= 0x500 && offset < 0x516 && width >= 2) {
    const unsigned index = static_cast<unsigned>(offset - 0x500) / 2;
    vga_.write_dispi(index, static_cast<u16>(value));
    if (width == 4) vga_.write_dispi(index + 1, static_cast<u16>(value >> 16));
  }
}

}  // namespace xlat
