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
  serial_[serial_given_++] = *spec;
  return {};
}

Status OptionParser::parallel(const std::string& value) {
  if (parallel_given_ && parallel_.kind != CharSpec::Kind::kNone) {
    return error("-parallel {}: the machine has one parallel port", value);
  }
  auto spec = parse_char_spec(value, "-parallel");
  if (!spec) return spec.error();
  if (spec->with_monitor) return error("-parallel {}: a parallel port cannot share with the monitor", value);
  parallel_ = *spec;
  parallel_given_ = true;
  return {};
}

Status OptionParser::debugcon(const std::string& value) {
  auto spec = parse_char_spec(value, "-debugcon");
  if (!spec) return spec.error();
  if (spec->with_monitor) return error("-debugcon {}: a debug console cannot share with the monitor", value);
  debugcons_.push_back(*spec);
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
  if (spec->kind == CharSpec::Kind::kFile || spec->kind == CharSpec::Kind::kMsmouse)
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
    say("Channels of -chardev:\n  null\n  stdio\n  file\n  socket\n  pty\n  vc\n  msmouse\n");
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

// A name becomes what it stands for.
Status OptionParser::resolve_chardev(CharSpec& spec, const std::string& by) {
  if (spec.kind != CharSpec::Kind::kChardev) return {};
  const auto found = std::find_if(chardevs_.begin(), chardevs_.end(),
                                  [&](const NamedChannel& c) { return c.chardev.id == spec.path; });
  if (found == chardevs_.end()) return error("{}: there is no -chardev with id={}", by, spec.path);
  if (!found->used_by.empty()) {
    return error("{}: the -chardev with id={} is used by {} already", by, spec.path, found->used_by);
  }
  found->used_by = by;
  spec = found->chardev.spec;
  return {};
}

// The monitor's may be that of a serial port, if it says mux=on: then they share it.
Status OptionParser::resolve_chardevs() {
  const std::string shared = settings_.monitor.kind == CharSpec::Kind::kChardev ? settings_.monitor.path : "";
  const auto share = [&](CharSpec& spec, const std::string& id) {
    for (const NamedChannel& named : chardevs_) {
      if (named.chardev.id != id || id != shared || !named.chardev.mux) continue;
      spec.with_monitor = true;
      settings_.monitor = {};
    }
  };
  for (CharSpec& spec : serial_) {
    const std::string id = spec.kind == CharSpec::Kind::kChardev ? spec.path : "";
    if (Status s = resolve_chardev(spec, "-serial"); !s) return s;
    if (!id.empty()) share(spec, id);
  }
  if (Status s = resolve_chardev(parallel_, "-parallel"); !s) return s;
  if (Status s = resolve_chardev(settings_.gdb, "-gdb"); !s) return s;
  for (CharSpec& spec : debugcons_) {
    if (Status s = resolve_chardev(spec, "-debugcon"); !s) return s;
  }
  if (Status s = check_back_ends(); !s) return s;
  for (ChannelSettings& c : settings_.channels) {
    if (c.by == "-device isa-serial") share(c.spec, c.id);
  }
  return resolve_chardev(settings_.monitor, "-monitor");
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
  bool stdio_used = settings_.gdb.kind == Kind::kStdio, mon_used = false;
  const auto each_spec = [this](const auto& look) {
    for (CharSpec& spec : serial_) look(spec);
    look(parallel_);
    for (CharSpec& spec : debugcons_) look(spec);
    for (ChannelSettings& c : settings_.channels) look(c.spec);
  };
  each_spec([&](const CharSpec& spec) {
    stdio_used |= spec.kind == Kind::kStdio;
    mon_used |= spec.with_monitor;
  });
  if (device_given("isa-serial")) serial_given_ = std::max(serial_given_, 1u);
  parallel_given_ |= device_given("isa-parallel");
  const bool monitor_on_stdio = monitor_given_ && settings_.monitor.kind == Kind::kStdio;
  if (mon_used && !monitor_given_) monitor_given_ = true;
  if (nographic_ && !nodefaults_) {
    if (serial_given_ == 0 && !stdio_used && !monitor_on_stdio) {
      serial_[0].kind = Kind::kStdio;
      serial_[0].with_monitor = !monitor_given_;
    } else if (!monitor_given_ && !stdio_used) {
      settings_.monitor.kind = Kind::kStdio;
    }
  }
  const bool window = settings_.display == DisplayKind::kWindow;
  const bool consoles = window || settings_.display == DisplayKind::kCurses;
  if (consoles && !nodefaults_ && !nographic_) {
    if (serial_given_ == 0) serial_[0].kind = Kind::kVc;
    if (!monitor_given_) settings_.monitor.kind = Kind::kVc;
    if (window && !parallel_given_) {
      parallel_.kind = Kind::kVc;
      parallel_given_ = true;
    }
  }
  // A console that is not shown swallows what it is told, as QEMU's does.
  if (!consoles) {
    const auto hide = [](CharSpec& spec, Kind instead) {
      if (spec.kind == Kind::kVc) spec = {.kind = instead};
    };
    each_spec([&](CharSpec& spec) { hide(spec, Kind::kNull); });
    hide(settings_.monitor, Kind::kNone);
  }
  // COM1 is there even if nothing listens.
  if (serial_given_ == 0 && !nodefaults_ && serial_[0].kind == Kind::kNone) serial_[0].kind = Kind::kNull;
  if (!parallel_given_ && !nodefaults_) parallel_.kind = Kind::kNull;
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
  for (const ChannelSettings& c : settings_.channels) {
    if (Status s = claim(c.spec, c.by); !s) return s;
    monitors += c.spec.with_monitor;
  }
  if (Status s = claim(settings_.monitor, "-monitor"); !s) return s;
  if (Status s = claim(settings_.gdb, "-gdb"); !s) return s;
  if (monitors > 1) return error("there is one monitor; give it one channel, by -monitor or by mon:");
  return {};
}

}  // namespace xlat
