// Gravis Ultrasound: the GF1, which plays up to 32 voices out of memory of its own.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/irq_line.h"
#include "base/result.h"
#include "devices/audio/audio_mixer.h"
#include "devices/audio/sample_clock.h"
#include "devices/chipset/dma8237.h"
#include "devices/isa/port_range.h"

namespace xlat {

struct GusConfig {
  u16 iobase = 0x240;
  u8 irq = 7, dma = 3;
};

// Gravis, UltraSound Low-Level Toolkit (SDK 2.22), chapters 2 and 3: a classic board with 1 MiB. Voices advance as
// virtual time passes, looked at each millisecond and when one of them is to interrupt. DMA is done at once. No
// recording, no MIDI.
class Gus final : public Device, public IoHandler {
 public:
  Gus(PortBus& ports, Clock& clock, Dma8237& dma, const std::function<IrqLine(unsigned)>& irq, AudioMixer* mixer,
      const GusConfig& config);
  ~Gus() override;

  static Status check(const GusConfig& config);

  std::string_view name() const override { return "gus"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  static constexpr unsigned kVoices = 32, kLeastActive = 14;
  static constexpr u32 kMemory = 1 << 20;
  static constexpr u32 kVoiceTicks = 617'400;  // voices updated in a second: 44100 Hz with 14 of them
  static constexpr u64 kInterval = 1'000'000;  // ns

  // Positions have 20 bits of address and 9 of fraction; volumes 12 bits, of which 4 are the exponent.
  struct Voice {
    u8 control = 3, ramp_control = 3, ramp_rate = 0, ramp_start = 0, ramp_end = 0, pan = 7;
    u16 frequency = 0;
    u32 start = 0, end = 0, position = 0;
    u32 volume = 0;
    u16 ramp_wait = 0;  // frames to the next step of the ramp
  };
  struct Counter {
    u8 count = 0;
    bool runs = false, expired = false;
  };

  // ---- Registers ----
  u16 read_register(unsigned reg);
  void write_register(unsigned reg, u16 value);
  u8 status() const;
  void drive_line();
  void start_counter(unsigned n, bool run);
  void counter_fired(unsigned n);
  void write_latch(u8 value);
  void run_dma();
  u8 take_source();

  // ---- Voices: gus_voices.cpp ----
  bool running() const { return (control_ & 3) == 3; }
  unsigned active() const { return std::max<unsigned>(active_ + 1u, kLeastActive); }
  bool moving() const;
  void restart_clock();
  void catch_up();
  void schedule();
  AudioFrame frame();
  i32 sample(const Voice& v) const;
  void step(Voice& v);
  void step_ramp(Voice& v);
  u64 frames_to_interrupt(const Voice& v) const;

  Clock& clock_;
  Dma8237& dma_;
  const GusConfig config_;
  std::array<IrqLine, 16> lines_;
  AudioVoice out_;
  Timer timer_, counter1_, counter2_;
  std::vector<u8> memory_;
  std::array<Voice, kVoices> voices_;
  std::array<Counter, 2> counters_;
  SampleClock times_;
  unsigned voice_ = 0;  // the selected one
  u8 register_ = 0, active_ = kLeastActive - 1, control_ = 0;
  u8 mix_ = 3, irq_latch_ = 0, dma_latch_ = 0, timer_index_ = 0, timer_control_ = 0, timer_mask_ = 0;
  u8 dma_control_ = 0;
  bool dma_done_ = false;
  u16 dma_start_ = 0;
  u32 address_ = 0;
  u16 data_ = 0;  // of the selected register, while its halves are written
  PortRange low_, high_;
};

}  // namespace xlat
