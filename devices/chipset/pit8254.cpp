// Modes 0-5 of the 8254 as functions of the tick.
#include "devices/chipset/pit8254.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
u32 from_bcd(u32 value) {
  return (value & 0xf) + 10 * ((value >> 4) & 0xf) + 100 * ((value >> 8) & 0xf) + 1000 * ((value >> 12) & 0xf);
}
u32 to_bcd(u32 value) { return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12; }
}  // namespace

Pit8254::Pit8254(PortBus& ports, Clock& clock)
    : clock_(clock),
      timers_{Timer(clock, [this] { fired(0); }), Timer(clock, [this] { fired(1); }),
              Timer(clock, [this] { fired(2); })},
      ports_(ports, 0x40, 4, *this) {}

i64 Pit8254::ns_to_tick(u64 ns) { return static_cast<i64>(static_cast<unsigned __int128>(ns) * kHz / kNanosPerSecond); }

u64 Pit8254::tick_to_ns(i64 tick) {
  return static_cast<u64>((static_cast<unsigned __int128>(tick) * kNanosPerSecond + kHz - 1) / kHz);
}

// Ticks since the counting element was loaded; 0 while the load waits for its CLK.
i64 Pit8254::Counter::age(i64 tick) const {
  if (frozen) return elapsed;
  return tick <= start ? 0 : tick - start;
}

void Pit8254::Counter::advance(i64 tick) {
  if (switch_at > tick) return;
  initial = reload;
  start = switch_at;
  if (mode == 3) {  // a half cycle begins: the high one if the counter was an even number of halves old
    const i64 high = (initial + 1) / 2;
    if (elapsed) start -= high;  // see load(): elapsed marks a switch to the low half
  }
  elapsed = 0;
  switch_at = kNever;
}

bool Pit8254::Counter::out(i64 tick) const {
  if (!counting) return mode != 0;
  const i64 t = age(tick);
  const i64 n = initial;
  switch (mode) {
    case 0: return t >= n;
    case 1: return t >= n;
    case 2: return frozen || n == 1 || t % n != n - 1;  // a count of 1 is not allowed; OUT then rests
    case 3: return frozen || t % n < (n + 1) / 2;
    default: return t != n;
  }
}

u16 Pit8254::Counter::count(i64 tick) const {
  const i64 m = modulus();
  const i64 n = initial;
  const i64 t = age(tick);
  i64 value;
  if (mode == 2) {
    value = n - t % n;
  } else if (mode == 3) {  // an odd count loads n - 1 and the high half lasts a CLK more
    const i64 high = (n + 1) / 2;
    const i64 in_half = t % n < high ? t % n : t % n - high;
    value = std::max<i64>((n & ~i64{1}) - 2 * in_half, 0);
  } else {
    value = n - t % m;
  }
  value = ((value % m) + m) % m;
  return static_cast<u16>(bcd ? to_bcd(static_cast<u32>(value)) : value);
}

i64 Pit8254::Counter::next_change(i64 tick) const {
  if (!counting || frozen) return kNever;
  const i64 n = initial;
  const i64 t = age(tick);
  const i64 origin = std::max(tick, start) - t;  // the tick of age 0
  switch (mode) {
    case 0:
    case 1: return t < n ? origin + n : kNever;
    case 2: return n == 1 ? kNever : origin + (t / n + 1) * n;
    case 3: {
      if (n == 1) return kNever;
      const i64 cycle = t / n * n;
      const i64 high = (n + 1) / 2;
      return origin + cycle + (t - cycle < high ? high : n);
    }
    default: return t <= n ? origin + n + 1 : kNever;
  }
}

i64 Pit8254::Counter::next_edge(i64 tick) const {
  if (!counting || frozen) return kNever;
  const i64 n = initial;
  const i64 t = age(tick);
  const i64 origin = std::max(tick, start) - t;
  switch (mode) {
    case 2: {
      if (n == 1) return kNever;
      const i64 cycle = t / n * n;
      return origin + cycle + (t - cycle < n - 1 ? n - 1 : n);
    }
    case 4:
    case 5: return t > n ? kNever : origin + n + (t == n ? 1 : 0);
    default: return next_change(tick);
  }
}

