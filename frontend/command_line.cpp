// The loop over the options, what each does, and the defaults.
#include "frontend/command_line.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "base/log.h"
#include "cpu/model.h"
#include "frontend/image_probe.h"
#include "frontend/option_values.h"

namespace xlat {

namespace {

enum class Option : u8 {
#define XLAT_OPTION(id, name, argument, help) id,
#define XLAT_LATER(name, has_argument, missing)
#include "frontend/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

struct OptionInfo {
  std::string_view name, argument, help;
};
constexpr OptionInfo kOptions[] = {
#define XLAT_OPTION(id, name, argument, help) {name, argument, help},
#define XLAT_LATER(name, has_argument, missing)
#include "frontend/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

struct LaterInfo {
  std::string_view name, missing;
};
constexpr LaterInfo kLater[] = {
#define XLAT_OPTION(id, name, argument, help)
#define XLAT_LATER(name, has_argument, missing) {name, missing},
#include "frontend/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

// One pass over the arguments. Each option's function returns an error or changes the settings.
class Parser {
 public:
  Result<Settings> run(std::span<const std::string> args);

 private:
  Status apply(Option option, const std::string& name, const std::string& value);
  Status image(const std::string& path);
  Status machine(const std::string& name, const std::string& value);
  Status accel(const std::string& name, std::string_view value);
  Status memory(const std::string& value);
  Status smp(const std::string& value);
  Status drive(const std::string& value);
  Status put_drive(unsigned index, DriveConfig drive, std::string_view option);
  Status boot(const std::string& value);
  Status serial(const std::string& value);
  Status debugcon(const std::string& value);
  Status global(const std::string& value);
  Status device(const std::string& value);
  Status rtc(const std::string& value);
  Status icount(const std::string& value);
  Status log(const std::string& value);
  Status finish();
  Status default_channels();
  Status check_channels() const;
  Status check_files();
  void say(std::string text) { settings_.print = std::move(text); }

  Settings settings_;
  std::vector<std::string> bare_;
  unsigned serial_given_ = 0;
  bool monitor_given_ = false, nographic_ = false, display_given_ = false, nodefaults_ = false, snapshot_ = false;
  bool vga_given_ = false;
  u16 debugcon_port_ = 0xe9;
  std::optional<i64> rtc_base_;
};

Result<Settings> Parser::run(std::span<const std::string> args) {
  for (std::size_t n = 0; n < args.size(); ++n) {
    const std::string& arg = args[n];
    if (arg.size() < 2 || arg[0] != '-') {
      if (arg.empty() || arg == "-") return error("'{}' is neither an option nor the name of an image", arg);
      bare_.push_back(arg);
      continue;
    }
    const std::string_view name = std::string_view(arg).substr(arg.starts_with("--") ? 2 : 1);
    const OptionInfo* info = nullptr;
    for (const OptionInfo& known : kOptions) {
      if (known.name == name) info = &known;
    }
    if (!info) {
      for (const LaterInfo& later : kLater) {
        if (later.name == name) return error("{}: {} comes in a later version", arg, later.missing);
      }
      std::vector<std::string_view> names;
      for (const OptionInfo& known : kOptions) names.push_back(known.name);
      return error("{}: no such option; the nearest is -{}", arg, nearest(name, names));
    }
    std::string value;
    if (!info->argument.empty()) {
      if (n + 1 >= args.size()) return error("{}: an argument is missing: {} {}", arg, arg, info->argument);
      value = args[++n];
    }
    if (Status s = apply(static_cast<Option>(info - kOptions), "-" + std::string(name), value); !s) return s.error();
    if (settings_.print) return settings_;
  }
  if (Status s = finish(); !s) return s.error();
  return settings_;
}

Status Parser::apply(Option option, const std::string& name, const std::string& value) {
  MachineConfig& m = settings_.machine;
  const auto only_none = [&](const char* missing) -> Status {
    if (value == "none") return {};
    return error("{} {}: {} comes in a later version; use {} none", name, value, missing, name);
  };
  // An empty file name is a mistake in a script; it must not pass as "not given".
  const auto file = [&](std::string& to) -> Status {
    if (value.empty()) return error("{}: give a file name", name);
    to = value;
    return {};
  };
  switch (option) {
    case Option::kHelp:
    case Option::kHelpShort: say(help_text()); break;
    case Option::kVersion: say(fmt::format("xlat version {}\n", kVersionText)); break;
    case Option::kMachine:
    case Option::kMachineShort: return machine(name, value);
    case Option::kCpu: {
      if (value == "help" || value == "?") {
        say(fmt::format("Processors: {}\n", cpu_model_names()));
        break;
      }
      const auto parts = split_suboptions(value, "model");
      if (parts.size() > 1) return error("-cpu {}: no feature '{}' can be set", value, parts[1].name);
      if (auto model = find_cpu_model(value); !model) return model.error();
      m.cpu = value;
      break;
    }
    case Option::kAccel: return accel(name, value);
    case Option::kEnableKvm: return accel(name, "kvm");
    case Option::kEngine:
      if (value == "interp") break;
      if (value == "jit" || value == "lockstep")
        return error("-engine {}: the translator comes in a later version", value);
      return error("-engine: no engine '{}'; there is: interp", value);
    case Option::kSmp: return smp(value);
    case Option::kMemory: return memory(value);
    case Option::kHda: return put_drive(0, {.path = value}, name);
    case Option::kHdb: return put_drive(1, {.path = value}, name);
    case Option::kHdc: return put_drive(2, {.path = value}, name);
    case Option::kHdd: return put_drive(3, {.path = value}, name);
    case Option::kCdrom: return put_drive(2, {.path = value, .cdrom = true}, name);
    case Option::kDrive: return drive(value);
    case Option::kSnapshot: snapshot_ = true; break;
    case Option::kBoot: return boot(value);
    case Option::kKernel: return file(m.kernel);
    case Option::kInitrd: return file(m.initrd);
    case Option::kAppend: m.append = value; break;
    case Option::kBios: {
      if (Status s = file(m.bios); !s) return s;
      // A bare name is one of the firmware images installed, as with QEMU.
      struct stat st {};
      const std::string installed = "/usr/share/seabios/" + value;
      if (stat(value.c_str(), &st) != 0 && value.find('/') == std::string::npos && stat(installed.c_str(), &st) == 0) {
        m.bios = installed;
      }
      break;
    }
    case Option::kVga:
      if (value != "std" && value != "none") return error("-vga: no adapter '{}'; there are: std, none", value);
      m.vga = value == "std";
      vga_given_ = true;
      break;
    case Option::kDisplay: display_given_ = true; return only_none("a display on the host");
    case Option::kNographic: nographic_ = true; break;
    case Option::kSerial: return serial(value);
    case Option::kParallel:
      if (value != "none" && value != "null")
        return error("-parallel {}: there is no parallel port; use -parallel none", value);
      break;
    case Option::kMonitor: {
      auto spec = parse_char_spec(value, name);
      if (!spec) return spec.error();
      if (spec->kind == CharSpec::Kind::kFile)
        return error("-monitor {}: a monitor needs a channel one can type into", value);
      spec->with_monitor = false;
      settings_.monitor = *spec;
      monitor_given_ = true;
      break;
    }
    case Option::kDebugcon: return debugcon(value);
    case Option::kGlobal: return global(value);
    case Option::kDevice: return device(value);
    case Option::kNet:
    case Option::kNic: return only_none("the network");
    case Option::kRtc: return rtc(value);
    case Option::kIcount: return icount(value);
    case Option::kNodefaults: nodefaults_ = true; break;
    case Option::kNoUserConfig: break;
    case Option::kNoReboot: m.no_reboot = true; break;
    case Option::kNoShutdown: settings_.no_shutdown = true; break;
    case Option::kPaused: m.paused = true; break;
    case Option::kLog: return log(value);
    case Option::kLogFile: return file(settings_.log_file);
    case Option::kName: {
      const auto parts = split_suboptions(value, "guest");
      for (const SubOption& part : parts) {
        if (part.name == "guest") {
          settings_.name = part.value;
        } else {
          return error("-name: no sub-option '{}'; there is guest", part.name);
        }
      }
      break;
    }
    case Option::kPidfile: return file(settings_.pidfile);
    case Option::kKeyboard:
      if (value.empty()) return error("-k: give a keyboard layout, as en-us");
      break;
  }
  return {};
}

Status Parser::image(const std::string& path) {
  auto kind = recognise_image(path);
  if (!kind) return kind.error();
  switch (*kind) {
    case ImageKind::kKernel:
      if (!settings_.machine.kernel.empty()) return error("'{}' is a kernel, and -kernel names another", path);
      settings_.machine.kernel = path;
      return {};
    case ImageKind::kIso: return put_drive(2, {.path = path, .cdrom = true}, "IMAGE");
    case ImageKind::kDisk: return put_drive(0, {.path = path}, "IMAGE");
    case ImageKind::kFloppy:
      return error("'{}' is a floppy image; the floppy controller comes in a later version", path);
  }
  return {};
}

Status Parser::machine(const std::string& name, const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "type")) {
    if (part.name == "type") {
      if (part.value == "help" || part.value == "?") {
        say("Machines:\n  pc      i440FX + PIIX3 (default)\n  i440fx  the same\n");
      } else if (part.value != "pc" && part.value != "i440fx" && !part.value.starts_with("pc-i440fx-")) {
        return error("{}: no machine '{}'; there are: pc, i440fx", name, part.value);
      }
    } else if (part.name == "accel") {
      if (Status s = accel(name, part.value); !s) return s;
    } else if (part.name == "usb" || part.name == "vmport" || part.name == "hpet" || part.name == "smm") {
      if (part.value != "off") return error("{}: {} can only be off", name, part.name);
    } else {
      return error("{}: no sub-option '{}'; there are: type, accel", name, part.name);
    }
  }
  return {};
}

Status Parser::accel(const std::string& name, std::string_view value) {
  // QEMU takes a list in order of preference, separated by ':' in -M accel=.
  const std::string_view first = value.substr(0, value.find_first_of(":,"));
  if (const auto comma = value.find(','); comma != std::string_view::npos) {
    for (const SubOption& part : split_suboptions(value.substr(comma + 1))) {
      if (part.name != "thread" && part.name != "one-insn-per-tb")
        return error("{}: no sub-option '{}'", name, part.name);
    }
  }
  if (first == "tcg" || first == "interp") return {};
  if (first == "kvm" || first == "hvf" || first == "whpx") {
    if (settings_.warnings.empty()) settings_.warnings.push_back(fmt::format("{}: xlat needs no {}", name, first));
    return {};
  }
  return error("{}: no accelerator '{}'; there are: tcg, interp", name, first);
}

Status Parser::memory(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "size")) {
    if (part.name != "size") return error("-m: no sub-option '{}'; there is: size", part.name);
    const auto bytes = parse_size(part.value, u64{1} << 20);
    if (!bytes) return error("-m: '{}' is not a size; give a number of MiB, or one with suffix K, M or G", part.value);
    if (*bytes < MachineConfig::kMinRam || *bytes > MachineConfig::kMaxRam) {
      return error("-m: {} is outside what the machine takes, 1M to 3G", part.value);
    }
    settings_.machine.ram_bytes = *bytes;
  }
  return {};
}

Status Parser::smp(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "cpus")) {
    static constexpr std::string_view kNames[] = {"cpus", "maxcpus", "sockets", "dies", "cores", "threads"};
    if (std::find(std::begin(kNames), std::end(kNames), part.name) == std::end(kNames)) {
      return error("-smp: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
    const auto number = parse_number(part.value);
    if (!number || *number == 0) return error("-smp: '{}' is not a number of {}", part.value, part.name);
    if (*number != 1) return error("-smp: {}={}: the machine has one processor; use -smp 1", part.name, *number);
  }
  return {};
}

Status Parser::put_drive(unsigned index, DriveConfig drive, std::string_view option) {
  if (drive.path.empty() && !drive.cdrom) return error("{}: give a file name", option);
  auto& slot = settings_.machine.ide[index];
  static constexpr const char* kPlaces[] = {"primary master", "primary slave", "secondary master", "secondary slave"};
  if (slot) {
    return error("{} {}: the {} (index={}) is already '{}'", option, drive.path, kPlaces[index], index, slot->path);
  }
  slot = std::move(drive);
  return {};
}

Status Parser::drive(const std::string& value) {
  DriveConfig drive;
  std::optional<u64> index, bus, unit;
  const auto parts = split_suboptions(value);
  for (const SubOption& part : parts) {
    const auto number = [&](std::optional<u64>& to, u64 most) -> Status {
      to = parse_number(part.value);
      if (to && *to <= most) return {};
      return error("-drive: {}={}: give 0 to {}", part.name, part.value, most);
    };
    const auto on_off = [&](bool& to) -> Status {
      const auto on = parse_switch(part.value);
      if (!on) return error("-drive: {}={}: give on or off", part.name, part.value);
      to = *on;
      return {};
    };
    Status s;
    if (part.name == "file") {
      drive.path = part.value;
    } else if (part.name == "if") {
      if (part.value == "floppy") return error("-drive: if=floppy: the floppy controller comes in a later version");
      if (part.value != "ide") return error("-drive: if={}: no such interface; there is: ide", part.value);
    } else if (part.name == "format") {
      if (part.value != "raw") return error("-drive: format={}: no such format; there is: raw", part.value);
    } else if (part.name == "media") {
      if (part.value != "disk" && part.value != "cdrom")
        return error("-drive: media={}: give disk or cdrom", part.value);
      drive.cdrom = part.value == "cdrom";
    } else if (part.name == "index") {
      s = number(index, 3);
    } else if (part.name == "bus") {
      s = number(bus, 1);
    } else if (part.name == "unit") {
      s = number(unit, 1);
    } else if (part.name == "snapshot") {
      s = on_off(drive.snapshot);
    } else if (part.name == "readonly" || part.name == "read-only") {
      s = on_off(drive.read_only);
    } else if (part.name == "cache") {
      static constexpr std::string_view kCaches[] = {"none", "writeback", "unsafe", "directsync", "writethrough"};
      if (std::find(std::begin(kCaches), std::end(kCaches), part.value) == std::end(kCaches)) {
        return error("-drive: cache={}: the nearest is {}", part.value, nearest(part.value, kCaches));
      }
    } else if (part.name != "id") {
      static constexpr std::string_view kNames[] = {"file", "if",       "format",   "media", "index", "bus",
                                                    "unit", "snapshot", "readonly", "cache", "id"};
      return error("-drive: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
    if (!s) return s;
    if (!part.has_value) return error("-drive: '{}' has no value; write {}=...", part.name, part.name);
  }
  if (index && (bus || unit)) return error("-drive: give index, or bus and unit, not both");
  if (bus || unit) index = bus.value_or(0) * 2 + unit.value_or(0);
  if (!index) {
    index = drive.cdrom ? 2 : 0;
    while (*index < 4 && settings_.machine.ide[*index]) ++*index;
    if (*index == 4) return error("-drive {}: all four IDE drives are taken", value);
  }
  if (drive.path.empty() && !drive.cdrom) return error("-drive: file= is missing");
  return put_drive(static_cast<unsigned>(*index), std::move(drive), "-drive");
}

Status Parser::boot(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "order")) {
    if (part.name == "order") {
      if (part.value.empty()) return error("-boot: give an order of the letters a, c, d, n");
      for (std::size_t n = 0; n < part.value.size(); ++n) {
        const char letter = part.value[n];
        if (std::string_view("abcdn").find(letter) == std::string_view::npos) {
          return error("-boot: no device '{}' in order={}; there are: a floppy, c disk, d CD-ROM, n network", letter,
                       part.value);
        }
        if (part.value.find(letter, n + 1) != std::string::npos) {
          return error("-boot: order={} names '{}' twice", part.value, letter);
        }
      }
      settings_.machine.boot_order = part.value;
    } else if (part.name == "menu" || part.name == "strict") {
      const auto on = parse_switch(part.value);
      if (!on) return error("-boot: {}={}: give on or off", part.name, part.value);
      if (part.name == "menu") settings_.machine.boot_menu = *on;
    } else {
      static constexpr std::string_view kNames[] = {"order", "menu", "strict"};
      return error("-boot: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
  }
  return {};
}

Status Parser::serial(const std::string& value) {
  if (serial_given_ == 4) return error("-serial {}: the machine has four serial ports, all are taken", value);
  auto spec = parse_char_spec(value, "-serial");
  if (!spec) return spec.error();
  settings_.serial[serial_given_++] = *spec;
  return {};
}

Status Parser::debugcon(const std::string& value) {
  auto spec = parse_char_spec(value, "-debugcon");
  if (!spec) return spec.error();
  if (spec->with_monitor) return error("-debugcon {}: a debug console cannot share with the monitor", value);
  settings_.debugcon.push_back({0, *spec});
  return {};
}

Status Parser::global(const std::string& value) {
  constexpr std::string_view kKnown = "isa-debugcon.iobase=";
  if (!value.starts_with(kKnown)) return error("-global {}: no such property; there is: isa-debugcon.iobase", value);
  const auto port = parse_number(std::string_view(value).substr(kKnown.size()));
  if (!port || *port > 0xffff) return error("-global {}: give a port 0 to 0xffff", value);
  debugcon_port_ = static_cast<u16>(*port);
  return {};
}

Status Parser::device(const std::string& value) {
  const auto parts = split_suboptions(value, "driver");
  const std::string& driver = parts[0].value;
  if (driver == "help" || driver == "?") {
    say("Devices:\n  isa-debug-exit[,iobase=0x501][,iosize=2]  a write of N ends xlat with status N * 2 + 1\n");
    return {};
  }
  if (driver != "isa-debug-exit") {
    return error("-device: no device '{}'; the nearest is isa-debug-exit (-device help lists all)", driver);
  }
  if (settings_.machine.debug_exit) return error("-device: there is already an isa-debug-exit");
  DebugExitConfig config;
  for (std::size_t n = 1; n < parts.size(); ++n) {
    const auto number = parse_number(parts[n].value);
    if (parts[n].name == "iobase") {
      if (!number || *number > 0xffff) return error("-device: iobase={}: give a port 0 to 0xffff", parts[n].value);
      config.iobase = static_cast<u16>(*number);
    } else if (parts[n].name == "iosize") {
      if (!number || *number < 1 || *number > 64) return error("-device: iosize={}: give 1 to 64", parts[n].value);
      config.iosize = static_cast<u32>(*number);
    } else if (parts[n].name != "id") {
      static constexpr std::string_view kNames[] = {"iobase", "iosize", "id"};
      return error("-device {}: no property '{}'; the nearest is {}", driver, parts[n].name,
                   nearest(parts[n].name, kNames));
    }
  }
  if (config.iobase + config.iosize > 0x10000) return error("-device: the ports of isa-debug-exit end above 0xffff");
  settings_.machine.debug_exit = config;
  return {};
}

Status Parser::rtc(const std::string& value) {
  for (const SubOption& part : split_suboptions(value)) {
    if (part.name == "base") {
      if (part.value == "utc") {
        rtc_base_ = std::time(nullptr);
      } else if (part.value == "localtime") {
        const std::time_t now = std::time(nullptr);
        std::tm local{};
        localtime_r(&now, &local);
        rtc_base_ = timegm(&local);
      } else if (const auto date = parse_date(part.value)) {
        rtc_base_ = *date;
      } else {
        return error("-rtc: base={}: give utc, localtime, or a date as 2006-06-17T16:01:21 or 2006-06-17", part.value);
      }
    } else if (part.name == "clock") {
      // The RTC follows virtual time, which is kept beside the host's clock unless -icount asks otherwise.
      if (part.value != "host" && part.value != "vm" && part.value != "rt") {
        return error("-rtc: clock={}: give host, rt or vm", part.value);
      }
    } else if (part.name == "driftfix") {
      if (part.value != "none" && part.value != "slew")
        return error("-rtc: driftfix={}: give none or slew", part.value);
    } else {
      static constexpr std::string_view kNames[] = {"base", "clock", "driftfix"};
      return error("-rtc: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
  }
  return {};
}

Status Parser::icount(const std::string& value) {
  std::optional<u64> shift;
  bool automatic = false, sleep = true;
  for (const SubOption& part : split_suboptions(value, value.find('=') < value.find(',') ? "" : "shift")) {
    if (part.name == "shift") {
      automatic = part.value == "auto";
      shift = parse_number(part.value);
      if (!automatic && (!shift || *shift > 10)) return error("-icount: shift={}: give 0 to 10, or auto", part.value);
    } else if (part.name == "sleep" || part.name == "align") {
      const auto on = parse_switch(part.value);
      if (!on) return error("-icount: {}={}: give on or off", part.name, part.value);
      if (part.name == "sleep") sleep = *on;
      if (part.name == "align" && *on) return error("-icount: align=on: there is nothing to align; leave it out");
    } else {
      static constexpr std::string_view kNames[] = {"shift", "sleep", "align"};
      return error("-icount: no sub-option '{}'; the nearest is {}", part.name, nearest(part.name, kNames));
    }
  }
  if (!sleep && !shift) return error("-icount: sleep=off needs a fixed shift=N");
  TimeConfig& time = settings_.machine.time;
  time.deterministic = !sleep;
  if (shift) time.shift = static_cast<unsigned>(*shift);
  return {};
}

Status Parser::log(const std::string& value) {
  if (value == "help" || value == "?") {
    say("Log items (comma-separated):\n" + Log::help());
    return {};
  }
  Log scratch;
  if (Status s = scratch.enable(value); !s) return s;
  settings_.log_items = value;
  return {};
}

// QEMU's rules: -nographic puts what was not given on this terminal.
Status Parser::default_channels() {
  using Kind = CharSpec::Kind;
  bool stdio_used = false, mon_used = false;
  for (const CharSpec& s : settings_.serial) {
    stdio_used |= s.kind == Kind::kStdio;
    mon_used |= s.with_monitor;
  }
  for (const DebugConSettings& d : settings_.debugcon) stdio_used |= d.channel.kind == Kind::kStdio;
  const bool monitor_on_stdio = monitor_given_ && settings_.monitor.kind == Kind::kStdio;
  if (mon_used && !monitor_given_) monitor_given_ = true;
  if (nographic_ && !nodefaults_) {
    if (serial_given_ == 0 && !stdio_used && !monitor_on_stdio) {
      settings_.serial[0].kind = Kind::kStdio;
      settings_.serial[0].with_monitor = !monitor_given_;
    } else if (!monitor_given_ && !stdio_used) {
      settings_.monitor.kind = Kind::kStdio;
    }
  }
  // COM1 is there even if nothing listens.
  if (serial_given_ == 0 && !nodefaults_ && settings_.serial[0].kind == Kind::kNone)
    settings_.serial[0].kind = Kind::kNull;
  if (!nographic_ && !display_given_ && settings_.machine.vga && serial_given_ == 0 && !monitor_given_ &&
      settings_.debugcon.empty()) {
    settings_.warnings.push_back(
        "the screen is not shown anywhere; use -nographic for a console on this terminal, or -display none");
  }
  return {};
}

Status Parser::check_channels() const {
  std::string user;
  const auto claim = [&](const CharSpec& spec, std::string by) -> Status {
    if (spec.kind != CharSpec::Kind::kStdio) return {};
    if (!user.empty())
      return error("stdio is used by both {} and {}; give one of them another channel, or use -serial mon:stdio", user,
                   by);
    user = std::move(by);
    return {};
  };
  unsigned monitors = settings_.monitor.kind != CharSpec::Kind::kNone ? 1 : 0;
  for (const CharSpec& spec : settings_.serial) {
    if (Status s = claim(spec, "-serial"); !s) return s;
    monitors += spec.with_monitor;
  }
  if (Status s = claim(settings_.monitor, "-monitor"); !s) return s;
  for (const DebugConSettings& d : settings_.debugcon) {
    if (Status s = claim(d.channel, "-debugcon"); !s) return s;
  }
  if (monitors > 1) return error("there is one monitor; give it one channel, by -monitor or by mon:");
  return {};
}

Status Parser::check_files() {
  for (auto& drive : settings_.machine.ide) {
    if (!drive || drive->path.empty()) continue;
    if (snapshot_ && !drive->cdrom) drive->snapshot = true;
    if (Status s = drive->cdrom ? check_iso_image(drive->path) : check_disk_image(drive->path); !s) return s;
  }
  return {};
}

Status Parser::finish() {
  MachineConfig& m = settings_.machine;
  if (bare_.size() > 1)
    return error("'{}' and '{}': give one image; others go with -hda, -cdrom or -drive", bare_[0], bare_[1]);
  for (const std::string& path : bare_) {
    if (Status s = image(path); !s) return s;
  }
  if (m.kernel.empty()) {
    if (!m.initrd.empty()) return error("-initrd only makes sense with -kernel");
    if (!m.append.empty()) return error("-append only makes sense with -kernel");
  }
  if (nodefaults_ && !vga_given_) m.vga = false;
  // As QEMU's PC: a CD-ROM drive, empty, unless something else is in its place.
  if (!nodefaults_ && !m.ide[2]) m.ide[2] = DriveConfig{.path = {}, .cdrom = true};
  for (DebugConSettings& d : settings_.debugcon) d.port = debugcon_port_;
  // A deterministic run looks at no clock of the host's, so the time of day is fixed as well.
  if (rtc_base_) {
    m.time.rtc_base = *rtc_base_;
  } else if (!m.time.deterministic) {
    m.time.rtc_base = std::time(nullptr);
  }
  if (Status s = check_files(); !s) return s;
  if (Status s = default_channels(); !s) return s;
  return check_channels();
}

}  // namespace

std::string help_text() {
  std::string text = fmt::format(
      "xlat version {}, a PC in software\nusage: xlat [options] [IMAGE]\n"
      "IMAGE is a disk, an ISO image or a kernel, recognised by its contents.\n\n",
      kVersionText);
  for (const OptionInfo& option : kOptions) {
    std::string head = fmt::format("-{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument);
    text += head.size() < 28 ? fmt::format("{:<28} {}\n", head, option.help)
                             : fmt::format("{}\n{:<28} {}\n", head, "", option.help);
  }
  text +=
      "\nOn the terminal of -nographic: Ctrl-A x quits, Ctrl-A c switches to the monitor, Ctrl-A h shows all keys.\n";
  return text;
}

Result<Settings> parse_command_line(std::span<const std::string> args) { return Parser().run(args); }

}  // namespace xlat
