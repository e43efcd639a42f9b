// The MC146818 real-time clock and 128 bytes of CMOS RAM, ports 0x70/0x71.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Data sheet: Motorola MC146818A. Flags and time are computed from virtual time when somebody looks; events exist only
// for enabled interrupts.
class Mc146818 : public Device, public IoHandler {
 public:
  enum Index : u8 {
    kSeconds = 0x00,
    kSecondsAlarm = 0x01,
    kMinutes = 0x02,
    kMinutesAlarm = 0x03,
    kHours = 0x04,
    kHoursAlarm = 0x05,
    kDayOfWeek = 0x06,
    kDate = 0x07,
    kMonth = 0x08,
    kYear = 0x09,
    kRegisterA = 0x0a,
    kRegisterB = 0x0b,
    kRegisterC = 0x0c,
    kRegisterD = 0x0d,
    kCentury = 0x32,     // where PC firmware keeps it
    kPs2Century = 0x37,  // where that of the PS/2 does
  };

  // `unix_time` is what the clock shows at virtual time 0, in seconds since 1970 (as UTC or local time, the machine's
  // choice). `irq` is IRQ8.
  Mc146818(PortBus& ports, Clock& clock, IrqLine irq, i64 unix_time);

  // CMOS RAM as the machine fills it; registers 0..0x0d and the century cannot be set this way.
  void set_cmos(u8 index, u8 value);
  u8 cmos(u8 index) const { return ram_[index & 0x7f]; }
  // An alarm has come, and its interrupt is enabled.
  bool alarm() const { return ram_[kRegisterB] & ram_[kRegisterC] & 0x20; }

  // Told bit 7 of port 0x70: NMI masked.
  void on_nmi_mask(std::function<void(bool)> hook) { nmi_mask_ = std::move(hook); }

  std::string_view name() const override { return "mc146818"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  bool divider_runs() const { return (ram_[kRegisterA] & 0x70) == 0x20; }
  bool time_runs() const;
  u64 second_index(u64 now) const;
  bool update_in_progress() const;
  u64 period() const;
  u64 period_index(u64 now) const;
  u8 encode(unsigned value) const;
  unsigned decode(u8 value) const;
  u8 encode_hours(unsigned hours) const;
  // Puts the time of `seconds` since 1970 into the registers, and back.
  void store_time(i64 seconds);
  i64 load_time() const;
  // The first second of [from, from + a day] at which the alarm registers match, or nothing.
  std::optional<i64> next_alarm(i64 from) const;
  // Brings flags and time registers up to now.
  void settle();
  void resync();
  void update_irq();
  void schedule();
  u8 selected() const;
  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);

  Clock& clock_;
  IrqLine irq_;
  std::function<void(bool)> nmi_mask_;
  u8 ram_[128] = {};
  u8 index_ = 0;
  u64 divider_base_ = 0;  // virtual time at which the divider chain was zero
  i64 epoch_ = 0;         // seconds since 1970 at divider_base_, while the time runs
  u64 last_second_ = 0;   // seconds and periods since divider_base_ already seen in the flags
  u64 last_period_ = 0;
  Timer timer_;
  PortRange range_;
};

}  // namespace xlat
