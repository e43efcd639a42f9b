// The 8254 interval timer: its outputs are computed from virtual time, nothing ticks.
#pragma once

#include <array>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Data sheet: Intel 8254, 231164-005. Ports 0x40..0x43.
class Pit8254 : public Device, public IoHandler {
 public:
  static constexpr u64 kHz = 1193182;

  Pit8254(PortBus& ports, Clock& clock);

  // OUT of counter `n` drives `line`; only a connected counter costs events. Pulses of one CLK (modes 2, 4, 5) reach
  // the line as one low-high step at their end.
  void connect_output(unsigned n, IrqLine line);

  void set_gate(unsigned n, bool level);
  bool gate(unsigned n) const { return counters_[n].gate; }
  bool output(unsigned n) const;
  // Called before anything but time changes what counter 2 does.
  void before_change(std::function<void()> hook) { before_change_ = std::move(hook); }
  // OUT of counter `n` between two points of virtual time (ns) since the last change: `run` gets each stretch of one
  // level, in order, every pulse included.
  void trace(unsigned n, u64 from, u64 to, const std::function<void(u64 from, u64 to, bool high)>& run) const;
  // Whether OUT stays as it is unless something is written.
  bool steady(unsigned n) const;
  // What counter `n` divides by (for the speaker), and its mode 0..5.
  u32 divisor(unsigned n) const { return counters_[n].initial; }
  unsigned mode(unsigned n) const { return counters_[n].mode; }

  std::string_view name() const override { return "i8254"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  static constexpr i64 kNever = INT64_MAX;

  // Times are CLK ticks since power-on. A counter that runs was loaded with `initial` at tick `start`.
  struct Counter {
    u8 mode = 0;
    u8 programmed = 0;  // RW1 RW0 M2 M1 M0 BCD as written: status shows them so, aliases of modes 2 and 3 included
    u8 access = 3;      // RW1 RW0: 1 low byte, 2 high byte, 3 low then high
    bool bcd = false;
    bool gate = true;
    bool counting = false;  // the counting element was loaded
    bool frozen = false;    // stopped by the gate (or by half a mode 0 count) after `elapsed` ticks
    i64 start = 0;
    i64 elapsed = 0;
    u32 initial = 0x10000;
    u32 reload = 0x10000;    // count register as written
    i64 switch_at = kNever;  // mode 2, 3: when `reload` replaces `initial`
    i64 loads_at = kNever;   // when the counting element takes what was written; the null count until then
    bool armed = false;      // mode 1, 5: a count was written, the gate may trigger
    bool low_written = false, high_to_read = false;
    u8 low = 0;
    u8 latched_bytes = 0;  // bytes of the latched count still to be read
    u16 latch = 0;
    bool status_latched = false;
    u8 status = 0;

    u32 modulus() const { return bcd ? 10000 : 0x10000; }
    i64 age(i64 tick) const;
    // Carries a pending reload out once its tick has come.
    void advance(i64 tick);
    bool out(i64 tick) const;
    u16 count(i64 tick) const;
    // First tick after `tick` at which OUT changes (for one-CLK pulses: rises), if nothing else happens.
    i64 next_change(i64 tick) const;
    // The same with the pulses' falls.
    i64 next_edge(i64 tick) const;
    void control(u8 value);
    void load(u32 value, i64 tick);
    void set_gate(bool level, i64 tick);
    void latch_count(i64 tick);
    void latch_status(i64 tick);
    u8 read_byte(i64 tick);
    void write_byte(u8 value, i64 tick);
    void serialize(Archive& ar);
  };

  i64 tick() const { return ns_to_tick(clock_.now()); }
  static i64 ns_to_tick(u64 ns);
  static u64 tick_to_ns(i64 tick);
  void update(unsigned n);
  void fired(unsigned n);

  Clock& clock_;
  std::array<Counter, 3> counters_;
  std::array<IrqLine, 3> outputs_;
  std::array<bool, 3> connected_{};
  std::array<Timer, 3> timers_;
  std::function<void()> before_change_;
  PortRange ports_;
};

}  // namespace xlat
