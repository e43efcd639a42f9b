// The loop over the options and the simple ones; -help.
#include "frontend/options/command_line.h"

#include <algorithm>
#include <ctime>

#include "base/log.h"
#include "cpu/model.h"
#include "devices/properties.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {
struct OptionInfo {
  std::string_view name, argument, help;
  bool lists;  // its function answers 'help' itself
};
constexpr bool answers_help(std::string_view name) {
  for (const std::string_view known : {"machine", "M", "cpu", "accel", "display", "vnc", "device", "audiodev", "audio",
                                       "soundhw", "vga", "d", "k", "L", "chardev", "drive", "nic", "net", "netdev",
                                       "object"}) {
    if (known == name) return true;
  }
  return false;
}
constexpr OptionInfo kOptions[] = {
#define XLAT_OPTION(id, name, argument, help) {name, argument, help, answers_help(name)},
#define XLAT_LATER(name, missing)
#include "frontend/options/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

struct LaterInfo {
  std::string_view name, missing;
};
constexpr LaterInfo kLater[] = {
#define XLAT_OPTION(id, name, argument, help)
#define XLAT_LATER(name, missing) {name, missing},
#include "frontend/options/options.inc"
#undef XLAT_OPTION
#undef XLAT_LATER
};

}  // namespace

Result<Settings> OptionParser::run(std::span<const std::string> args) {
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
    if (!info) return unknown(arg, name);
    std::string value;
    if (!info->argument.empty()) {
      if (n + 1 >= args.size()) return error("{}: an argument is missing: {} {}", arg, arg, info->argument);
      value = args[++n];
      if ((value == "help" || value == "?") && !info->lists) {
        say(fmt::format("-{} {}\n    {}\n", info->name, info->argument, info->help));
        return settings_;
      }
    }
    if (Status s = apply(static_cast<Option>(info - kOptions), "-" + std::string(name), value); !s) return s.error();
    if (settings_.print) return settings_;
  }
  if (Status s = finish(); !s) return s.error();
  return settings_;
}

Error OptionParser::unknown(const std::string& arg, std::string_view name) {
  for (const LaterInfo& later : kLater) {
    if (later.name == name) return error("{}: {}: not in this version", arg, later.missing);
  }
  std::vector<std::string_view> names;
  for (const OptionInfo& known : kOptions) names.push_back(known.name);
  const auto near = nearest(name, names);
  return near.empty() ? error("{}: no such option; -help lists all", arg)
                      : error("{}: no such option; the nearest is -{}", arg, near);
}

Status OptionParser::apply(Option option, const std::string& name, const std::string& value) {
  MachineConfig& m = settings_.machine;
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
    case Option::kCpu: return cpu(value);
    case Option::kAccel: return accel(name, value);
    case Option::kEnableKvm: return accel(name, "kvm");
    case Option::kEngine: return engine(value);
    case Option::kPerfMap: m.perf_map = true; break;
    case Option::kSmp: return smp(value);
    case Option::kMemory: return memory(value);
    case Option::kFda: return put_floppy(0, {.path = value}, name);
    case Option::kFdb: return put_floppy(1, {.path = value}, name);
    case Option::kHda: return put_drive(0, {.path = value}, name);
    case Option::kHdb: return put_drive(1, {.path = value}, name);
    case Option::kHdc: return put_drive(2, {.path = value}, name);
    case Option::kHdd: return put_drive(3, {.path = value}, name);
    case Option::kCdrom: return put_drive(2, {.path = value, .cdrom = true}, name);
    case Option::kDrive: return drive(value);
    case Option::kBlockdev: return blockdev(value);
    case Option::kSnapshot: snapshot_ = true; break;
    case Option::kBoot: return boot(value);
    case Option::kNoFloppyCheck: m.check_floppy_signature = false; break;
    case Option::kKernel: return file(m.kernel);
    case Option::kInitrd: return file(m.initrd);
    case Option::kAppend: m.append = value; break;
    case Option::kBios: return firmware_file(value, name, m.bios);
    case Option::kOptionRom: {
      MachineConfig::OptionRom rom;
      const auto parts = split_suboptions(value, "romfile");
      for (const SubOption& part : parts) {
        if (part.name != "romfile" && part.name != "bootindex") {
          return error("-option-rom: no sub-option '{}'; there are: romfile, bootindex", part.name);
        }
        if (part.name == "bootindex") {
          Properties values(std::span(&kBootIndex, 1));
          if (Status s = values.set("-option-rom", part.name, part.value); !s) return s;
          rom.boot_index = part.value;
        }
      }
      if (Status s = firmware_file(parts[0].value, name, rom.path); !s) return s;
      m.option_roms.push_back(std::move(rom));
      break;
    }
    case Option::kFirmwareDir: return firmware_dir(value);
    case Option::kVga: return vga(value);
    case Option::kDisplay: return display(value);
    case Option::kCurses: return display("curses");
    case Option::kSdl: return display("sdl");
    case Option::kVnc: return vnc(value);
    case Option::kFullScreen: settings_.window.full_screen = true; break;
    case Option::kNoQuit: settings_.window.close = false; break;
    case Option::kAltGrab: settings_.window.hotkey = WindowOptions::Hotkey::kCtrlAltShift; break;
    case Option::kCtrlGrab: settings_.window.hotkey = WindowOptions::Hotkey::kRightCtrl; break;
    case Option::kNographic: nographic_ = settings_.machine.console_on_serial = true; break;
    case Option::kSerial: return serial(value);
    case Option::kParallel: return parallel(value);
    case Option::kMonitor: return monitor_channel(value, name);
    case Option::kMon: return mon(value);
    case Option::kChardev: return chardev(value);
    case Option::kDebugcon: return debugcon(value);
    case Option::kGlobal: return global(value);
    case Option::kDevice: return device(value);
    case Option::kUsb: usb_ = true; break;
    case Option::kUsbdevice: return usbdevice(value);
    case Option::kAudiodev: return audiodev(value);
    case Option::kAudio: return audio(value);
    case Option::kAudioHelp: return audiodev("help");
    case Option::kSoundhw: return soundhw(value);
    case Option::kNic: return nic(value);
    case Option::kNetdev: return netdev(value);
    case Option::kNet: return net(value);
    case Option::kObject: return object(value);
    case Option::kRtc: return rtc(value);
    case Option::kLocaltime: return rtc("base=localtime");
    case Option::kNoAcpi: m.acpi = false; break;
    case Option::kNoHpet: break;  // there is none
    case Option::kUuid: return uuid(value);
    case Option::kAction: return action(value);
    case Option::kIcount: return icount(value);
    case Option::kNodefaults: nodefaults_ = true; break;
    case Option::kNoUserConfig: break;
    case Option::kNoReboot: m.no_reboot = true; break;
    case Option::kNoShutdown: settings_.no_shutdown = true; break;
    case Option::kPaused: m.paused = true; break;
    case Option::kLoadvm: settings_.loadvm = value; break;
    case Option::kIncoming: settings_.incoming = value; break;
    case Option::kOnlyMigratable: break;
    case Option::kGdbShort: return gdb("tcp::1234", name);
    case Option::kGdb: return gdb(value, name);
    case Option::kLog: return log(value);
    case Option::kLogFile: return file(settings_.log_file);
    case Option::kName: {
      const auto parts = split_suboptions(value, "guest");
      for (const SubOption& part : parts) {
        if (part.name == "guest") {
          settings_.name = part.value;
        } else if (part.name != "debug-threads" && part.name != "process") {
          return error("-name: no sub-option '{}'; there is guest", part.name);
        }
      }
      break;
    }
    case Option::kPidfile: return file(settings_.pidfile);
    case Option::kKeyboard: return keyboard(value);
    case Option::kSandbox: return sandbox(value);
  }
  return {};
}

