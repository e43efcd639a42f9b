// Output from the machine's thread, keys and looks from the display's.
#include "frontend/display/virtual_console.h"

#include <utility>

namespace xlat {

Status VirtualConsole::start(CharHandlers handlers, int) {
  {
    const std::lock_guard lock(handlers_mutex_);
    handlers_ = std::move(handlers);
  }
  const std::lock_guard lock(handlers_mutex_);
  handlers_.connected();
  return {};
}

void VirtualConsole::stop() {
  const std::lock_guard lock(handlers_mutex_);
  handlers_ = {};
}

void VirtualConsole::write(std::span<const u8> bytes) {
  std::string answer;
  {
    const std::lock_guard lock(screen_mutex_);
    screen_.on_answer([&](std::string_view text) { answer += text; });
    screen_.feed(bytes);
    screen_.on_answer({});
  }
  ++version_;
  if (!answer.empty()) type(answer);
}

void VirtualConsole::type(std::string_view bytes) {
  const std::lock_guard lock(handlers_mutex_);
  handlers_.input({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
}

void VirtualConsole::with_screen(const std::function<void(VtScreen&)>& look) {
  const std::lock_guard lock(screen_mutex_);
  look(screen_);
}

}  // namespace xlat
