// -audiodev sdl in a build without SDL2.
#include "frontend/sound/host_sink.h"

namespace xlat {

bool sdl_audio_available() { return false; }

Result<std::shared_ptr<HostSink>> make_sdl_sink(const AudioSettings&) {
  return error("-audiodev sdl: this build has no SDL2; install libsdl2-dev and build again");
}

}  // namespace xlat
