// The command line, as QEMU spells it, turned into what the frontend is to build and run.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/host/sandbox.h"
#include "frontend/input/keymap.h"
#include "frontend/net/net_spec.h"
#include "frontend/options/char_spec.h"
#include "frontend/options/display_settings.h"
#include "machine/config.h"

namespace xlat {

inline constexpr const char* kVersionText = "0.1.0";

// A character back end that a device of the machine names by its id.
struct ChannelSettings {
  std::string id;
  CharSpec spec;
  std::string by;  // the option that asked for it, for error messages
};

enum class AudioDriver : unsigned char { kNone, kWav, kSdl };

// -audiodev.
struct AudioSettings {
  std::string id = {};
  AudioDriver driver = AudioDriver::kNone;
  std::string spelling = "none";  // what the user called the driver
  std::string path = "xlat.wav";
  u32 rate = 44100;
  unsigned channels = 2, bits = 16;  // of a file
  u32 buffer_us = 46440;             // how far the sound card is to be behind the machine
};

struct Settings {
  MachineConfig machine;  // without its channels
  std::vector<ChannelSettings> channels;
  CharSpec monitor;
  CharSpec gdb;  // kNone: no debugger
  DisplayKind display = DisplayKind::kNone;
  WindowOptions window;
  std::optional<VncSettings> vnc;
  std::optional<WebSettings> web;
  const Keymap* keymap = &Keymap::us();  // what viewers' characters and pasted text are typed on
  std::vector<AudioSettings> audio;
  std::vector<NetSpec> networks;
  std::vector<NetDumpSpec> net_dumps;
  std::string speaker_audio;  // id of the -audiodev the PC speaker plays to; empty for none
  std::string log_items, log_file, name, pidfile;
  std::string loadvm;    // name of the saved state to begin with
  std::string incoming;  // URI of one that comes from elsewhere
  bool no_shutdown = false;
  SandboxSettings sandbox;
  std::vector<std::string> warnings;
  // -help, -version and the like: print this and exit with status 0.
  std::optional<std::string> print;

  // The channel with this id; of kind kNone if there is none.
  CharSpec channel(std::string_view id) const {
    for (const ChannelSettings& c : channels) {
      if (c.id == id) return c.spec;
    }
    return {};
  }
};

// `args` without the program's name. Looks at no file but a bare IMAGE.
Result<Settings> parse_command_line(std::span<const std::string> args);

std::string help_text();

}  // namespace xlat
