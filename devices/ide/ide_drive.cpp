// The protocol engine shared by ATA and ATAPI drives (ATA/ATAPI-6, clauses 7 and 9).
#include "devices/ide/ide_drive.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

using namespace ata;

namespace {
constexpr u64 kResetNs = 100'000;
constexpr u64 kBlockNs = 5'000;
constexpr u8 kDeviceReset = 0x08;
}  // namespace

IdeDrive::IdeDrive(Clock& clock, std::string name, std::unique_ptr<BlockImage> image, DiskSetup setup)
    : disk_(clock, std::move(image), std::move(setup), [this](DiskRequest& request) { request_done(request); }),
      buffer_(kBufferBytes),
      name_(std::move(name)),
      timer_(clock, [this] { timer_fired(); }),
      clock_(clock) {}

void IdeDrive::request_done(DiskRequest& request) {
  if (request.tag < kQueued) return disk_done(request);
  if (cable_) cable_->queued_done(static_cast<u8>(request.tag - kQueued), request);
}

void IdeDrive::submit_queued(u8 slot, DiskRequest request) {
  request.tag = kQueued + slot;
  disk_.submit(std::move(request));
}

void IdeDrive::reset() {
  disk_.drop();
  srst_ = false;
  command_ = 0;
  features_ = features_before_ = 0;
  interrupt_ = false;
  pos_ = end_ = 0;
  reset_settings();
  load_signature();
  status_ = kBsy;
  busy(Phase::kReset, kResetNs);
  if (cable_) cable_->interrupt_changed();
}

void IdeDrive::set_srst(bool on) {
  if (on == srst_) return;
  srst_ = on;
  disk_.drop();
  interrupt_ = false;
  pos_ = end_ = 0;
  busy(Phase::kReset, kResetNs);
  if (on) timer_.cancel();  // BSY for as long as SRST is held
  if (cable_) cable_->interrupt_changed();
}

void IdeDrive::diagnose() {
  if (srst_) return;
  disk_.drop();
  interrupt_ = false;
  pos_ = end_ = 0;
  busy(Phase::kDiagnose, kResetNs);
  if (cable_) cable_->interrupt_changed();
}

void IdeDrive::busy(Phase phase, u64 delay_ns) {
  phase_ = phase;
  status_ = static_cast<u8>((status_ & ~(kDrq | kErr | kDf)) | kBsy);
  timer_.schedule(clock_.now() + delay_ns);
}

void IdeDrive::timer_fired() {
  switch (phase_) {
    case Phase::kReset:
    case Phase::kDiagnose: {
      const bool tell = phase_ == Phase::kDiagnose && !is_slave_;
      load_signature();
      error_ = 0x01;  // diagnostic code: no fault
      phase_ = Phase::kIdle;
      status_ = reset_status();
      if (tell) raise_interrupt();
      if (cable_) cable_->reset_done();
      break;
    }
    case Phase::kExecute: execute(); break;
    case Phase::kNextIn: next_in(); break;
    case Phase::kOutDone: out_done(); break;
    case Phase::kDma:
      if (IdeDma* engine = dma(); engine && engine->running()) dma_step();
      break;
    case Phase::kDisk:
    case Phase::kIdle:
    case Phase::kDataIn:
    case Phase::kDataOut: break;
  }
}

void IdeDrive::raise_interrupt() {
  interrupt_ = true;
  if (cable_) cable_->interrupt_changed();
}

void IdeDrive::clear_interrupt() {
  if (!interrupt_) return;
  interrupt_ = false;
  if (cable_) cable_->interrupt_changed();
}

void IdeDrive::finish(u8 status, u8 err) {
  phase_ = Phase::kIdle;
  status_ = status;
  error_ = err;
  pos_ = end_ = 0;
  raise_interrupt();
}

void IdeDrive::data_in(std::size_t bytes, std::size_t start) {
  phase_ = Phase::kDataIn;
  pos_ = static_cast<u32>(start);
  end_ = static_cast<u32>(std::min(start + bytes, buffer_.size()));
  status_ = kDrdy | kDsc | kDrq;
  raise_interrupt();
}

