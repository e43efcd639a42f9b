// Monitor commands that act on the machine: run state, keys, mouse, screen.
#include <algorithm>

#include "cpu/registers_text.h"
#include "frontend/display/screenshot.h"
#include "frontend/monitor/commands.h"
#include "frontend/options/command_line.h"
#include "frontend/options/values.h"

namespace xlat {

std::vector<std::string> monitor_words(std::string_view arguments) {
  std::vector<std::string> words;
  bool in_word = false, quoted = false;
  for (std::size_t n = 0; n < arguments.size(); ++n) {
    const char c = arguments[n];
    if (!quoted && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '"') {
      quoted = !quoted;
    } else if (c == '\\' && quoted && n + 1 < arguments.size()) {
      words.back() += arguments[++n];
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::string monitor_stop(MonitorContext& context, std::string_view) {
  context.machine.stop();
  return {};
}

std::string monitor_cont(MonitorContext& context, std::string_view) {
  if (context.machine.run_state() == Machine::RunState::kInMigrate) {
    return "Error: Guest is waiting for an incoming migration\n";
  }
  if (context.machine.paused()) context.machine.cont();
  return {};
}

std::string monitor_reset(MonitorContext& context, std::string_view) {
  context.machine.gate().post(ResetInput{});
  return {};
}

std::string monitor_powerdown(MonitorContext& context, std::string_view) {
  context.machine.gate().post(PowerButtonInput{});
  return {};
}

std::string monitor_wakeup(MonitorContext& context, std::string_view) {
  if (!context.machine.pc().suspended()) return "Error: Unable to wake up: guest is not in suspended state\n";
  context.machine.gate().post(WakeInput{});
  return {};
}

std::string monitor_quit(MonitorContext& context, std::string_view) {
  context.quit();
  return {};
}

std::string monitor_sendkey(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.empty() || words.size() > 2) return "sendkey: keys [hold_ms] expected\n";
  u64 hold_ms = 10;
  if (words.size() == 2) {
    const auto number = parse_number(words[1]);
    if (!number || *number == 0 || *number > 60'000) {
      return fmt::format("sendkey: '{}' is not a time; give 1 to 60000 milliseconds\n", words[1]);
    }
    hold_ms = *number;
  }
  std::vector<KeyCode> keys;
  std::string_view rest = words[0];
  for (;;) {
    const auto dash = rest.find('-');
    std::string_view name = rest.substr(0, dash);
    if (name == "<") name = "less";  // as QEMU has it
    const auto number = name.starts_with("0x") ? parse_number(name) : std::nullopt;
    const auto key = number && *number < 0x100 ? key_by_number(static_cast<u32>(*number)) : key_by_name(name);
    if (!key) return fmt::format("invalid parameter: {}\n", name);
    keys.push_back(*key);
    if (keys.size() > 16) return "sendkey: too many keys\n";
    if (dash == std::string_view::npos) break;
    rest.remove_prefix(dash + 1);
  }
  if (context.keys.waiting() > KeyQueue::kMostSteps) return "sendkey: the keyboard is busy, try again later\n";
  context.keys.press(keys, hold_ms * 1'000'000);
  return {};
}

namespace {
// -32768..32767: as much as a mouse moves at once.
std::optional<i32> motion(std::string_view word) {
  const bool negative = word.starts_with('-');
  const auto number = parse_number(word.substr(negative));
  if (!number || *number > 32767) return std::nullopt;
  return negative ? -static_cast<i32>(*number) : static_cast<i32>(*number);
}
}  // namespace

std::string monitor_mouse_move(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.size() < 2 || words.size() > 3) return "mouse_move: dx dy [dz] expected\n";
  MouseInput in{0, 0, 0, context.mouse_buttons};
  i32* const to[] = {&in.dx, &in.dy, &in.dz};
  for (std::size_t n = 0; n < words.size(); ++n) {
    const auto value = motion(words[n]);
    if (!value) return fmt::format("mouse_move: '{}' is not a number from -32767 to 32767\n", words[n]);
    *to[n] = *value;
  }
  in.dz = in.dz > 0 ? -1 : in.dz < 0 ? 1 : 0;  // one click of the wheel; positive is away from the user here
  context.machine.gate().post(in);
  return {};
}

std::string monitor_mouse_button(MonitorContext& context, std::string_view arguments) {
  const auto state = parse_number(arguments);
  if (!state || *state > 7) return "mouse_button: give the sum of 1 left, 2 right, 4 middle\n";
  context.mouse_buttons = static_cast<u8>(*state);  // the mouse's own order, which is what QEMU makes of it as well
  context.machine.gate().post(MouseInput{0, 0, 0, context.mouse_buttons});
  return {};
}

std::string monitor_mouse_set(MonitorContext& context, std::string_view arguments) {
  const auto number = parse_number(arguments);
  if (!number) return "mouse_set: give the number of a mouse that 'info mice' lists\n";
  const InputHub& hub = context.machine.pc().input;
  for (const InputHub::Pointer& pointer : hub.pointers()) {
    if (pointer.number != *number) continue;
    context.machine.gate().post(ChoosePointerInput{pointer.number});
    return {};
  }
  if (*number <= ~0u && hub.is_keyboard(static_cast<unsigned>(*number))) {
    return fmt::format("Input device #{} is not a mouse\n", *number);
  }
  return fmt::format("Mouse at index '{}' not found\n", *number);
}

std::string info_mice(MonitorContext& context, std::string_view) {
  std::string out;
  for (const InputHub::Pointer& pointer : context.machine.pc().input.pointers()) {
    out += fmt::format("{} Mouse #{}: {}{}\n", pointer.current ? '*' : ' ', pointer.number, pointer.name,
                       pointer.absolute ? " (absolute)" : "");
  }
  return out.empty() ? "No mouse devices connected\n" : out;
}

std::string info_keyboard(MonitorContext& context, std::string_view) {
  return context.machine.pc().kbc.keyboard().dump();
}

std::string monitor_screendump(MonitorContext& context, std::string_view arguments) {
  auto words = monitor_words(arguments);
  std::string format;
  if (const auto flag = std::find(words.begin(), words.end(), "-f"); flag != words.end() && flag + 1 != words.end()) {
    format = flag[1];
    words.erase(flag, flag + 2);
  }
  if (words.size() != 1) return "screendump: filename [-f format] expected\n";
  if (format.empty()) format = words[0].ends_with(".png") ? "png" : "ppm";
  if (format != "png" && format != "ppm")
    return fmt::format("Error: no picture format '{}'; there are: ppm, png\n", format);
  const DisplayAdapter* adapter = context.machine.pc().display();
  if (!adapter) return "Error: there is no graphics adapter\n";
  Surface surface;
  adapter->refresh(surface);
  const Status saved = save_picture(surface, words[0], format == "png" ? PictureFormat::kPng : PictureFormat::kPpm);
  return saved ? std::string() : fmt::format("Error: {}\n", saved.error().message);
}

std::string monitor_gdbserver(MonitorContext& context, std::string_view arguments) {
  if (!context.gdbserver) return "gdbserver: no debugger can be let in here\n";
  return context.gdbserver(arguments.empty() ? "tcp::1234" : arguments);
}

std::string info_registers(MonitorContext& context, std::string_view) {
  return "\nCPU#0\n" + registers_text(context.machine.pc().cpu);
}

std::string info_status(MonitorContext& context, std::string_view) {
  if (!context.machine.paused() && context.machine.pc().suspended()) return "VM status: paused (suspended)\n";
  switch (context.machine.run_state()) {
    case Machine::RunState::kRunning: return "VM status: running\n";
    case Machine::RunState::kPaused: break;
    case Machine::RunState::kPrelaunch: return "VM status: paused (prelaunch)\n";
    case Machine::RunState::kDebug: return "VM status: paused (debug)\n";
    case Machine::RunState::kShutdown: return "VM status: paused (shutdown)\n";
    case Machine::RunState::kIoError: return "VM status: paused (io-error)\n";
    case Machine::RunState::kInternalError: return "VM status: paused (internal-error)\n";
    case Machine::RunState::kInMigrate: return "VM status: paused (inmigrate)\n";
    case Machine::RunState::kPostMigrate: return "VM status: paused (postmigrate)\n";
  }
  return "VM status: paused\n";
}

std::string info_name(MonitorContext& context, std::string_view) {
  return context.name.empty() ? std::string() : context.name + "\n";
}

std::string info_version(MonitorContext&, std::string_view) { return fmt::format("{}\n", kVersionText); }

}  // namespace xlat
