// The mixer chip of the Sound Blaster 16: volumes, and where its interrupts and DMA requests go.
#pragma once

#include <array>
#include <functional>

#include "devices/device.h"

namespace xlat {

// Creative, Hardware Programming Guide, chapter 4: an address and a data register.
class Ct1745 {
 public:
  enum Register : u8 {
    kReset = 0x00,
    kMaster = 0x30,
    kVoice = 0x32,
    kMidi = 0x34,
    kOutputGain = 0x41,
    kIrqSelect = 0x80,
    kDmaSelect = 0x81,
    kIrqStatus = 0x82,
  };
  // Bits of the IRQ status.
  enum Source : u8 { kDsp8 = 1, kDsp16 = 2, kMpu401 = 4 };

  // `changed` is told when volumes, the IRQ or the DMA channels have changed. The last two are jumpers of old, and
  // outlive a reset.
  Ct1745(u8 irq_select, u8 dma_select, std::function<void()> changed);

  void select(u8 address) { address_ = address; }
  u8 address() const { return address_; }
  u8 read() const;
  void write(u8 value);

  void set_status(u8 source, bool on);
  u8 status() const { return status_; }
  // The ISA line, or none.
  unsigned irq() const;
  // The channel for bytes, and the one for words: 8 if there is none. Without one of 5 to 7 words go by the other.
  unsigned dma() const;
  unsigned dma16() const;
  // What of kFull (AudioVoice's) is left of digitized sound and of FM, left and right.
  std::array<u32, 2> voice_volume() const { return volume(kVoice); }
  std::array<u32, 2> midi_volume() const { return volume(kMidi); }

  static u8 irq_bit(unsigned irq);

  void reset();
  void serialize(Archive& ar);

 private:
  std::array<u32, 2> volume(u8 source) const;
  // The Sound Blaster Pro's register over a pair, or 0.
  static u8 pair_of(u8 old);

  std::function<void()> changed_;
  std::array<u8, 256> registers_{};
  u8 address_ = 0, status_ = 0;
  const u8 first_irq_, first_dma_;
};

}  // namespace xlat
