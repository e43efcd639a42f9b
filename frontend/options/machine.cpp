// Options about the machine and its time.
#include <algorithm>
#include <ctime>

#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {
constexpr std::string_view kMachineOptions = "type, accel, acpi, graphics, pcspk-audiodev, dump-guest-core, vmport";
}  // namespace

Status OptionParser::machine(const std::string& name, const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "type")) {
    if (part.name == "type") {
      static constexpr std::string_view kLater[] = {"q35", "isapc", "microvm", "xenpv", "xenfv", "x-remote"};
      if (part.value == "help" || part.value == "?") {
        say("Machines:\n  pc      i440FX + PIIX3 (default)\n  i440fx  the same\n  none    nothing that runs\n");
      } else if (part.value == "none") {
        settings_.machine.paused = true;  // a PC that never begins is as good as none
      } else if (std::find(std::begin(kLater), std::end(kLater), part.value) != std::end(kLater) ||
                 part.value.starts_with("pc-q35-")) {
        return error("{} {}: this machine: not in this version; there are: pc, i440fx, none", name, part.value);
      } else if (part.value != "pc" && part.value != "i440fx" && !part.value.starts_with("pc-i440fx-")) {
        return error("{}: no machine '{}'; there are: pc, i440fx, none", name, part.value);
      }
    } else if (part.name == "accel") {
      if (Status s = accel(name, part.value); !s) return s;
    } else if (part.name == "pcspk-audiodev") {
      if (part.value.empty()) return error("{}: pcspk-audiodev=: give the id of an -audiodev", name);
      settings_.speaker_audio = part.value;
    } else if (part.name == "acpi" || part.name == "graphics" || part.name == "dump-guest-core") {
      const auto on = parse_switch(part.value);
      if (!on) return error("{}: {}={}: give on or off", name, part.name, part.value);
      if (part.name == "acpi") settings_.machine.acpi = *on;
      if (part.name == "dump-guest-core") settings_.machine.dump_guest_memory = *on;
      if (part.name == "graphics" && !*on) settings_.machine.console_on_serial = true;
    } else if (part.name == "vmport") {
      const auto on = part.value == "auto" ? true : parse_switch(part.value);
      if (!on) return error("{}: vmport={}: give on, off or auto", name, part.value);
      settings_.machine.vmport = *on;
    } else if (part.name == "usb") {
      const auto on = parse_switch(part.value);
      if (!on) return error("{}: usb={}: give on or off", name, part.value);
      usb_ = *on;
    } else if (part.name == "hpet" || part.name == "smm") {
      if (part.value != "off" && part.value != "auto") return error("{}: {}: not in this version", name, part.name);
    } else if (part.name == "help" || part.name == "?") {
      say(fmt::format("{} options: {}\n", name, kMachineOptions));
    } else if (part.name != "mem-merge" && part.name != "suppress-vmdesc" && part.name != "kernel-irqchip" &&
               part.name != "kernel_irqchip") {  // of the host, or of KVM
      return error("{}: no sub-option '{}'; there are: {}", name, part.name, kMachineOptions);
    }
  }
  return {};
}

Status OptionParser::accel(const std::string& name, std::string_view value) {
  // QEMU takes a list in order of preference, separated by ':' in -M accel=.
  const std::string_view first = value.substr(0, value.find_first_of(":,"));
  if (first == "help" || first == "?" || value.ends_with(",help")) {
    say("Accelerators:\n  tcg     the default engine, with tb-size=MiB\n  jit     the translator\n"
        "  interp  the interpreter\n");
    return {};
  }
  if (const auto comma = value.find(','); comma != std::string_view::npos) {
    for (const SubOption& part : split_suboptions(value.substr(comma + 1))) {
      if (part.name == "tb-size") {
        const auto bytes = parse_size(part.value, u64{1} << 20);
        if (!bytes || *bytes < (u64{1} << 20) || *bytes > (u64{1} << 30))
          return error("{}: tb-size={} is not a size of 1 to 1024 MiB", name, part.value);
        settings_.machine.code_cache_bytes = *bytes;
      } else if (part.name != "thread" && part.name != "one-insn-per-tb") {
        return error("{}: no sub-option '{}'; there are: tb-size, thread, one-insn-per-tb", name, part.name);
      }
    }
  }
  if (first == "tcg") return {};
  if (first == "interp" || first == "jit") return engine(first);
  if (first == "kvm" || first == "hvf" || first == "whpx") {
    if (settings_.warnings.empty()) settings_.warnings.push_back(fmt::format("{}: xlat needs no {}", name, first));
    return {};
  }
  return error("{}: no accelerator '{}'; there are: tcg, jit, interp", name, first);
}

Status OptionParser::engine(std::string_view value) {
  if (value == "lockstep" || value.starts_with("lockstep,")) {
    settings_.machine.engine = EngineKind::kLockstep;
    return lockstep(value.substr(std::min<std::size_t>(value.size(), 9)));
  }
  if (value == "interp") {
    settings_.machine.engine = EngineKind::kInterp;
  } else if (value == "jit") {
    settings_.machine.engine = EngineKind::kJit;
  } else {
    return error("-engine: no engine '{}'; there are: jit, interp, lockstep", value);
  }
  return {};
}

Status OptionParser::lockstep(std::string_view options) {
  LockstepConfig& config = settings_.machine.lockstep;
  static constexpr std::string_view kNames[] = {"window", "memory", "inject"};
  if (options.empty()) return {};
  for (const SubOption& part : split_suboptions(options)) {
    if (std::find(std::begin(kNames), std::end(kNames), part.name) == std::end(kNames)) {
      return error("-engine lockstep: no sub-option '{}'; there are: window, memory, inject", part.name);
    }
    const auto number = parse_number(part.value);
    if (!number || (part.name == "memory" && *number == 0)) {
      return error("-engine lockstep: {}={}: give a number of {}", part.name, part.value,
                   part.name == "inject" ? "a translation" : "instructions");
    }
    if (part.name == "window") config.window = *number;
    if (part.name == "memory") config.memory_every = *number;
    if (part.name == "inject") config.inject = *number;
  }
  return {};
}

Status OptionParser::memory(const std::string& value) {
  for (const SubOption& part : split_suboptions(value, "size")) {
    if (part.name == "slots" || part.name == "maxmem") {  // room for memory that is never plugged in
      if (!parse_size(part.value, 1)) return error("-m: {}={}: give a number", part.name, part.value);
      continue;
    }
    if (part.name != "size") return error("-m: no sub-option '{}'; there are: size, slots, maxmem", part.name);
    const auto bytes = parse_size(part.value, u64{1} << 20);
    if (!bytes) return error("-m: '{}' is not a size; give a number of MiB, or one with suffix K, M or G", part.value);
    if (*bytes < MachineConfig::kMinRam || *bytes > MachineConfig::kMaxRam) {
      return error("-m: {} is outside what the machine takes, 640K to 3G", part.value);
    }
    settings_.machine.ram_bytes = *bytes;
  }
  return {};
}

Status OptionParser::rtc(const std::string& value) {
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
      return error("-rtc: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
  }
  return {};
}

Status OptionParser::icount(const std::string& value) {
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
      return error("-icount: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
  }
  if (!sleep && !shift) return error("-icount: sleep=off needs a fixed shift=N");
  icount_given_ = true;
  TimeConfig& time = settings_.machine.time;
  time.deterministic = !sleep;
  if (shift) time.shift = static_cast<unsigned>(*shift);
  return {};
}

}  // namespace xlat
