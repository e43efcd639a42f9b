// The DSP's commands (Hardware Programming Guide, chapter 6).
#include <algorithm>
#include <string_view>
#include <utility>

#include "devices/audio/sb16.h"

namespace xlat {

namespace {
constexpr std::string_view kCopyright = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.";
// What E2h mixes its argument with, in turn; programs check that DMA works with it.
constexpr u8 kIdentityKeys[4] = {0x96, 0xa5, 0x69, 0x5a};
}  // namespace

void Sb16::reset_dsp() {
  stop();
  want_ = have_ = 0;
  command_ = 0;
  speaker_ = midi_ = false;
  block_ = 0;
  set_rate(22050);
  raise(Ct1745::kDsp8 | Ct1745::kDsp16, false);
}

void Sb16::put(u8 value) {
  if (output_.size() < kMostOutput) output_.push_back(value);
}

unsigned Sb16::arguments(u8 command) {
  if (command >= 0xb0 && command <= 0xcf) return 3;
  switch (command) {
    case 0x04:
    case 0x0f:
    case 0x10:
    case 0x38:
    case 0x40:
    case 0xe0:
    case 0xe2:
    case 0xe4:
    case 0xf9: return 1;
    case 0x05:
    case 0x0e:
    case 0x14:
    case 0x16:
    case 0x17:
    case 0x24:
    case 0x41:
    case 0x42:
    case 0x48:
    case 0x74:
    case 0x75:
    case 0x76:
    case 0x77:
    case 0x80: return 2;
    default: return 0;
  }
}

void Sb16::dsp_write(u8 value) {
  if (midi_) return;  // a MIDI byte; only a reset ends that
  if (want_ == 0) {
    command_ = value;
    have_ = 0;
    want_ = static_cast<u8>(arguments(value));
  } else {
    arguments_[have_++] = value;
    --want_;
  }
  if (want_ == 0) run_command();
}

void Sb16::set_rate(u32 samples, u32 seconds) {
  rate_ = samples;
  per_ = seconds;
  voice_.set_rate(samples / seconds);
  if (transfer_.active && !transfer_.paused) {
    times_.start(clock_.now(), rate_, per_);
    schedule();
  }
}

void Sb16::start_8bit(bool input, bool auto_init, u32 length, Adpcm adpcm, bool reference) {
  Transfer t;
  t.active = true;
  t.input = input;
  t.auto_init = auto_init;
  t.length = length;
  t.adpcm = adpcm;
  t.reference = reference;
  start(t);
}

// Bxh moves words, Cxh bytes: mode, length less one.
void Sb16::generic_dma(u8 command) {
  Transfer t;
  t.active = true;
  t.words = command < 0xc0;
  t.input = command & 0x08;
  t.auto_init = command & 0x04;
  t.stereo = arguments_[0] & 0x20;
  t.is_signed = arguments_[0] & 0x10;
  t.length = (u32{arguments_[1]} | u32{arguments_[2]} << 8) + 1;
  start(t);
}

void Sb16::identify(u8 value) {
  identity_ = static_cast<u8>(identity_ + (value ^ kIdentityKeys[identity_step_ % 4]));
  identity_step_ = static_cast<u8>((identity_step_ + 1) % 4);
  u8 byte = identity_;
  dma_.transfer(mixer_.dma(), {&byte, 1}, DmaDirection::kToMemory);
}

// A program writes each sample when it is to be heard; how fast it does so sets the bandwidth.
void Sb16::play_direct(u8 value) {
  const u64 now = clock_.now();
  const u64 hz = kNanosPerSecond / std::clamp<u64>(now - std::exchange(direct_at_, now), 20'000, 250'000);
  if (!transfer_.active) voice_.set_rate(static_cast<u32>(hz / 250 * 250));
  const i16 level = static_cast<i16>((value - 128) * 256);
  heard_ = {level, level};
  voice_.frame(now, heard_);
  if (!transfer_.active) timer_.schedule(now + kSettle);
}

void Sb16::run_command() {
  const u8 command = std::exchange(command_, 0);
  const u32 word = u32{arguments_[0]} | u32{arguments_[1]} << 8;
  if (command >= 0xb0 && command <= 0xcf) return generic_dma(command);
  switch (command) {
    case 0x0e: asp_[arguments_[0]] = arguments_[1]; break;
    case 0x0f: put(asp_[arguments_[0]]); break;
    case 0x10: play_direct(arguments_[0]); break;
    case 0x14: start_8bit(false, false, word + 1); break;
    case 0x16: start_8bit(false, false, word + 1, Adpcm::kTwo); break;
    case 0x17: start_8bit(false, false, word + 1, Adpcm::kTwo, true); break;
    case 0x74: start_8bit(false, false, word + 1, Adpcm::kFour); break;
    case 0x75: start_8bit(false, false, word + 1, Adpcm::kFour, true); break;
    case 0x76: start_8bit(false, false, word + 1, Adpcm::kThree); break;
    case 0x77: start_8bit(false, false, word + 1, Adpcm::kThree, true); break;
    case 0x24: start_8bit(true, false, word + 1); break;
    case 0x1c:
    case 0x90: start_8bit(false, true, block_ + 1); break;
    case 0x91: start_8bit(false, false, block_ + 1); break;
    case 0x1f: start_8bit(false, true, block_ + 1, Adpcm::kTwo, true); break;
    case 0x7d: start_8bit(false, true, block_ + 1, Adpcm::kFour, true); break;
    case 0x7f: start_8bit(false, true, block_ + 1, Adpcm::kThree, true); break;
    case 0x2c:
    case 0x98: start_8bit(true, true, block_ + 1); break;
    case 0x99: start_8bit(true, false, block_ + 1); break;
    case 0x20: put(0x80); break;  // a sample of silence
    case 0x34:
    case 0x35:
    case 0x36:
    case 0x37: midi_ = true; break;
    case 0x40: set_rate(1'000'000, 256u - arguments_[0]); break;
    case 0x41:
    case 0x42: set_rate(std::clamp((u32{arguments_[0]} << 8) | arguments_[1], 4000u, 48000u)); break;
    case 0x48: block_ = word; break;
    case 0x80: {
      Transfer t;
      t.active = t.silent = true;
      t.length = word + 1;
      start(t);
      break;
    }
    case 0xd0: pause(false, true); break;
    case 0xd4: pause(false, false); break;
    case 0xd5: pause(true, true); break;
    case 0xd6: pause(true, false); break;
    case 0xd1: speaker_ = true; break;
    case 0xd3: speaker_ = false; break;
    case 0xd8: put(speaker_ ? 0xff : 0x00); break;
    case 0xd9:
    case 0xda:
      if (transfer_.active && transfer_.words == (command == 0xd9)) transfer_.leave = true;
      break;
    case 0xe0: put(static_cast<u8>(~arguments_[0])); break;
    case 0xe1:
      put(static_cast<u8>(config_.version >> 8));
      put(static_cast<u8>(config_.version));
      break;
    case 0xe2: identify(arguments_[0]); break;
    case 0xe3:
      for (const char c : kCopyright) put(static_cast<u8>(c));
      put(0);
      break;
    case 0xe4: test_ = arguments_[0]; break;
    case 0xe8: put(test_); break;
    case 0xf2: raise(Ct1745::kDsp8, true); break;
    case 0xf3: raise(Ct1745::kDsp16, true); break;
    case 0xf8: put(0); break;
    // Cells of the DSP's own memory that set-up programs tell versions by.
    case 0xf9:
      put(arguments_[0] == 0x0e ? 0xff : arguments_[0] == 0x0f ? 0x07 : arguments_[0] == 0x37 ? 0x38 : 0);
      break;
    default: break;
  }
}

}  // namespace xlat