void IdeDrive::data_out(std::size_t bytes, bool with_interrupt) {
  phase_ = Phase::kDataOut;
  pos_ = 0;
  end_ = static_cast<u32>(std::min(bytes, buffer_.size()));
  status_ = kDrdy | kDsc | kDrq;
  if (with_interrupt) {
    raise_interrupt();
  } else if (cable_) {
    cable_->wants_data();
  }
}

void IdeDrive::wait_for_dma() {
  phase_ = Phase::kDma;
  status_ = kDrdy | kDsc | kDrq;
  dma_started();
}

void IdeDrive::wait_for_disk() {
  phase_ = Phase::kDisk;
  status_ = static_cast<u8>((status_ & ~(kDrq | kErr | kDf)) | kBsy);
}

void IdeDrive::dma_started() {
  if (phase_ != Phase::kDma || timer_.pending()) return;
  if (IdeDma* engine = dma(); engine && engine->running()) timer_.schedule(clock_.now() + kBlockNs);
}

IdeDrive::Deep* IdeDrive::deep(unsigned reg) {
  switch (reg) {
    case kCount: return &count_;
    case kLbaLow: return &lba_low_;
    case kLbaMid: return &lba_mid_;
    case kLbaHigh: return &lba_high_;
    default: return nullptr;
  }
}

u8 IdeDrive::read_register(unsigned reg, bool hob) const {
  if (const Deep* d = const_cast<IdeDrive*>(this)->deep(reg)) return hob ? d->before : d->now;
  if (reg == kFeatures) return error_;
  if (reg == kDevice) return device_ | 0xa0;  // bits 7 and 5 are obsolete and read as one
  return status_;
}

void IdeDrive::write_register(unsigned reg, u8 value) {
  if (status_ & (kBsy | kDrq)) return;  // registers belong to the drive
  if (Deep* d = deep(reg)) {
    d->before = d->now;
    d->now = value;
  } else if (reg == kFeatures) {
    features_before_ = features_;
    features_ = value;
  } else if (reg == kDevice) {
    device_ = value;
  }
}

void IdeDrive::write_command(u8 command) {
  clear_interrupt();
  if (srst_ || phase_ == Phase::kReset || phase_ == Phase::kDiagnose) return;
  if (command == kDeviceReset && accepts(command)) {
    pos_ = end_ = 0;
    timer_.cancel();
    disk_.drop();
    device_reset();
    return;
  }
  if ((status_ & (kBsy | kDrq)) || !accepts(command)) return;
  command_ = command;
  error_ = 0;
  busy(Phase::kExecute, command_delay());
}

u32 IdeDrive::read_data(unsigned width) {
  if (phase_ != Phase::kDataIn) return 0;
  const unsigned take = std::min<unsigned>(width, end_ - pos_);
  const u32 value = static_cast<u32>(load_le_n(&buffer_[pos_], take));
  pos_ += take;
  if (pos_ >= end_) {
    if (more_in()) {
      busy(Phase::kNextIn, kBlockNs);
    } else {
      phase_ = Phase::kIdle;
      status_ = kDrdy | kDsc;
    }
  }
  return value;
}

void IdeDrive::write_data(unsigned width, u32 value) {
  if (phase_ != Phase::kDataOut) return;
  const unsigned take = std::min<unsigned>(width, end_ - pos_);
  store_le_n(&buffer_[pos_], take, value);
  pos_ += take;
  if (pos_ >= end_) busy(Phase::kOutDone, kBlockNs);
}

void IdeDrive::serialize(Archive& ar) {
  if (ar.section(name_, 3) < 3) ar.fail("versions 1 and 2, with less of the drive in them, are not read any more");
  ar(features_)(features_before_);
  for (Deep* d : {&count_, &lba_low_, &lba_mid_, &lba_high_}) ar(d->now)(d->before);
  ar(device_)(status_)(error_)(command_)(interrupt_)(srst_);
  ar.range(phase_, Phase::kIdle, Phase::kLast);
  ar.range(end_, 0u, static_cast<u32>(buffer_.size()));
  ar.range(pos_, 0u, end_);
  if ((phase_ == Phase::kDataIn || phase_ == Phase::kDataOut) && pos_ >= end_) {
    if (ar.loading()) ar.fail("data phase without data");
    phase_ = Phase::kIdle;
  }
  ar.raw(std::span(buffer_).first(end_));
  timer_.serialize(ar);
  disk_.serialize(ar);
}

}  // namespace xlat
