// -sandbox.
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

Status OptionParser::sandbox(const std::string& value) {
  static constexpr std::string_view kNames[] = {"enable", "obsolete", "elevateprivileges", "spawn", "resourcecontrol"};
  SandboxSettings& sandbox = settings_.sandbox;
  sandbox = {};
  for (const SubOption& part : split_suboptions(value, "enable")) {
    if (part.name == "enable") {
      const auto on = parse_switch(part.value);
      if (!on) return error("-sandbox: '{}': give on or off", part.value);
      sandbox.mode = *on ? SandboxSettings::Mode::kOn : SandboxSettings::Mode::kOff;
      continue;
    }
    bool* const group = part.name == "obsolete"            ? &sandbox.obsolete
                        : part.name == "elevateprivileges" ? &sandbox.elevate_privileges
                        : part.name == "spawn"             ? &sandbox.spawn
                        : part.name == "resourcecontrol"   ? &sandbox.resource_control
                                                           : nullptr;
    if (!group) return error("-sandbox: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    // What children could gain is shut off in any case.
    const bool children = part.name == "elevateprivileges" && part.value == "children";
    if (part.value != "allow" && part.value != "deny" && !children) {
      return error("-sandbox: {}={}: give allow or deny{}", part.name, part.value,
                   part.name == "elevateprivileges" ? ", or children" : "");
    }
    *group = part.value != "deny";
  }
  if (sandbox.mode == SandboxSettings::Mode::kOn && !sandbox_missing().empty()) {
    return error("-sandbox on: {}", sandbox_missing());
  }
  return {};
}

}  // namespace xlat
