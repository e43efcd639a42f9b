// Options about serial ports, monitor and log, and where they go by default.
#include <algorithm>

#include "base/log.h"
#include "frontend/gdb/server.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

Status OptionParser::serial(const std::string& value) {
  if (serial_given_ == 4) return error("-serial {}: the machine has four serial ports, all are taken", value);
  auto spec = parse_char_spec(value, "-serial");
  if (!spec) return spec.error();
  settings_.serial[serial_given_++] = *spec;
  return {};
}

Status OptionParser::parallel(const std::string& value) {
  if (parallel_given_ && settings_.parallel.kind != CharSpec::Kind::kNone) {
    return error("-parallel {}: the machine has one parallel port", value);
  }
  auto spec = parse_char_spec(value, "-parallel");
  if (!spec) return spec.error();
  if (spec->with_monitor) return error("-parallel {}: a parallel port cannot share with the monitor", value);
  settings_.parallel = *spec;
  parallel_given_ = true;
  return {};
}

Status OptionParser::debugcon(const std::string& value) {
  auto spec = parse_char_spec(value, "-debugcon");
  if (!spec) return spec.error();
  if (spec->with_monitor) return error("-debugcon {}: a debug console cannot share with the monitor", value);
  settings_.debugcon.push_back({std::nullopt, *spec});
  return {};
}

Status OptionParser::gdb(const std::string& value, const std::string& name) {
  auto device = parse_gdb_device(value, name);
  if (!device) return device.error();
  settings_.gdb = *device;
  return {};
}

Status OptionParser::monitor_channel(const std::string& value, const std::string& name) {
  auto spec = parse_char_spec(value, name);
  if (!spec) return spec.error();
  if (spec->kind == CharSpec::Kind::kFile)
    return error("{} {}: a monitor needs a channel one can type into", name, value);
  spec->with_monitor = false;
  settings_.monitor = *spec;
  monitor_given_ = true;
  return {};
}

Status OptionParser::mon(const std::string& value) {
  std::string id;
  for (const SubOption& part : split_suboptions(value, "chardev")) {
    if (part.name == "chardev") {
      id = part.value;
    } else if (part.name == "mode") {
      if (part.value == "control") return error("-mon {}: QMP: not in this version", value);
      if (part.value != "readline") return error("-mon: mode={}: give readline", part.value);
    } else if (part.name != "pretty" && part.name != "id") {
      return error("-mon: no sub-option '{}'; there are: chardev, mode", part.name);
    }
  }
  if (id.empty()) return error("-mon: chardev= is missing: the id of a -chardev");
  return monitor_channel("chardev:" + id, "-mon");
}

Status OptionParser::chardev(const std::string& value) {
  if (value == "help" || value == "?") {
    say("Channels of -chardev:\n  null\n  stdio\n  file\n  socket\n  pty\n  vc\n");
    return {};
  }
  auto parsed = parse_chardev(value);
  if (!parsed) return parsed.error();
  for (const NamedChannel& other : chardevs_) {
    if (other.chardev.id == parsed->id) return error("-chardev {}: there is already one with id={}", value, parsed->id);
  }
  chardevs_.push_back({std::move(*parsed), {}});
  return {};
}

