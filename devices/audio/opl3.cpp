// Timers and registers of the OPL3 (YMF262 data sheet, LSI-2438123), and when its frames are made.
#include "devices/audio/opl3.h"

#include <cstdlib>

#include "devices/audio/card.h"

namespace xlat {

namespace {
constexpr unsigned kTimer1Reg = 2, kTimer2Reg = 3, kControlReg = 4, kKeyOnFirst = 0xb0, kKeyOnLast = 0xb8,
                   kRhythm = 0xbd, kConnect = 0x104, kNew = 0x105;
}  // namespace

Opl3::Opl3(Clock& clock, AudioMixer* mixer) : clock_(clock), voice_(mixer, "opl3", [this] { catch_up(); }) {
  voice_.set_rate(OplSynth::kRate);
  reset();
}

Opl3::~Opl3() { catch_up(); }

void Opl3::reset() {
  catch_up();
  registers_ = {};
  address_ = 0;
  flags_ = 0;
  timers_[0] = timers_[1] = {};
  sounding_ = false;
  voice_.frame(clock_.now(), {});
  voice_.set_busy(false);
  if (voice_.mixer()) synth_ = make_opl_synth();
}

// Timer 1 counts every 80 us, timer 2 every 320 us, from the register's value up to 256.
u64 Opl3::period(unsigned n) const { return (n == 0 ? 80'000u : 320'000u) * u64{256u - registers_[kTimer1Reg + n]}; }

// Overflows up to now.
void Opl3::count_up() {
  const u64 now = clock_.now();
  for (unsigned n = 0; n < 2; ++n) {
    CountUp& timer = timers_[n];
    if (!timer.runs || now < timer.since) continue;
    const u64 overflows = (now - timer.since) / period(n);
    if (overflows == 0) continue;
    timer.since += overflows * period(n);
    if (!(registers_[kControlReg] & (n == 0 ? kMask1 : kMask2))) flags_ |= kIrq | (n == 0 ? kTimer1 : kTimer2);
  }
}

void Opl3::control(u8 value) {
  if (value & kResetFlags) {  // the other bits are not looked at
    flags_ = 0;
    return;
  }
  registers_[kControlReg] = value;
  for (unsigned n = 0; n < 2; ++n) {
    const bool run = value & (n == 0 ? kStart1 : kStart2);
    if (run && !timers_[n].runs) timers_[n].since = clock_.now();
    timers_[n].runs = run;
  }
}

void Opl3::write_register(unsigned reg, u8 value) {
  count_up();
  if (reg == kControlReg) return control(value);
  catch_up();
  registers_[reg] = value;
  if (reg == kTimer1Reg || reg == kTimer2Reg || !synth_) return;
  synth_->write(reg, value);
  quiet_ = 0;
  if (sounding_) return;
  sounding_ = true;
  times_.start(clock_.now(), OplSynth::kRate);
  voice_.set_busy(true);
}

void Opl3::catch_up() {
  if (!sounding_ || !synth_) return;
  const u64 due = times_.due(clock_.now());
  if (due == 0) return;
  buffer_.resize(static_cast<std::size_t>(due));
  synth_->render(buffer_);
  for (u64 n = 0; n < due; ++n) {
    const AudioFrame frame = buffer_[static_cast<std::size_t>(n)];
    voice_.frame(times_.time_of(n), frame);
    const bool at_rest = std::abs(frame.left) <= kRest && std::abs(frame.right) <= kRest;
    quiet_ = at_rest ? quiet_ + 1 : 0;
  }
  times_.take(due);
  if (quiet_ < kQuiet) return;
  sounding_ = false;
  voice_.frame(clock_.now(), {});
  voice_.set_busy(false);
}

// What a chip that was not heard so far would have become: modes first, then what the notes are made of, the notes
// last.
void Opl3::replay() {
  synth_ = make_opl_synth();
  if (!synth_) return;
  synth_->write(kNew, registers_[kNew]);
  synth_->write(kConnect, registers_[kConnect]);
  const auto starts_notes = [](unsigned reg) {
    const unsigned low = reg & 0xff;
    return (low >= kKeyOnFirst && low <= kKeyOnLast) || low == kRhythm;
  };
  for (const bool notes : {false, true}) {
    for (unsigned reg = 0; reg < registers_.size(); ++reg) {
      if (reg == kNew || reg == kConnect || (reg >= kTimer1Reg && reg <= kControlReg)) continue;
      if (starts_notes(reg) == notes) synth_->write(reg, registers_[reg]);
    }
  }
}

u32 Opl3::read(u64 offset, unsigned) {
  if (offset != 0) return offset == 2 ? read(0, 1) : 0xff;
  count_up();
  return flags_;  // bits 1 and 2 are zero: an OPL3, and no OPL2
}

void Opl3::write(u64 offset, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  switch (offset & 3) {
    case 0: address_ = v; break;
    // Until the chip is told to be an OPL3, only the register that tells it so is in the second bank.
    case 2: address_ = (registers_[kNew] & 1) || v == (kNew & 0xff) ? 0x100u | v : v; break;
    default: write_register(address_, v); break;
  }
}

void Opl3::serialize(Archive& ar) {
  ar.section("opl3", 1);
  ar(registers_).range(address_, 0u, 511u)(flags_);
  for (CountUp& timer : timers_) ar(timer.since)(timer.runs);
  ar(sounding_)(quiet_);
  times_.serialize(ar);
  // Whether it is heard, and so made, is the host's affair: it may be heard in one machine and not in the other.
  bool heard = synth_ != nullptr;
  ar(heard);
  std::unique_ptr<OplSynth> unheard;
  if (heard && !synth_) unheard = make_opl_synth();
  if (heard && (synth_ || unheard)) (synth_ ? synth_ : unheard)->serialize(ar);
  if (!ar.loading()) return;
  if (sounding_ && !times_.fits(clock_.now())) times_.start(clock_.now(), OplSynth::kRate);
  if (!heard && synth_) replay();
}

namespace {

constexpr Property kProperties[] = {
    number("iobase", "0x220", "first port where a Sound Blaster has the chip; 388h is always there", 0x200, 0x3f0),
    number("freq", "44100", "has no effect: the chip's rate is its crystal's", 1, 1'000'000),
    kAudiodev,
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  if (!opl_synth_available()) {
    return error("this build has no OPL3 library; install libadplug-dev and build again");
  }
  auto mixer = board.audio(values.text("audiodev"));
  if (!mixer) return mixer.error();
  return std::unique_ptr<Device>(
      std::make_unique<AdLib>(board.ports(), board.clock(), *mixer, static_cast<u16>(values.number("iobase"))));
}

}  // namespace

extern const DeviceType kAdLibType = {
    "adlib", "ISA", DeviceType::Category::kSound, "AdLib with a Yamaha YMF262 (OPL3)", kProperties, make};

}  // namespace xlat
