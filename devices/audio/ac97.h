// Intel 82801AA AC'97 controller with a codec of its own.
#pragma once

#include <array>

#include "devices/audio/audio_mixer.h"
#include "devices/audio/sample_clock.h"
#include "devices/pci/pci.h"

namespace xlat {

// Intel, 82801AA datasheet (290655), chapter 13; Audio Codec '97 Component Specification 2.1. Identities are those of
// QEMU's card (a SigmaTel STAC9700). The streams PCM in, PCM out and microphone in go through their descriptor lists in
// virtual time; what is recorded is silence.
class Ac97 final : public Device, public PciFunction {
 public:
  Ac97(AddressSpace& memory, Clock& clock, AudioMixer* mixer);
  ~Ac97() override { catch_up(); }

  std::string_view name() const override { return "ac97"; }
  void reset() override;
  void serialize(Archive& ar) override;

 private:
  static constexpr u64 kInterval = 1'000'000;  // ns
  static constexpr unsigned kDescriptors = 32;
  enum Engine : unsigned { kIn, kOut, kMic, kEngines };

  // The registers of one bus master.
  struct Stream {
    u32 list = 0;                         // BDBAR
    u8 current = 0, last = 0, ahead = 0;  // CIV, LVI, PIV
    u16 status = 0, left = 0;             // SR, and PICB: samples of the current buffer
    u8 control = 0;                       // CR
    u32 address = 0;                      // where the current buffer goes on
    bool on_completion = false;           // its descriptor asks for an interrupt
    SampleClock times;
  };

  struct Codec final : IoHandler {
    explicit Codec(Ac97& card) : owner(card) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;
    Ac97& owner;
  };
  struct Masters final : IoHandler {
    explicit Masters(Ac97& card) : owner(card) {}
    u32 read(u64 offset, unsigned width) override;
    void write(u64 offset, unsigned width, u32 value) override;
    Ac97& owner;
  };

  // ---- Codec ----
  void reset_codec();
  void write_codec(unsigned reg, u16 value);
  void apply_volumes();
  u32 rate(unsigned n) const;

  // ---- Bus masters: ac97_stream.cpp ----
  u8 read_byte(unsigned offset);
  void write_byte(unsigned offset, u8 value);
  void write_control(unsigned n, u8 value);
  void write_last(unsigned n, u8 value);
  void write_status(unsigned n, u8 value);
  void reset_stream(unsigned n);
  void next_buffer(unsigned n);
  void buffer_done(unsigned n);
  bool moving(unsigned n) const;
  void set_rate(unsigned n);
  void frame(unsigned n, u64 at);
  void catch_up();
  void schedule();
  void stopped();
  void update_interrupt();
  u32 global_status() const;

  AddressSpace& memory_;
  Clock& clock_;
  AudioVoice voice_;
  Timer timer_;
  Codec codec_{*this};
  Masters masters_{*this};
  std::array<u16, 64> registers_{};
  std::array<Stream, kEngines> streams_;
  u32 global_control_ = 0;
  bool semaphore_ = false;
};

}  // namespace xlat
