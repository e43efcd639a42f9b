// ACPI fixed hardware, GPEs and SMBus host controller of the PIIX4.
#include "devices/chipset/piix4_pm.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
constexpr unsigned kPmBase = 0x40, kPmRegMisc = 0x80, kSmbBase = 0x90, kSmbHstCfg = 0xd2, kDevActB = 0x58;
enum PmEvent : u16 { kTmrof = 1 << 0, kGbl = 1 << 5, kPwrbtn = 1 << 8, kRtc = 1 << 10, kWak = 1 << 15 };
constexpr u16 kStatusBits = kTmrof | kGbl | kPwrbtn | kRtc | kWak;
constexpr u16 kEnableBits = kTmrof | kGbl | kPwrbtn | kRtc;
constexpr u8 kSusEn = 0x20;  // PMCNTRL bit 13 in its high byte, SUS_TYP in bits 4:2
enum SmbStatus : u8 { kInterrupt = 2, kDeviceError = 4, kBusError = 8, kFailed = 16 };
constexpr unsigned kSmbStart = 0x40;
enum SleepType : unsigned { kOff = 0, kSuspend = 1, kSaved = 2 };
}  // namespace

Piix4Pm::Piix4Pm(PortBus& ports, Clock& clock, IrqLine sci)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x7113,
                   .revision = 3,
                   .class_code = 0x068000,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100,
                   .interrupt_pin = 1}),
      ports_(ports),
      clock_(clock),
      sci_(sci),
      overflow_(clock, [this] { update(); }),
      pm_block_(*this, &Piix4Pm::read_pm, &Piix4Pm::write_pm),
      gpe_block_(*this, &Piix4Pm::read_gpe, &Piix4Pm::write_gpe),
      apm_block_(*this, &Piix4Pm::read_apm, &Piix4Pm::write_apm),
      smbus_block_(*this, &Piix4Pm::read_smbus, &Piix4Pm::write_smbus) {
  define16(kPciCommand, 0x0000, 0x0001);
  define16(kPciStatus, 0x0280);
  define8(kPciCacheLineSize, 0);
  define8(kPciLatencyTimer, 0);
  define8(kPciInterruptLine, 9, 0xff);  // the SCI is wired to IRQ9
  define32(kPmBase, 0x00000001, 0x0000ffc0);
  for (unsigned i = 0x44; i < 0x80; ++i) define8(i, 0, 0xff);  // CNTA, CNTB, GPICTL, DEVRESA-J, DEVACTA/B
  // APMC_EN: no SMM here, so firmware is told that somebody has set up the SMI handler already.
  define8(kDevActB + 3, 0x02, 0xff);
  define8(0x5f, 0x90, 0xff);  // which ISA devices there are: parallel and serial ports as a PC has them
  define8(0x63, 0x60, 0xff);
  define8(0x67, 0x98, 0xff);
  define8(kPmRegMisc, 0x00, 0x01);
  define32(kSmbBase, 0x00000001, 0x0000fff0);
  define8(kSmbHstCfg, 0x00, 0x0f);
  define8(0xd3, 0x00, 0xff);
  define16(0xd4, 0x0000, 0xffff);
  ports_.map(kGpeBase, 4, gpe_block_);
  ports_.map(0xb2, 2, apm_block_);
}

Piix4Pm::~Piix4Pm() {
  for (Block* block : {&pm_block_, &gpe_block_, &apm_block_, &smbus_block_}) ports_.unmap(*block);
}

void Piix4Pm::reset() {
  pmsts_ = pmen_ = pmcntrl_ = 0;
  std::fill(std::begin(other_), std::end(other_), u8{0});
  std::fill(std::begin(gpe_), std::end(gpe_), u8{0});
  std::fill(std::begin(smbus_), std::end(smbus_), u8{0});
  apmc_ = apms_ = 0;
  half_turns_ = timer_ticks() >> 23;
  reset_config();
  update();
}

void Piix4Pm::serialize(Archive& ar) {
  ar.section("piix4-pm", 1);
  ar(pmsts_)(pmen_)(pmcntrl_)(other_)(half_turns_)(gpe_)(apmc_)(apms_)(smbus_);
  overflow_.serialize(ar);
  serialize_config(ar);
  if (ar.loading()) half_turns_ = std::min(half_turns_, timer_ticks() >> 23);
}

void Piix4Pm::config_changed(unsigned, unsigned) { map_blocks(); }

void Piix4Pm::map_blocks() {
  const u16 pm = config8(kPmRegMisc) & 1 ? config16(kPmBase) & 0xffc0 : 0;
  if (pm != pm_base_) {
    ports_.unmap(pm_block_);
    pm_base_ = pm;
    if (pm) ports_.map(pm, 64, pm_block_);
  }
  const u16 smb = (command() & kPciCommandIo) && (config8(kSmbHstCfg) & 1) ? config16(kSmbBase) & 0xfff0 : 0;
  if (smb != smbus_base_) {
    ports_.unmap(smbus_block_);
    smbus_base_ = smb;
    if (smb) ports_.map(smb, 16, smbus_block_);
  }
}

u64 Piix4Pm::timer_ticks() const {
  return static_cast<u64>(static_cast<unsigned __int128>(clock_.now()) * kTimerHz / kNanosPerSecond);
}

