// The OPL3 of libadplug, which is Nuked OPL3: exact to the chip's die.
#include <adplug/nemuopl.h>

#include "devices/audio/opl_synth.h"

namespace xlat {

namespace {

class AdplugOpl final : public OplSynth {
 public:
  AdplugOpl() : chip_(static_cast<int>(kRate)) { chip_.init(); }

  void write(unsigned reg, u8 value) override {
    chip_.setchip(reg >= 0x100 ? 1 : 0);
    chip_.write(static_cast<int>(reg & 0xff), value);
  }
  void render(std::span<AudioFrame> frames) override {
    static_assert(sizeof(AudioFrame) == 2 * sizeof(short));
    chip_.update(reinterpret_cast<short*>(frames.data()), static_cast<int>(frames.size()));
  }

 private:
  CNemuopl chip_;
};

}  // namespace

bool opl_synth_available() { return true; }
std::unique_ptr<OplSynth> make_opl_synth() { return std::make_unique<AdplugOpl>(); }

}  // namespace xlat
