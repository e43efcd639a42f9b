// The card's ports, lines and state.
#include "devices/audio/sb16.h"

#include <algorithm>

#include "devices/audio/card.h"

namespace xlat {

namespace {

enum Port : u8 {
  kFm = 0x0,  // 0-3, and 8-9 again
  kMixerAddress = 0x4,
  kMixerData = 0x5,
  kDspReset = 0x6,
  kFmAgain = 0x8,
  kDspRead = 0xa,
  kDspWrite = 0xc,
  kDspReadStatus = 0xe,  // reading it acknowledges the interrupt of 8-bit transfers
  kAck16 = 0xf,
};

u8 dma_bits(const Sb16Config& config) { return static_cast<u8>(1u << config.dma | 1u << config.dma16); }

}  // namespace

Status Sb16::check(const Sb16Config& config) {
  if (!Ct1745::irq_bit(config.irq)) return error("irq={}: give 2, 5, 7, 9 or 10", config.irq);
  if (config.dma != 0 && config.dma != 1 && config.dma != 3) return error("dma={}: give 0, 1 or 3", config.dma);
  if (config.dma16 != config.dma && (config.dma16 < 5 || config.dma16 > 7)) {
    return error("dma16={}: give 5, 6 or 7, or the channel of dma", config.dma16);
  }
  return {};
}

Sb16::Sb16(PortBus& ports, Clock& clock, Dma8237& dma, const std::function<IrqLine(unsigned)>& irq, AudioMixer* mixer,
           const Sb16Config& config)
    : clock_(clock),
      dma_(dma),
      config_(config),
      voice_(mixer, "sb16", [this] { catch_up(); }),
      timer_(clock, [this] { transfer_.active && !transfer_.paused ? catch_up() : settle(); }),
      mixer_(Ct1745::irq_bit(config.irq), dma_bits(config), [this] { mixer_changed(); }),
      fm_(clock, mixer),
      mpu_(ports, config.mpu_base, [this](bool on) { raise(Ct1745::kMpu401, on); }),
      ports_(ports, config.iobase, 16, *this),
      adlib_(ports, AdLib::kPort, 4, *this) {
  for (const unsigned n : {5u, 7u, 9u, 10u}) lines_[n] = irq(n);
  dma_.before_access(this, [this] { catch_up(); });
  reset();
}

Sb16::~Sb16() {
  dma_.forget(this);
  catch_up();
}

void Sb16::reset() {
  stop();
  mixer_.reset();
  mixer_.set_status(0xff, false);
  fm_.reset();
  mpu_.reset();
  reset_dsp();
  output_.clear();
  identity_ = 0xaa;
  identity_step_ = test_ = 0;
  asp_ = {};
  reset_high_ = false;
  mixer_changed();
}

void Sb16::raise(u8 source, bool on) {
  mixer_.set_status(source, on);
  drive_lines();
}

// The request appears on the line the mixer sends it to.
void Sb16::drive_lines() {
  const unsigned irq = mixer_.irq();
  for (const unsigned n : {5u, 7u, 9u, 10u}) {
    if (n != irq) lines_[n].set(false);
  }
  if (irq != 0) lines_[irq].set(mixer_.status() != 0);
}

void Sb16::mixer_changed() {
  drive_lines();
  const auto voice = mixer_.voice_volume(), midi = mixer_.midi_volume();
  voice_.set_volume(voice[0], voice[1]);
  fm_.set_volume(midi[0], midi[1]);
}

u32 Sb16::read(u64 port, unsigned) {
  if (port >= AdLib::kPort && port < AdLib::kPort + 4u) return fm_.read(port - AdLib::kPort, 1);
  catch_up();
  switch (port - config_.iobase) {
    case 0:
    case 1:
    case 2:
    case 3: return fm_.read(port - config_.iobase, 1);
    case kFmAgain:
    case kFmAgain + 1: return fm_.read(port - config_.iobase - kFmAgain, 1);
    case kMixerAddress: return mixer_.address();
    case kMixerData: return mixer_.read();
    case kDspRead:
      if (!output_.empty()) {
        last_ = output_.front();
        output_.pop_front();
      }
      return last_;
    case kDspWrite: return 0x7f;  // never busy
    case kDspReadStatus: raise(Ct1745::kDsp8, false); return output_.empty() ? 0x7f : 0xff;
    case kAck16: raise(Ct1745::kDsp16, false); return 0xff;
    default: return 0xff;
  }
}

void Sb16::write(u64 port, unsigned, u32 value) {
  const u8 v = static_cast<u8>(value);
  if (port >= AdLib::kPort && port < AdLib::kPort + 4u) return fm_.write(port - AdLib::kPort, 1, v);
  catch_up();
  switch (port - config_.iobase) {
    case 0:
    case 1:
    case 2:
    case 3: fm_.write(port - config_.iobase, 1, v); break;
    case kFmAgain:
    case kFmAgain + 1: fm_.write(port - config_.iobase - kFmAgain, 1, v); break;
    case kMixerAddress: mixer_.select(v); break;
    case kMixerData: mixer_.write(v); break;
    case kDspReset:
      // The DSP starts when the line goes low, and says so.
      if (!(v & 1) && reset_high_) {
        reset_dsp();
        output_.assign(1, 0xaa);
      }
      reset_high_ = v & 1;
      break;
    case kDspWrite: dsp_write(v); break;
    default: break;
  }
}

void Sb16::serialize(Archive& ar) {
  ar.section("sb16", 1);
  mixer_.serialize(ar);
  fm_.serialize(ar);
  mpu_.serialize(ar);
  ar(command_).range(want_, u8{0}, u8{3});
  ar(arguments_).range(have_, u8{0}, u8{3});
  std::vector<u8> output(output_.begin(), output_.end());
  ar.blob(output, kMostOutput);
  output_.assign(output.begin(), output.end());
  ar(last_)(reset_high_)(speaker_)(midi_)(test_)(identity_)(identity_step_)(direct_at_);
  ar.range(block_, 0u, 0x10000u).range(rate_, 1u, 1'000'000u).range(per_, 1u, 1u << 20)(asp_);
  Transfer& t = transfer_;
  ar(t.active)(t.paused)(t.words)(t.stereo)(t.is_signed)(t.input)(t.auto_init)(t.silent)(t.reference);
  ar.range(t.adpcm, Adpcm::kNone, Adpcm::kFour);
  ar.range(t.length, 0u, 0x10000u).range(t.left, 0u, 0x10000u).range(t.next_length, 0u, 0x10000u)(t.leave);
  times_.serialize(ar);
  adpcm_.serialize(ar);
  ar(packed_).range(packed_left_, u8{0}, u8{4});
  ar(first_)(have_first_)(heard_.left)(heard_.right);
  timer_.serialize(ar);
  if (!ar.loading()) return;
  if (have_ + want_ > 3) have_ = want_ = 0;
  if (t.left == 0 || t.length == 0) t.active = false;
  if (t.active && !t.paused) {
    if (!times_.fits(clock_.now())) times_.start(clock_.now(), rate_, per_);
    schedule();
  }
}

namespace {

constexpr Property kProperties[] = {
    number("iobase", "0x220", "first I/O port", 0x210, 0x3f0),
    number("irq", "5", "interrupt: 2, 5, 7, 9 or 10", 2, 10),
    number("dma", "1", "DMA channel of bytes: 0, 1 or 3", 0, 3),
    number("dma16", "5", "DMA channel of words: 5, 6, 7, or that of bytes", 0, 7),
    number("version", "0x405", "what the DSP says it is: high byte major, low byte minor", 0, 0xffff),
    kAudiodev,
};

Result<std::unique_ptr<Device>> make(Board& board, const Properties& values) {
  Sb16Config config;
  config.iobase = static_cast<u16>(values.number("iobase"));
  config.irq = static_cast<u8>(values.number("irq"));
  config.dma = static_cast<u8>(values.number("dma"));
  config.dma16 = static_cast<u8>(values.number("dma16"));
  config.version = static_cast<u16>(values.number("version"));
  if (Status s = Sb16::check(config); !s) return s.error();
  auto mixer = board.audio(values.text("audiodev"));
  if (!mixer) return mixer.error();
  return std::unique_ptr<Device>(std::make_unique<Sb16>(
      board.ports(), board.clock(), board.dma(), [&board](unsigned n) { return board.isa_irq(n); }, *mixer, config));
}

}  // namespace

extern const DeviceType kSb16Type = {"sb16",      "ISA", DeviceType::Category::kSound, "Creative Sound Blaster 16",
                                     kProperties, make};

}  // namespace xlat