void Piix4Pm::settle() {
  const u64 half_turns = timer_ticks() >> 23;
  if (half_turns == half_turns_) return;
  half_turns_ = half_turns;
  pmsts_ |= kTmrof;
}

void Piix4Pm::update() {
  settle();
  const bool pm_event = pmsts_ & pmen_ & kEnableBits;
  const bool gpe_event = (gpe_[0] & gpe_[2]) || (gpe_[1] & gpe_[3]);
  sci_.set(sci_enabled() && (pm_event || gpe_event));
  if ((pmen_ & kTmrof) && !(pmsts_ & kTmrof)) {
    const unsigned __int128 ticks = static_cast<unsigned __int128>(half_turns_ + 1) << 23;
    overflow_.schedule(static_cast<u64>((ticks * kNanosPerSecond + kTimerHz - 1) / kTimerHz));
  } else {
    overflow_.cancel();
  }
}

void Piix4Pm::press_power_button() {
  pmsts_ |= kPwrbtn;
  update();
}

void Piix4Pm::wake(bool by_clock) {
  // Whatever else it was counts as the power button, so that systems that look for a cause find one.
  pmsts_ |= static_cast<u16>(kWak | (by_clock ? kRtc : kPwrbtn));
  update();
}

void Piix4Pm::raise_gpe(unsigned n) {
  gpe_[(n & 15) / 8] |= static_cast<u8>(1 << (n & 7));
  update();
}

u8 Piix4Pm::read_pm(unsigned offset) {
  settle();
  switch (offset) {
    case 0x00:
    case 0x01: return static_cast<u8>(pmsts_ >> (8 * (offset & 1)));
    case 0x02:
    case 0x03: return static_cast<u8>(pmen_ >> (8 * (offset & 1)));
    case 0x04:
    case 0x05: return static_cast<u8>(pmcntrl_ >> (8 * (offset & 1)));
    case 0x08:
    case 0x09:
    case 0x0a: return static_cast<u8>(timer_ticks() >> (8 * (offset & 3)));
    case 0x0b: return 0;
    default: return other_[offset & 63];
  }
}

void Piix4Pm::write_pm(unsigned offset, u8 value) {
  settle();
  const unsigned shift = 8 * (offset & 1);
  const u16 wide = static_cast<u16>(value << shift);
  const u16 keep = static_cast<u16>(0xff00 >> shift);
  switch (offset) {
    case 0x00:
    case 0x01: pmsts_ &= static_cast<u16>(~(wide & kStatusBits)); break;
    case 0x02:
    case 0x03: pmen_ = static_cast<u16>((pmen_ & keep) | (wide & kEnableBits)); break;
    case 0x04: pmcntrl_ = static_cast<u16>((pmcntrl_ & 0xff00) | (value & 0x03)); break;
    case 0x05: {
      pmcntrl_ = static_cast<u16>((pmcntrl_ & 0x00ff) | (value & 0x1c) << 8);  // SUS_EN reads as 0
      if (!(value & kSusEn)) break;
      const unsigned type = (value & 0x1c) >> 2;
      if (type == kOff || type == kSaved) {
        if (power_off_) power_off_();
      } else if (type == kSuspend && suspend_) {
        suspend_();
      } else {
        pmsts_ |= kWak;  // other sleep states are left at once
      }
      break;
    }
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x0b: break;
    case 0x18:  // GLBSTS, DEVSTS: nothing ever sets them
    case 0x19:
    case 0x1c:
    case 0x1d:
    case 0x1e:
    case 0x1f: break;
    default: other_[offset & 63] = value; break;
  }
  update();
}

u8 Piix4Pm::read_gpe(unsigned offset) { return gpe_[offset & 3]; }

void Piix4Pm::write_gpe(unsigned offset, u8 value) {
  u8& reg = gpe_[offset & 3];
  reg = offset < 2 ? static_cast<u8>(reg & ~value) : value;
  update();
}

u8 Piix4Pm::read_apm(unsigned offset) { return offset == 0 ? apmc_ : apms_; }

void Piix4Pm::write_apm(unsigned offset, u8 value) {
  if (offset == 1) {
    apms_ = value;
    return;
  }
  apmc_ = value;
  if (value == kAcpiEnable) pmcntrl_ |= 1;
  if (value == kAcpiDisable) pmcntrl_ &= static_cast<u16>(~1);
  update();
}

// SMBHSTSTS 0, SMBHSTCNT 2, SMBHSTCMD 3, SMBHSTADD 4, SMBHSTDAT0/1 5-6, SMBBLKDAT 7.
u8 Piix4Pm::read_smbus(unsigned offset) { return smbus_[offset & 15]; }

void Piix4Pm::write_smbus(unsigned offset, u8 value) {
  switch (offset) {
    case 0: smbus_[0] &= static_cast<u8>(~(value & (kInterrupt | kDeviceError | kBusError | kFailed))); break;
    case 1: smbus_[1] &= static_cast<u8>(~value); break;
    case 2:
      smbus_[2] = value & 0x1f;                          // START reads as 0
      if (value & kSmbStart) smbus_[0] |= kDeviceError;  // no address acknowledges
      break;
    default: smbus_[offset & 15] = value; break;
  }
}

}  // namespace xlat
