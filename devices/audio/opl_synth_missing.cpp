// A build without libadplug: the FM chip has its timers and no sound.
#include "devices/audio/opl_synth.h"

namespace xlat {

bool opl_synth_available() { return false; }
std::unique_ptr<OplSynth> make_opl_synth() { return nullptr; }

}  // namespace xlat
