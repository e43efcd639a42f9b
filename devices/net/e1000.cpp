// Registers, interrupts, EEPROM and PHY of the 82540EM.
#include "devices/net/e1000.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000_registers.h"

namespace xlat {

using namespace e1000;

namespace {

constexpr u64 kMicrosecond = 1024;  // ns: the unit of RDTR, RADV, TIDV and TADV is 1.024 us
constexpr u64 kThrottleUnit = 256;  // ns, 13.4.18
constexpr u32 kCauses = 0x0001'ffff;
constexpr u16 kEepromSum = 0xbaba;  // 5.6.35

struct Writable {
  u32 first, last, mask;
};
// What software can write, but for registers that do something then. What is in no row reads as zero.
constexpr Writable kWritable[] = {
    {kCtrlExt, kCtrlExt, 0xffff'ffff},
    {kFcal, kFct, 0xffff'ffff},
    {kVet, kVet, 0xffff},
    {kItr, kItr, 0xffff},
    {kFcttv, kTxcw, 0xffff'ffff},
    {kTctl, kTctl, 0x1fff'fffe},
    {kTipg, kTipg, 0x3fff'ffff},
    {kAifs, kAifs, 0xffff},
    {kLedctl, kLedctl, 0xffff'ffff},
    {kPba, kPba, 0xffff'ffff},
    {kFcrtl, kFcrth, 0x8000'fff8},
    {kRdbal, kRdbal, 0xffff'fff0},
    {kRdbah, kRdbah, 0xffff'ffff},
    {kRdlen, kRdlen, 0x000f'ff80},
    {kRdh, kRdh, 0xffff},
    {kRdtr, kRdtr, 0xffff},
    {kRxdctl, kRxdctl, 0x013f'3f3f},
    {kRadv, kRadv, 0xffff},
    {kRsrpd, kRsrpd, 0xfff},
    {kTxdmac, kTxdmac, 1},
    {kTdbal, kTdbal, 0xffff'fff0},
    {kTdbah, kTdbah, 0xffff'ffff},
    {kTdlen, kTdlen, 0x000f'ff80},
    {kTdh, kTdh, 0xffff},
    {kTidv, kTidv, 0xffff},
    {kTxdctl, kTxdctl, 0xff3f'3f3f},
    {kTadv, kTadv, 0xffff},
    {kTspmt, kTspmt, 0xffff'ffff},
    {kRxcsum, kRxcsum, 0x3ff},
    {kMta, kMta + 0x1fc, 0xffff'ffff},
    {kRal, kRal + 0x7c, 0xffff'ffff},
    {kVfta, kVfta + 0x1fc, 0xffff'ffff},
    {kWuc, kWufc, 0xffff'ffff},
    {kManc, kManc, 0xffff'ffff},
};

}  // namespace

E1000::E1000(PciNic parts)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x100e,
                   .revision = 3,
                   .class_code = 0x020000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 1}),
      memory_(parts.memory),
      clock_(parts.clock),
      port_(parts.port),
      mac_(parts.mac),
      throttle_(clock_, [this] { update_interrupt(); }),
      receive_delay_(clock_, [this] { cause(kCauseRxt0); }),
      transmit_delay_(clock_, [this] { cause(kCauseTxdw); }),
      transmit_more_(clock_, [this] { transmit(); }) {
  add_memory_bar(0, 0x20000, *this, kWidth4);
  add_io_bar(1, 0x40, io_, kWidth4);
  if (!parts.rom.empty()) add_rom_bar(std::move(parts.rom));
  load_eeprom();
  port_.attach(*this, "e1000", mac_);
  reset();
}

// As the card comes from its maker, table 5-2: the address, what is loaded into the configuration space, and a sum.
void E1000::load_eeprom() {
  std::array<u16, 64>& words = eeprom_.words;
  words.fill(0xffff);
  for (unsigned n = 0; n < 3; ++n) words[n] = static_cast<u16>(mac_[2 * n] | mac_[2 * n + 1] << 8);
  words[0x03] = 0;
  words[0x0a] = 0x640b;  // initialization control 1: signature, and which identifiers are loaded
  words[0x0b] = config16(kPciSubsystemId);
  words[0x0c] = config16(kPciSubsystemVendorId);
  words[0x0d] = config16(kPciDeviceId);
  words[0x0e] = config16(kPciVendorId);
  words[0x0f] = 0x3040;
  words[0x21] = words[0x22] = words[0x23] = words[0x24] = 0;
  words[0x3f] = 0;
  u16 sum = 0;
  for (const u16 word : words) sum = static_cast<u16>(sum + word);
  words[0x3f] = static_cast<u16>(kEepromSum - sum);
}

void E1000::reset() {
  reset_config();
  eeprom_.reset();
  io_.address = 0;
  reset_phy();
  reset_registers();
}

// RST of CTRL and power-on, 14.3: the address filter's first row comes from the EEPROM.
void E1000::reset_registers() {
  registers_ = {};
  reg(kCtrl) = kCtrlFullDuplex | kCtrlSpeed1000 | 1 << 20;  // ADVD3WUC
  reg(kVet) = 0x8100;
  reg(kEecd) = kEecdPresent;
  reg(kPba) = 0x0010'0030;
  reg(kLedctl) = 0x0706'8302;
  reg(kTxdctl) = reg(kRxdctl) = 1 << 24;  // granularity: descriptors
  reg(kManc) = 1 << 21;                   // management off
  const auto word = [this](unsigned n) { return u32{eeprom_.words[n]}; };
  reg(kRal) = word(0) | word(1) << 16;
  reg(kRal + 4) = word(2) | u32{1} << 31;
  context_ = segment_context_ = {};
  packet_ = {};
  for (Timer* timer : {&throttle_, &receive_delay_, &transmit_delay_, &transmit_more_}) timer->cancel();
  next_interrupt_ = 0;
  update_link(false);
  update_interrupt();
}

void E1000::reset_phy() {
  phy_ = {};
  phy_[kPhyControl] = 0x1140;  // 1000 Mb/s, full duplex, negotiated
  phy_[kPhyStatus] = 0x7949;
  phy_[kPhyId1] = 0x0141;  // Marvell 88E1011
  phy_[kPhyId2] = 0x0c20;
  phy_[kPhyAdvertise] = 0x0de1;
  phy_[kPhyPartner] = 0x41e0;
  phy_[kPhyExpansion] = 1;
  phy_[kPhyControl1000] = 0x0e00;
  phy_[kPhyStatus1000] = 0x3c00;
  phy_[kPhyExtendedStatus] = 0x3000;
  phy_[kPhySpecificControl] = 0x0360;
  phy_[kPhyExtendedControl] = 0x0d60;
}

void E1000::update_link(bool changed) {
  const bool up = port_.link();
  reg(kStatus) = kStatusFullDuplex | (up ? kStatusLinkUp | kStatusSpeed1000 | kStatusAutoSpeed1000 : 0u);
  phy_[kPhyStatus] =
      static_cast<u16>((phy_[kPhyStatus] & ~(kPhyLink | kPhyNegotiated)) | (up ? kPhyLink | kPhyNegotiated : 0));
  // Speed and duplex resolved, link, full duplex, 1000 Mb/s.
  phy_[kPhySpecificStatus] = up ? 0xac00 : 0;
  if (changed) cause(kCauseLsc);
}

void E1000::link_changed() { update_link(true); }

void E1000::cause(u32 bits) {
  reg(kIcr) |= bits;
  update_interrupt();
}

// ITR, 13.4.18: between two interrupts there are so many units.
void E1000::update_interrupt() {
  if (!(reg(kIcr) & reg(kIms))) {
    throttle_.cancel();
    return set_intx(false);
  }
  if (intx_asserted()) return;
  const u64 now = clock_.now();
  if (now < next_interrupt_) {
    if (!throttle_.pending()) throttle_.schedule(next_interrupt_);
    return;
  }
  next_interrupt_ = now + reg(kItr) * kThrottleUnit;
  set_intx(true);
}

// 13.4.30 and following: an interrupt comes `delay` after the last event, and at most `limit` after the first.
void E1000::delayed_cause(u32 bits, Timer& timer, u64& latest, u32 delay, u32 limit) {
  if (delay == 0) {
    timer.cancel();
    return cause(bits);
  }
  const u64 now = clock_.now();
  if (!timer.pending()) latest = limit ? now + limit * kMicrosecond : Clock::kNever;
  timer.schedule(std::min(now + delay * kMicrosecond, latest));
}

// 13.4.9.
void E1000::phy_access(u32 command) {
  constexpr u32 kInterrupt = 1 << 29, kReady = 1 << 28, kError = 1 << 30, kWrite = 1, kRead = 2;
  const unsigned which = command >> 16 & 31, operation = command >> 26 & 3;
  u32 result = (command & 0x23ff'ffff) | kReady;
  if ((command >> 21 & 31) != 1 || (operation != kRead && operation != kWrite)) {
    result |= kError;
  } else if (operation == kRead) {
    result = (result & 0xffff'0000) | phy_[which];
  } else if (which == kPhyControl) {
    const u16 value = static_cast<u16>(command);
    if (value & kPhyReset) {
      reset_phy();
    } else {
      phy_[kPhyControl] = value & static_cast<u16>(~kPhyRestart);
    }
    update_link(value & (kPhyReset | kPhyRestart));
  } else if (which == kPhyAdvertise || which == kPhyControl1000 || which >= kPhySpecificControl) {
    if (which != kPhySpecificStatus) phy_[which] = static_cast<u16>(command);
  }
  reg(kMdic) = (result & ~(3u << 26)) | (command & 3u << 26);
  if (command & kInterrupt) cause(kCauseMdac);
}

u32 E1000::read_register(u32 offset) {
  if (offset >= kRegisterBytes) return 0;
  switch (offset) {
    case kIcr: {
      const u32 value = reg(kIcr);
      reg(kIcr) = 0;
      update_interrupt();
      return value;
    }
    case kIcs: return reg(kIcr);
    case kImc: return 0;
    case kEecd: {
      const u32 value = reg(kEecd);
      return (value & ~kEecdOut) | (eeprom_.out() ? kEecdOut : 0) | (value & kEecdRequest ? kEecdGrant : 0);
    }
    default: break;
  }
  const u32 value = reg(offset);
  if (offset >= kStatistics && offset < kStatistics + 0x100) {
    // Cleared when they are read, those of 64 bits by their upper half (13.7).
    const bool low_half = offset == kGorcl || offset == kGotcl || offset == kTorl || offset == kTotl;
    if (!low_half) reg(offset) = 0;
    if (offset >= 4 && (offset - 4 == kGorcl || offset - 4 == kGotcl || offset - 4 == kTorl || offset - 4 == kTotl))
      reg(offset - 4) = 0;
  }
  return value;
}

void E1000::write_register(u32 offset, u32 value) {
  if (offset >= kRegisterBytes) return;
  switch (offset) {
    case kCtrl:
    case kCtrl + 4:  // CTRL_DUP
      if (value & kCtrlReset) {
        reset_registers();
        return;
      }
      if (value & kCtrlPhyReset) reset_phy(), update_link(true);
      reg(kCtrl) = value & ~(kCtrlReset | kCtrlPhyReset);
      return;
    case kEecd:
      reg(kEecd) = (value & kEecdWritable) | kEecdPresent;
      eeprom_.drive(value & kEecdSelect, value & kEecdClock, value & kEecdIn);
      return;
    case kEerd:  // 13.4.6; done at once
      reg(kEerd) = value & 0xff00;
      if (value & 1) reg(kEerd) |= u32{eeprom_.words[value >> 8 & 63]} << 16 | 0x10;
      return;
    case kMdic: return phy_access(value);
    case kIcr: reg(kIcr) &= ~value; return update_interrupt();
    case kIcs: return cause(value & kCauses);
    case kIms: reg(kIms) |= value & kCauses; return update_interrupt();
    case kImc: reg(kIms) &= ~value; return update_interrupt();
    case kRctl: reg(kRctl) = value & 0x06df'ffff; return port_.feed();
    case kRdt: reg(kRdt) = value & 0xffff; return port_.feed();
    case kTdt: reg(kTdt) = value & 0xffff; return transmit();
    default: break;
  }
  for (const Writable& row : kWritable) {
    if (offset < row.first || offset > row.last) continue;
    reg(offset) = value & row.mask;
    if (offset == kTctl) transmit();
    if (offset == kRdtr && value >> 31) {  // flush
      receive_delay_.cancel();
      cause(kCauseRxt0);
    }
    if (offset == kTidv && value >> 31 && transmit_delay_.pending()) {
      transmit_delay_.cancel();
      cause(kCauseTxdw);
    }
    return;
  }
}

u32 E1000::read(u64 offset, unsigned) { return read_register(static_cast<u32>(offset & ~u64{3})); }

void E1000::write(u64 offset, unsigned, u32 value) { write_register(static_cast<u32>(offset & ~u64{3}), value); }

u32 E1000::IoWindow::read(u64 offset, unsigned) {
  if (offset == 0) return address;
  return offset == 4 ? card.read(address, 4) : 0;
}

void E1000::IoWindow::write(u64 offset, unsigned, u32 value) {
  if (offset == 0) address = value & 0x1ffff;
  if (offset == 4) card.write(address, 4, value);
}

// Counters stay at their greatest value (13.7).
void E1000::count(u32 offset, u32 by) {
  u32& counter = reg(offset);
  counter = counter + by < counter ? ~u32{0} : counter + by;
}

void E1000::count_bytes(u32 offset, u64 bytes) {
  const u64 sum = (u64{reg(offset + 4)} << 32 | reg(offset)) + bytes;
  reg(offset) = static_cast<u32>(sum);
  reg(offset + 4) = static_cast<u32>(sum >> 32);
}

// The six counters by size that begin at `first`.
void E1000::count_size(u32 first, std::size_t bytes) {
  constexpr std::size_t kMost[5] = {64, 127, 255, 511, 1023};
  unsigned n = 0;
  while (n < 5 && bytes > kMost[n]) ++n;
  count(first + 4 * n);
}

void E1000::Context::serialize(Archive& ar) {
  ar(ip_start)(ip_offset)(tu_start)(tu_offset)(ip_end)(tu_end)(payload)(header)(mss)(tcp)(v4);
}

void E1000::serialize(Archive& ar) {
  ar.section("e1000", 1);
  serialize_config(ar);
  ar(registers_)(phy_)(io_.address);
  io_.address &= 0x1ffff;
  eeprom_.serialize(ar);
  context_.serialize(ar);
  segment_context_.serialize(ar);
  ar.blob(packet_.bytes, kMostPacket);
  ar(packet_.options)(packet_.begun)(packet_.extended)(packet_.segment);
  for (Timer* timer : {&throttle_, &receive_delay_, &transmit_delay_, &transmit_more_}) timer->serialize(ar);
  ar(next_interrupt_)(receive_latest_)(transmit_latest_);
}

namespace {
constexpr auto kProperties = pci_nic_properties("efi-e1000.rom");
}  // namespace

extern const DeviceType kE1000Type = {
    "e1000", "PCI", DeviceType::Category::kNetwork, "Intel Gigabit Ethernet", kProperties, make_pci_nic<E1000>};
extern const DeviceType kE1000EmType = {"e1000-82540em", "PCI",       DeviceType::Category::kNetwork,
                                        "the same",      kProperties, make_pci_nic<E1000>};

}  // namespace xlat
