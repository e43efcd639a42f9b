// What comes at the port of -display web: HTTP requests, and WebSocket frames for the VNC server behind it. 0xF5 in the
// input parts what is sent at a time, 0xF6 stands for the link's token, 0xF7 for a good WebSocket request.
#include <algorithm>
#include <csignal>

#include "frontend/display/web_server.h"
#include "frontend/input/keymap.h"
#include "tests/fuzz/connection.h"

using namespace xlat;

namespace {

struct Server {
  Server() {
    signal(SIGPIPE, SIG_IGN);  // as the program does
    MachineConfig config;
    config.ram_bytes = u64{1} << 20;
    config.time.deterministic = true;
    auto made = Machine::create(config);
    if (!made) fuzz::found(made.error().message);
    machine = std::move(*made);
    feed = std::make_unique<ScreenFeed>(*machine);
    auto vnc_made = make_vnc_server(
        {.machine = *machine, .feed = *feed, .keymap = Keymap::us(), .name = "fuzz", .type = [](auto) {}},
        std::nullopt);
    if (!vnc_made) fuzz::found(vnc_made.error().message);
    vnc = std::move(*vnc_made);
    WebSettings settings;
    settings.address.unix_path = path;
    auto web_made = make_web_server(settings, *vnc);
    if (!web_made) fuzz::found(web_made.error().message);
    web = std::move(*web_made);
    // It says its link where a user would read it.
    const fuzz::File said({});
    if (!std::freopen(said.path().c_str(), "w", stdout)) std::abort();
    if (!vnc->start() || !web->start()) fuzz::found("no server");
    char line[200] = {};
    std::FILE* const in = std::fopen(said.path().c_str(), "r");
    if (!in || !std::fgets(line, sizeof line, in)) std::abort();
    std::fclose(in);
    const std::string link = line;
    if (link.size() < 34) fuzz::found("no link: " + link);
    token = link.substr(link.size() - 34, 32);
  }

  const std::string path = "/tmp/xlat-fuzz-web-" + std::to_string(getpid());
  std::string token;
  std::unique_ptr<Machine> machine;
  std::unique_ptr<ScreenFeed> feed;
  std::unique_ptr<VncServer> vnc;
  std::unique_ptr<Display> web;
};

}  // namespace

int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static Server server;
  const int fd = fuzz::connect(server.path);
  std::string part;
  for (std::size_t n = 0; n <= size; ++n) {
    if (n < size && data[n] == 0xf6) {
      part += server.token;
    } else if (n < size && data[n] == 0xf7) {
      part += "GET /" + server.token +
              "/websockify HTTP/1.1\r\nHost: x\r\nOrigin: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    } else if (n < size && data[n] != 0xf5) {
      part += static_cast<char>(data[n]);
    } else {
      if (!part.empty()) fuzz::put(fd, part);
      part.clear();
      fuzz::drain(fd, 1);
    }
  }
  shutdown(fd, SHUT_WR);
  for (int tries = 0; tries < 200 && fuzz::drain(fd, 5); ++tries) continue;
  close(fd);
  for (int tries = 0; tries < 15000 && server.vnc->has_viewers(); ++tries) usleep(1000);
  if (server.vnc->has_viewers()) fuzz::found("a viewer that does not end");
  // What it has typed is taken by the machine, which else would keep it.
  server.machine->post([&] { server.machine->quit(); });
  server.machine->run_until(server.machine->pc().clock.count() + 1000);
  return 0;
}
