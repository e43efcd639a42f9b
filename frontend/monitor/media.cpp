// change, eject and info block. They run on the machine's thread between two instructions, so the guest sees a medium
// change at one point of its time.
#include <algorithm>

#include "frontend/monitor/commands.h"
#include "frontend/options/image_probe.h"

namespace xlat {

namespace {
// Takes "-f" out of `words`.
bool take_force(std::vector<std::string>& words) {
  const auto flag = std::find(words.begin(), words.end(), "-f");
  if (flag == words.end()) return false;
  words.erase(flag);
  return true;
}
}  // namespace

std::string monitor_change(MonitorContext& context, std::string_view arguments) {
  auto words = monitor_words(arguments);
  if (!words.empty() && words[0] == "vnc") return change_vnc(context, arguments);
  const bool force = take_force(words);
  if (words.size() < 2 || words.size() > 4) {
    return "change: [-f] device filename [format [retain|read-only|read-write]] expected\n";
  }
  MediumOptions options{.read_only = {}, .force = force, .format = words.size() > 2 ? words[2] : ""};
  if (!options.format.empty() && !find_image_driver(options.format)) {
    return fmt::format("Error: no image format '{}'; there are: {}\n", options.format, image_driver_names());
  }
  if (words.size() > 3) {
    if (words[3] != "retain" && words[3] != "read-only" && words[3] != "read-write") {
      return fmt::format("Error: '{}': give retain, read-only or read-write\n", words[3]);
    }
    if (words[3] != "retain") options.read_only = words[3] == "read-only";
  }
  // What the command line would say about the file.
  const auto warning = words[0].starts_with("floppy") ? check_floppy_image({words[1], options.format})
                                                      : check_iso_image({words[1], options.format});
  if (!warning) return fmt::format("Error: {}\n", warning.error().message);
  for (Pc* pc : context.machine.pcs()) {
    if (Status s = pc->change_medium(words[0], words[1], options); !s) {
      return fmt::format("Error: {}\n", s.error().message);
    }
  }
  return warning.value().empty() ? std::string() : fmt::format("warning: {}\n", warning.value());
}

std::string monitor_eject(MonitorContext& context, std::string_view arguments) {
  auto words = monitor_words(arguments);
  const bool force = take_force(words);
  if (words.size() != 1) return "eject: [-f] device expected\n";
  Status done;
  for (Pc* pc : context.machine.pcs()) {
    if (done) done = pc->eject_medium(words[0], force);
  }
  return done ? std::string() : fmt::format("Error: {}\n", done.error().message);
}

std::string monitor_commit(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.size() != 1) return "commit: device or all expected\n";
  if (context.machine.pcs().size() > 1)
    return "Error: not with -engine lockstep, whose second machine reads the same image\n";
  Pc& pc = context.machine.pc();
  std::string out;
  bool any = false;
  for (const BlockDevice& d : pc.block_devices()) {
    const bool based = d.image && d.image->backing();
    if (words[0] != "all" ? d.name != words[0] : !based || d.removable) continue;
    any = true;
    if (Status s = pc.commit_drive(d.name); !s) out += fmt::format("Error: {}\n", s.error().message);
  }
  return any || words[0] == "all" ? out : fmt::format("Error: Device '{}' not found\n", words[0]);
}

std::string info_block(MonitorContext& context, std::string_view) {
  std::string out;
  for (const BlockDevice& d : context.machine.pc().block_devices()) {
    if (!out.empty()) out += "\n";
    if (d.image) {
      out += fmt::format("{}: {} ({}{}{})\n", d.name, d.image->path(), d.image->format(),
                         d.image->read_only() ? ", read-only" : "", d.snapshot ? ", snapshot" : "");
      out += fmt::format("    Size:             {} bytes\n", d.image->size());
      BlockImage* below = d.image->backing();
      if (below && below->path() != d.image->path()) {
        out += fmt::format("    Backing file:     {} ({})\n", below->path(), below->format());
      }
    } else {
      out += fmt::format("{}: [not inserted]\n", d.name);
    }
    if (d.removable) {
      out += fmt::format("    Removable device: {}locked, tray {}\n", d.locked ? "" : "not ",
                         d.tray_open ? "open" : "closed");
    }
  }
  return out;
}

}  // namespace xlat
