// Configuration accesses, BAR mapping and interrupt wiring of the PCI bus.
#include "devices/pci/pci.h"

#include "base/bits.h"

namespace xlat {

PciFunction::PciFunction(const PciIdentity& id) {
  define16(kPciVendorId, id.vendor);
  define16(kPciDeviceId, id.device);
  // I/O, memory, master, parity response, SERR#, INTx disable.
  define16(kPciCommand, 0, kPciCommandMaster | 0x0140 | kPciCommandIntxDisable);
  define16(kPciStatus, 0);
  write_one_clears(kPciStatus + 1, 0xf9);
  define8(kPciRevisionId, id.revision);
  define8(kPciProgIf, static_cast<u8>(id.class_code));
  define8(kPciSubclass, static_cast<u8>(id.class_code >> 8));
  define8(kPciClass, static_cast<u8>(id.class_code >> 16));
  define8(kPciCacheLineSize, 0, 0xff);
  define8(kPciLatencyTimer, 0, 0xf8);
  define16(kPciSubsystemVendorId, id.subsystem_vendor);
  define16(kPciSubsystemId, id.subsystem);
  define8(kPciInterruptPin, id.interrupt_pin);
  if (id.interrupt_pin) define8(kPciInterruptLine, 0, 0xff);
}

PciFunction::~PciFunction() {
  if (bus_) bus_->detach(*this);
}

u16 PciFunction::config16(unsigned offset) const { return load_le<u16>(&config_[offset]); }
u32 PciFunction::config32(unsigned offset) const { return load_le<u32>(&config_[offset]); }
void PciFunction::poke16(unsigned offset, u16 value) { store_le(&config_[offset], value); }
void PciFunction::poke32(unsigned offset, u32 value) { store_le(&config_[offset], value); }

void PciFunction::define8(unsigned offset, u8 value, u8 writable) {
  config_[offset] = reset_[offset] = value;
  writable_[offset] = writable;
}

void PciFunction::define16(unsigned offset, u16 value, u16 writable) {
  define8(offset, static_cast<u8>(value), static_cast<u8>(writable));
  define8(offset + 1, static_cast<u8>(value >> 8), static_cast<u8>(writable >> 8));
}

void PciFunction::define32(unsigned offset, u32 value, u32 writable) {
  define16(offset, static_cast<u16>(value), static_cast<u16>(writable));
  define16(offset + 2, static_cast<u16>(value >> 16), static_cast<u16>(writable >> 16));
}

void PciFunction::add_capability(unsigned offset, u8 id) {
  constexpr u8 kHasList = 0x10;  // in the status register
  define8(kPciStatus, config_[kPciStatus] | kHasList);
  define8(offset, id);
  define8(offset + 1, config_[kPciCapabilities]);
  define8(kPciCapabilities, static_cast<u8>(offset));
}

void PciFunction::add_msi(unsigned offset) {
  constexpr u8 kId = 0x05, k64Bit = 0x80, kEnable = 1, kMessages = 0x70;
  add_capability(offset, kId);
  define16(offset + 2, k64Bit, kEnable | kMessages);
  define32(offset + 4, 0, ~u32{3});
  define32(offset + 8, 0, ~u32{0});
  define16(offset + 12, 0, 0xffff);
  msi_ = static_cast<u8>(offset);
}

void PciFunction::send_message() const {
  if (!bus_ || !msi_enabled() || !bus_master()) return;
  const u64 address = config32(msi_ + 4u) | u64{config32(msi_ + 8u)} << 32;
  bus_->memory_.write(address, 4, config16(msi_ + 12u));
}

PciFunction::Bar& PciFunction::new_bar(unsigned n, BarKind kind, u32 size, u32 low_bits) {
  ASSERT(n < kBars && bars_[n].kind == BarKind::kNone && std::has_single_bit(size));
  ASSERT(kind == BarKind::kIo ? size >= 4 && size <= 256 : size >= 4096);
  Bar& bar = bars_[n];
  bar.kind = kind;
  bar.size = size;
  define32(bar_offset(n), low_bits, ~(size - 1) | (kind == BarKind::kRom ? 1 : 0));
  const u8 enable = kind == BarKind::kIo ? kPciCommandIo : kPciCommandMemory;
  writable_[kPciCommand] |= enable;
  return bar;
}

void PciFunction::add_io_bar(unsigned n, u32 size, IoHandler& handler, u8 widths) {
  Bar& bar = new_bar(n, BarKind::kIo, size, 1);
  bar.window.target = &handler;
  bar.widths = widths;
}

void PciFunction::add_memory_bar(unsigned n, u32 size, IoHandler& handler, u8 widths, bool prefetchable) {
  Bar& bar = new_bar(n, BarKind::kMemory, size, prefetchable ? 8 : 0);
  bar.window.target = &handler;
  bar.widths = widths;
}

void PciFunction::add_ram_bar(unsigned n, u32 size, u8* host, u8* dirty) {
  Bar& bar = new_bar(n, BarKind::kRam, size, 8);
  bar.host = host;
  bar.dirty = dirty;
}

void PciFunction::watch_stores(const u8* host_page) const {
  if (bus_) bus_->memory_.watch_stores(host_page);
}

void PciFunction::add_aperture_bar(unsigned n, u32 size, IoHandler& handler, u8* host, u32 bytes, u8* dirty) {
  add_memory_bar(n, size, handler, kWidthsAll, true);
  bars_[n].host = host;
  bars_[n].dirty = dirty;
  bars_[n].host_bytes = bars_[n].direct_bytes = bytes;
}

void PciFunction::set_direct(unsigned n, bool on) {
  Bar& bar = bars_[n];
  if (on == (bar.direct_bytes != 0)) return;
  if (bus_ && bar.mapped) bus_->unmap_memory(bar);
  bar.direct_bytes = on ? bar.host_bytes : 0;
  if (bus_ && bar.mapped) bus_->map_memory(bar);
}

void PciFunction::add_rom_bar(std::vector<u8> bytes) {
  rom_ = std::move(bytes);
  rom_.resize(std::bit_ceil(std::max<std::size_t>(rom_.size(), 4096)), 0xff);
  new_bar(kRomBar, BarKind::kRom, static_cast<u32>(rom_.size()), 0).host = rom_.data();
}

std::optional<u32> PciFunction::bar_address(unsigned n) const {
  const Bar& bar = bars_[n];
  if (bar.kind == BarKind::kNone) return std::nullopt;
  const u32 value = config32(bar_offset(n));
  const u32 base = value & ~(bar.size - 1);
  if (base == 0) return std::nullopt;
  if (bar.kind == BarKind::kIo) {
    if (!(command() & kPciCommandIo) || base + u64{bar.size} > 65536) return std::nullopt;
    return base;
  }
  if (!(command() & kPciCommandMemory)) return std::nullopt;
  if (bar.kind == BarKind::kRom && !(value & 1)) return std::nullopt;
  return base;
}

u32 PciFunction::config_read(unsigned offset, unsigned width) {
  return static_cast<u32>(config_value(offset, width, static_cast<u32>(load_le_n(&config_[offset], width))) &
                          mask(8 * width));
}

void PciFunction::config_write(unsigned offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; ++i) {
    const u8 written = static_cast<u8>(value >> (8 * i));
    u8& reg = config_[offset + i];
    reg = static_cast<u8>((reg & ~writable_[offset + i]) | (written & writable_[offset + i]));
    reg = static_cast<u8>(reg & ~(written & clear_[offset + i]));
  }
  const unsigned end = offset + width;
  const bool command_written = offset < kPciCommand + 2 && end > kPciCommand;
  const bool bar_written =
      (offset < kPciBar0 + 24 && end > kPciBar0) || (offset < kPciRomAddress + 4 && end > kPciRomAddress);
  if (command_written || bar_written) bars_may_have_moved();
  const bool msi_written = msi_ != 0 && offset < msi_ + 4u && end > msi_ + 2u;
  if ((command_written || msi_written) && bus_) bus_->update_pirqs();
  config_changed(offset, width);
}

