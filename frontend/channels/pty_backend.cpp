// A pseudo-terminal as a channel, for terminal programs.
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "frontend/channels/stream_backend.h"

namespace xlat {

namespace {

class PtyBackend final : public StreamBackend {
 public:
  explicit PtyBackend(std::string label) : label_(std::move(label)) {}
  ~PtyBackend() override {
    stop();
    const int fd = stream();
    set_stream(-1);
    if (fd >= 0) close(fd);
    if (far_end_ >= 0) close(far_end_);
  }

  Status open() override {
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    set_stream(fd);
    char name[128];
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, name, sizeof name) != 0) {
      return error("{}: no pseudo-terminal to be had: {}", label_, std::strerror(errno));
    }
    // Kept open, so that the terminal lives on while nobody else has it.
    far_end_ = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (far_end_ < 0) return error("{}: cannot open '{}': {}", label_, name, std::strerror(errno));
    termios modes{};
    tcgetattr(far_end_, &modes);
    cfmakeraw(&modes);
    tcsetattr(far_end_, TCSANOW, &modes);
    name_ = name;
    return {};
  }

  Status start(CharHandlers handlers, int) override {
    handlers_ = std::move(handlers);
    // QEMU's words, which scripts look for.
    fmt::print("char device redirected to {} (label {})\n", name_, label_);
    std::fflush(stdout);
    handlers_.connected();
    reader_.start([this] { serve(); });
    return {};
  }

 private:
  std::string label_, name_;
  int far_end_ = -1;
};

}  // namespace

std::unique_ptr<CharBackend> make_pty_backend(std::string label) {
  return std::make_unique<PtyBackend>(std::move(label));
}

}  // namespace xlat
