// Yamaha YMF262 (OPL3), as the AdLib card and the Sound Blaster have it: ports, timers, and a library's sound.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "devices/audio/audio_mixer.h"
#include "devices/audio/opl_synth.h"
#include "devices/audio/sample_clock.h"
#include "devices/isa/port_range.h"

namespace xlat {

// The library's chip cannot be saved. The registers are, and a loaded chip gets them written anew: notes that sounded
// begin again.
class Opl3 final : public Device, public IoHandler {
 public:
  // Claims no ports by itself: status and address of bank 0, data, address of bank 1, data are its offsets 0 to 3.
  Opl3(Clock& clock, AudioMixer* mixer);
  ~Opl3() override;

  void set_volume(u32 left, u32 right) {
    catch_up();
    voice_.set_volume(left, right);
  }

  std::string_view name() const override { return "opl3"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  // Register 4.
  enum Control : u8 { kStart1 = 0x01, kStart2 = 0x02, kMask2 = 0x20, kMask1 = 0x40, kResetFlags = 0x80 };
  enum Flags : u8 { kIrq = 0x80, kTimer1 = 0x40, kTimer2 = 0x20 };
  // A chip that has been at rest for so long needs no rendering until a register is written. Each of its 18 channels
  // may stand one below zero then.
  static constexpr u64 kQuiet = OplSynth::kRate / 4;
  static constexpr int kRest = 18;

  struct CountUp {
    u64 since = 0;  // when it was last loaded
    bool runs = false;
  };

  u64 period(unsigned n) const;
  void count_up();
  void control(u8 value);
  void write_register(unsigned reg, u8 value);
  void catch_up();
  void replay();

  Clock& clock_;
  AudioVoice voice_;
  std::unique_ptr<OplSynth> synth_;
  SampleClock times_;
  std::array<u8, 512> registers_{};
  unsigned address_ = 0;
  u8 flags_ = 0;
  CountUp timers_[2];
  bool sounding_ = false;
  u64 quiet_ = 0;  // frames at rest since the last write
  std::vector<AudioFrame> buffer_;
};

// The AdLib card: the chip at 388h and, as QEMU's adlib, where a Sound Blaster has it.
class AdLib final : public Device, public IoHandler {
 public:
  static constexpr u16 kPort = 0x388;
  AdLib(PortBus& ports, Clock& clock, AudioMixer* mixer, u16 iobase = 0x220)
      : iobase_(iobase),
        chip_(clock, mixer),
        own_(ports, kPort, 4, *this),
        blaster_(ports, iobase, 4, *this),
        again_(ports, static_cast<u16>(iobase + 8), 2, *this) {}

  std::string_view name() const override { return "adlib"; }
  void reset() override { chip_.reset(); }
  void serialize(Archive& ar) override { chip_.serialize(ar); }

  u32 read(u64 port, unsigned) override { return chip_.read(offset(port), 1); }
  void write(u64 port, unsigned, u32 value) override { chip_.write(offset(port), 1, value); }

 private:
  u64 offset(u64 port) const { return (port >= kPort && port < kPort + 4u ? port - kPort : port - iobase_) & 3; }

  u16 iobase_;
  Opl3 chip_;
  PortRange own_, blaster_, again_;
};

}  // namespace xlat
