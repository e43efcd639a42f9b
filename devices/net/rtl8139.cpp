// Registers, EEPROM, timer and interrupts of the RTL8139C+.
#include "devices/net/rtl8139.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/net/rtl8139_registers.h"

namespace xlat {

using namespace rtl8139;

namespace {

constexpr u64 kPciHz = 33'000'000;

// Bits of each register that software writes; those of configuration only while 9346CR says so.
struct Writable {
  unsigned first, last;
  u32 mask;  // of each byte
};
constexpr Writable kWritable[] = {
    {kIdr, kIdr + 5, 0xff},     {kMar, kMar + 7, 0xff},
    {kTsd, kRbstart + 3, 0xff}, {kCapr, kCapr + 1, 0xff},
    {kImr, kImr + 1, 0xff},     {kTcr, kTcr + 3, 0xff},
    {kRcr, kRcr + 3, 0xff},     {kTimerInt, kTimerInt + 3, 0xff},
    {k9346, k9346, 0xce},       {kMulint, kMulint + 1, 0xff},
    {kBmcr, kBmcr + 1, 0xff},   {kAnar, kAnar + 1, 0xff},
    {kNwaytr, 0x84, 0xff},      {kCpcr, kCpcr + 1, 0xff},
    {kRdsar, kRdsar + 7, 0xff}, {kEtthr, kEtthr, 0x3f},
    {kConfig5, kConfig5, 0xff}, {kConfig0, kConfig1, 0xff},
    {kConfig3, kConfig4, 0xff}, {kMsr, kMsr, 0xc0},
};

bool is_configuration(unsigned at) { return at == kConfig0 || at == kConfig1 || at == kConfig3 || at == kConfig4; }

}  // namespace

Rtl8139::Rtl8139(PciNic parts)
    : PciFunction({.vendor = 0x10ec,
                   .device = 0x8139,
                   .revision = 0x20,  // C+
                   .class_code = 0x020000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 1}),
      memory_(parts.memory),
      clock_(parts.clock),
      port_(parts.port),
      mac_(parts.mac),
      timer_(clock_,
             [this] {
               raise(kIsrTimeout);
               schedule_timer();
             }),
      poll_(clock_, [this] { port_.feed(); }) {
  add_io_bar(0, 0x100, *this, kWidthsAll);
  add_memory_bar(1, 4096, *this, kWidthsAll);
  if (!parts.rom.empty()) add_rom_bar(std::move(parts.rom));
  load_eeprom();
  port_.attach(*this, "rtl8139", mac_);
  reset();
}

void Rtl8139::load_eeprom() {
  auto& words = eeprom_.words;
  words.fill(0);
  words[0] = 0x8129;
  words[1] = config16(kPciVendorId);
  words[2] = config16(kPciDeviceId);
  words[3] = config16(kPciSubsystemVendorId);
  words[4] = config16(kPciSubsystemId);
  words[5] = 0x4020;
  for (unsigned n = 0; n < 3; ++n) words[7 + n] = load_le<u16>(&mac_[2 * n]);
}

void Rtl8139::reset() {
  reset_config();
  eeprom_.reset();
  registers_ = {};
  std::copy(mac_.begin(), mac_.end(), registers_.begin());
  registers_[kConfig1] = 0x0c;  // I/O and memory are mapped
  registers_[kConfig3] = 0x01;
  registers_[kConfig5] = 0x00;
  set16(kBmcr, 0x1000);
  set16(kAnar, 0x05e1);
  set16(kCscr, 0x03c0);
  tallies_ = {};
  timer_base_ = clock_.now();
  soft_reset();
  link_changed();
  set16(kIsr, 0);
  update();
}

// RST of the command register.
void Rtl8139::soft_reset() {
  std::fill_n(&registers_[kTsd], 0x20, u8{0});
  for (unsigned n = 0; n < 4; ++n) set32(kTsd + 4 * n, kTsdOwn);
  set32(kRbstart, 0);
  registers_[kCr] = 0;
  set16(kCapr, 0xfff0);
  set16(kImr, 0);
  set16(kIsr, 0);
  set32(kTcr, 0);
  set32(kRcr, 0);
  set32(kTimerInt, 0);
  set32(kMpc, 0);
  set16(kCpcr, 0);
  set32(kRdsar, 0);
  set32(kRdsar + 4, 0);
  ring_at_ = 0;
  receive_index_ = transmit_index_[0] = transmit_index_[1] = 0;
  packet_.clear();
  timer_.cancel();
  poll_.cancel();
  update();
}

void Rtl8139::link_changed() {
  const bool up = port_.link();
  registers_[kMsr] = static_cast<u8>((registers_[kMsr] & 0xc0) | (up ? 0 : 4));
  set16(kBmsr, up ? 0x782d : 0x7809);
  set16(kAnlpar, up ? 0x45e1 : 0);
  set16(kAner, up ? 1 : 0);
  raise(kIsrLink);
}

void Rtl8139::raise(u16 bits) {
  set16(kIsr, reg16(kIsr) | bits);
  update();
}

void Rtl8139::update() { set_intx(reg16(kIsr) & reg16(kImr)); }

// TCTR counts the bus's clocks, and TimerInt is where it interrupts; zero: nowhere.
u32 Rtl8139::ticks() const {
  return static_cast<u32>((unsigned __int128)(clock_.now() - timer_base_) * kPciHz / kNanosPerSecond);
}

void Rtl8139::schedule_timer() {
  const u32 at = reg32(kTimerInt);
  if (at == 0) return timer_.cancel();
  const u32 left = at - ticks();
  const u64 clocks = left ? left : u64{1} << 32;
  timer_.schedule(clock_.now() + clocks * kNanosPerSecond / kPciHz + 1);
}

// What is worked out when it is read; `at` is the first byte of a register of up to four.
u32 Rtl8139::computed(unsigned at) const {
  switch (at) {
    case kCr: {
      const bool empty = static_cast<u16>(reg16(kCapr) + 0x10) % ring_bytes() == ring_at_ % ring_bytes();
      return registers_[kCr] | (empty ? kCrEmpty : 0u);
    }
    case kCbr: return ring_at_;
    case kTcr: return (reg32(kTcr) & kTcrWritable) | kTcrVersion;
    case kTctr: return ticks();
    case k9346: return static_cast<u8>((registers_[k9346] & 0xfe) | eeprom_.out());
    case kTsadSummary: {  // TOK, TUN, TABT and OWN of each slot
      u32 value = 0;
      for (unsigned n = 0; n < 4; ++n) {
        const u32 tsd = reg32(kTsd + 4 * n);
        value |= (tsd & kTsdOk ? 0x1000u << n : 0) | (tsd & kTsdOwn ? 1u << n : 0);
      }
      return value;
    }
    default: return 0;
  }
}

u32 Rtl8139::read(u64 offset, unsigned width) {
  constexpr std::pair<unsigned, unsigned> kComputed[] = {{kCr, 1},   {kCbr, 2},  {kTcr, 4},
                                                         {kTctr, 4}, {k9346, 1}, {kTsadSummary, 2}};
  u32 value = 0;
  for (unsigned n = 0; n < width; ++n) {
    const unsigned at = static_cast<unsigned>(offset + n) & 0xff;
    u8 byte = registers_[at];
    for (const auto& [first, bytes] : kComputed) {
      if (at >= first && at < first + bytes) byte = static_cast<u8>(computed(first) >> 8 * (at - first));
    }
    value |= u32{byte} << 8 * n;
  }
  return value;
}

void Rtl8139::write_byte(unsigned at, u8 value) {
  if (at == kIsr || at == kIsr + 1) {  // a one clears
    registers_[at] &= static_cast<u8>(~value);
    return;
  }
  if (is_configuration(at) && (registers_[k9346] & 0xc0) != 0xc0) return;
  for (const Writable& row : kWritable) {
    if (at < row.first || at > row.last) continue;
    const u8 mask = static_cast<u8>(row.mask);
    registers_[at] = static_cast<u8>((registers_[at] & ~mask) | (value & mask));
  }
}

void Rtl8139::write(u64 offset, unsigned width, u32 value) {
  const unsigned first = static_cast<unsigned>(offset) & 0xff;
  for (unsigned n = 0; n < width && first + n < 0x100; ++n) {
    const u8 byte = static_cast<u8>(value >> 8 * n);
    if (first + n == kCr) {
      if (byte & kCrReset) {
        soft_reset();
      } else {
        registers_[kCr] = byte & (kCrTransmit | kCrReceive);
      }
    } else if (first + n == kTppoll) {
      if (byte & 0x01) raise(kIsrSoftware);
      if (byte & 0x80) transmit_plus(true);
      if (byte & 0x40) transmit_plus(false);
    } else {
      write_byte(first + n, byte);
    }
  }
  written(first, first + width);
}

// Bytes [first, end) were written.
void Rtl8139::written(unsigned first, unsigned end) {
  const auto hit = [&](unsigned at, unsigned bytes) { return first < at + bytes && end > at; };
  if (hit(k9346, 1)) {
    const u8 value = registers_[k9346];
    const u8 mode = value >> 6;
    if (mode == 1) {  // loads itself anew from the EEPROM
      std::copy(mac_.begin(), mac_.end(), registers_.begin());
      registers_[k9346] &= 0x3f;
    }
    if (mode == 2) eeprom_.drive(value & 8, value & 4, value & 2);
    if (mode == 0) eeprom_.drive(false, false, false);
  }
  if (hit(kIsr, 2) || hit(kImr, 2)) update();
  if (hit(kTctr, 4)) {
    timer_base_ = clock_.now();
    schedule_timer();
  }
  if (hit(kTimerInt, 4)) schedule_timer();
  if (hit(kMpc, 4)) set32(kMpc, 0);
  if (hit(kBmcr, 2)) set16(kBmcr, reg16(kBmcr) & 0x3100);  // a reset and a new negotiation are over at once
  const bool plus = reg16(kCpcr) & kCpTransmit;
  if (plus && hit(kTsd, 4) && reg32(kTsd) & 9) dump_tallies();
  if (!plus) {
    for (unsigned n = 0; n < 4; ++n) {
      // The size is in its lower half, and OWN is cleared in its second byte.
      if (hit(kTsd + 4 * n + 1, 1)) transmit_slot(n);
    }
  }
  if (hit(kTsad, 8)) transmit_index_[0] = 0;
  if (hit(kThpds, 8)) transmit_index_[1] = 0;
  if (hit(kRdsar, 8)) receive_index_ = 0;
  if (hit(kCapr, 2) || hit(kCr, 1) || hit(kRcr, 4) || hit(kImr, 4) || hit(kCpcr, 2)) port_.feed();
}

// DTCCR: counters are written to memory, or cleared.
void Rtl8139::dump_tallies() {
  const u64 to = reg64(kTsd) & ~u64{63};
  std::array<u8, 64> block{};
  store_le(&block[0], tallies_.sent);
  store_le(&block[8], tallies_.received);
  store_le(&block[16], tallies_.transmit_errors);
  store_le(&block[24], tallies_.receive_errors);
  store_le(&block[28], tallies_.missed);
  store_le(&block[40], tallies_.physical);
  store_le(&block[48], tallies_.broadcast);
  store_le(&block[56], tallies_.multicast);
  if (bus_master()) memory_.write_block(to, block);
  if (reg32(kTsd) & 1) tallies_ = {};
  set32(kTsd, reg32(kTsd) & ~u32{9});
}

bool Rtl8139::loops() const { return (reg32(kTcr) & kTcrLoop) == kTcrLoop; }

bool Rtl8139::plus_receive() const { return reg16(kCpcr) & kCpReceive; }

void Rtl8139::serialize(Archive& ar) {
  ar.section("rtl8139", 1);
  serialize_config(ar);
  ar(registers_);
  eeprom_.serialize(ar);
  ar(ring_at_).range(receive_index_, 0u, 63u).range(transmit_index_[0], 0u, 63u).range(transmit_index_[1], 0u, 63u);
  ar.blob(packet_, kMostPacket);
  ar(packet_options_)(packet_vlan_)(timer_base_);
  if (timer_base_ > clock_.now()) timer_base_ = clock_.now();
  Tallies& t = tallies_;
  ar(t.sent)(t.received)(t.transmit_errors)(t.receive_errors)(t.missed)(t.physical)(t.broadcast)(t.multicast);
  timer_.serialize(ar);
  poll_.serialize(ar);
}

namespace {
constexpr auto kProperties = pci_nic_properties("efi-rtl8139.rom");
}  // namespace

extern const DeviceType kRtl8139Type = {"rtl8139",           "PCI",       DeviceType::Category::kNetwork,
                                        "Realtek RTL8139C+", kProperties, make_pci_nic<Rtl8139>};

}  // namespace xlat
