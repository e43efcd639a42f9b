// The sink of each -audiodev driver.
#include "frontend/sound/host_sink.h"

#include "frontend/sound/wav_sink.h"

namespace xlat {

std::shared_ptr<HostSink> make_host_sink(const AudioSettings& settings) {
  switch (settings.driver) {
    case AudioDriver::kNone: return nullptr;
    case AudioDriver::kWav: return std::make_shared<WavSink>(settings);
    case AudioDriver::kSdl: break;
  }
  auto sink = make_sdl_sink(settings);
  return sink ? *sink : nullptr;  // the command line is refused before this where there is none
}

}  // namespace xlat
