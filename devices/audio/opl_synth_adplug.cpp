// The OPL3 of libadplug, which is Nuked OPL3: exact to the chip's die.
extern "C" {
#include <adplug/nukedopl.h>
}

#include <iterator>

#include "devices/audio/opl_synth.h"

namespace xlat {

namespace {

class AdplugOpl final : public OplSynth {
 public:
  AdplugOpl() { OPL3_Reset(&chip_, kRate); }

  void write(unsigned reg, u8 value) override { OPL3_WriteReg(&chip_, static_cast<Bit16u>(reg), value); }
  void render(std::span<AudioFrame> frames) override {
    static_assert(sizeof(AudioFrame) == 2 * sizeof(Bit16s));
    for (AudioFrame& frame : frames) OPL3_Generate(&chip_, reinterpret_cast<Bit16s*>(&frame));
  }
  void serialize(Archive& ar) override;

 private:
  // Samples that a slot or a channel listens to: nothing, or one of two of each slot.
  static constexpr unsigned kSources = 1 + 2 * 36;
  Bit16s* source(unsigned n) {
    if (n == 0) return &chip_.zeromod;
    opl3_slot& slot = chip_.slot[(n - 1) / 2];
    return n % 2 ? &slot.out : &slot.fbmod;
  }
  unsigned number_of(const Bit16s* source_of) {
    unsigned n = kSources - 1;
    while (n > 0 && source(n) != source_of) --n;
    return n;
  }
  void serialize_source(Archive& ar, Bit16s*& from) {
    unsigned n = number_of(from);
    ar.range(n, 0u, kSources - 1);
    if (ar.loading()) from = source(n);
  }
  void serialize_slot(Archive& ar, opl3_slot& slot);
  void serialize_channel(Archive& ar, opl3_channel& channel);

  opl3_chip chip_;
};

// Everything that the library takes for an index keeps the chip's own range. Which slots belong to which channel never
// changes.
void AdplugOpl::serialize_slot(Archive& ar, opl3_slot& slot) {
  constexpr Bit16s kQuietest = 0x1ff;
  ar(slot.out)(slot.fbmod)(slot.prout);
  serialize_source(ar, slot.mod);
  ar.range(slot.eg_rout, Bit16s{0}, kQuietest).range(slot.eg_out, Bit16s{0}, Bit16s{0x7ff});
  ar.range(slot.eg_inc, Bit8u{0}, Bit8u{8})
      .range(slot.eg_gen, Bit8u{0}, Bit8u{4})
      .range(slot.eg_rate, Bit8u{0}, Bit8u{63});
  ar(slot.eg_ksl);
  bool trembles = slot.trem == &chip_.tremolo;
  ar(trembles);
  if (ar.loading()) slot.trem = trembles ? &chip_.tremolo : reinterpret_cast<Bit8u*>(&chip_.zeromod);
  for (Bit8u* one_bit : {&slot.reg_vib, &slot.reg_type, &slot.reg_ksr}) ar.range(*one_bit, Bit8u{0}, Bit8u{1});
  for (Bit8u* four : {&slot.reg_mult, &slot.reg_ar, &slot.reg_dr, &slot.reg_rr}) ar.range(*four, Bit8u{0}, Bit8u{15});
  ar.range(slot.reg_ksl, Bit8u{0}, Bit8u{3}).range(slot.reg_tl, Bit8u{0}, Bit8u{63});
  ar.range(slot.reg_sl, Bit8u{0}, Bit8u{31}).range(slot.reg_wf, Bit8u{0}, Bit8u{7}).range(slot.key, Bit8u{0}, Bit8u{3});
  ar(slot.pg_phase)(slot.timer);
}

void AdplugOpl::serialize_channel(Archive& ar, opl3_channel& channel) {
  for (Bit16s*& out : channel.out) serialize_source(ar, out);
  ar.range(channel.chtype, Bit8u{0}, Bit8u{3}).range(channel.f_num, Bit16u{0}, Bit16u{0x3ff});
  ar.range(channel.block, Bit8u{0}, Bit8u{7})
      .range(channel.fb, Bit8u{0}, Bit8u{7})
      .range(channel.con, Bit8u{0}, Bit8u{1});
  ar.range(channel.alg, Bit8u{0}, Bit8u{15}).range(channel.ksv, Bit8u{0}, Bit8u{15})(channel.cha)(channel.chb);
}

void AdplugOpl::serialize(Archive& ar) {
  ar.section("nuked-opl3", 1);
  for (opl3_channel& channel : chip_.channel) serialize_channel(ar, channel);
  for (opl3_slot& slot : chip_.slot) serialize_slot(ar, slot);
  ar(chip_.timer).range(chip_.newm, Bit8u{0}, Bit8u{1}).range(chip_.nts, Bit8u{0}, Bit8u{1})(chip_.rhy);
  ar.range(chip_.vibpos, Bit8u{0}, Bit8u{7}).range(chip_.vibshift, Bit8u{0}, Bit8u{1});
  ar(chip_.tremolo).range(chip_.tremolopos, Bit8u{0}, Bit8u{209}).range(chip_.tremoloshift, Bit8u{0}, Bit8u{4});
  ar(chip_.noise)(chip_.mixbuff);
}

}  // namespace

bool opl_synth_available() { return true; }
std::unique_ptr<OplSynth> make_opl_synth() { return std::make_unique<AdplugOpl>(); }

}  // namespace xlat