// Names become what they stand for. One that a serial port and the monitor use is shared, if it says mux=on.
Status OptionParser::resolve_chardevs() {
  CharSpec* first_serial = nullptr;
  const auto resolve = [&](CharSpec& spec, const std::string& by) -> Status {
    if (spec.kind != CharSpec::Kind::kChardev) return {};
    const auto found = std::find_if(chardevs_.begin(), chardevs_.end(),
                                    [&](const NamedChannel& c) { return c.chardev.id == spec.path; });
    if (found == chardevs_.end()) return error("{}: there is no -chardev with id={}", by, spec.path);
    if (!found->used_by.empty()) {
      const bool shared = found->chardev.mux && by == "-monitor" && found->used_by == "-serial" && first_serial;
      if (!shared) return error("{}: the -chardev with id={} is used by {} already", by, spec.path, found->used_by);
      first_serial->with_monitor = true;
      spec = {};
      return {};
    }
    found->used_by = by;
    spec = found->chardev.spec;
    if (by == "-serial" && found->chardev.mux) first_serial = &spec;
    return {};
  };
  for (CharSpec& spec : settings_.serial) {
    if (Status s = resolve(spec, "-serial"); !s) return s;
  }
  if (Status s = resolve(settings_.monitor, "-monitor"); !s) return s;
  if (Status s = resolve(settings_.parallel, "-parallel"); !s) return s;
  if (Status s = resolve(settings_.gdb, "-gdb"); !s) return s;
  for (DebugConSettings& d : settings_.debugcon) {
    if (Status s = resolve(d.channel, "-debugcon"); !s) return s;
  }
  return {};
}

Status OptionParser::log(const std::string& value) {
  if (value == "help" || value == "?") {
    say("Log items (comma-separated):\n" + Log::help());
    return {};
  }
  Log scratch;
  if (Status s = scratch.enable(value); !s) return s;
  settings_.log_items = value;
  return {};
}

// QEMU's rules: -nographic puts what was not given on this terminal, a display with consoles makes it those.
Status OptionParser::default_channels() {
  using Kind = CharSpec::Kind;
  bool stdio_used = false, mon_used = false;
  for (const CharSpec& s : settings_.serial) {
    stdio_used |= s.kind == Kind::kStdio;
    mon_used |= s.with_monitor;
  }
  stdio_used |= settings_.parallel.kind == Kind::kStdio;
  for (const DebugConSettings& d : settings_.debugcon) stdio_used |= d.channel.kind == Kind::kStdio;
  stdio_used |= settings_.gdb.kind == Kind::kStdio;
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
  const bool window = settings_.display == DisplayKind::kWindow;
  const bool consoles = window || settings_.display == DisplayKind::kCurses;
  if (consoles && !nodefaults_ && !nographic_) {
    if (serial_given_ == 0) settings_.serial[0].kind = Kind::kVc;
    if (!monitor_given_) settings_.monitor.kind = Kind::kVc;
    if (window && !parallel_given_) {
      settings_.parallel.kind = Kind::kVc;
      parallel_given_ = true;
    }
  }
  // A console that is not shown swallows what it is told, as QEMU's does.
  if (!consoles) {
    const auto hide = [](CharSpec& spec, Kind instead) {
      if (spec.kind == Kind::kVc) spec = {.kind = instead};
    };
    for (CharSpec& s : settings_.serial) hide(s, Kind::kNull);
    for (DebugConSettings& d : settings_.debugcon) hide(d.channel, Kind::kNull);
    hide(settings_.parallel, Kind::kNull);
    hide(settings_.monitor, Kind::kNone);
  }
  // COM1 is there even if nothing listens.
  if (serial_given_ == 0 && !nodefaults_ && settings_.serial[0].kind == Kind::kNone)
    settings_.serial[0].kind = Kind::kNull;
  if (!parallel_given_ && !nodefaults_) settings_.parallel.kind = Kind::kNull;
  return {};
}

Status OptionParser::check_channels() const {
  const bool curses = settings_.display == DisplayKind::kCurses;
  if (curses && nographic_) return error("-nographic and -display curses exclude each other; give one of them");
  std::string user = curses ? "-display curses" : "";
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
  if (Status s = claim(settings_.parallel, "-parallel"); !s) return s;
  if (Status s = claim(settings_.gdb, "-gdb"); !s) return s;
  for (const DebugConSettings& d : settings_.debugcon) {
    if (Status s = claim(d.channel, "-debugcon"); !s) return s;
  }
  if (monitors > 1) return error("there is one monitor; give it one channel, by -monitor or by mon:");
  return {};
}

}  // namespace xlat
