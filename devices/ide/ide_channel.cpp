// Port decoding of an IDE channel (ATA/ATAPI-6, clauses 7 and 9.16: devices 0 and 1 and absent ones).
#include "devices/ide/ide_channel.h"

namespace xlat {

using namespace ata;

namespace {
// Device control register.
constexpr u8 kHob = 0x80, kSrst = 0x04, kNien = 0x02;
constexpr u8 kExecuteDeviceDiagnostic = 0x90;
}  // namespace

IdeChannel::IdeChannel(std::string channel_name, IrqLine irq)
    : name_(std::move(channel_name)), irq_(irq), control_(*this) {}

void IdeChannel::plug(unsigned unit, std::unique_ptr<IdeDrive> drive) {
  unit &= 1;
  drives_[unit] = std::move(drive);
  if (drives_[unit]) drives_[unit]->plug(*this, unit == 1);
}

void IdeChannel::reset() {
  selected_ = 0;
  device_control_ = 0;
  level_ = false;
  for (auto& d : drives_) {
    if (d) d->reset();
  }
  interrupt_changed();
}

void IdeChannel::interrupt_changed() {
  // INTRQ is driven by the selected drive, and by none while nIEN is set.
  const IdeDrive* d = selected();
  const bool level = d && d->interrupt() && !(device_control_ & kNien);
  const bool rose = level && !level_;
  level_ = level;
  irq_.set(level);
  if (rose && dma_) dma_->interrupt();
}

void IdeChannel::dma_started() {
  if (IdeDrive* d = selected()) d->dma_started();
}

IdeDrive* IdeChannel::answering() { return selected() ? selected() : drives_[0].get(); }

u8 IdeChannel::status() { return selected() ? selected()->status() : 0; }

u32 IdeChannel::read(u64 offset, unsigned width) {
  if (!decoded_) return 0xffff'ffff;
  const unsigned reg = offset & 7;
  if (reg == kData) return selected() ? selected()->read_data(width) : 0xffff'ffff;
  u32 value = 0;
  for (unsigned i = 0; i < width; ++i) {
    const unsigned r = reg + i;
    u8 byte = 0;
    if (r == kCommand) {
      byte = status();
      if (selected()) selected()->clear_interrupt();
    } else if (r < kCommand && answering() && (r != kFeatures || selected())) {
      byte = answering()->read_register(r, device_control_ & kHob);
      // An absent slave's registers are the master's, but the DEV bit is what was written.
      if (r == kDevice) byte = static_cast<u8>((byte & ~kDeviceDev) | (selected_ ? kDeviceDev : 0));
    }
    value |= u32{byte} << (8 * i);
  }
  return value;
}

void IdeChannel::write(u64 offset, unsigned width, u32 value) {
  if (!decoded_) return;
  const unsigned reg = offset & 7;
  if (reg == kData) {
    if (selected()) selected()->write_data(width, value);
    return;
  }
  for (unsigned i = 0; i < width && reg + i < 8; ++i) {
    const u8 byte = static_cast<u8>(value >> (8 * i));
    if (reg + i == kCommand) {
      if (byte == kExecuteDeviceDiagnostic) {
        for (auto& d : drives_) {
          if (d) d->diagnose();
        }
        selected_ = 0;
        interrupt_changed();
      } else if (selected()) {
        selected()->write_command(byte);
      }
      continue;
    }
    device_control_ &= static_cast<u8>(~kHob);  // any command block write shows the current content again
    for (auto& d : drives_) {
      if (d) d->write_register(reg + i, byte);
    }
    if (reg + i == kDevice) {
      selected_ = (byte & kDeviceDev) ? 1 : 0;
      interrupt_changed();
    }
  }
}

u32 IdeChannel::Control::read(u64, unsigned) { return channel_.decoded_ ? channel_.status() : 0xff; }

void IdeChannel::Control::write(u64, unsigned, u32 value) {
  if (!channel_.decoded_) return;
  channel_.device_control_ = static_cast<u8>(value & (kHob | kSrst | kNien));
  for (auto& d : channel_.drives_) {
    if (d) d->set_srst(value & kSrst);
  }
  if (value & kSrst) channel_.selected_ = 0;
  channel_.interrupt_changed();
}

void IdeChannel::serialize(Archive& ar) {
  ar.section(name_, 1);
  ar.range(selected_, u8{0}, u8{1});
  ar(device_control_)(level_)(decoded_);
  for (auto& d : drives_) {
    bool present = d != nullptr;
    ar(present);
    if (present != (d != nullptr)) {
      ar.fail("the machine has other drives than the snapshot");
      return;
    }
    if (d) d->serialize(ar);
  }
}

}  // namespace xlat
