// The codec's registers, and the card as a PCI function.
#include "devices/audio/ac97.h"

#include <algorithm>
#include <cmath>

#include "base/bits.h"
#include "devices/audio/card.h"

namespace xlat {

namespace {

enum Register : unsigned {
  kReset = 0x00,
  kMaster = 0x02,
  kPcmOut = 0x18,
  kPowerdown = 0x26,
  kExtendedId = 0x28,
  kExtendedControl = 0x2a,
  kFrontRate = 0x2c,
  kInRate = 0x32,
  kMicRate = 0x34,
  kVendor1 = 0x7c,
  kVendor2 = 0x7e,
};

constexpr u16 kMute = 0x8000, kVariableRate = 0x0001, kVariableMicRate = 0x0008, kReady = 0x000f;
constexpr u16 kFixedRate = 48000;

}  // namespace

Ac97::Ac97(AddressSpace& memory, Clock& clock, AudioMixer* mixer)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x2415,
                   .revision = 1,
                   .class_code = 0x040100,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 1}),
      memory_(memory),
      clock_(clock),
      voice_(mixer, "ac97", [this] { catch_up(); }),
      timer_(clock, [this] { catch_up(); }) {
  define16(kPciStatus, 0x0280);  // fast back-to-back, DEVSEL# medium
  add_io_bar(0, 256, codec_, kWidth1 | kWidth2);
  add_io_bar(1, 64, masters_, kWidthsAll);
  reset();
}

void Ac97::reset() {
  reset_config();
  for (unsigned n = 0; n < kEngines; ++n) reset_stream(n);
  reset_codec();
  global_control_ = 0;
  semaphore_ = false;
  stopped();
  update_interrupt();
}

void Ac97::reset_codec() {
  registers_ = {};
  const auto set = [this](unsigned reg, u16 value) { registers_[reg / 2] = value; };
  for (const unsigned reg : {0x02u, 0x04u, 0x06u, 0x1cu}) set(reg, 0x8000);
  for (const unsigned reg : {0x0cu, 0x0eu}) set(reg, 0x8008);
  for (const unsigned reg : {0x10u, 0x12u, 0x14u, 0x16u, 0x18u}) set(reg, 0x8808);
  set(kPowerdown, kReady);
  set(kExtendedId, 0x0809);  // variable rates, of the microphone as well; the codec's specification is 2.2
  set(kExtendedControl, kVariableRate | kVariableMicRate);
  for (const unsigned reg : {kFrontRate, kInRate, kMicRate}) set(reg, kFixedRate);
  set(kVendor1, 0x8384);
  set(kVendor2, 0x7600);
  apply_volumes();
}

u32 Ac97::rate(unsigned n) const {
  static constexpr unsigned kRateOf[kEngines] = {kInRate, kFrontRate, kMicRate};
  return registers_[kRateOf[n] / 2];
}

// Attenuators of 1.5 dB; the PCM output's has 8 steps of gain.
void Ac97::apply_volumes() {
  const u16 master = registers_[kMaster / 2], pcm = registers_[kPcmOut / 2];
  const auto side = [&](unsigned shift) -> u32 {
    if ((master | pcm) & kMute) return 0;
    const int steps = static_cast<int>(master >> shift & 0x1f) + static_cast<int>(pcm >> shift & 0x1f) - 8;
    return static_cast<u32>(std::lround(AudioVoice::kFull * std::pow(10.0, -0.075 * steps)));
  };
  voice_.set_volume(side(8), side(0));
}

void Ac97::write_codec(unsigned reg, u16 value) {
  u16& to = registers_[reg / 2];
  switch (reg) {
    case kReset: reset_codec(); break;
    case kPowerdown: to = static_cast<u16>((value & 0xff00) | kReady); break;
    case kExtendedId:
    case kVendor1:
    case kVendor2: break;
    case kExtendedControl:
      to = value & (kVariableRate | kVariableMicRate);
      if (!(to & kVariableRate)) registers_[kFrontRate / 2] = registers_[kInRate / 2] = kFixedRate;
      if (!(to & kVariableMicRate)) registers_[kMicRate / 2] = kFixedRate;
      for (unsigned n = 0; n < kEngines; ++n) set_rate(n);
      break;
    case kFrontRate:
    case kInRate:
    case kMicRate: {
      const u16 needs = reg == kMicRate ? kVariableMicRate : kVariableRate;
      if (!(registers_[kExtendedControl / 2] & needs)) break;
      // A rate the codec cannot have reads back as the nearest one.
      to = std::clamp<u16>(value, 4000, kFixedRate);
      for (unsigned n = 0; n < kEngines; ++n) set_rate(n);
      break;
    }
    default:
      // Volumes of five bits: a sixth one set is as far down as it goes.
      if (reg == kMaster || reg == 0x04 || reg == 0x06) {
        if (value & 0x2000) value |= 0x1f00;
        if (value & 0x0020) value |= 0x001f;
        value &= reg == 0x06 ? 0x801f : 0x9f1f;
      } else if (reg >= 0x10 && reg <= kPcmOut) {
        value &= 0x9f1f;
      } else if (reg > kVendor2 || reg >= 0x3a) {
        break;
      }
      to = value;
      break;
  }
  apply_volumes();
}

// An access to the codec gives the semaphore back.
u32 Ac97::Codec::read(u64 offset, unsigned width) {
  owner.semaphore_ = false;
  const unsigned reg = static_cast<unsigned>(offset & 0x7e);
  if (offset >= 0x80) return static_cast<u32>(mask(8 * width));  // a secondary codec, which is not there
  return static_cast<u32>(owner.registers_[reg / 2] >> (width == 1 && (offset & 1) ? 8 : 0)) &
         (width == 1 ? 0xff : 0xffff);
}

void Ac97::Codec::write(u64 offset, unsigned width, u32 value) {
  owner.semaphore_ = false;
  if (offset >= 0x80) return;
  owner.catch_up();
  const unsigned reg = static_cast<unsigned>(offset & 0x7e);
  const u16 old = owner.registers_[reg / 2];
  if (width == 1) value = offset & 1 ? (old & 0x00ff) | value << 8 : (old & 0xff00) | value;
  owner.write_codec(reg, static_cast<u16>(value));
}

void Ac97::serialize(Archive& ar) {
  ar.section("ac97", 1);
  serialize_config(ar);
  ar(registers_)(global_control_)(semaphore_);
  for (Stream& s : streams_) {
    ar(s.list).range(s.current, u8{0}, u8{31}).range(s.last, u8{0}, u8{31}).range(s.ahead, u8{0}, u8{31});
    ar(s.status)(s.left)(s.control)(s.address)(s.on_completion);
    s.times.serialize(ar);
  }
  timer_.serialize(ar);
  if (!ar.loading()) return;
  for (const unsigned reg : {kFrontRate, kInRate, kMicRate}) {
    registers_[reg / 2] = std::clamp<u16>(registers_[reg / 2], 4000, kFixedRate);
  }
  for (unsigned n = 0; n < kEngines; ++n) {
    if (moving(n) && !streams_[n].times.fits(clock_.now())) set_rate(n);
  }
  schedule();
}

extern const DeviceType kAc97Type = {
    "AC97", "PCI", DeviceType::Category::kSound, "Intel 82801AA AC97 Audio", kPciCardProperties, make_pci_card<Ac97>};

}  // namespace xlat
