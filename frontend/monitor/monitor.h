// The monitor: QEMU's human monitor commands, on the machine's thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/monitor/commands.h"
#include "frontend/monitor/line_editor.h"

namespace xlat {

// Everything here runs on the machine's thread: channels come in through Machine::post.
class Monitor {
 public:
  // `output` takes what is to be shown, with newlines as CR LF; `quit` ends the run.
  Monitor(Machine& machine, std::string machine_name, std::function<void(std::string_view)> output,
          std::function<void()> quit);

  // The banner and the first prompt; later calls give a new prompt.
  void greet();
  // Keys as they were typed.
  void feed(std::span<const u8> keys);

  // What `info chardev` is to show: a line each.
  void set_channels(std::vector<std::string> lines) { context_.channels = std::move(lines); }

  // What the command gdbserver is to do with its device; returns what it prints.
  void on_gdbserver(std::function<std::string(std::string_view)> open) { context_.gdbserver = std::move(open); }

  // The server that set_password and info vnc are about; null for none.
  void set_vnc(VncServer* vnc) { context_.vnc = vnc; }
  void set_networks(Networks& networks) { context_.networks = &networks; }

  // What migrate_incoming is to do with its URI.
  void on_receive(std::function<Status(const std::string&)> receive) { context_.receive = std::move(receive); }

  // Runs one line and returns what it prints, with plain newlines.
  std::string execute(std::string_view line);

 private:
  void print(std::string_view text);
  void feed_secret(u8 key);
  static LineEditor::Completions complete(std::string_view before_cursor);

  std::function<void(std::string_view)> output_;
  KeyQueue keys_;
  MonitorContext context_;
  LineEditor editor_;
  std::string secret_;     // a password as far as it is typed
  bool after_cr_ = false;  // the line that asked for it ended so
  bool greeted_ = false;
  bool ended_ = false;
};

}  // namespace xlat
