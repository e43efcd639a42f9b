// The monitor's lines: finding and completing the command.
#include "frontend/monitor/monitor.h"

#include <utility>

#include "frontend/options/command_line.h"

namespace xlat {

namespace {

constexpr std::string_view kPrompt = "(xlat) ";

constexpr MonitorCommand kCommands[] = {
    {"change", "[-f] device filename [format [retain|read-only|read-write]]",
     "put another medium into a drive; change vnc password [password]: the VNC server's", monitor_change},
    {"commit", "device|all", "write what a drive's image has itself, or -snapshot keeps aside, into the image below",
     monitor_commit},
    {"cont|c", "", "go on after stop or -S", monitor_cont},
    {"delvm", "tag", "delete the saved state of this name", monitor_delvm},
    {"eject", "[-f] device", "take the medium out of a drive; -f: even if the guest has locked it", monitor_eject},
    {"expire_password", "vnc now|never|+seconds|time", "when the password of the VNC server ends",
     monitor_expire_password},
    {"gdbserver", "[device|none]", "let GDB debug the guest (default tcp::1234); none: no more", monitor_gdbserver},
    {"help|?", "[command]", "list the commands, or explain one", nullptr},
    {"hostfwd_add", "[netdev_id] [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
     "lead a port of the host's to one of the guest's", monitor_hostfwd_add},
    {"hostfwd_remove", "[netdev_id] [tcp|udp]:[hostaddr]:hostport", "do so no longer", monitor_hostfwd_remove},
    {"i", "/fmt port", "read an I/O port; size b h w", monitor_in},
    {"info", "[item]", "show state; without an item, list them", nullptr},
    {"loadvm", "tag", "go back to the saved state of this name", monitor_loadvm},
    {"memsave", "addr size file", "save virtual memory to a file", monitor_memsave},
    {"migrate", "[-d] uri",
     "save the whole machine, without its disks: exec:COMMAND, file:PATH, unix:PATH, tcp:HOST:PORT", monitor_migrate},
    {"migrate_incoming", "uri", "what -incoming defer waits for", monitor_migrate_incoming},
    {"mouse_button", "state", "set the mouse buttons: 1 left, 2 right, 4 middle", monitor_mouse_button},
    {"mouse_move", "dx dy [dz]", "move the mouse; dz: turn its wheel by a click, up if positive", monitor_mouse_move},
    {"mouse_set", "number", "which mouse of info mice gets what the user does", monitor_mouse_set},
    {"o", "/fmt port value", "write to an I/O port; size b h w", monitor_out},
    {"pagewalk", "addr", "how a linear address is translated: each level's entry", monitor_pagewalk},
    {"pmemsave", "addr size file", "save physical memory to a file", monitor_pmemsave},
    {"print|p", "/fmt expr", "print the value of an expression", monitor_print},
    {"quit|q", "", "end xlat", monitor_quit},
    {"savevm", "[tag]", "save the machine and its disks under this name, or one made of the date", monitor_savevm},
    {"screendump", "filename [-f format]", "save the screen as PPM, or as PNG if the name ends so", monitor_screendump},
    {"sendkey", "keys [hold_ms]", "press keys together: sendkey ctrl-alt-f1", monitor_sendkey},
    {"set_link", "name on|off", "plug a network card's cable in or pull it out", monitor_set_link},
    {"set_password", "vnc password [action-if-connected]",
     "set the password of the VNC server; keep (default), disconnect or fail", monitor_set_password},
    {"stop|s", "", "stop the machine", monitor_stop},
    {"symbols", "file [base]|none", "name functions of this ELF file in the log and in info registers",
     monitor_symbols},
    {"system_powerdown", "", "press the power button", monitor_powerdown},
    {"system_reset", "", "press the reset button", monitor_reset},
    {"system_wakeup", "", "wake the machine from ACPI S3", monitor_wakeup},
    {"x", "/fmt addr", "dump virtual memory: count, format (d u x o c i), size (b h w g)", monitor_x},
    {"xp", "/fmt addr", "the same for physical memory", monitor_xp},
};

constexpr MonitorCommand kInfos[] = {
    {"audio", "", "sound outputs and what plays there", info_audio},
    {"block", "", "drives and what is in them", info_block},
    {"chardev", "", "channels of serial ports, monitor and debug consoles", info_chardev},
    {"dma", "", "DMA channels", info_dma},
    {"irq", "", "how often each interrupt line was raised", info_irq},
    {"jit", "", "what the translator has done", info_jit},
    {"keyboard", "", "LEDs, scan code set and repeat rate of the PS/2 keyboard", info_keyboard},
    {"linux", "", "the guest's Linux: version, where it lies, its log", info_linux},
    {"mem", "", "ranges of mapped virtual memory and their rights", info_mem},
    {"migrate", "", "what came of migrate", info_migrate},
    {"mice", "", "mice and tablets that the guest listens to", info_mice},
    {"mtree", "", "who answers at which memory address and I/O port", info_mtree},
    {"name", "", "name of the machine", info_name},
    {"network", "", "network cards, and what they are plugged into", info_network},
    {"pci", "", "PCI devices", info_pci},
    {"qtree", "", "the tree of devices and buses", info_qtree},
    {"pic", "", "interrupt controllers", info_pic},
    {"registers", "", "processor registers", info_registers},
    {"snapshots", "", "saved states", info_snapshots},
    {"status", "", "whether the machine runs", info_status},
    {"tlb", "", "virtual to physical mappings", info_tlb},
    {"usernet", "", "connections of -netdev user", info_usernet},
    {"vnc", "", "the VNC server and its viewers", info_vnc},
    {"version", "", "version of xlat", info_version},
};

bool has_name(const MonitorCommand& command, std::string_view name) {
  std::string_view names = command.names;
  while (!names.empty()) {
    const auto bar = names.find('|');
    if (names.substr(0, bar) == name) return true;
    names = bar == std::string_view::npos ? std::string_view() : names.substr(bar + 1);
  }
  return false;
}

const MonitorCommand* find(std::span<const MonitorCommand> commands, std::string_view name) {
  for (const MonitorCommand& c : commands) {
    if (has_name(c, name)) return &c;
  }
  return nullptr;
}

std::string describe(const MonitorCommand& c, std::string_view prefix = {}) {
  return fmt::format("{}{}{}{} -- {}\n", prefix, c.names, c.arguments.empty() ? "" : " ", c.arguments, c.help);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string list(std::span<const MonitorCommand> commands, std::string_view prefix = {}) {
  std::string text;
  for (const MonitorCommand& c : commands) text += describe(c, prefix);
  return text;
}

}  // namespace

Monitor::Monitor(Machine& machine, std::string machine_name, std::function<void(std::string_view)> output,
                 std::function<void()> quit)
    : output_(std::move(output)),
      keys_(machine),
      context_{machine, keys_, std::move(machine_name),
               [this, end = std::move(quit)] {
                 ended_ = true;
                 end();
               }},
      editor_(
          std::string(kPrompt), [this](std::string_view text) { output_(text); }, complete) {
  context_.print = [this](std::string_view text) { print(text); };
}

void Monitor::print(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  output_(out);
}

void Monitor::greet() {
  if (!greeted_) {
    print(fmt::format("xlat {} monitor - type 'help' for more information\n", kVersionText));
  } else {
    print("\n");
  }
  greeted_ = true;
  editor_.start();
}

void Monitor::feed(std::span<const u8> keys) {
  for (const u8 key : keys) {
    if (context_.secret) {
      feed_secret(key);
      continue;
    }
    const auto line = editor_.feed(key);
    if (!line) continue;
    print(execute(*line));
    if (ended_) return;
    after_cr_ = key == '\r';
    if (context_.secret) {
      print("Password: ");
    } else {
      editor_.start();
    }
  }
}

// Keys of a password, which nobody is shown. Ctrl-C leaves it as it was.
void Monitor::feed_secret(u8 key) {
  constexpr std::size_t kMost = 256;
  constexpr u8 kCtrlC = 3, kBackspace = 8, kDelete = 0x7f;
  if (std::exchange(after_cr_, false) && key == '\n') return;
  if (key == kBackspace || key == kDelete) {
    if (!secret_.empty()) secret_.pop_back();
  } else if (key == '\r' || key == '\n' || key == kCtrlC) {
    const auto take = std::exchange(context_.secret, {});
    const std::string typed = std::exchange(secret_, {});
    print("\n" + (key == kCtrlC ? std::string() : take(typed)));
    editor_.start();
  } else if (key >= 0x20 && secret_.size() < kMost) {
    secret_ += static_cast<char>(key);
  }
}

// The first word is a command; info and help take names as well, sendkey keys joined by '-'.
LineEditor::Completions Monitor::complete(std::string_view before_cursor) {
  LineEditor::Completions found;
  const auto blank = before_cursor.find_last_of(' ');
  found.start = blank == std::string_view::npos ? 0 : blank + 1;
  const std::string_view command = trim(before_cursor.substr(0, found.start));
  if (command == "sendkey") {
    const auto dash = before_cursor.find_last_of('-');
    if (dash != std::string_view::npos && dash >= found.start) found.start = dash + 1;
  }
  const std::string_view word = before_cursor.substr(found.start);
  const auto offer = [&](std::string_view names) {
    for (std::string_view rest = names; !rest.empty();) {
      const auto bar = rest.find('|');
      const std::string_view name = rest.substr(0, bar);
      if (name.starts_with(word)) found.words.emplace_back(name);
      rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
    }
  };
  if (command.empty() || command == "help" || command == "?") {
    for (const MonitorCommand& c : kCommands) offer(c.names);
  } else if (command == "info") {
    for (const MonitorCommand& c : kInfos) offer(c.names);
  } else if (command == "sendkey") {
    for (unsigned n = 0; n < key_count(); ++n) offer(key_name(static_cast<KeyCode>(n)));
  }
  return found;
}

std::string Monitor::execute(std::string_view line) {
  context_.secret = {};
  line = trim(line);
  if (line.empty()) return {};
  // "x/10i" is the command x with a format.
  const auto end = line.find_first_of(" \t/");
  const std::string_view name = line.substr(0, end);
  const std::string_view rest = end == std::string_view::npos ? std::string_view() : trim(line.substr(end));
  const MonitorCommand* command = find(kCommands, name);
  if (!command) return fmt::format("unknown command: '{}'\n", name);
  if (name == "help" || name == "?") {
    if (rest.empty()) return list(kCommands);
    if (rest == "info") return list(kInfos, "info ");
    command = find(kCommands, rest);
    return command ? describe(*command) : fmt::format("unknown command: '{}'\n", rest);
  }
  if (name == "info") {
    if (rest.empty()) return list(kInfos, "info ");
    const auto space = rest.find_first_of(" \t");
    const MonitorCommand* info = find(kInfos, rest.substr(0, space));
    if (!info) return fmt::format("unknown command: 'info {}'\n", rest);
    return info->run(context_, space == std::string_view::npos ? std::string_view() : trim(rest.substr(space)));
  }
  if (command->arguments.empty() && !rest.empty()) {
    return fmt::format("{}: extraneous characters at the end of line\n", name);
  }
  return command->run(context_, rest);
}

}  // namespace xlat
