// A server of files that is small enough to be seen through: one GET a connection, a list of letters that names may
// have, and the token that only the link has. The WebSocket goes to the VNC server, which shakes hands itself.
#include "frontend/display/web_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "frontend/display/listener.h"

namespace xlat {

namespace {

constexpr std::size_t kMostRequest = 8000;  // with room for it in the library's own buffer
constexpr off_t kMostFile = 8 << 20;
constexpr std::string_view kSocketPath = "websockify";

constexpr struct {
  std::string_view ending, type;
} kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".ttf", "font/ttf"},
    {".woff", "font/woff"},
    {".mp3", "audio/mpeg"},
    {".oga", "audio/ogg"},
};

// Takes as long for a wrong token as for the right one.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  u8 differs = 0;
  for (std::size_t n = 0; n < a.size(); ++n) differs |= static_cast<u8>(a[n] ^ b[n]);
  return differs == 0;
}

bool is_file_name(std::string_view path) {
  char before = '/';
  for (const char c : path) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word && c != '-' && c != '.' && c != '/') return false;
    if (before == '/' && !word) return false;  // "..", hidden files, empty parts
    before = c;
  }
  return before != '/';
}

bool has_header(std::string_view text, std::string_view name, std::string_view value) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  std::string lines;
  for (const char c : text) lines += lower(c);
  const auto at = lines.find(fmt::format("\r\n{}:", name));
  if (at == std::string::npos) return false;
  const auto end = lines.find("\r\n", at + 2);
  return std::string_view(lines).substr(at, end - at).find(value) != std::string_view::npos;
}

std::string random_token() {
  u8 bytes[16];
  for (std::size_t n = 0; n < sizeof bytes;) {
    const ssize_t got = getrandom(bytes + n, sizeof bytes - n, 0);
    if (got > 0) n += static_cast<std::size_t>(got);
  }
  std::string token;
  for (const u8 b : bytes) token += fmt::format("{:02x}", b);
  return token;
}

class WebServer final : public Display {
 public:
  WebServer(VncServer& vnc, std::string folder) : vnc_(vnc), folder_(std::move(folder)) {}
  ~WebServer() override { stop(); }

  Status open(const WebSettings& settings) {
    if (access((folder_ + "/vnc.html").c_str(), R_OK) != 0) {
      return error("-display web: noVNC's page is not in {}; install the package novnc", folder_);
    }
    return listener_.open(settings.address, "-display web");
  }
  Status start() override {
    listener_.start([this](int fd, const std::string& peer) { meet(fd, peer); });
    fmt::print("the guest's screen is at http://{}/{}/\n", listener_.where(), token_);
    std::fflush(stdout);
    return {};
  }
  void stop() override { listener_.stop(); }

 private:
  void meet(int fd, const std::string& peer);
  void answer(int fd, const WebRequest& request);
  void send_file(int fd, const std::string& path);

  VncServer& vnc_;
  const std::string folder_;
  const std::string token_ = random_token();
  Listener listener_;
};

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void respond(int fd, std::string_view status, std::string_view headers, std::string_view body) {
  send_all(fd, fmt::format("HTTP/1.1 {}\r\n{}Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n"
                           "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\r\n",
                           status, headers, body.size()));
  send_all(fd, body);
}

void refuse(int fd, std::string_view status) {
  respond(fd, status, "Content-Type: text/plain\r\n", fmt::format("{}\n", status));
}

// In a thread of the listener's, which ends the connection if this takes long.
void WebServer::meet(int fd, const std::string& peer) {
  std::string text;
  WebRequest request;
  for (;;) {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, 1000 * Listener::kPatienceSeconds) <= 0) break;
    char buffer[kMostRequest];
    const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_PEEK);
    if (got <= 0) break;
    const bool grown = static_cast<std::size_t>(got) > text.size();
    text.assign(buffer, static_cast<std::size_t>(got));
    request = parse_web_request(text, token_);
    if (request.kind != WebRequest::Kind::kIncomplete || text.size() == sizeof buffer) break;
    if (!grown) usleep(5000);  // what was looked at stays, so poll() does not wait for more
  }
  if (request.kind == WebRequest::Kind::kSocket) return vnc_.adopt_browser(fd, peer);
  // The request is taken away, or closing would reset the connection before the answer is read.
  char buffer[kMostRequest];
  if (!text.empty() && recv(fd, buffer, text.size(), 0) > 0) answer(fd, request);
  shutdown(fd, SHUT_WR);
  close(fd);
}

void WebServer::answer(int fd, const WebRequest& request) {
  switch (request.kind) {
    case WebRequest::Kind::kForbidden: return refuse(fd, "403 Forbidden");
    case WebRequest::Kind::kWrongMethod: return refuse(fd, "405 Method Not Allowed");
    case WebRequest::Kind::kFile: break;
    default: return refuse(fd, "400 Bad Request");
  }
  if (!request.path.empty()) return send_file(fd, request.path);
  respond(fd, "302 Found",
          fmt::format("Location: vnc.html?autoconnect=1&reconnect=1&resize=scale&show_dot=1&path={}%2F{}\r\n", token_,
                      kSocketPath),
          {});
}

void WebServer::send_file(int fd, const std::string& path) {
  const int file = ::open((folder_ + "/" + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st {};
  if (file < 0 || fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > kMostFile) {
    if (file >= 0) close(file);
    return refuse(fd, "404 Not Found");
  }
  std::string body(static_cast<std::size_t>(st.st_size), '\0');
  const ssize_t got = pread(file, body.data(), body.size(), 0);
  close(file);
  body.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  std::string_view type = "application/octet-stream";
  for (const auto& known : kTypes) {
    if (path.ends_with(known.ending)) type = known.type;
  }
  respond(fd, "200 OK", fmt::format("Content-Type: {}\r\n", type), body);
}

}  // namespace

WebRequest parse_web_request(std::string_view text, std::string_view token) {
  using Kind = WebRequest::Kind;
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos)
    return {text.find('\0') == std::string_view::npos ? Kind::kIncomplete : Kind::kBad};
  text = text.substr(0, end + 2);
  const std::string_view line = text.substr(0, text.find("\r\n"));
  const auto method_end = line.find(' ');
  const auto target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end ||
      !line.substr(target_end).starts_with(" HTTP/1.")) {
    return {Kind::kBad};
  }
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  target = target.substr(0, target.find_first_of("?#"));
  if (!target.starts_with('/')) return {Kind::kForbidden};
  target.remove_prefix(1);
  const auto slash = target.find('/');
  if (!same(target.substr(0, slash), token) || slash == std::string_view::npos) return {Kind::kForbidden};
  if (line.substr(0, method_end) != "GET") return {Kind::kWrongMethod};
  const std::string_view path = target.substr(slash + 1);
  if (path == kSocketPath && has_header(text, "upgrade", "websocket")) return {Kind::kSocket, std::string(path)};
  if (!path.empty() && !is_file_name(path)) return {Kind::kForbidden};
  return {Kind::kFile, std::string(path)};
}

Result<std::unique_ptr<Display>> make_web_server(const WebSettings& settings, VncServer& vnc, std::string folder) {
  auto server = std::make_unique<WebServer>(vnc, std::move(folder));
  if (Status s = server->open(settings); !s) return s.error();
  return std::unique_ptr<Display>(std::move(server));
}

}  // namespace xlat
