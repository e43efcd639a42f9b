// Where a whole machine goes, or comes from: the URIs of migrate and -incoming.
#pragma once

#include <string>

#include "machine/state_store.h"

namespace xlat {

// exec:COMMAND, file:PATH, fd:NUMBER, unix:PATH, tcp:HOST:PORT. `save` writes the state. An error of COMMAND's is one,
// too.
Status send_state(const std::string& uri, const std::function<Status(StateWriter&)>& save);

// The same on the other side, where unix: and tcp: listen for one that sends. In two steps, as the first must be over
// before the process is confined, and the second may take for ever.
class StateSource {
 public:
  static Result<StateSource> open(const std::string& uri);
  StateSource(StateSource&& other) noexcept;
  StateSource& operator=(StateSource&&) = delete;
  ~StateSource();
  Result<StateReader> receive();

 private:
  StateSource() = default;
  int fd_ = -1;
  bool listens_ = false;
  std::string socket_path_;  // to remove in the end
  std::FILE* command_ = nullptr;
  std::string uri_;
};

}  // namespace xlat