Status OptionParser::finish() {
  MachineConfig& m = settings_.machine;
  if (m.perf_map && m.engine == EngineKind::kInterp) {
    return error("-perfmap: the interpreter translates nothing that could be named; leave out -engine interp");
  }
  // A difference that shows again can be looked into; and a guest so slow would spend its time on timer interrupts.
  if (m.engine == EngineKind::kLockstep && !icount_given_) {
    m.time.deterministic = true;
    m.time.shift = 5;
  }
  if (bare_.size() > 1)
    return error("'{}' and '{}': give one image; others go with -hda, -cdrom or -drive", bare_[0], bare_[1]);
  for (const std::string& path : bare_) {
    if (Status s = image(path); !s) return s;
  }
  if (m.kernel.empty()) {
    if (!m.initrd.empty()) return error("-initrd only makes sense with -kernel");
    if (!m.append.empty()) return error("-append only makes sense with -kernel");
  }
  if (Status s = resolve_chardevs(); !s) return s;
  default_display();
  if (Status s = default_channels(); !s) return s;
  if (Status s = check_audio(); !s) return s;
  if (Status s = check_networks(); !s) return s;
  list_devices();
  // A deterministic run looks at no clock of the host's, so the time of day is fixed as well.
  if (rtc_base_) {
    m.time.rtc_base = *rtc_base_;
  } else if (!m.time.deterministic) {
    m.time.rtc_base = std::time(nullptr);
  }
  if (Status s = check_files(); !s) return s;
  return check_channels();
}

namespace {
constexpr std::size_t kHelpColumn = 29, kHelpWidth = 100;

// `text` in lines that end before kHelpWidth: the first one begins at `column`, the others at `indent`. They are broken
// at `mark`: at a space, which goes, or before a '['.
void wrap(std::string& out, std::string_view text, std::size_t column, std::size_t indent, char mark) {
  while (text.size() > kHelpWidth - column) {
    const std::size_t cut = text.rfind(mark, kHelpWidth - column);
    if (cut == std::string_view::npos || cut == 0) break;
    out += text.substr(0, cut);
    text.remove_prefix(mark == ' ' ? cut + 1 : cut);
    out += '\n';
    out.append(indent, ' ');
    column = indent;
  }
  out += text;
  out += '\n';
}
}  // namespace

std::string help_text() {
  std::string text = fmt::format(
      "xlat version {}, a PC in software\nusage: xlat [options] [IMAGE]\n"
      "IMAGE is a disk, an ISO image or a kernel, recognised by its contents.\n\n",
      kVersionText);
  for (const OptionInfo& option : kOptions) {
    const std::string head = fmt::format("-{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument);
    if (head.size() < kHelpColumn - 1) {
      text += fmt::format("{:<{}}", head, kHelpColumn);
    } else {
      wrap(text, head, 0, 8, '[');
      text.append(kHelpColumn, ' ');
    }
    wrap(text, option.help, kHelpColumn, kHelpColumn, ' ');
  }
  text +=
      "\nOn the terminal of -nographic: Ctrl-A x quits, Ctrl-A c switches to the monitor, Ctrl-A h shows all\n"
      "keys. With -display curses: Alt-1, Alt-2 and so on (or Escape and the digit) switch between screen,\n"
      "monitor and serial ports; Shift-PgUp scrolls back in the latter.\n";
  return text;
}

Result<Settings> parse_command_line(std::span<const std::string> args) { return OptionParser().run(args); }

}  // namespace xlat