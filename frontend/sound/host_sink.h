// An audio sink that opens something of the host's, as a channel does.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "devices/audio/audio_sink.h"
#include "frontend/options/command_line.h"

namespace xlat {

class HostSink : public AudioSink {
 public:
  // open() finds out whether it can be had; start() begins, when all else of the machine is open, too.
  virtual Status open() = 0;
  virtual Status start() = 0;
  // What the monitor's info audio says of it.
  virtual std::string status() const = 0;
};

// Null for -audiodev none.
std::shared_ptr<HostSink> make_host_sink(const AudioSettings& settings);
// The host's sound card by SDL; an error says that this build has none.
Result<std::shared_ptr<HostSink>> make_sdl_sink(const AudioSettings& settings);
// Whether this build has it.
bool sdl_audio_available();

}  // namespace xlat
