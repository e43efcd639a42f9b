// -audiodev, -audio and -soundhw, and what plays to them.
#include <algorithm>

#include "devices/registry.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"
#include "frontend/sound/host_sink.h"

namespace xlat {

namespace {

struct DriverName {
  std::string_view name;
  AudioDriver driver;
  std::string_view help;
};
constexpr DriverName kDrivers[] = {
    {"none", AudioDriver::kNone, "no sound"},
    {"sdl", AudioDriver::kSdl, "the host's sound card, by what SDL finds there"},
    {"wav", AudioDriver::kWav, "records to a file"},
    {"alsa", AudioDriver::kSdl, "as sdl"},
    {"coreaudio", AudioDriver::kSdl, "as sdl"},
    {"dbus", AudioDriver::kSdl, "as sdl"},
    {"dsound", AudioDriver::kSdl, "as sdl"},
    {"jack", AudioDriver::kSdl, "as sdl"},
    {"oss", AudioDriver::kSdl, "as sdl"},
    {"pa", AudioDriver::kSdl, "as sdl"},
    {"sndio", AudioDriver::kSdl, "as sdl"},
    {"spice", AudioDriver::kSdl, "as sdl"},
};

struct SoundCard {
  std::string_view name, device, help;
};
// The PC speaker is no device of its own.
constexpr SoundCard kCards[] = {
    {"pcspk", "", "PC speaker"},
    {"sb16", "sb16", "Creative Sound Blaster 16"},
    {"adlib", "adlib", "Yamaha YMF262 (OPL3)"},
    {"gus", "gus", "Gravis Ultrasound GF1"},
    {"es1370", "ES1370", "ENSONIQ AudioPCI ES1370"},
    {"ac97", "AC97", "Intel 82801AA AC97 Audio"},
};

std::string drivers() {
  std::string text = "Audio drivers:\n";
  for (const DriverName& d : kDrivers) text += fmt::format("  {:<10}{}\n", d.name, d.help);
  return text;
}

std::string cards() {
  std::string text = "Sound cards:\n";
  for (const SoundCard& c : kCards) text += fmt::format("  {:<10}{}\n", c.name, c.help);
  return text;
}

Result<const SoundCard*> find_card(std::string_view option, std::string_view name) {
  std::vector<std::string_view> names;
  for (const SoundCard& c : kCards) {
    if (c.name == name) return &c;
    names.push_back(c.name);
  }
  return error("{}: no sound card '{}'; {}", option, name, choices(name, names));
}

bool is_help(std::string_view word) { return word == "help" || word == "?"; }

}  // namespace

Result<AudioSettings> OptionParser::audio_settings(std::string_view option, std::span<const SubOption> parts) {
  const auto part_named = [parts](std::string_view name) {
    return std::find_if(parts.rbegin(), parts.rend(), [name](const SubOption& part) { return part.name == name; });
  };
  const auto given = part_named("driver");
  std::vector<std::string_view> names;
  for (const DriverName& d : kDrivers) names.push_back(d.name);
  if (given == parts.rend()) return error("{}: name the driver first: driver=none, wav or sdl", option);
  const auto* info = std::find_if(std::begin(kDrivers), std::end(kDrivers),
                                  [&](const DriverName& d) { return d.name == given->value; });
  if (info == std::end(kDrivers))
    return error("{}: no driver '{}'; {}", option, given->value, choices(given->value, names));
  const std::string where = fmt::format("{} {}", option, info->name);
  AudioSettings audio{.driver = info->driver, .spelling = std::string(info->name)};
  if (audio.driver == AudioDriver::kSdl && !sdl_audio_available()) {
    return error("{}: this build has no SDL2; install libsdl2-dev and build again", where);
  }
  for (const SubOption& part : parts) {
    const auto number = parse_number(part.value);
    if (part.name == "driver" || part.name == "model") continue;
    if (part.name == "id") {
      audio.id = part.value;
    } else if (part.name == "path" && audio.driver == AudioDriver::kWav) {
      if (part.value.empty()) return error("{}: path=: give a file name", where);
      audio.path = part.value;
    } else if (part.name == "out.frequency") {
      if (!number || *number < AudioSink::kMinRate || *number > AudioSink::kMaxRate) {
        return error("{}: out.frequency={}: give {} to {} Hz", where, part.value, +AudioSink::kMinRate,
                     +AudioSink::kMaxRate);
      }
      audio.rate = static_cast<u32>(*number);
    } else if (part.name == "out.channels") {
      if (!number || *number < 1 || *number > 2) {
        return error("{}: out.channels={}: give 1 or 2", where, part.value);
      }
      audio.channels = static_cast<unsigned>(*number);
    } else if (part.name == "out.format") {
      if (part.value != "s16" && part.value != "u8") {
        return error("{}: no sample format '{}'; there are: s16, u8", where, part.value);
      }
      audio.bits = part.value == "u8" ? 8 : 16;
    } else if (part.name == "out.buffer-length") {
      if (!number || *number < 1000 || *number > 2'000'000) {
        return error("{}: out.buffer-length={}: give 1000 to 2000000 microseconds", where, part.value);
      }
      audio.buffer_us = static_cast<u32>(*number);
    } else if (part.name == "timer-period" || part.name == "out.voices" || part.name == "out.mixing-engine" ||
               part.name == "out.fixed-settings" || part.name == "out.buffer-count" || part.name == "out.dev" ||
               part.name == "out.try-poll" || part.name == "out.latency" || part.name == "out.name" ||
               part.name == "server" || part.name.starts_with("in.")) {
      // How QEMU gets samples to a sound card in time, and which one; SDL knows that by itself.
    } else {
      static constexpr std::string_view kNames[] = {"id",           "path",       "out.frequency",
                                                    "out.channels", "out.format", "out.buffer-length"};
      return error("{}: no sub-option '{}'; {}", where, part.name, choices(part.name, kNames));
    }
  }
  return audio;
}

Status OptionParser::add_audio(std::string_view option, AudioSettings audio) {
  if (audio.id.empty()) return error("{} {}: id= is missing; give one, as id=snd0", option, audio.spelling);
  for (const AudioSettings& other : settings_.audio) {
    if (other.id == audio.id) return error("{} {}: there is already one with id={}", option, audio.spelling, audio.id);
  }
  settings_.audio.push_back(std::move(audio));
  return {};
}

Status OptionParser::audiodev(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  if (std::any_of(parts.begin(), parts.end(),
                  [](const SubOption& p) { return p.name == "driver" && is_help(p.value); })) {
    say(drivers());
    return {};
  }
  auto audio = audio_settings("-audiodev", parts);
  if (!audio) return audio.error();
  return add_audio("-audiodev", std::move(*audio));
}

// -audio: an -audiodev and the card that plays there, in one.
Status OptionParser::audio(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  std::string model;
  for (const SubOption& part : parts) {
    if (part.name == "driver" && is_help(part.value)) {
      say(drivers());
      return {};
    }
    if (part.name == "model") model = part.value;
  }
  if (is_help(model)) {
    say(cards());
    return {};
  }
  auto audio = audio_settings("-audio", parts);
  if (!audio) return audio.error();
  if (model.empty()) return error("-audio {}: model= is missing; -audio {},model=help lists them", value, value);
  auto card = find_card("-audio", model);
  if (!card) return card.error();
  if (audio->id.empty()) audio->id = "audiodev0";
  const std::string id = audio->id;
  if (Status s = add_audio("-audio", std::move(*audio)); !s) return s;
  return plug_sound_card((*card)->device, id);
}

// QEMU's older spelling; it plays to the first -audiodev.
Status OptionParser::soundhw(const std::string& value) {
  if (is_help(value)) {
    say(cards());
    return {};
  }
  settings_.warnings.push_back(
      fmt::format("-soundhw {}: an old spelling; write -audiodev DRIVER,id=ID and -device CARD,audiodev=ID", value));
  for (const SubOption& part : split_suboptions(value)) {
    if (part.name == "all") {
      for (const SoundCard& c : kCards) soundhw_.push_back(std::string(c.device));
      continue;
    }
    auto card = find_card("-soundhw", part.name);
    if (!card) return card.error();
    soundhw_.push_back(std::string((*card)->device));
  }
  return {};
}

Status OptionParser::plug_sound_card(std::string_view device_name, const std::string& audio_id) {
  if (!device_name.empty()) return device(fmt::format("{},audiodev={}", device_name, audio_id));
  settings_.speaker_audio = audio_id;
  return {};
}

// Who plays where: unknown ids, outputs nobody plays to, and cards that were given none.
Status OptionParser::check_audio() {
  const auto playing = [](const DeviceConfig& device) {
    return find_device_type(device.type)->category == DeviceType::Category::kSound;
  };
  const bool homeless = !soundhw_.empty() || std::any_of(devices_.begin(), devices_.end(), [&](const DeviceConfig& d) {
    return playing(d) && !d.find("audiodev");
  });
  if (homeless && settings_.audio.empty()) {  // as QEMU: the host's sound card
    settings_.audio.push_back({.id = "audiodev0",
                               .driver = sdl_audio_available() ? AudioDriver::kSdl : AudioDriver::kNone,
                               .spelling = "sdl"});
  }
  for (const std::string& card : soundhw_) {
    if (Status s = plug_sound_card(card, settings_.audio.front().id); !s) return s;
  }
  std::vector<std::string_view> ids, used;
  for (const AudioSettings& audio : settings_.audio) ids.push_back(audio.id);
  const auto use = [&](const std::string& id, std::string_view by) -> Status {
    used.push_back(id);
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) return {};
    return ids.empty() ? error("{}={}: there is no -audiodev; add -audiodev wav,id={}", by, id, id)
                       : error("{}={}: no -audiodev has this id; {}", by, id, choices(id, ids));
  };
  if (!settings_.speaker_audio.empty()) {
    if (Status s = use(settings_.speaker_audio, "pcspk-audiodev"); !s) return s;
  }
  for (const DeviceConfig& device : devices_) {
    if (!playing(device)) continue;
    const std::string* id = device.find("audiodev");
    if (Status s = use(id ? *id : settings_.audio.front().id, "-device " + device.type + ",audiodev"); !s) return s;
  }
  for (const AudioSettings& audio : settings_.audio) {
    if (audio.driver != AudioDriver::kWav || std::find(used.begin(), used.end(), audio.id) != used.end()) continue;
    settings_.warnings.push_back(
        fmt::format("-audiodev wav,id={}: nothing plays there; add -machine pcspk-audiodev={}", audio.id, audio.id));
  }
  return {};
}

}  // namespace xlat
