// Ports and registers of the GF1.
#include "devices/audio/gus.h"

#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "devices/audio/card.h"

namespace xlat {

namespace {

// Ports, from the base and from 100h above it.
enum Low : unsigned { kMix = 0x0, kIrqStatus = 0x6, kTimerIndex = 0x8, kTimerData = 0x9, kLatch = 0xb };
enum High : unsigned {
  kMidiStatus = 0x0,
  kVoiceSelect = 0x2,
  kRegister = 0x3,
  kDataLow = 0x4,
  kDataHigh = 0x5,
  kDram = 0x7
};

// Global registers; a voice's are 0 to Dh, and 80h more to be read.
enum Register : unsigned {
  kActiveVoices = 0x0e,
  kDmaControl = 0x41,
  kDmaStart = 0x42,
  kDramLow = 0x43,
  kDramHigh = 0x44,
  kTimerControl = 0x45,
  kTimer1 = 0x46,
  kTimer2 = 0x47,
  kSamplingControl = 0x49,
  kReset = 0x4c,
  kActiveVoicesRead = 0x8e,
  kIrqSource = 0x8f,
};

// DMA control.
constexpr u8 kDmaEnable = 0x01, kDmaToHost = 0x02, kDmaWords = 0x04, kDmaInterrupt = 0x20, kDma16 = 0x40,
             kDmaInvert = 0x80;
// A voice's control and ramp control.
constexpr u8 kPending = 0x80;
constexpr u8 kMasterInterrupt = 0x04, kEnableLatches = 0x08, kLatchesIrq = 0x40;

// What the values of the latches stand for.
constexpr u8 kIrqOf[8] = {0, 9, 5, 3, 7, 11, 12, 15}, kDmaOf[8] = {8, 1, 3, 5, 6, 7, 8, 8};

u8 latch_for(std::span<const u8> table, unsigned wanted) {
  for (u8 n = 1; n < table.size(); ++n) {
    if (table[n] == wanted) return n;
  }
  return 0;
}

}  // namespace

Status Gus::check(const GusConfig& config) {
  if (!latch_for(kIrqOf, config.irq)) return error("irq={}: give 3, 5, 7, 9, 11, 12 or 15", config.irq);
  if (!latch_for(kDmaOf, config.dma)) return error("dma={}: give 1, 3, 5, 6 or 7", config.dma);
  return {};
}

Gus::Gus(PortBus& ports, Clock& clock, Dma8237& dma, const std::function<IrqLine(unsigned)>& irq, AudioMixer* mixer,
         const GusConfig& config)
    : clock_(clock),
      dma_(dma),
      config_(config),
      out_(mixer, "gus", [this] { catch_up(); }),
      timer_(clock, [this] { catch_up(); }),
      counter1_(clock, [this] { counter_fired(0); }),
      counter2_(clock, [this] { counter_fired(1); }),
      memory_(kMemory),
      low_(ports, config.iobase, 16, *this),
      high_(ports, static_cast<u16>(config.iobase + 0x100), 8, *this, kWidth1 | kWidth2) {
  for (const u8 n : kIrqOf) {
    if (n != 0) lines_[n] = irq(n);
  }
  reset();
}

Gus::~Gus() { catch_up(); }

void Gus::reset() {
  voices_ = {};
  counters_ = {};
  timer_.cancel(), counter1_.cancel(), counter2_.cancel();
  voice_ = 0;
  register_ = control_ = timer_index_ = timer_control_ = timer_mask_ = dma_control_ = 0;
  active_ = kLeastActive - 1;
  mix_ = 3;
  irq_latch_ = latch_for(kIrqOf, config_.irq);
  dma_latch_ = latch_for(kDmaOf, config_.dma);
  dma_done_ = false;
  dma_start_ = data_ = 0;
  address_ = 0;
  restart_clock();
  drive_line();
}

u8 Gus::status() const {
  u8 bits = dma_done_ ? 0x80 : 0;
  if (counters_[0].expired && (timer_control_ & 0x04)) bits |= 0x04;
  if (counters_[1].expired && (timer_control_ & 0x08)) bits |= 0x08;
  for (unsigned n = 0; n < active(); ++n) {
    if (voices_[n].control & kPending) bits |= 0x20;
    if (voices_[n].ramp_control & kPending) bits |= 0x40;
  }
  return bits;
}

void Gus::drive_line() {
  const unsigned irq = kIrqOf[irq_latch_ & 7];
  for (const u8 n : kIrqOf) {
    if (n != 0 && n != irq) lines_[n].set(false);
  }
  if (irq != 0) lines_[irq].set(status() != 0 && (control_ & kMasterInterrupt) && (mix_ & kEnableLatches));
}

// The timers count up from their registers' values, every 80 and 320 us.
void Gus::start_counter(unsigned n, bool run) {
  Counter& c = counters_[n];
  Timer& timer = n == 0 ? counter1_ : counter2_;
  if (run == c.runs) return;
  c.runs = run;
  if (!run) return timer.cancel();
  timer.schedule(clock_.now() + (n == 0 ? 80'000u : 320'000u) * u64{256u - c.count});
}

void Gus::counter_fired(unsigned n) {
  Counter& c = counters_[n];
  (n == 0 ? counter1_ : counter2_).schedule(clock_.now() + (n == 0 ? 80'000u : 320'000u) * u64{256u - c.count});
  if (!(timer_mask_ & (n == 0 ? 0x40 : 0x20))) c.expired = true;
  drive_line();
}

void Gus::write_latch(u8 value) {
  if (mix_ & kLatchesIrq) {
    if (kIrqOf[value & 7] != 0) irq_latch_ = value & 7;
  } else if (kDmaOf[value & 7] != 8) {
    dma_latch_ = value & 7;
  }
  drive_line();
}

// Memory is moved when it is asked for, up to the terminal count.
void Gus::run_dma() {
  if (!(dma_control_ & kDmaEnable)) return;
  const unsigned channel = kDmaOf[dma_latch_ & 7];
  if (!dma_.ready(channel)) return;
  // With a 16-bit channel addresses count words in banks of 256 KiB, as for voices.
  u32 at = u32{dma_start_} << 4;
  if (dma_control_ & kDmaWords) at = (at & 0xc0000) | (at & 0x1ffff) << 1;
  std::array<u8, 4096> block;
  DmaResult moved;
  for (u64 total = 0; total < kMemory && !moved.terminal_count; total += moved.bytes) {
    const std::size_t room = std::min<std::size_t>(block.size(), kMemory - at % kMemory);
    const std::span<u8> part = std::span(block).first(room);
    u8* memory = &memory_[at % kMemory];
    if (dma_control_ & kDmaToHost) {
      std::copy_n(memory, room, block.begin());
      moved = dma_.transfer(channel, part, DmaDirection::kToMemory);
    } else {
      moved = dma_.transfer(channel, part, DmaDirection::kFromMemory);
      std::copy_n(block.begin(), moved.bytes, memory);
      for (std::size_t n = dma_control_ & kDma16 ? 1 : 0; (dma_control_ & kDmaInvert) && n < moved.bytes;
           n += dma_control_ & kDma16 ? 2 : 1) {
        memory[n] ^= 0x80;
      }
    }
    if (moved.bytes == 0) break;
    at += static_cast<u32>(moved.bytes);
  }
  dma_control_ &= static_cast<u8>(~kDmaEnable);
  if (moved.terminal_count && (dma_control_ & kDmaInterrupt)) dma_done_ = true;
  drive_line();
}

// The first voice that has interrupted, with what; taken off the list.
u8 Gus::take_source() {
  for (u8 n = 0; n < active(); ++n) {
    Voice& v = voices_[n];
    const bool wave = v.control & kPending, ramp = v.ramp_control & kPending;
    if (!wave && !ramp) continue;
    v.control &= static_cast<u8>(~kPending);
    v.ramp_control &= static_cast<u8>(~kPending);
    drive_line();
    return static_cast<u8>(n | 0x20 | (wave ? 0 : 0x80) | (ramp ? 0 : 0x40));
  }
  return 0xe0;
}

u16 Gus::read_register(unsigned reg) {
  const auto high = [](u32 position) { return static_cast<u16>(position >> 16 & 0x1fff); };
  const auto low = [](u32 position) { return static_cast<u16>(position & 0xffe0); };
  const auto byte = [](unsigned value) { return static_cast<u16>(value << 8); };
  const Voice& v = voices_[voice_];
  switch (reg) {
    case 0x80: return byte(v.control);
    case 0x81: return v.frequency;
    case 0x82: return high(v.start);
    case 0x83: return low(v.start);
    case 0x84: return high(v.end);
    case 0x85: return low(v.end);
    case 0x86: return byte(v.ramp_rate);
    case 0x87: return byte(v.ramp_start);
    case 0x88: return byte(v.ramp_end);
    case 0x89: return static_cast<u16>(v.volume << 4);
    case 0x8a: return high(v.position);
    case 0x8b: return low(v.position);
    case 0x8c: return byte(v.pan);
    case 0x8d: return byte(v.ramp_control);
    case kActiveVoicesRead: return byte(0xc0u | active_);
    case kIrqSource: return byte(take_source());
    case kDmaControl: {
      const u8 value = static_cast<u8>((dma_control_ & ~kDma16) | (std::exchange(dma_done_, false) ? 0x40 : 0));
      drive_line();
      return byte(value);
    }
    case kDmaStart: return dma_start_;
    case kTimerControl: return byte(timer_control_);
    case kSamplingControl: return 0;
    case kReset: return byte(control_);
    default: return 0;
  }
}

void Gus::write_register(unsigned reg, u16 value) {
  const u8 byte = static_cast<u8>(value >> 8);
  const auto high = [value](u32& position) { position = (position & 0xffff) | u32{value & 0x1fffu} << 16; };
  const auto low = [value](u32& position) { position = (position & 0x1fff0000) | (value & 0xffe0u); };
  Voice& v = voices_[voice_];
  switch (reg) {
    case 0x00: v.control = static_cast<u8>((byte & 0x7f) | ((byte & 0x20) ? byte & kPending : 0)); break;
    case 0x01: v.frequency = value & 0xfffe; break;
    case 0x02: high(v.start); break;
    case 0x03: low(v.start); break;
    case 0x04: high(v.end); break;
    case 0x05: low(v.end); break;
    case 0x06: v.ramp_rate = byte; break;
    case 0x07: v.ramp_start = byte; break;
    case 0x08: v.ramp_end = byte; break;
    case 0x09: v.volume = value >> 4; break;
    case 0x0a: high(v.position); break;
    case 0x0b: low(v.position); break;
    case 0x0c: v.pan = byte & 15; break;
    case 0x0d: v.ramp_control = static_cast<u8>((byte & 0x7f) | ((byte & 0x20) ? byte & kPending : 0)); break;
    case kActiveVoices:
      active_ = std::max<u8>(byte & 31, kLeastActive - 1);
      restart_clock();
      break;
    case kDmaControl:
      dma_control_ = byte;
      run_dma();
      break;
    case kDmaStart: dma_start_ = value; break;
    case kDramLow: address_ = (address_ & 0xf0000) | value; break;
    case kDramHigh: address_ = (address_ & 0xffff) | u32{byte & 15u} << 16; break;
    case kTimerControl:
      timer_control_ = byte;
      if (!(byte & 0x04)) counters_[0].expired = false;
      if (!(byte & 0x08)) counters_[1].expired = false;
      break;
    case kTimer1:
    case kTimer2: counters_[reg - kTimer1].count = byte; break;
    case kReset:
      if (!(byte & 1)) {
        voices_ = {};
        timer_control_ = dma_control_ = 0;
        dma_done_ = false;
        for (Counter& c : counters_) c.expired = false;
      }
      control_ = byte & 7;
      restart_clock();
      break;
    default: break;
  }
  schedule();
  drive_line();
}

u32 Gus::read(u64 port, unsigned width) {
  catch_up();
  const unsigned low = static_cast<unsigned>(port - config_.iobase);
  switch (low) {
    case kIrqStatus: return status();
    case kTimerIndex: {
      const u8 expired = static_cast<u8>((counters_[0].expired ? 0x40 : 0) | (counters_[1].expired ? 0x20 : 0));
      return static_cast<u32>(expired ? expired | 0x80 : 0);
    }
    case 0x100 + kMidiStatus: return 0x02;  // ready to send
    case 0x100 + kVoiceSelect: return width == 2 ? voice_ | u32{register_} << 8 : voice_;
    case 0x100 + kRegister: return register_;
    case 0x100 + kDataLow: {
      const u16 value = read_register(register_);
      return width == 2 ? value : value & 0xffu;
    }
    case 0x100 + kDataHigh: return static_cast<u32>(read_register(register_) >> 8);
    case 0x100 + kDram: return memory_[address_];
    default: return static_cast<u32>(mask(8 * width));
  }
}

void Gus::write(u64 port, unsigned width, u32 value) {
  catch_up();
  const u8 v = static_cast<u8>(value);
  switch (static_cast<unsigned>(port - config_.iobase)) {
    case kMix:
      mix_ = v;
      drive_line();
      break;
    case kTimerIndex: timer_index_ = v; break;
    case kTimerData:
      if (timer_index_ != 4) break;
      if (v & 0x80) {
        counters_[0].expired = counters_[1].expired = false;
      } else {
        timer_mask_ = v & 0x60;
        start_counter(0, v & 1);
        start_counter(1, v & 2);
      }
      drive_line();
      break;
    case kLatch: write_latch(v); break;
    case 0x100 + kVoiceSelect:
      voice_ = v & 31;
      if (width == 2) register_ = static_cast<u8>(value >> 8), data_ = 0;
      break;
    case 0x100 + kRegister:
      register_ = v;
      data_ = 0;
      break;
    case 0x100 + kDataLow:
      if (width == 2) {
        data_ = static_cast<u16>(value);
        write_register(register_, data_);
      } else {
        data_ = static_cast<u16>((data_ & 0xff00) | v);
      }
      break;
    case 0x100 + kDataHigh:
      data_ = static_cast<u16>((data_ & 0x00ff) | v << 8);
      write_register(register_, data_);
      break;
    case 0x100 + kDram: memory_[address_] = v; break;
    default: break;
  }
}

void Gus::serialize(Archive& ar) {
  ar.section("gus", 1);
  ar.raw(memory_);
  for (Voice& v : voices_) {
    ar(v.control)(v.ramp_control)(v.ramp_rate)(v.ramp_start)(v.ramp_end).range(v.pan, u8{0}, u8{15})(v.frequency);
    constexpr u32 kMost = 0x1fff'ffff;
    ar.range(v.start, 0u, kMost).range(v.end, 0u, kMost).range(v.position, 0u, kMost).range(v.volume, 0u, 4095u);
    ar(v.ramp_wait);
  }
  for (Counter& c : counters_) ar(c.count)(c.runs)(c.expired);
  times_.serialize(ar);
  ar.range(voice_, 0u, kVoices - 1)(register_).range(active_, u8{kLeastActive - 1}, u8{kVoices - 1})(control_);
  ar(mix_)(irq_latch_)(dma_latch_)(timer_index_)(timer_control_)(timer_mask_)(dma_control_)(dma_done_)(dma_start_);
  ar.range(address_, 0u, kMemory - 1)(data_);
  timer_.serialize(ar), counter1_.serialize(ar), counter2_.serialize(ar);
  if (!ar.loading()) return;
  if (moving() && !times_.fits(clock_.now())) restart_clock();
  schedule();
}

namespace {

constexpr Property kProperties[] = {
    number("iobase", "0x240", "first I/O port; the others are 100h above", 0x210, 0x280),
    number("irq", "7", "interrupt: 3, 5, 7, 9, 11, 12 or 15", 3, 15),
    number("dma", "3", "DMA channel: 1, 3, 5, 6 or 7", 1, 7),
    number("freq", "44100", "has no effect: the rate comes of how many voices there are", 1, 1'000'000),
    kAudiodev,
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  GusConfig config;
  config.iobase = static_cast<u16>(values.number("iobase"));
  config.irq = static_cast<u8>(values.number("irq"));
  config.dma = static_cast<u8>(values.number("dma"));
  if (Status s = Gus::check(config); !s) return s.error();
  auto mixer = board.audio(values.text("audiodev"));
  if (!mixer) return mixer.error();
  return std::unique_ptr<Device>(std::make_unique<Gus>(
      board.ports(), board.clock(), board.dma(), [&board](unsigned n) { return board.isa_irq(n); }, *mixer, config));
}

}  // namespace

extern const DeviceType kGusType = {"gus",       "ISA", DeviceType::Category::kSound, "Gravis Ultrasound GF1",
                                    kProperties, make};

}  // namespace xlat