void PciFunction::bars_may_have_moved() {
  if (bus_) bus_->remap(*this);
}

void PciFunction::set_intx(bool level) {
  if (level == intx_) return;
  intx_ = level;
  config_[kPciStatus] = static_cast<u8>((config_[kPciStatus] & ~8) | (level ? 8 : 0));  // Interrupt Status
  if (level) send_message();
  if (bus_) bus_->update_pirqs();
}

void PciFunction::reset_config() {
  const u8 header = config_[kPciHeaderType];  // the multifunction bit is wiring
  config_ = reset_;
  config_[kPciHeaderType] = header;
  intx_ = false;
  bars_may_have_moved();
  if (bus_) bus_->update_pirqs();
  config_changed(0, 256);
}

void PciFunction::serialize_config(Archive& ar) {
  ar.section("pci-function", 1);
  std::array<u8, 256> stored = config_;
  ar(stored)(intx_);
  if (!ar.loading() || !ar.ok()) return;
  for (unsigned i = 0x00; i < 0x40; ++i) {  // the header's fixed bits stay what the chip says
    if (i == kPciStatus || i == kPciStatus + 1) continue;
    stored[i] = static_cast<u8>((config_[i] & ~writable_[i]) | (stored[i] & writable_[i]));
  }
  config_ = stored;
  bars_may_have_moved();
  config_changed(0, 256);
}

