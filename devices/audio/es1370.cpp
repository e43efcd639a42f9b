// Registers and streams of the ES1370.
#include "devices/audio/es1370.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/audio/card.h"

namespace xlat {

namespace {

enum Register : unsigned {
  kControl = 0x00,
  kStatus = 0x04,
  kUart = 0x08,
  kPage = 0x0c,
  kCodec = 0x10,
  kSerial = 0x20,
  kCount1 = 0x24,
  kCount2 = 0x28,
  kCountAdc = 0x2c,
  kWindow = 0x30,  // to 3Fh, by the memory page
};

constexpr u8 kDacPage = 0xc, kAdcPage = 0xd;
// Control: enables of DAC1, DAC2 and ADC; DAC1's rate; the divider of the others.
constexpr unsigned kEnableBit[3] = {6, 5, 4};
constexpr u32 kSerrDisable = 1;
// Status.
constexpr u32 kInterrupt = u32{1} << 31, kNoVoice = 3 << 5;
constexpr unsigned kStatusBit[3] = {2, 1, 0};
constexpr u32 kTransmitReady = 0x02 << 8;  // the UART's
// Serial control, for DAC1, DAC2, ADC.
constexpr unsigned kModeBit[3] = {0, 2, 4}, kInterruptBit[3] = {8, 9, 10}, kPauseBit[3] = {11, 12, 31},
                   kStopBit[3] = {13, 14, 15};
constexpr u32 kRates1[4] = {5512, 11025, 22050, 44100};
constexpr u32 kCrystal = 1'411'200;  // 22.5792 MHz / 16

}  // namespace

Es1370::Es1370(AddressSpace& memory, Clock& clock, AudioMixer* mixer)
    : PciFunction({.vendor = 0x1274,
                   .device = 0x5000,
                   .revision = 0,
                   .class_code = 0x040100,
                   .subsystem_vendor = 0x4942,
                   .subsystem = 0x4c4c,
                   .interrupt_pin = 1}),
      memory_(memory),
      clock_(clock),
      dac1_(mixer, "es1370.dac1", [this] { catch_up(); }),
      dac2_(mixer, "es1370.dac2", [this] { catch_up(); }),
      timer_(clock, [this] { catch_up(); }) {
  define16(kPciStatus, 0x0400);  // DEVSEL# slow
  define8(0x3e, 0x0c);           // minimum grant and maximum latency
  define8(0x3f, 0x80);
  add_io_bar(0, 256, *this, kWidthsAll);
  reset();
}

void Es1370::reset() {
  reset_config();
  timer_.cancel();
  for (Stream& s : streams_) s = {};
  control_ = kSerrDisable;
  serial_ = 0;
  page_ = 0;
  codec_written_ = 0;
  codec_.reset();
  start_and_stop();
  dac1_.frame(clock_.now(), {});
  dac2_.frame(clock_.now(), {});
  apply_volumes();
  update_interrupt();
}

bool Es1370::enabled(unsigned n) const {
  return bit(control_, kEnableBit[n]) && !(n != kAdc && bit(serial_, kPauseBit[n]));
}

unsigned Es1370::frame_bytes(unsigned n) const {
  const unsigned mode = serial_ >> kModeBit[n] & 3;  // bit 0: stereo, bit 1: 16 bits
  return (mode & 1 ? 2 : 1) * (mode & 2 ? 2 : 1);
}

void Es1370::set_rate(unsigned n) {
  const u32 divider = (control_ >> 16 & 0x1fff) + 2;
  const u32 rate = n == kDac1 ? kRates1[control_ >> 12 & 3] : kCrystal;
  const u32 by = n == kDac1 ? 1 : divider;
  streams_[n].times.start(clock_.now(), rate, by);
  if (n == kDac1) dac1_.set_rate(rate);
  if (n == kDac2) dac2_.set_rate(rate / by);
}

void Es1370::start_and_stop() {
  for (unsigned n = 0; n < kEngines; ++n) {
    Stream& s = streams_[n];
    if (enabled(n) == s.running) continue;
    s.running = enabled(n);
    if (s.running) set_rate(n);
  }
  for (const auto& [n, voice] : {std::pair{kDac1, &dac1_}, std::pair{kDac2, &dac2_}}) {
    if (!streams_[n].running) voice->frame(clock_.now(), {});
    voice->set_busy(streams_[n].running);
  }
  schedule();
}

void Es1370::schedule() {
  u64 next = Clock::kNever;
  for (const Stream& s : streams_) {
    if (!s.running) continue;
    const u64 look = std::max(clock_.now() + kInterval, s.times.time_of(0));
    next = std::min(next, std::min(look, s.times.time_of(s.count)));
  }
  if (next == Clock::kNever) {
    timer_.cancel();
  } else {
    timer_.schedule(next);
  }
}

void Es1370::catch_up() {
  const u64 now = clock_.now();
  for (unsigned n = 0; n < kEngines; ++n) {
    Stream& s = streams_[n];
    while (s.running && s.times.due(now) > 0) {
      const u64 at = s.times.time_of(0);
      s.times.take(1);
      frame(n, at);
    }
  }
  schedule();
}

void Es1370::frame(unsigned n, u64 at) {
  Stream& s = streams_[n];
  if (!bus_master()) return;
  const unsigned bytes = frame_bytes(n), mode = serial_ >> kModeBit[n] & 3;
  const u64 phys = u64{s.address} + s.position;
  std::array<u8, 4> data{};
  if (n == kAdc) {
    if (!(mode & 2)) data.fill(0x80);
    memory_.write_block(phys, std::span(data).first(bytes));
  } else {
    memory_.read_block(phys, std::span(data).first(bytes));
    const auto side = [&](unsigned which) {
      const unsigned first = mode & 1 ? which : 0;
      return mode & 2 ? static_cast<i16>(load_le<u16>(&data[2 * first])) : static_cast<i16>((data[first] - 128) * 256);
    };
    (n == kDac1 ? dac1_ : dac2_).frame(at, {side(0), side(1)});
  }
  s.position += bytes;
  if (s.position >= (u32{s.size} + 1) * 4) s.position = 0;
  if (s.count > 0) {
    --s.count;
    return;
  }
  s.count = s.reload;
  if (bit(serial_, kInterruptBit[n])) {
    s.due = true;
    update_interrupt();
  }
  if (bit(serial_, kStopBit[n])) {  // not in loop mode
    control_ &= ~(u32{1} << kEnableBit[n]);
    start_and_stop();
  }
}

void Es1370::update_interrupt() {
  bool any = false;
  for (unsigned n = 0; n < kEngines; ++n) {
    streams_[n].due = streams_[n].due && bit(serial_, kInterruptBit[n]);
    any |= streams_[n].due;
  }
  set_intx(any);
}

void Es1370::apply_volumes() {
  const auto voice = codec_.voice(), fm = codec_.fm();
  dac2_.set_volume(voice[0], voice[1]);
  dac1_.set_volume(fm[0], fm[1]);
}

u32 Es1370::paged(unsigned reg) const {
  const unsigned n = page_ == kAdcPage ? unsigned{kAdc} : reg < kWindow + 8 ? unsigned{kDac1} : unsigned{kDac2};
  if (page_ != kDacPage && (page_ != kAdcPage || reg >= kWindow + 8)) return 0;
  const Stream& s = streams_[n];
  return reg & 4 ? (s.position / 4) << 16 | s.size : s.address;
}

void Es1370::write_paged(unsigned reg, u32 value) {
  const unsigned n = page_ == kAdcPage ? unsigned{kAdc} : reg < kWindow + 8 ? unsigned{kDac1} : unsigned{kDac2};
  if (page_ != kDacPage && (page_ != kAdcPage || reg >= kWindow + 8)) return;
  Stream& s = streams_[n];
  if (reg & 4) {
    s.size = static_cast<u16>(value);
    s.position = (value >> 16) * 4;
  } else {
    s.address = value;
  }
}

u32 Es1370::read_register(unsigned reg) {
  switch (reg) {
    case kControl: return control_;
    case kStatus: {
      u32 status = kNoVoice;
      for (unsigned n = 0; n < kEngines; ++n) {
        if (streams_[n].due) status |= kInterrupt | u32{1} << kStatusBit[n];
      }
      return status;
    }
    case kUart: return kTransmitReady;
    case kPage: return page_;
    case kCodec: return codec_written_;
    case kSerial: return serial_;
    case kCount1:
    case kCount2:
    case kCountAdc: {
      const Stream& s = streams_[(reg - kCount1) / 4];
      return u32{s.count} << 16 | s.reload;
    }
    default: return reg >= kWindow && reg < kWindow + 16 ? paged(reg) : 0;
  }
}

void Es1370::write_register(unsigned reg, u32 value, u32 bytes) {
  switch (reg) {
    case kControl: {
      const u32 changed = control_ ^ value;
      control_ = value;
      start_and_stop();
      if ((changed & 0x3000) && streams_[kDac1].running) set_rate(kDac1);
      if (changed & 0x1fff'0000) {
        for (const unsigned n : {kDac2, kAdc}) {
          if (streams_[n].running) set_rate(n);
        }
      }
      schedule();
      break;
    }
    case kPage: page_ = value & 15; break;
    case kCodec:
      if (!(bytes & 0xffff)) break;
      codec_written_ = static_cast<u16>(value);
      codec_.write(static_cast<u8>(value >> 8), static_cast<u8>(value));
      apply_volumes();
      break;
    case kSerial:
      serial_ = value;
      update_interrupt();
      start_and_stop();
      break;
    case kCount1:
    case kCount2:
    case kCountAdc: {
      Stream& s = streams_[(reg - kCount1) / 4];
      s.reload = s.count = static_cast<u16>(value);
      schedule();
      break;
    }
    default:
      if (reg >= kWindow && reg < kWindow + 16) write_paged(reg, value);
      break;
  }
}

u32 Es1370::read(u64 offset, unsigned width) {
  catch_up();
  const unsigned shift = 8 * (offset & 3);
  return static_cast<u32>((read_register(static_cast<unsigned>(offset & ~u64{3})) >> shift) & mask(8 * width));
}

void Es1370::write(u64 offset, unsigned width, u32 value) {
  catch_up();
  const unsigned reg = static_cast<unsigned>(offset & ~u64{3}), shift = 8 * (offset & 3);
  const u32 bytes = static_cast<u32>(mask(8 * width)) << shift;
  write_register(reg, (read_register(reg) & ~bytes) | (value << shift & bytes), bytes);
}

void Es1370::serialize(Archive& ar) {
  ar.section("es1370", 1);
  serialize_config(ar);
  for (Stream& s : streams_) {
    ar(s.address)(s.size).range(s.position, 0u, 0x3ffffu);
    ar(s.reload)(s.count)(s.running)(s.due);
    s.times.serialize(ar);
  }
  ar(control_)(serial_).range(page_, u8{0}, u8{15})(codec_written_);
  codec_.serialize(ar);
  timer_.serialize(ar);
  if (!ar.loading()) return;
  for (unsigned n = 0; n < kEngines; ++n) {
    if (streams_[n].running && !streams_[n].times.fits(clock_.now())) set_rate(n);
  }
  schedule();
}

extern const DeviceType kEs1370Type = {"ES1370",
                                       "PCI",
                                       DeviceType::Category::kSound,
                                       "ENSONIQ AudioPCI ES1370",
                                       kPciCardProperties,
                                       make_pci_card<Es1370>};

}  // namespace xlat
