// The bytes of one or two VNC viewers of a small machine, over sockets and a server's threads as they are in use. The
// first byte says how: whether they come after a good login, whether there are two, and whether the guest's screen
// changes its size in between. In the rest 0xF5 parts what one viewer sends from what the next does.
#include "tests/fuzz/screen.h"

using namespace xlat;

namespace {

constexpr u8 kNext = 0xf5;

struct Server : fuzz::Screen {
  Server() : Screen(settings_at(path)) {
    if (Status s = vnc->start(); !s) fuzz::found(s.error().message);
  }
  ~Server() { vnc.reset(); }
  static VncSettings settings_at(const std::string& path) {
    VncSettings settings;
    settings.address.unix_path = path;
    return settings;
  }
  static inline const std::string path = "/tmp/xlat-fuzz-vnc-" + std::to_string(getpid());
};

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static Server server;
  fuzz::Input input(data, size);
  const u8 how = input.byte();
  int fds[2] = {fuzz::connect(server.path), how & 2 ? fuzz::connect(server.path) : -1};
  if (how & 1) {
    for (const int fd : fds) {
      if (fd >= 0) fuzz::put(fd, "RFB 003.008\n\1\1");
    }
  }
  std::string_view rest = input.text();
  for (unsigned turn = 0; !rest.empty() && turn < 64; ++turn) {
    const std::string_view part = rest.substr(0, rest.find(static_cast<char>(kNext)));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const int fd = fds[turn % 2] >= 0 ? fds[turn % 2] : fds[0];
    fuzz::put(fd, part);
    if (how & 4) {
      // A monitor of another shape in front of the guest: graphics and text by the registers that tell them apart.
      PortBus& ports = server.machine->pc().ports;
      ports.write(0x3ce, 1, 6), ports.write(0x3cf, 1, turn % 2 ? 0x05 : 0x0e);
      ports.write(0x3d4, 1, 0x01), ports.write(0x3d5, 1, 20 + turn % 60);
    }
    server.feed->look();
    fuzz::drain(fd, 1);
  }
  for (const int fd : fds) {
    if (fd < 0) continue;
    fuzz::drain(fd, 1);
    close(fd);
  }
  server.settle();
  return 0;
}
