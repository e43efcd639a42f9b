// Ensoniq AudioPCI, ES1370: two DACs and an ADC that fetch and store samples as a bus master.
#pragma once

#include <array>

#include "devices/audio/ak4531.h"
#include "devices/audio/audio_mixer.h"
#include "devices/audio/sample_clock.h"
#include "devices/pci/pci.h"

namespace xlat {

// Registers by the ES1370 specification of Ensoniq; numbers and reset values that it leaves open are QEMU's, whose
// card guests know. What is recorded is silence.
class Es1370 final : public Device, public PciFunction, public IoHandler {
 public:
  Es1370(AddressSpace& memory, Clock& clock, AudioMixer* mixer);
  ~Es1370() override { catch_up(); }

  std::string_view name() const override { return "es1370"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 private:
  static constexpr u64 kInterval = 1'000'000;  // ns
  enum Engine : unsigned { kDac1, kDac2, kAdc, kEngines };

  struct Stream {
    u32 address = 0;
    u16 size = 0;      // of the buffer in dwords, less one
    u32 position = 0;  // in bytes
    u16 reload = 0;    // frames between interrupts, less one
    u16 count = 0;     // of them still to come
    bool running = false;
    bool due = false;  // an interrupt is pending
    SampleClock times;
  };

  u32 read_register(unsigned reg);
  // `bytes` are those of the access.
  void write_register(unsigned reg, u32 value, u32 bytes);
  u32 paged(unsigned reg) const;
  void write_paged(unsigned reg, u32 value);
  bool enabled(unsigned n) const;
  unsigned frame_bytes(unsigned n) const;
  void start_and_stop();
  void set_rate(unsigned n);
  void catch_up();
  void frame(unsigned n, u64 at);
  void schedule();
  void update_interrupt();
  void apply_volumes();

  AddressSpace& memory_;
  Clock& clock_;
  AudioVoice dac1_, dac2_;
  Timer timer_;
  Ak4531 codec_;
  std::array<Stream, kEngines> streams_;
  u32 control_ = 0, serial_ = 0;
  u8 page_ = 0;
  u16 codec_written_ = 0;
};

}  // namespace xlat