void Pit8254::Counter::control(u8 value) {
  const bool level = gate;
  *this = Counter{};
  gate = level;
  access = (value >> 4) & 3;
  mode = (value >> 1) & 7;
  if (mode > 5) mode &= 3;  // x10, x11
  bcd = value & 1;
  programmed = value & 0x3f;
}

void Pit8254::Counter::load(u32 value, i64 tick) {
  advance(tick);
  reload = value ? value : modulus();
  switch (mode) {
    case 0:
    case 4:
      initial = reload;
      counting = true;
      start = loads_at = tick + 1;
      elapsed = 0;
      frozen = !gate;
      break;
    case 1:
    case 5:
      armed = true;
      loads_at = kNever;
      break;
    default:
      if (!counting) {
        initial = reload;
        counting = true;
        start = loads_at = tick + 1;
        elapsed = 0;
        frozen = !gate;
      } else if (frozen || tick < start) {
        initial = reload;
        loads_at = frozen ? kNever : start;
      } else {  // the running cycle (mode 2) or half cycle (mode 3) is finished first
        const i64 n = initial, t = age(tick), cycle = t / n * n, high = (n + 1) / 2;
        const bool in_high = mode == 3 && t - cycle < high;
        switch_at = loads_at = start + cycle + (in_high ? high : n);
        elapsed = in_high;  // 1: the new count begins with a low half
      }
      break;
  }
}

void Pit8254::Counter::set_gate(bool level, i64 tick) {
  if (level == gate) return;
  advance(tick);
  gate = level;
  switch (mode) {
    case 0:
    case 4:
      if (!counting || low_written) break;
      if (!level) {
        elapsed = age(tick);
        frozen = true;
      } else {
        start = tick - elapsed;
        frozen = false;
      }
      break;
    case 1:
    case 5:
      if (level && armed) {  // trigger
        initial = reload;
        counting = true;
        start = tick + 1;
        if (loads_at > tick) loads_at = start;
      }
      break;
    default:
      if (!counting) break;
      if (!level) {
        elapsed = age(tick);
        frozen = true;
        if (switch_at != kNever) {
          initial = reload;
          loads_at = kNever;
        }
        switch_at = kNever;
      } else {
        initial = reload;
        start = tick + 1;
        if (loads_at > tick) loads_at = start;
        elapsed = 0;
        frozen = false;
      }
      break;
  }
}

void Pit8254::Counter::latch_count(i64 tick) {
  if (latched_bytes) return;
  latch = count(tick);
  latched_bytes = access == 3 ? 2 : 1;
}

void Pit8254::Counter::latch_status(i64 tick) {
  if (status_latched) return;
  status = static_cast<u8>(u8{out(tick)} << 7 | u8{tick < loads_at} << 6 | programmed);
  status_latched = true;
}

u8 Pit8254::Counter::read_byte(i64 tick) {
  if (status_latched) {
    status_latched = false;
    return status;
  }
  const u16 value = latched_bytes ? latch : count(tick);
  if (latched_bytes) --latched_bytes;
  if (access == 1) return static_cast<u8>(value);
  if (access == 2) return static_cast<u8>(value >> 8);
  high_to_read = !high_to_read;
  return static_cast<u8>(high_to_read ? value : value >> 8);
}

void Pit8254::Counter::write_byte(u8 value, i64 tick) {
  u32 count_written;
  if (access == 1) {
    count_written = value;
  } else if (access == 2) {
    count_written = u32{value} << 8;
  } else if (!low_written) {
    low = value;
    low_written = true;
    if (mode == 0 && counting) {  // the first byte stops the counter where it is, and OUT goes low
      elapsed = age(tick);
      frozen = true;
      counting = false;
    }
    return;
  } else {
    count_written = u32{value} << 8 | low;
    low_written = false;
  }
  load(bcd ? from_bcd(count_written) : count_written, tick);
}

