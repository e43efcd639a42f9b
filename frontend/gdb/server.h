// The debugger's end of a machine: a channel of the host, and the stub that speaks over it.
#pragma once

#include "frontend/channels/char_backend.h"
#include "frontend/gdb/stub.h"

namespace xlat {

class Monitor;

// -gdb's channel: TCP and Unix sockets listen, and nobody is waited for. `option` is named in errors.
Result<CharSpec> parse_gdb_device(std::string_view text, std::string_view option);

// On the machine's thread, or before that runs.
class GdbServer {
 public:
  GdbServer(Machine& machine, Terminal& terminal, std::string machine_name, std::function<void()> quit);
  ~GdbServer();

  // Takes the channel; kNone gives it up. start() begins to listen.
  Status open(const CharSpec& device);
  Status start(int cancel_fd);
  // What qRcmd's lines go to.
  Monitor& monitor() { return *monitor_; }
  // xlat ends with this status: whoever is connected is told.
  void exited(int status);

 private:
  struct Session;
  void close();

  Machine& machine_;
  Terminal& terminal_;
  std::unique_ptr<Monitor> monitor_;
  std::function<void()> quit_;
  std::shared_ptr<Session> session_;
};

}  // namespace xlat
