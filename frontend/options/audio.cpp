// -audiodev and what plays to it.
#include <algorithm>

#include "devices/audio/audio_sink.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

Status OptionParser::audiodev(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  const SubOption* driver = nullptr;
  for (const SubOption& part : parts) {
    if (part.name == "driver") driver = &part;
  }
  if (!driver) return error("-audiodev {}: name the driver first: wav or none", value);
  if (driver->value == "help" || driver->value == "?") {
    say("Audio drivers:\n  none  no sound\n  wav   records to a file\n");
    return {};
  }
  if (driver->value != "wav" && driver->value != "none") {
    return error("-audiodev: no driver '{}'; there are: wav, none", driver->value);
  }
  AudioSettings audio;
  audio.wav = driver->value == "wav";
  for (const SubOption& part : parts) {
    if (&part == driver) continue;
    const auto number = parse_number(part.value);
    if (part.name == "id") {
      audio.id = part.value;
    } else if (part.name == "path" && audio.wav) {
      if (part.value.empty()) return error("-audiodev wav: path=: give a file name");
      audio.path = part.value;
    } else if (part.name == "out.frequency") {
      if (!number || *number < AudioSink::kMinRate || *number > AudioSink::kMaxRate) {
        return error("-audiodev {}: out.frequency={}: give {} to {} Hz", driver->value, part.value,
                     +AudioSink::kMinRate, +AudioSink::kMaxRate);
      }
      audio.rate = static_cast<u32>(*number);
    } else if (part.name == "out.channels") {
      if (!number || *number < 1 || *number > 2) {
        return error("-audiodev {}: out.channels={}: give 1 or 2", driver->value, part.value);
      }
      audio.channels = static_cast<unsigned>(*number);
    } else if (part.name == "out.format") {
      if (part.value != "s16" && part.value != "u8") {
        return error("-audiodev {}: no sample format '{}'; there are: s16, u8", driver->value, part.value);
      }
      audio.bits = part.value == "u8" ? 8 : 16;
    } else if (part.name == "timer-period" || part.name == "out.buffer-length" || part.name == "out.voices" ||
               part.name == "out.mixing-engine" || part.name == "out.fixed-settings" || part.name.starts_with("in.")) {
      // How QEMU gets samples to a sound card in time; a file has all the time there is.
    } else {
      static constexpr std::string_view kNames[] = {"id", "path", "out.frequency", "out.channels", "out.format"};
      return error("-audiodev {}: no sub-option '{}'; {}", driver->value, part.name, choices(part.name, kNames));
    }
  }
  if (audio.id.empty()) return error("-audiodev {}: id= is missing; give one, as id=snd0", driver->value);
  for (const AudioSettings& other : settings_.audio) {
    if (other.id == audio.id) return error("-audiodev {}: there is already one with id={}", driver->value, audio.id);
  }
  settings_.audio.push_back(std::move(audio));
  return {};
}

Status OptionParser::check_audio() {
  const std::string& wanted = settings_.speaker_audio;
  std::string ids;
  bool found = false;
  for (const AudioSettings& audio : settings_.audio) {
    ids += (ids.empty() ? "" : ", ") + audio.id;
    found |= audio.id == wanted;
    if (audio.wav && audio.id != wanted) {
      settings_.warnings.push_back(
          fmt::format("-audiodev wav,id={}: nothing plays there; add -machine pcspk-audiodev={}", audio.id, audio.id));
    }
  }
  if (!wanted.empty() && !found) {
    return ids.empty() ? error("pcspk-audiodev={}: there is no -audiodev; add -audiodev wav,id={}", wanted, wanted)
                       : error("pcspk-audiodev={}: no -audiodev has this id; there are: {}", wanted, ids);
  }
  return {};
}

}  // namespace xlat