void Pit8254::Counter::serialize(Archive& ar) {
  ar.range(programmed, u8{0}, u8{0x3f}).range(loads_at, i64{0}, kNever);
  ar.range(mode, u8{0}, u8{5}).range(access, u8{1}, u8{3})(bcd)(gate)(counting)(frozen);
  ar.range(start, i64{-0x20000}, i64{1} << 50).range(elapsed, i64{0}, i64{1} << 50);
  ar.range(initial, u32{1}, u32{0x10000}).range(reload, u32{1}, u32{0x10000});
  ar.range(switch_at, i64{0}, kNever)(armed)(low_written)(high_to_read)(low).range(latched_bytes, u8{0}, u8{2});
  ar(latch)(status_latched)(status);
}

void Pit8254::connect_output(unsigned n, IrqLine line) {
  outputs_[n] = line;
  connected_[n] = true;
  update(n);
}

void Pit8254::trace(unsigned n, u64 from, u64 to, const std::function<void(u64 from, u64 to, bool high)>& run) const {
  Counter c = counters_[n];
  i64 at = ns_to_tick(from);
  while (from < to) {
    c.advance(at);
    const bool high = c.out(at);
    const i64 next = std::max(std::min(c.next_edge(at), c.switch_at), at + 1);
    const u64 until = next > ns_to_tick(to) ? to : std::min(to, tick_to_ns(next));
    if (until > from) run(from, until, high);
    from = until;
    at = next;
  }
}

bool Pit8254::steady(unsigned n) const {
  Counter c = counters_[n];
  const i64 now = tick();
  c.advance(now);
  return c.next_edge(now) == kNever && c.switch_at == kNever;
}

void Pit8254::set_gate(unsigned n, bool level) {
  if (n == 2 && before_change_) before_change_();
  counters_[n].set_gate(level, tick());
  update(n);
}

bool Pit8254::output(unsigned n) const {
  Counter now = counters_[n];
  now.advance(tick());
  return now.out(tick());
}

void Pit8254::update(unsigned n) {
  Counter& c = counters_[n];
  const i64 now = tick();
  c.advance(now);
  if (!connected_[n]) return;
  outputs_[n].set(c.mode == 2 || c.out(now));
  const i64 next = std::min(c.next_change(now), c.switch_at);
  if (next == kNever) {
    timers_[n].cancel();
  } else {
    timers_[n].schedule(tick_to_ns(next));
  }
}

void Pit8254::fired(unsigned n) {
  Counter& c = counters_[n];
  const i64 now = tick();
  c.advance(now);
  // Events of mode 3 are falls and rises, those of the other modes rises; a late one may have missed a whole cycle.
  outputs_[n].set(c.mode == 3 && !c.out(now));
  if (c.mode != 3) outputs_[n].raise();
  update(n);
}

void Pit8254::reset() {
  if (before_change_) before_change_();
  for (unsigned n = 0; n < 3; ++n) {
    const bool gate = n != 2;  // GATE 0 and 1 are tied high, port 0x61 drives GATE 2
    counters_[n] = Counter{};
    counters_[n].gate = gate;
    update(n);
  }
}

void Pit8254::serialize(Archive& ar) {
  ar.section("i8254", 1);
  for (Counter& c : counters_) c.serialize(ar);
  for (Timer& t : timers_) t.serialize(ar);
}

u32 Pit8254::read(u64 port, unsigned) {
  const unsigned n = port & 3;
  if (n == 3) return 0xff;
  if (n == 2 && before_change_) before_change_();  // what has been reloaded is carried out
  counters_[n].advance(tick());
  return counters_[n].read_byte(tick());
}

void Pit8254::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  const i64 now = tick();
  unsigned n = port & 3;
  if (before_change_) before_change_();
  for (Counter& c : counters_) c.advance(now);
  if (n != 3) {
    counters_[n].write_byte(v, now);
    update(n);
    return;
  }
  n = v >> 6;
  if (n == 3) {  // read-back command
    for (unsigned i = 0; i < 3; ++i) {
      if (!bit(v, i + 1)) continue;
      if (!(v & 0x20)) counters_[i].latch_count(now);
      if (!(v & 0x10)) counters_[i].latch_status(now);
    }
  } else if ((v & 0x30) == 0) {
    counters_[n].latch_count(now);
  } else {
    counters_[n].control(v);
    update(n);
  }
}

}  // namespace xlat
