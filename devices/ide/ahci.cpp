// Registers of the whole controller (AHCI 1.0, 3.1) and its function on the PCI bus.
#include "devices/ide/ahci.h"

#include "devices/registry.h"

namespace xlat {

namespace {

enum HostRegister : unsigned { kCap = 0x00, kGhc = 0x04, kIs = 0x08, kPi = 0x0c, kVs = 0x10 };
constexpr unsigned kPortsBegin = 0x100, kPortBytes = 0x80;
// GHC.
constexpr u32 kHbaReset = 1 << 0, kInterruptEnable = 1 << 1, kAhciEnable = u32{1} << 31;
// CAP: 64-bit addresses, native queuing, AHCI only, 3 Gb/s, 32 commands, so many ports.
constexpr u32 kCapabilities = u32{1} << 31 | 1 << 30 | 1 << 18 | 2 << 20 | 31 << 8 | (Ahci::kPorts - 1);
// Where the ICH9 has its capabilities, and its index and data registers in BAR 4.
constexpr unsigned kMsi = 0x80, kSata = 0xa8, kIndex = 0x10, kData = 0x14;

}  // namespace

Ahci::Ahci(AddressSpace& memory, Clock& clock, bool messages)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x2922,
                   .revision = 2,
                   .class_code = 0x010601,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 1}),
      memory_(memory) {
  define8(0x90, 1 << 6);  // MAP: AHCI mode
  add_capability(kSata, 0x12);
  define16(kSata + 2, 0x0010);                       // revision 1.0
  define32(kSata + 4, (4 + 4) | (kIndex / 4) << 4);  // the pair is in BAR 4, at this doubleword
  if (messages) add_msi(kMsi);
  add_io_bar(4, 32, pair_, kWidthsAll);
  add_memory_bar(5, 4096, *this);
  for (auto& port : ports_) port = std::make_unique<AhciPort>(*this, clock);
}

void Ahci::reset() {
  reset_config();
  reset_hba();
}

void Ahci::reset_hba() {
  control_ = kAhciEnable;
  pending_ = index_ = 0;
  for (auto& port : ports_) port->reset();
  update_interrupt();
}

void Ahci::serialize(Archive& ar) {
  if (ar.section("ahci", 2) < 2) ar.fail("version 1, without queues, is not read any more");
  serialize_config(ar);
  ar(control_)(pending_)(index_);
  for (auto& port : ports_) port->serialize(ar);
}

void Ahci::update_interrupt() {
  const u32 before = pending_;
  for (unsigned n = 0; n < kPorts; ++n) {
    if (ports_[n]->interrupting()) pending_ |= u32{1} << n;
  }
  const bool level = pending_ != 0 && (control_ & kInterruptEnable);
  if (level && intx_level() && (pending_ & ~before)) send_message();
  set_intx(level);
}

u32 Ahci::IndexPair::read(u64 offset, unsigned width) {
  if (width != 4) return 0;
  return offset == kIndex ? hba_.index_ : offset == kData ? hba_.read(hba_.index_, 4) : 0;
}

void Ahci::IndexPair::write(u64 offset, unsigned width, u32 value) {
  if (width != 4) return;
  if (offset == kIndex) hba_.index_ = value & 0xffc;
  if (offset == kData) hba_.write(hba_.index_, 4, value);
}

u32 Ahci::read(u64 offset, unsigned width) {
  const unsigned at = static_cast<unsigned>(offset) & ~3u;
  u32 value = 0;
  if (at >= kPortsBegin) {
    const unsigned n = (at - kPortsBegin) / kPortBytes;
    if (n < kPorts) value = ports_[n]->read(at % kPortBytes);
  } else {
    switch (at) {
      case kCap: value = kCapabilities; break;
      case kGhc: value = control_; break;
      case kIs: value = pending_; break;
      case kPi: value = (1 << kPorts) - 1; break;
      case kVs: value = 0x00010000; break;
      default: break;
    }
  }
  value >>= 8 * (offset & 3);
  return width == 4 ? value : value & ((u32{1} << (8 * width)) - 1);
}

// Registers are written in doublewords; a part of one leaves the rest as it is.
void Ahci::write(u64 offset, unsigned width, u32 value) {
  const unsigned at = static_cast<unsigned>(offset) & ~3u;
  const bool clears_by_ones = at == kIs || (at >= kPortsBegin && (at % kPortBytes == 0x10 || at % kPortBytes == 0x30));
  if (width < 4) {
    const unsigned shift = 8 * (offset & 3);
    const u32 mask = ((u32{1} << (8 * width)) - 1) << shift;
    value = value << shift & mask;
    if (!clears_by_ones) value |= read(at, 4) & ~mask;
  }
  if (at >= kPortsBegin) {
    const unsigned n = (at - kPortsBegin) / kPortBytes;
    if (n < kPorts) ports_[n]->write(at % kPortBytes, value);
  } else if (at == kGhc) {
    if (value & kHbaReset) return reset_hba();
    control_ = kAhciEnable | (value & kInterruptEnable);
  } else if (at == kIs) {
    pending_ &= ~value;
  }
  update_interrupt();
}

namespace {

Result<std::unique_ptr<Device>> make(Board& board, const Properties&) {
  auto ahci = std::make_unique<Ahci>(board.memory(), board.clock(), board.takes_messages());
  for (unsigned n = 0; n < Ahci::kPorts; ++n) board.offer_bus(ahci->port(n));
  return std::unique_ptr<Device>(std::move(ahci));
}

}  // namespace

extern const DeviceType kAhciType = {
    "ich9-ahci", "PCI", DeviceType::Category::kStorage, "a SATA controller with six ports: AHCI", {}, make};
extern const DeviceType kAhciAlias = {"ahci", "PCI", DeviceType::Category::kStorage, "the same", {}, make};

}  // namespace xlat
