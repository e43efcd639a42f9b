// Where bytes of serial ports, monitor and debug consoles come from and go to on the host.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "frontend/options/char_spec.h"

namespace xlat {

class Terminal;

// What a channel tells its user, from the channel's own thread.
struct CharHandlers {
  std::function<void(std::span<const u8>)> input = [](std::span<const u8>) {};
  // Whether input() is welcome now; if not, the channel reads later.
  std::function<bool()> ready = [] { return true; };
  // Someone is at the other end.
  std::function<void()> connected = [] {};
  // They have gone.
  std::function<void()> disconnected = [] {};
};

class CharBackend {
 public:
  virtual ~CharBackend() = default;

  // Takes what the channel needs of the host, and fails if that is not to be had. Until start() nothing that was there
  // before is changed, so that a machine that cannot be built leaves no trace.
  virtual Status open() = 0;
  // Begins to deliver input. Returns an error if the channel broke meanwhile. `cancel_fd` becomes readable when waiting
  // for a connection is to end.
  virtual Status start(CharHandlers handlers, int cancel_fd) = 0;
  // No input from now on.
  virtual void stop() = 0;
  // From the machine's thread; never waits for the other end longer than a file or terminal takes.
  virtual void write(std::span<const u8> bytes) = 0;

  void write_text(std::string_view text) { write({reinterpret_cast<const u8*>(text.data()), text.size()}); }
};

// `label` ("serial0") names the channel in messages; `terminal` is the process's own.
std::unique_ptr<CharBackend> make_char_backend(const CharSpec& spec, std::string label, Terminal& terminal);

std::unique_ptr<CharBackend> make_stdio_backend(const CharSpec& spec, Terminal& terminal);
std::unique_ptr<CharBackend> make_file_backend(const CharSpec& spec, std::string label);
std::unique_ptr<CharBackend> make_socket_backend(const CharSpec& spec, std::string label);
std::unique_ptr<CharBackend> make_pty_backend(std::string label);

}  // namespace xlat
