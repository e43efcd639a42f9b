// Calendar, update cycle and interrupts of the MC146818.
#include "devices/chipset/mc146818.h"

#include <algorithm>

#include "base/bits.h"

namespace xlat {

namespace {
enum RegisterB : u8 { kSet = 0x80, kPie = 0x40, kAie = 0x20, kUie = 0x10, kSqwe = 0x08, kDm = 0x04, k24 = 0x02 };
enum RegisterC : u8 { kIrqf = 0x80, kPf = 0x40, kAf = 0x20, kUf = 0x10 };

constexpr u64 kCrystal = 32768;
constexpr u64 kUpdateNs = 1984'000 + 244'000;  // UIP: 244 us of warning, then the update cycle itself
constexpr i64 kDay = 86400;

u64 crystal_ticks(u64 ns) { return static_cast<u64>(static_cast<unsigned __int128>(ns) * kCrystal / kNanosPerSecond); }
u64 crystal_ns(u64 ticks) {
  return static_cast<u64>((static_cast<unsigned __int128>(ticks) * kNanosPerSecond + kCrystal - 1) / kCrystal);
}

// Days since 1970-01-01 of a date of the Gregorian calendar, and back.
i64 days_from_date(i64 year, unsigned month, unsigned day) {
  year -= month <= 2;
  const i64 era = (year >= 0 ? year : year - 399) / 400;
  const i64 year_of_era = year - era * 400;
  const i64 day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct Date {
  i64 year;
  unsigned month, day;
};

Date date_from_days(i64 days) {
  days += 719468;
  const i64 era = (days >= 0 ? days : days - 146096) / 146097;
  const i64 day_of_era = days - era * 146097;
  const i64 year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const i64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const i64 shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = static_cast<unsigned>(shifted < 10 ? shifted + 3 : shifted - 9);
  return {year_of_era + era * 400 + (month <= 2), month,
          static_cast<unsigned>(day_of_year - (153 * shifted + 2) / 5 + 1)};
}
}  // namespace

Mc146818::Mc146818(PortBus& ports, Clock& clock, IrqLine irq, i64 unix_time)
    : clock_(clock), irq_(irq), epoch_(unix_time), timer_(clock, [this] { settle(); }), range_(ports, 0x70, 2, *this) {
  ram_[kRegisterA] = 0x26;  // 32768 Hz crystal, 1024 Hz periodic rate
  ram_[kRegisterB] = k24;
  ram_[kRegisterD] = 0x80;  // VRT: the battery is good
  store_time(unix_time);
}

void Mc146818::set_cmos(u8 index, u8 value) {
  index &= 0x7f;
  if (index > kRegisterD && index != kCentury) ram_[index] = value;
}

void Mc146818::reset() {  // RESET# leaves time, RAM and rates alone
  settle();
  ram_[kRegisterB] &= static_cast<u8>(~(kPie | kAie | kUie | kSqwe));
  ram_[kRegisterC] = 0;
  index_ = 0;
  if (nmi_mask_) nmi_mask_(false);
  update_irq();
  schedule();
}

void Mc146818::serialize(Archive& ar) {
  ar.section("mc146818", 1);
  ar(ram_).range(index_, u8{0}, u8{0x7f})(divider_base_)(last_second_)(last_period_);
  ar.range(epoch_, -(i64{1} << 40), i64{1} << 40);
  timer_.serialize(ar);
  if (!ar.loading()) return;
  divider_base_ = std::min(divider_base_, clock_.now() + kNanosPerSecond);
  last_second_ = std::min(last_second_, second_index(clock_.now()));
  last_period_ = std::min(last_period_, period_index(clock_.now()));
}

bool Mc146818::time_runs() const { return divider_runs() && !(ram_[kRegisterB] & kSet); }

u64 Mc146818::second_index(u64 now) const { return now < divider_base_ ? 0 : (now - divider_base_) / kNanosPerSecond; }

bool Mc146818::update_in_progress() const {
  if (!time_runs()) return false;
  const u64 now = clock_.now();
  const u64 next = divider_base_ + (second_index(now) + 1) * kNanosPerSecond;
  return next - now <= kUpdateNs;
}

// Length of the periodic interrupt in crystal ticks, 0 for none (data sheet, table 5).
u64 Mc146818::period() const {
  const unsigned rs = ram_[kRegisterA] & 0x0f;
  if (rs == 0 || !divider_runs()) return 0;
  return u64{1} << ((rs <= 2 ? rs + 7 : rs) - 1);
}

u64 Mc146818::period_index(u64 now) const {
  const u64 p = period();
  return p == 0 || now < divider_base_ ? 0 : crystal_ticks(now - divider_base_) / p;
}

u8 Mc146818::encode(unsigned value) const {
  return static_cast<u8>(ram_[kRegisterB] & kDm ? value : value % 10 | value / 10 % 10 << 4);
}

unsigned Mc146818::decode(u8 value) const {
  return ram_[kRegisterB] & kDm ? value : (value & 0xfu) + 10u * (value >> 4);
}

u8 Mc146818::encode_hours(unsigned hours) const {
  if (ram_[kRegisterB] & k24) return encode(hours);
  return static_cast<u8>(encode(hours % 12 == 0 ? 12 : hours % 12) | (hours >= 12 ? 0x80 : 0));
}

void Mc146818::store_time(i64 seconds) {
  const i64 days = (seconds >= 0 ? seconds : seconds - (kDay - 1)) / kDay;
  const unsigned of_day = static_cast<unsigned>(seconds - days * kDay);
  const Date date = date_from_days(days);
  const i64 year = std::clamp<i64>(date.year, 0, 9999);
  ram_[kSeconds] = encode(of_day % 60);
  ram_[kMinutes] = encode(of_day / 60 % 60);
  ram_[kHours] = encode_hours(of_day / 3600);
  ram_[kDayOfWeek] = encode(static_cast<unsigned>(((days + 4) % 7 + 7) % 7) + 1);  // 1 is Sunday
  ram_[kDate] = encode(date.day);
  ram_[kMonth] = encode(date.month);
  ram_[kYear] = encode(static_cast<unsigned>(year % 100));
  ram_[kCentury] = encode(static_cast<unsigned>(year / 100));
}

i64 Mc146818::load_time() const {
  unsigned hours = decode(ram_[kHours] & ((ram_[kRegisterB] & k24) ? 0xff : 0x7f));
  if (!(ram_[kRegisterB] & k24)) hours = hours % 12 + (ram_[kHours] & 0x80 ? 12 : 0);
  const unsigned month = std::clamp(decode(ram_[kMonth]), 1u, 12u);
  const i64 year = i64{decode(ram_[kCentury])} * 100 + decode(ram_[kYear]);
  return days_from_date(year, month, std::max(decode(ram_[kDate]), 1u)) * kDay + hours * i64{3600} +
         decode(ram_[kMinutes]) * i64{60} + decode(ram_[kSeconds]);
}

std::optional<i64> Mc146818::next_alarm(i64 from) const {
  const auto matches = [](u8 alarm, u8 time) { return (alarm & 0xc0) == 0xc0 || alarm == time; };
  // An alarm at a time that no clock shows is not looked for; for the others the steps below are few.
  const auto possible = [&](u8 alarm, unsigned count, auto show) {
    if ((alarm & 0xc0) == 0xc0) return true;
    for (unsigned n = 0; n < count; ++n) {
      if (alarm == show(n)) return true;
    }
    return false;
  };
  const auto hours = [this](unsigned n) { return encode_hours(n); };
  const auto sixtieths = [this](unsigned n) { return encode(n); };
  if (!possible(ram_[kHoursAlarm], 24, hours) || !possible(ram_[kMinutesAlarm], 60, sixtieths) ||
      !possible(ram_[kSecondsAlarm], 60, sixtieths)) {
    return std::nullopt;
  }
  for (i64 second = from; second <= from + kDay;) {
    const i64 of_day = ((second % kDay) + kDay) % kDay;
    if (!matches(ram_[kHoursAlarm], encode_hours(static_cast<unsigned>(of_day / 3600)))) {
      second += 3600 - of_day % 3600;
    } else if (!matches(ram_[kMinutesAlarm], encode(static_cast<unsigned>(of_day / 60 % 60)))) {
      second += 60 - of_day % 60;
    } else if (!matches(ram_[kSecondsAlarm], encode(static_cast<unsigned>(of_day % 60)))) {
      ++second;
    } else {
      return second;
    }
  }
  return std::nullopt;
}

void Mc146818::settle() {
  const u64 now = clock_.now();
  if (const u64 index = period_index(now); index > last_period_) {
    ram_[kRegisterC] |= kPf;
    last_period_ = index;
  }
  if (time_runs()) {
    const u64 index = second_index(now);
    if (index > last_second_) {
      ram_[kRegisterC] |= kUf;
      const std::optional<i64> alarm = next_alarm(epoch_ + static_cast<i64>(last_second_) + 1);
      if (alarm && *alarm <= epoch_ + static_cast<i64>(index)) ram_[kRegisterC] |= kAf;
      last_second_ = index;
      store_time(epoch_ + static_cast<i64>(index));
    }
  }
  update_irq();
  schedule();
}

// The registers have been written: they are the time now.
void Mc146818::resync() {
  const u64 now = clock_.now();
  last_second_ = second_index(now);
  last_period_ = period_index(now);
  epoch_ = load_time() - static_cast<i64>(last_second_);
}

void Mc146818::update_irq() {
  u8& c = ram_[kRegisterC];
  const bool on = c & ram_[kRegisterB] & (kPf | kAf | kUf);  // enables and flags share bit positions
  c = static_cast<u8>((c & ~kIrqf) | (on ? kIrqf : 0));
  irq_.set(on);
}

void Mc146818::schedule() {
  const u8 enabled = ram_[kRegisterB];
  u64 next = Clock::kNever;
  const u64 p = period();
  if ((enabled & kPie) && p) next = divider_base_ + crystal_ns((last_period_ + 1) * p);
  if ((enabled & (kUie | kAie)) && time_runs()) {
    u64 second = last_second_ + 1;
    if (!(enabled & kUie)) {  // the alarm alone; if it does not match today, look again tomorrow
      const i64 from = epoch_ + static_cast<i64>(second);
      second += static_cast<u64>(next_alarm(from).value_or(from + kDay) - from);
    }
    next = std::min(next, divider_base_ + second * kNanosPerSecond);
  }
  if (next == Clock::kNever) {
    timer_.cancel();
  } else if (!timer_.pending() || timer_.deadline() != next) {
    timer_.schedule(next);
  }
}

u8 Mc146818::read_register(u8 index) {
  switch (index) {
    case kRegisterA: return static_cast<u8>(ram_[kRegisterA] | (update_in_progress() ? 0x80 : 0));
    case kRegisterC: {
      settle();
      const u8 value = ram_[kRegisterC];
      ram_[kRegisterC] = 0;
      update_irq();
      return value;
    }
    default:
      if (index <= kYear || index == kCentury) settle();
      return ram_[index];
  }
}

void Mc146818::write_register(u8 index, u8 value) {
  settle();
  switch (index) {
    case kRegisterA: {
      const bool ran = divider_runs();
      ram_[kRegisterA] = value & 0x7f;
      if (!ran && divider_runs()) divider_base_ = clock_.now() - std::min<u64>(clock_.now(), kNanosPerSecond / 2);
      resync();  // the first update comes half a second after the divider is released
      break;
    }
    case kRegisterB: {
      const bool ran = time_runs();
      if (value & kSet) value &= static_cast<u8>(~kUie);  // SET clears UIE
      ram_[kRegisterB] = value;
      if (!ran && time_runs()) resync();
      break;
    }
    case kRegisterC:
    case kRegisterD: break;  // read-only
    default:
      ram_[index] = value;
      if ((index <= kYear && index != kSecondsAlarm && index != kMinutesAlarm && index != kHoursAlarm) ||
          index == kCentury) {
        resync();
      }
      break;
  }
  update_irq();
  schedule();
}

// The PS/2's place for the century is another name of the AT's.
u8 Mc146818::selected() const { return index_ == kPs2Century ? u8{kCentury} : index_; }

u32 Mc146818::read(u64 port, unsigned) { return port == 0x71 ? read_register(selected()) : 0xff; }

void Mc146818::write(u64 port, unsigned, u32 value) {
  if (port == 0x71) {
    write_register(selected(), static_cast<u8>(value));
    return;
  }
  index_ = value & 0x7f;
  if (nmi_mask_) nmi_mask_(value & 0x80);
}

}  // namespace xlat
