// Samples of the Sound Blaster, by DMA in virtual time.
#include <algorithm>
#include <utility>

#include "devices/audio/sb16.h"

namespace xlat {

void Sb16::start(const Transfer& transfer) {
  // A command during an auto-init transfer of the same kind sets the length of its next block and how it goes on.
  Transfer& t = transfer_;
  if (t.active && t.auto_init && !t.paused && t.words == transfer.words && t.stereo == transfer.stereo &&
      t.is_signed == transfer.is_signed && t.input == transfer.input && t.adpcm == transfer.adpcm && !transfer.silent) {
    t.next_length = transfer.length;
    if (!transfer.auto_init) t.leave = true;
    return;
  }
  stop();
  t = transfer;
  t.left = t.length;
  packed_left_ = 0;
  have_first_ = false;
  times_.start(clock_.now(), rate_, per_);
  voice_.set_rate(times_.hz());
  voice_.set_busy(!t.input && !t.silent);
  if (!t.input && !t.silent) dma_.set_request(t.words ? mixer_.dma16() : mixer_.dma(), true);
  schedule();
}

void Sb16::stop() {
  timer_.cancel();
  if (transfer_.active) dma_.set_request(transfer_.words ? mixer_.dma16() : mixer_.dma(), false);
  transfer_ = {};
  voice_.set_busy(false);
  if (heard_ != AudioFrame{}) timer_.schedule(clock_.now() + kSettle);
}

void Sb16::settle() {
  heard_ = {};
  voice_.frame(clock_.now(), {});
}

void Sb16::pause(bool words, bool on) {
  Transfer& t = transfer_;
  if (!t.active || t.words != words || t.paused == on) return;
  t.paused = on;
  voice_.set_busy(!on && !t.input && !t.silent);
  if (on) {
    timer_.schedule(clock_.now() + kSettle);
  } else {
    times_.start(clock_.now(), rate_, per_);
    schedule();
  }
}

// The next look: at the end of the block, or after a millisecond.
void Sb16::schedule() {
  const Transfer& t = transfer_;
  u64 frames = t.left;
  if (t.adpcm != Adpcm::kNone) {
    // The byte being unpacked is one of those left, and the reference is a sample by itself.
    const u64 begun = packed_left_ > 0 || t.reference ? 1 : 0;
    frames = (t.left - begun) * SbAdpcm::samples_in_byte(t.adpcm) + (t.reference ? 1 : packed_left_);
  } else if (t.stereo) {
    frames = (u64{t.left} + (have_first_ ? 1 : 0) + 1) / 2;
  }
  const u64 end = times_.time_of(frames > 0 ? frames - 1 : 0);
  timer_.schedule(std::min(end, std::max(clock_.now() + kInterval, times_.time_of(0))));
}

void Sb16::catch_up() {
  const u64 now = clock_.now();
  while (transfer_.active && !transfer_.paused && times_.due(now) > 0) {
    const u64 at = times_.time_of(0);
    times_.take(1);
    frame(at);
  }
  if (transfer_.active && !transfer_.paused) schedule();
}

// One sample of each side.
void Sb16::frame(u64 at) {
  Transfer& t = transfer_;
  if (t.silent) return unit_done();
  i16 sample = 0;
  if (t.adpcm != Adpcm::kNone) {
    if (!adpcm_unit(sample)) return;
    heard_ = {sample, sample};
    voice_.frame(at, heard_);
    if (packed_left_ == 0) unit_done();
    return;
  }
  if (t.stereo && !have_first_) {
    if (!move_unit(first_)) return;
    have_first_ = true;
    unit_done();
    if (!t.active) return;
  }
  if (!move_unit(sample)) return;
  have_first_ = false;
  if (!t.input) {
    heard_ = t.stereo ? AudioFrame{first_, sample} : AudioFrame{sample, sample};
    voice_.frame(at, heard_);
  }
  unit_done();
}

// A byte or word by DMA. False if nobody acknowledges the request now: the DSP waits with what it played last.
bool Sb16::move_unit(i16& sample) {
  const Transfer& t = transfer_;
  const unsigned channel = t.words ? mixer_.dma16() : mixer_.dma();
  const std::size_t bytes = t.words ? 2 : 1;
  std::array<u8, 2> data{};
  if (t.input) {
    if (!t.is_signed) data[bytes - 1] = 0x80;
    return dma_.transfer(channel, std::span(data).first(bytes), DmaDirection::kToMemory).bytes == bytes;
  }
  if (dma_.transfer(channel, std::span(data).first(bytes), DmaDirection::kFromMemory).bytes != bytes) return false;
  const u16 raw = static_cast<u16>(t.words ? data[0] | data[1] << 8 : data[0] << 8);
  sample = static_cast<i16>(t.is_signed ? raw : raw ^ 0x8000);
  return true;
}

bool Sb16::adpcm_unit(i16& sample) {
  Transfer& t = transfer_;
  const auto fetch = [this](u8& byte) {
    return dma_.transfer(mixer_.dma(), {&byte, 1}, DmaDirection::kFromMemory).bytes == 1;
  };
  if (t.reference) {
    u8 reference = 0;
    if (!fetch(reference)) return false;
    t.reference = false;
    adpcm_.start(reference);
    packed_left_ = 0;
    sample = static_cast<i16>((reference - 128) * 256);
    return true;
  }
  if (packed_left_ == 0) {
    if (!fetch(packed_)) return false;
    packed_left_ = static_cast<u8>(SbAdpcm::samples_in_byte(t.adpcm));
  }
  const unsigned n = SbAdpcm::samples_in_byte(t.adpcm) - packed_left_;
  --packed_left_;
  sample = static_cast<i16>((adpcm_.decode(t.adpcm, packed_, n) - 128) * 256);
  return true;
}

void Sb16::unit_done() {
  Transfer& t = transfer_;
  if (--t.left > 0) return;
  const u8 source = t.words ? Ct1745::kDsp16 : Ct1745::kDsp8;
  if (t.auto_init && !t.leave) {
    if (t.next_length != 0) t.length = std::exchange(t.next_length, 0);
    t.left = t.length;
  } else if (t.auto_init && t.next_length != 0) {  // a single-cycle command has ended it: that block is the last
    t.left = t.length = std::exchange(t.next_length, 0);
    t.auto_init = t.leave = false;
  } else {
    stop();
  }
  raise(source, true);
}

}  // namespace xlat
