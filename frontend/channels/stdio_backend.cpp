// Standard input and output as a channel.
#include <unistd.h>

#include <array>
#include <cerrno>

#include "frontend/channels/char_backend.h"
#include "frontend/channels/reader_thread.h"
#include "frontend/host/terminal.h"

namespace xlat {

namespace {

class StdioBackend final : public CharBackend {
 public:
  StdioBackend(bool with_monitor, Terminal& terminal) : with_monitor_(with_monitor), terminal_(terminal) {}

  Status open() override { return {}; }

  Status start(CharHandlers handlers, int) override {
    handlers_ = std::move(handlers);
    // With mon:stdio, Ctrl-C belongs to the guest; there is Ctrl-A x to quit.
    terminal_.make_raw(!with_monitor_);
    handlers_.connected();
    reader_.start([this] { read_all(); });
    return {};
  }

  void stop() override {
    reader_.stop();
    terminal_.restore();
  }

  void write(std::span<const u8> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      if (n >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        // Someone made the terminal non-blocking.
        pollfd out{STDOUT_FILENO, POLLOUT, 0};
        poll(&out, 1, 100);
      } else if (errno != EINTR) {
        return;  // nobody reads any more
      }
    }
  }

 private:
  void read_all() {
    const bool typed = isatty(STDIN_FILENO);
    std::array<u8, 512> buffer;
    while (!reader_.stopping()) {
      // A person's keys are read always, so that Ctrl-A works; what comes from a file can wait for the guest.
      if (!typed && !handlers_.ready()) {
        reader_.wait(-1, 0, 10);
        continue;
      }
      if (!(reader_.wait(STDIN_FILENO, POLLIN) & (POLLIN | POLLHUP | POLLERR | POLLNVAL))) continue;
      const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (n > 0) {
        handlers_.input(std::span(buffer).first(static_cast<std::size_t>(n)));
      } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        handlers_.disconnected();
        return;
      }
    }
  }

  bool with_monitor_;
  Terminal& terminal_;
  CharHandlers handlers_;
  ReaderThread reader_;
};

}  // namespace

std::unique_ptr<CharBackend> make_stdio_backend(const CharSpec& spec, Terminal& terminal) {
  return std::make_unique<StdioBackend>(spec.with_monitor, terminal);
}

}  // namespace xlat
