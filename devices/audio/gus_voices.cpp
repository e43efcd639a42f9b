// The GF1's voices: waves out of memory, loops, volume ramps.
#include <algorithm>

#include "base/bits.h"
#include "devices/audio/gus.h"

namespace xlat {

namespace {
// Control of a voice, and of its ramp: the same bits, but for the third.
constexpr u8 kStopped = 0x03, kWords = 0x04, kLoop = 0x08, kBothWays = 0x10, kInterrupt = 0x20, kDown = 0x40,
             kPending = 0x80;
constexpr u8 kRollOver = 0x04;  // of the ramp's: the wave goes on behind its end, having interrupted
constexpr unsigned kFraction = 9;
constexpr u32 kWhole = (u32{1} << 29) - 1;
constexpr u32 kMostVolume = 4095;
}  // namespace

void Gus::restart_clock() {
  times_.start(clock_.now(), kVoiceTicks, active());
  out_.set_rate(times_.hz());
  schedule();
}

// An 8-bit sample, or a 16-bit one in a bank of 256 KiB, and what lies between it and the next.
i32 Gus::sample(const Voice& v) const {
  const u32 at = v.position >> kFraction;
  const i32 part = static_cast<i32>(v.position & mask(kFraction));
  const auto value = [&](u32 address) -> i32 {
    address &= kMemory - 1;
    if (!(v.control & kWords)) return static_cast<i8>(memory_[address]) * 256;
    const u32 low = (address & 0xc0000) | (address & 0x1ffff) << 1;
    return static_cast<i16>(memory_[low] | memory_[low + 1] << 8);
  };
  const i32 here = value(at);
  return here + (value(at + 1) - here) * part / (1 << kFraction);
}

void Gus::step(Voice& v) {
  if (v.control & kStopped) return;
  const u32 by = v.frequency >> 1;
  const bool down = v.control & kDown;
  const i64 next = down ? i64{v.position} - by : i64{v.position} + by;
  const i64 past = down ? i64{v.start} - next : next - i64{v.end};
  if (past < 0) {
    v.position = static_cast<u32>(next) & kWhole;
    return;
  }
  const bool rolled_over = (v.ramp_control & kRollOver) && !(v.control & kLoop);
  // Behind its end a voice that rolls over has interrupted already.
  const bool crosses = down ? v.position > v.start : v.position < v.end;
  if ((v.control & kInterrupt) && (crosses || !rolled_over)) v.control |= kPending;
  if (v.control & kLoop) {
    const i64 length = std::max<i64>(i64{v.end} - v.start, 1), over = past % length;
    const bool turn = v.control & kBothWays;
    if (turn) v.control ^= kDown;
    const bool from_end = turn != down;  // where it goes on from
    v.position = static_cast<u32>(from_end ? i64{v.end} - over : i64{v.start} + over) & kWhole;
  } else if (rolled_over) {
    v.position = static_cast<u32>(next) & kWhole;
  } else {
    v.position = down ? v.start : v.end;
    v.control |= 1;
  }
}

void Gus::step_ramp(Voice& v) {
  if (v.ramp_control & kStopped) return;
  if (v.ramp_wait > 0) {
    --v.ramp_wait;
    return;
  }
  v.ramp_wait = static_cast<u16>((1u << 3 * (v.ramp_rate >> 6)) - 1);
  const i32 by = v.ramp_rate & 0x3f, low = v.ramp_start << 4, high = v.ramp_end << 4;
  const bool down = v.ramp_control & kDown;
  const i32 next = static_cast<i32>(v.volume) + (down ? -by : by);
  if (down ? next > low : next < high) {
    v.volume = static_cast<u32>(std::clamp<i32>(next, 0, kMostVolume));
    return;
  }
  if (v.ramp_control & kInterrupt) v.ramp_control |= kPending;
  if (v.ramp_control & kLoop) {
    const bool turn = v.ramp_control & kBothWays;
    if (turn) v.ramp_control ^= kDown;
    v.volume = static_cast<u32>(turn != down ? high : low);
  } else {
    v.volume = static_cast<u32>(down ? low : high);
    v.ramp_control |= 1;
  }
}

AudioFrame Gus::frame() {
  // Attenuation of the sixteen places from left to right, of 256: the sum of the two sides' powers is the same.
  static constexpr u16 kPan[16] = {256, 251, 245, 238, 230, 222, 205, 181, 165, 148, 128, 112, 90, 64, 32, 0};
  i64 left = 0, right = 0;
  for (unsigned n = 0; n < active(); ++n) {
    Voice& v = voices_[n];
    const bool moves = !(v.control & kStopped);
    // A voice that stands still keeps its level. The exponent is worth 6 dB a step.
    if (v.volume > 0) {
      const u32 linear = (256 + (v.volume & 0xff)) << (v.volume >> 8);  // at most 511 << 15
      const i64 level = i64{sample(v)} * linear >> 24;
      left += level * kPan[v.pan] >> 8;
      right += level * kPan[15 - v.pan] >> 8;
    }
    if (moves) step(v);
    step_ramp(v);
  }
  const auto side = [](i64 value) { return static_cast<i16>(std::clamp<i64>(value, -32768, 32767)); };
  return {side(left), side(right)};
}

bool Gus::moving() const {
  return running() && std::any_of(voices_.begin(), voices_.begin() + active(), [](const Voice& v) {
           return !(v.control & kStopped) || !(v.ramp_control & kStopped);
         });
}

void Gus::catch_up() {
  const u64 now = clock_.now();
  if (!moving()) {  // nothing has changed since
    times_.start(now, kVoiceTicks, active());
    return;
  }
  const bool heard = !(mix_ & 0x02);
  bool any = false;
  for (u64 due = times_.due(now); due > 0; --due) {
    const u64 at = times_.time_of(0);
    times_.take(1);
    const AudioFrame made = frame();
    out_.frame(at, heard ? made : AudioFrame{});
    any = true;
  }
  if (!any) return;
  schedule();
  drive_line();
}

// At least, as a ramp may come first.
u64 Gus::frames_to_interrupt(const Voice& v) const {
  u64 frames = ~u64{0};
  if (!(v.control & kStopped) && (v.control & kInterrupt)) {
    const i64 left = v.control & kDown ? i64{v.position} - v.start : i64{v.end} - v.position;
    const u32 by = std::max(v.frequency >> 1, 1);
    frames = left <= 0 ? 1 : (static_cast<u64>(left) + by - 1) / by;
  }
  if (!(v.ramp_control & kStopped) && (v.ramp_control & kInterrupt)) {
    const i64 low = v.ramp_start << 4, high = v.ramp_end << 4, volume = v.volume;
    const i64 left = v.ramp_control & kDown ? volume - low : high - volume;
    const i64 by = std::max(v.ramp_rate & 0x3f, 1);
    const u64 steps = left <= 0 ? 1 : static_cast<u64>((left + by - 1) / by);
    frames = std::min(frames, u64{v.ramp_wait} + ((steps - 1) << 3 * (v.ramp_rate >> 6)) + 1);
  }
  return frames;
}

void Gus::schedule() {
  out_.set_busy(moving());
  if (!moving()) {
    timer_.cancel();
    out_.frame(clock_.now(), {});
    return;
  }
  u64 frames = ~u64{0};
  for (unsigned n = 0; n < active(); ++n) frames = std::min(frames, frames_to_interrupt(voices_[n]));
  const u64 look = std::max(clock_.now() + kInterval, times_.time_of(0));
  timer_.schedule(frames == ~u64{0} ? look : std::min(look, times_.time_of(frames - 1)));
}

}  // namespace xlat
