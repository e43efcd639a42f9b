// What comes at the port of -display web: HTTP requests, and WebSocket frames for the VNC server behind it. 0xF5 in the
// input parts what is sent at a time, 0xF6 stands for the link's token, 0xF7 for a good WebSocket request.
#include <algorithm>

#include "frontend/display/web_server.h"
#include "tests/fuzz/screen.h"

using namespace xlat;

namespace {

struct Server : fuzz::Screen {
  Server() : Screen(std::nullopt) {
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
  server.settle();
  return 0;
}