void PciFunction::config_changed(unsigned, unsigned) {}
u32 PciFunction::config_value(unsigned, unsigned, u32 value) { return value; }
void PciFunction::bar_changed(unsigned, std::optional<u32>) {}

PciBus::PciBus(PortBus& ports, AddressSpace& memory) : ports_(ports), memory_(memory) {
  ports_.map(kConfigAddress, 8, *this, kWidthsAll);
}

PciBus::~PciBus() {
  for (PciFunction* f : functions_) {
    if (f) detach(*f);
  }
  ports_.unmap(*this);
}

void PciBus::add(unsigned device, unsigned function, PciFunction& f) {
  ASSERT(device < 32 && function < 8 && !functions_[device * 8 + function] && !f.bus_);
  functions_[device * 8 + function] = &f;
  f.bus_ = this;
  bool multifunction = false;
  for (unsigned i = 1; i < 8; ++i) multifunction |= at(device, i) != nullptr;
  if (PciFunction* first = at(device, 0); first && multifunction) first->config_[kPciHeaderType] |= 0x80;
  remap(f);
}

void PciBus::remove(PciFunction& f) {
  detach(f);
  update_pirqs();
}

void PciBus::detach(PciFunction& f) {
  for (PciFunction*& slot : functions_) {
    if (slot == &f) slot = nullptr;
  }
  for (PciFunction::Bar& bar : f.bars_) {
    if (!bar.mapped) continue;
    if (bar.kind == PciFunction::BarKind::kIo) {
      ports_.unmap(bar.window);
    } else {
      unmap_memory(bar);
    }
    bar.mapped.reset();
  }
  f.bus_ = nullptr;
}

PciFunction* PciBus::at(unsigned device, unsigned function) const {
  return device < 32 && function < 8 ? functions_[device * 8 + function] : nullptr;
}

void PciBus::serialize(Archive& ar) {
  ar.section("pci", 1);
  ar(address_);
}

PciFunction* PciBus::addressed() const {
  // CONFE, bits 30:24 reserved, bus number: only bus 0 exists.
  if (!bit(address_, 31) || bits(address_, 16, 8) != 0) return nullptr;
  return functions_[bits(address_, 8, 8)];
}

u32 PciBus::read(u64 offset, unsigned width) {
  if (offset == 0 && width == 4) return address_;
  if (offset < 4) {
    if (offset == 1 && width == 1 && reset_control_) return reset_control_->read(0, 1);
    return ~u32{0};
  }
  PciFunction* f = addressed();
  return f ? f->config_read((address_ & 0xfc) + static_cast<unsigned>(offset - 4), width) : ~u32{0};
}

