// The bus masters: descriptor lists, positions, interrupts.
#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "devices/audio/ac97.h"

namespace xlat {

namespace {

enum Offset : unsigned {
  kList = 0x0,
  kCurrent = 0x4,
  kLast = 0x5,
  kStatus = 0x6,
  kLeft = 0x8,
  kAhead = 0xa,
  kControl = 0xb
};
constexpr unsigned kGlobalControl = 0x2c, kGlobalStatus = 0x30, kSemaphore = 0x34;

// Status.
constexpr u16 kHalted = 0x01, kIsLast = 0x02, kLastDone = 0x04, kBufferDone = 0x08, kFifoError = 0x10;
// Control.
constexpr u8 kRun = 0x01, kResetRegisters = 0x02, kLastEnable = 0x04, kFifoEnable = 0x08, kBufferEnable = 0x10;
// Descriptors: address, then length in samples and these.
constexpr u32 kInterruptOnCompletion = u32{1} << 31;
// Global control and status.
constexpr u32 kWarmReset = 0x04, kPrimaryReady = 0x100;
constexpr unsigned kInterruptOf[3] = {5, 6, 7};

}  // namespace

void Ac97::reset_stream(unsigned n) {
  const u8 enables = streams_[n].control & (kLastEnable | kFifoEnable | kBufferEnable);
  streams_[n] = {};
  streams_[n].status = kHalted;
  streams_[n].control = enables;
}

bool Ac97::moving(unsigned n) const { return (streams_[n].control & kRun) && !(streams_[n].status & kHalted); }

void Ac97::set_rate(unsigned n) {
  streams_[n].times.start(clock_.now(), rate(n));
  if (n == kOut) voice_.set_rate(rate(n));
  schedule();
}

// The one read ahead becomes the current one. A buffer without samples is over at once, but a list of nothing else is
// looked at once a sample.
void Ac97::next_buffer(unsigned n) {
  Stream& s = streams_[n];
  s.current = s.ahead;
  s.ahead = (s.ahead + 1) % kDescriptors;
  const u64 at = u64{s.list} + 8 * s.current;
  s.address = static_cast<u32>(memory_.read(at, 4)) & ~u32{3};
  const u32 length = static_cast<u32>(memory_.read(at + 4, 4));
  s.left = static_cast<u16>(length);
  s.on_completion = length & kInterruptOnCompletion;
}

void Ac97::buffer_done(unsigned n) {
  Stream& s = streams_[n];
  s.status &= static_cast<u16>(~kIsLast);
  if (s.on_completion) s.status |= kBufferDone;
  if (s.current == s.last) {
    s.status |= kLastDone | kHalted | kIsLast;
    stopped();
  } else {
    next_buffer(n);
  }
  update_interrupt();
}

void Ac97::frame(unsigned n, u64 at) {
  Stream& s = streams_[n];
  if (!bus_master()) return;
  const unsigned samples = n == kMic ? 1 : 2;
  std::array<u8, 4> data{};
  if (s.left == 0) return buffer_done(n);
  const unsigned count = std::min<unsigned>(samples, s.left);
  const std::span<u8> moved = std::span(data).first(2 * count);
  if (n == kOut) {
    memory_.read_block(s.address, moved);
    voice_.frame(at, {static_cast<i16>(load_le<u16>(&data[0])), static_cast<i16>(load_le<u16>(&data[2]))});
  } else {
    memory_.write_block(s.address, moved);
  }
  s.address += 2 * count;
  s.left = static_cast<u16>(s.left - count);
  if (s.left == 0) buffer_done(n);
}

void Ac97::catch_up() {
  const u64 now = clock_.now();
  for (unsigned n = 0; n < kEngines; ++n) {
    Stream& s = streams_[n];
    while (moving(n) && s.times.due(now) > 0) {
      const u64 at = s.times.time_of(0);
      s.times.take(1);
      frame(n, at);
    }
  }
  schedule();
}

void Ac97::schedule() {
  u64 next = Clock::kNever;
  for (unsigned n = 0; n < kEngines; ++n) {
    if (!moving(n)) continue;
    const Stream& s = streams_[n];
    const u64 frames = n == kMic ? s.left : (s.left + 1u) / 2;
    const u64 look = std::max(clock_.now() + kInterval, s.times.time_of(0));
    next = std::min(next, std::min(look, s.times.time_of(frames > 0 ? frames - 1 : 0)));
  }
  if (next == Clock::kNever) {
    timer_.cancel();
  } else {
    timer_.schedule(next);
  }
}

// Whatever stands still is silent.
void Ac97::stopped() {
  voice_.set_busy(moving(kOut));
  if (!moving(kOut)) voice_.frame(clock_.now(), {});
  schedule();
}

u32 Ac97::global_status() const {
  u32 status = kPrimaryReady;
  for (unsigned n = 0; n < kEngines; ++n) {
    const Stream& s = streams_[n];
    const bool asks = ((s.status & kLastDone) && (s.control & kLastEnable)) ||
                      ((s.status & kBufferDone) && (s.control & kBufferEnable));
    if (asks) status |= u32{1} << kInterruptOf[n];
  }
  return status;
}

void Ac97::update_interrupt() { set_intx(global_status() & (7u << kInterruptOf[0])); }

void Ac97::write_control(unsigned n, u8 value) {
  Stream& s = streams_[n];
  if (value & kResetRegisters) {
    s.control = value & (kLastEnable | kFifoEnable | kBufferEnable);
    reset_stream(n);
    stopped();
  } else {
    const bool ran = s.control & kRun;
    s.control = value & (kRun | kLastEnable | kFifoEnable | kBufferEnable);
    if (!(value & kRun)) {
      s.status |= kHalted;
      stopped();
    } else if (!ran) {
      s.status &= static_cast<u16>(~(kHalted | kIsLast));
      if (s.left == 0) next_buffer(n);  // else it goes on where it was paused
      set_rate(n);
      if (n == kOut) voice_.set_busy(true);
    }
  }
  update_interrupt();
}

// More buffers make a halted master go on.
void Ac97::write_last(unsigned n, u8 value) {
  Stream& s = streams_[n];
  s.last = value % kDescriptors;
  if (!(s.control & kRun) || !(s.status & kHalted)) return;
  s.status &= static_cast<u16>(~(kHalted | kIsLast));
  next_buffer(n);
  set_rate(n);
  if (n == kOut) voice_.set_busy(true);
}

void Ac97::write_status(unsigned n, u8 value) {
  streams_[n].status &= static_cast<u16>(~(value & (kLastDone | kBufferDone | kFifoError)));
  update_interrupt();
}

u8 Ac97::read_byte(unsigned offset) {
  const auto byte_of = [](u32 value, unsigned at) { return static_cast<u8>(value >> 8 * at); };
  if (offset >= kGlobalControl && offset < kGlobalStatus) return byte_of(global_control_, offset - kGlobalControl);
  if (offset >= kGlobalStatus && offset < kSemaphore) return byte_of(global_status(), offset - kGlobalStatus);
  if (offset == kSemaphore) return std::exchange(semaphore_, true);
  if (offset >= 0x10 * kEngines) return 0;
  const Stream& s = streams_[offset >> 4];
  switch (offset & 15) {
    case kList:
    case kList + 1:
    case kList + 2:
    case kList + 3: return byte_of(s.list, offset & 3);
    case kCurrent: return s.current;
    case kLast: return s.last;
    case kStatus: return static_cast<u8>(s.status);
    case kLeft: return static_cast<u8>(s.left);
    case kLeft + 1: return byte_of(s.left, 1);
    case kAhead: return s.ahead;
    case kControl: return s.control;
    default: return 0;
  }
}

void Ac97::write_byte(unsigned offset, u8 value) {
  if (offset >= kGlobalControl && offset < kGlobalStatus) {
    const unsigned shift = 8 * (offset - kGlobalControl);
    global_control_ = ((global_control_ & ~(u32{0xff} << shift)) | u32{value} << shift) & 0x3f & ~kWarmReset;
    return;
  }
  if (offset >= 0x10 * kEngines) return;
  const unsigned n = offset >> 4, reg = offset & 15;
  Stream& s = streams_[n];
  if (reg < kList + 4) {
    s.list = ((s.list & ~(u32{0xff} << 8 * reg)) | u32{value} << 8 * reg) & ~u32{7};
  } else if (reg == kLast) {
    write_last(n, value);
  } else if (reg == kStatus) {
    write_status(n, value);
  } else if (reg == kControl) {
    write_control(n, value);
  }
}

u32 Ac97::Masters::read(u64 offset, unsigned width) {
  owner.catch_up();
  u32 value = 0;
  for (unsigned n = 0; n < width; ++n) value |= u32{owner.read_byte(static_cast<unsigned>(offset) + n)} << 8 * n;
  return value;
}

void Ac97::Masters::write(u64 offset, unsigned width, u32 value) {
  owner.catch_up();
  for (unsigned n = 0; n < width; ++n) {
    owner.write_byte(static_cast<unsigned>(offset) + n, static_cast<u8>(value >> 8 * n));
  }
}

}  // namespace xlat
