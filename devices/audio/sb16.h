// Creative Sound Blaster 16: DSP 4.05, CT1745 mixer, OPL3 and MPU-401.
#pragma once

#include <array>
#include <deque>

#include "base/irq_line.h"
#include "base/result.h"
#include "devices/audio/ct1745.h"
#include "devices/audio/mpu401.h"
#include "devices/audio/opl3.h"
#include "devices/audio/sample_clock.h"
#include "devices/audio/sb_adpcm.h"
#include "devices/chipset/dma8237.h"

namespace xlat {

struct Sb16Config {
  u16 iobase = 0x220;
  u8 irq = 5, dma = 1, dma16 = 5;
  u16 version = 0x405;
  u16 mpu_base = 0x330;
};

// Creative, Sound Blaster Series Hardware Programming Guide, chapters 2, 3, 4 and 6. Samples are moved by DMA as
// virtual time passes: at least every millisecond, at the end of each block, and before somebody looks at the DMA
// controller, so that counts, addresses and interrupts are where they would be. What is recorded is silence.
class Sb16 final : public Device, public IoHandler {
 public:
  Sb16(PortBus& ports, Clock& clock, Dma8237& dma, const std::function<IrqLine(unsigned)>& irq, AudioMixer* mixer,
       const Sb16Config& config);
  ~Sb16() override;

  // An IRQ or channel the card cannot be set to makes an error message.
  static Status check(const Sb16Config& config);

  std::string_view name() const override { return "sb16"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  static constexpr u64 kInterval = 1'000'000;  // ns
  // The converter keeps its level until the next block; when none comes for so long, nothing is playing.
  static constexpr u64 kSettle = 50'000'000;
  static constexpr std::size_t kMostOutput = 64;

  using Adpcm = SbAdpcm::Kind;
  // What the DSP does with its sample clock.
  struct Transfer {
    bool active = false, paused = false;
    bool words = false, stereo = false, is_signed = false, input = false, auto_init = false;
    bool silent = false;     // command 80h: time passes, nothing is moved
    bool reference = false;  // the next byte is ADPCM's
    Adpcm adpcm = Adpcm::kNone;
    u32 length = 0, left = 0;  // of a block, in bytes or words
    u32 next_length = 0;       // of the next block: a command during auto-init
    bool leave = false;        // auto-init ends with this block
  };

  // ---- DSP commands: sb16_dsp.cpp ----
  static unsigned arguments(u8 command);
  void dsp_write(u8 value);
  void run_command();
  void generic_dma(u8 command);
  void reset_dsp();
  void put(u8 value);
  void start_8bit(bool input, bool auto_init, u32 length, Adpcm adpcm = Adpcm::kNone, bool reference = false);
  void set_rate(u32 samples, u32 seconds = 1);
  void identify(u8 value);
  void play_direct(u8 value);
  void raise(u8 source, bool on);
  void drive_lines();
  void mixer_changed();

  // ---- Samples: sb16_play.cpp ----
  void start(const Transfer& transfer);
  void stop();
  void settle();
  void pause(bool words, bool on);
  void catch_up();
  void frame(u64 at);
  bool move_unit(i16& sample);
  bool adpcm_unit(i16& sample);
  void unit_done();
  void schedule();

  Clock& clock_;
  Dma8237& dma_;
  const Sb16Config config_;
  std::array<IrqLine, 16> lines_;
  AudioVoice voice_;
  Timer timer_;
  Ct1745 mixer_;
  Opl3 fm_;

  // The DSP's registers.
  u8 command_ = 0, want_ = 0;  // arguments still to come
  std::array<u8, 3> arguments_{};
  u8 have_ = 0;
  std::deque<u8> output_;
  u8 last_ = 0;  // what an empty output gives
  bool reset_high_ = false, speaker_ = false, midi_ = false;
  u8 test_ = 0, identity_ = 0xaa, identity_step_ = 0;
  u64 direct_at_ = 0;           // time of the last sample of command 10h
  u32 block_ = 0;               // command 48h
  u32 rate_ = 22050, per_ = 1;  // samples in so many seconds
  std::array<u8, 256> asp_{};

  Transfer transfer_;
  SampleClock times_;
  SbAdpcm adpcm_;
  u8 packed_ = 0, packed_left_ = 0;  // ADPCM's byte, and samples in it still to come
  i16 first_ = 0;                    // the left sample of a frame under way
  bool have_first_ = false;
  AudioFrame heard_;

  Mpu401 mpu_;
  PortRange ports_, adlib_;
};

}  // namespace xlat