void PciBus::write(u64 offset, unsigned width, u32 value) {
  if (offset == 0 && width == 4) {
    address_ = value & 0x80fffffc;
    return;
  }
  if (offset < 4) {
    if (offset == 1 && width == 1 && reset_control_) reset_control_->write(0, 1, value);
    return;
  }
  if (PciFunction* f = addressed())
    f->config_write((address_ & 0xfc) + static_cast<unsigned>(offset - 4), width, value);
}

void PciBus::map_memory(PciFunction::Bar& bar) {
  const u64 base = *bar.mapped;
  for (u64 at = 0; at < bar.size;) {
    const auto vacant = [&](u64 offset) {
      const PageOwner& p = memory_.page(base + offset);
      return !p.read && !p.write && !p.io;
    };
    if (!vacant(at)) {
      at += 4096;
      continue;
    }
    u64 end = at + 4096;
    const bool direct = at < bar.direct_bytes;
    const u64 limit = direct ? bar.direct_bytes : bar.size;
    while (end < limit && vacant(end)) end += 4096;
    if (bar.kind == PciFunction::BarKind::kRam || direct) {
      memory_.map_device_ram(base + at, end - at, bar.host + at, bar.dirty ? bar.dirty + at / 4096 : nullptr);
    } else if (bar.kind == PciFunction::BarKind::kMemory) {
      memory_.map_io(base + at, end - at, bar.window, at, bar.widths);
    } else {
      memory_.map_rom(base + at, end - at, bar.host + at);
    }
    at = end;
  }
}

void PciBus::unmap_memory(PciFunction::Bar& bar) {
  const u64 base = *bar.mapped;
  const auto ours = [&](u64 offset) {
    const PageOwner& p = memory_.page(base + offset);
    return bar.kind == PciFunction::BarKind::kMemory && offset >= bar.direct_bytes ? p.io == &bar.window
                                                                                   : p.read == bar.host + offset;
  };
  for (u64 at = 0; at < bar.size;) {
    if (!ours(at)) {
      at += 4096;
      continue;
    }
    u64 end = at + 4096;
    while (end < bar.size && ours(end)) end += 4096;
    memory_.unmap(base + at, end - at);
    at = end;
  }
}

void PciBus::remap(PciFunction& changed) {
  bool memory_freed = false;
  for (unsigned n = 0; n < PciFunction::kBars; ++n) {
    PciFunction::Bar& bar = changed.bars_[n];
    const std::optional<u32> address = changed.bar_address(n);
    if (address == bar.mapped) continue;
    if (bar.kind == PciFunction::BarKind::kIo) {
      if (bar.mapped) ports_.unmap(bar.window);
      bar.mapped = address;
      if (address) ports_.map(static_cast<u16>(*address), bar.size, bar.window, bar.widths);
    } else {
      if (bar.mapped) unmap_memory(bar), memory_freed = true;
      bar.mapped = address;
      if (address) map_memory(bar);
    }
    changed.bar_changed(n, address);
  }
  if (!memory_freed) return;
  for (PciFunction* f : functions_) {  // whatever was hidden behind the pages given up
    if (!f) continue;
    for (PciFunction::Bar& bar : f->bars_) {
      if (bar.mapped && bar.kind != PciFunction::BarKind::kIo) map_memory(bar);
    }
  }
}

void PciBus::update_pirqs() {
  bool level[4] = {};
  for (unsigned devfn = 0; devfn < 256; ++devfn) {
    const PciFunction* f = functions_[devfn];
    const unsigned pin = f ? f->config_[kPciInterruptPin] : 0;
    if (pin < 1 || pin > 4 || !f->intx_asserted()) continue;
    level[(devfn / 8 + pin - 2) & 3] = true;
  }
  for (unsigned i = 0; i < 4; ++i) pirq_[i].set(level[i]);
}

}  // namespace xlat
