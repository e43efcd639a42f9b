// Registers of the CT1745.
#include "devices/audio/ct1745.h"

#include <cmath>

#include "base/bits.h"
#include "devices/audio/audio_mixer.h"

namespace xlat {

namespace {

// Which bits of a register there are.
u8 writable(u8 reg) {
  if (reg >= 0x30 && reg <= 0x3a) return 0xf8;
  if (reg >= 0x44 && reg <= 0x47) return 0xf0;
  switch (reg) {
    case 0x3b:
    case 0x3f:
    case 0x40:
    case 0x41:
    case 0x42: return 0xc0;
    case 0x3c: return 0x1f;
    case 0x3d:
    case 0x3e: return 0x7f;
    case 0x43: return 0x01;
    case Ct1745::kIrqSelect: return 0x0f;
    case Ct1745::kDmaSelect: return 0xeb;
    default: return 0;
  }
}

// Five bits of 2 dB.
double level(u8 reg) { return std::pow(10.0, -0.1 * (31 - (reg >> 3))); }

}  // namespace

Ct1745::Ct1745(u8 irq_select, u8 dma_select, std::function<void()> changed)
    : changed_(std::move(changed)), first_irq_(irq_select), first_dma_(dma_select) {
  registers_[kIrqSelect] = first_irq_;
  registers_[kDmaSelect] = first_dma_;
}

// The guide gives 24 (-14 dB) for master, voice and MIDI. Twice that is all but silence on a host's line output, which
// has no volume wheel and no set-up program run from AUTOEXEC.BAT behind it, so they begin at their full.
void Ct1745::reset() {
  const u8 irq = registers_[kIrqSelect], dma = registers_[kDmaSelect];
  registers_ = {};
  for (const u8 reg : {0x30, 0x31, 0x32, 0x33, 0x34, 0x35}) registers_[reg] = 0xf8;
  registers_[0x3c] = 0x1f;
  registers_[0x3d] = 0x15;
  registers_[0x3e] = 0x0b;
  for (const u8 reg : {0x44, 0x45, 0x46, 0x47}) registers_[reg] = 0x80;
  registers_[kIrqSelect] = irq;
  registers_[kDmaSelect] = dma;
}

u8 Ct1745::pair_of(u8 old) {
  switch (old) {
    case 0x04: return 0x32;
    case 0x22: return 0x30;
    case 0x26: return 0x34;
    case 0x28: return 0x36;
    case 0x2e: return 0x38;
    default: return 0;
  }
}

u8 Ct1745::read() const {
  if (const u8 pair = pair_of(address_)) {
    return static_cast<u8>((registers_[pair] & 0xf0) | registers_[pair + 1] >> 4);
  }
  if (address_ == 0x0a) return static_cast<u8>(registers_[0x3a] >> 5);
  if (address_ == kIrqStatus) return status_;
  return writable(address_) ? registers_[address_] : 0;
}

void Ct1745::write(u8 value) {
  if (address_ == kReset) {
    reset();
  } else if (const u8 pair = pair_of(address_)) {
    // Four bits; the fifth is set with them, so that 15 is the full volume.
    registers_[pair] = static_cast<u8>((value & 0xf0) | 8);
    registers_[pair + 1] = static_cast<u8>(value << 4 | 8);
  } else if (address_ == 0x0a) {
    registers_[0x3a] = static_cast<u8>(value << 5 | 0x18);
  } else {
    registers_[address_] = value & writable(address_);
  }
  changed_();
}

void Ct1745::set_status(u8 source, bool on) { status_ = static_cast<u8>(on ? status_ | source : status_ & ~source); }

u8 Ct1745::irq_bit(unsigned irq) {
  switch (irq) {
    case 2:
    case 9: return 1;
    case 5: return 2;
    case 7: return 4;
    case 10: return 8;
    default: return 0;
  }
}

unsigned Ct1745::irq() const {
  const u8 select = registers_[kIrqSelect];
  if (select & 1) return 9;
  if (select & 2) return 5;
  if (select & 4) return 7;
  return select & 8 ? 10 : 0;
}

unsigned Ct1745::dma() const {
  for (const unsigned n : {0u, 1u, 3u}) {
    if (bit(registers_[kDmaSelect], n)) return n;
  }
  return 8;
}

unsigned Ct1745::dma16() const {
  for (const unsigned n : {5u, 6u, 7u}) {
    if (bit(registers_[kDmaSelect], n)) return n;
  }
  return dma();
}

std::array<u32, 2> Ct1745::volume(u8 source) const {
  std::array<u32, 2> volume{};
  for (unsigned side = 0; side < 2; ++side) {
    const u8 master = registers_[kMaster + side], own = registers_[source + side];
    const unsigned gain = 1u << (registers_[kOutputGain + side] >> 6);
    volume[side] = static_cast<u32>(std::lround(AudioVoice::kFull * gain * level(master) * level(own)));
    if (master >> 3 == 0 || own >> 3 == 0) volume[side] = 0;
  }
  return volume;
}

void Ct1745::serialize(Archive& ar) { ar(registers_)(address_)(status_); }

}  // namespace xlat
