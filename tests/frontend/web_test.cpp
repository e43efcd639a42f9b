// The web server: who is let in, what is served, and the WebSocket.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "frontend/display/web_server.h"
#include "tests/frontend/rfb_client.h"

namespace xlat {

namespace {

using Kind = WebRequest::Kind;

WebRequest ask(const std::string& target, const std::string& headers = {}) {
  return parse_web_request("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n", "secret");
}

std::string get(unsigned port, const std::string& target, const std::string& method = "GET") {
  RfbClient client(connect_tcp(port));
  client.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return client.read(1 << 22);
}

}  // namespace

TEST_CASE("what a browser may ask for", "[web]") {
  CHECK(ask("/secret/").kind == Kind::kFile);
  CHECK(ask("/secret/").path.empty());
  CHECK(ask("/secret/vnc.html?autoconnect=1&x=../..").path == "vnc.html");
  CHECK(ask("/secret/core/rfb.js").path == "core/rfb.js");
  for (const char* forbidden :
       {"/", "/secret", "/secre/x", "/secrett/x", "//secret/x", "/x/secret/x", "secret/x", "/secret/../x",
        "/secret/core/../../x", "/secret//etc/passwd", "/secret/.git", "/secret/%2e%2e/x", "/secret/a\\b", "/secret/a/",
        "http://x/secret/x", "*", "/secret/core/.."}) {
    INFO(forbidden);
    CHECK(ask(forbidden).kind == Kind::kForbidden);
  }
  CHECK(ask("/secret/websockify", "Upgrade: WebSocket\r\n").kind == Kind::kSocket);
  CHECK(ask("/secret/websockify").kind == Kind::kFile);
  CHECK(ask("/wrong/websockify", "Upgrade: websocket\r\n").kind == Kind::kForbidden);
  CHECK(parse_web_request("POST /secret/x HTTP/1.1\r\n\r\n", "secret").kind == Kind::kWrongMethod);
  CHECK(parse_web_request("POST /x HTTP/1.1\r\n\r\n", "secret").kind == Kind::kForbidden);
  CHECK(parse_web_request("GET /secret/x HTTP/1.1\r\n", "secret").kind == Kind::kIncomplete);
  for (const char* bad : {"\r\n\r\n", "GET\r\n\r\n", "GET /secret/x\r\n\r\n", "GET /secret/x FTP/1.1\r\n\r\n"}) {
    CHECK(parse_web_request(bad, "secret").kind == Kind::kBad);
  }
}

TEST_CASE("the page, and the guest behind it", "[web]") {
  if (!std::filesystem::exists(std::string(kNoVncFolder) + "/vnc.html")) {
    WARN("skipped: there is no noVNC");
    return;
  }
  const unsigned port = free_port();
  EchoMachine machine({"-display", "web=" + std::to_string(port)});
  const std::string head = fmt::format("the guest's screen is at http://127.0.0.1:{}/", port);
  REQUIRE(machine.process->expect(head));
  REQUIRE(machine.process->expect("/\n"));
  const std::string token = machine.process->output.substr(machine.process->output.find(head) + head.size(), 32);
  CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);

  CHECK(get(port, "/").starts_with("HTTP/1.1 403 "));
  CHECK(get(port, "/vnc.html").starts_with("HTTP/1.1 403 "));
  CHECK(get(port, "/" + std::string(32, '0') + "/vnc.html").starts_with("HTTP/1.1 403 "));
  CHECK(get(port, "/" + token + "/../../../../etc/passwd").starts_with("HTTP/1.1 403 "));
  CHECK(get(port, "/" + token + "/none.html").starts_with("HTTP/1.1 404 "));
  CHECK(get(port, "/" + token + "/core").starts_with("HTTP/1.1 404 "));  // a folder
  CHECK(get(port, "/" + token + "/vnc.html", "PUT").starts_with("HTTP/1.1 405 "));
  const std::string page = get(port, "/" + token + "/vnc.html");
  CHECK(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(get(port, "/" + token + "/").find("Location: vnc.html?autoconnect=1") != std::string::npos);
  RfbClient endless(connect_tcp(port));
  endless.send("GET /" + std::string(20'000, 'x'));
  CHECK(endless.read(1000).starts_with("HTTP/1.1 400 "));
  RfbClient silent(connect_tcp(port));

  const auto open_socket = [](RfbClient& client, const std::string& path) {
    client.send(
        "GET /" + path +
        "/websockify HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  };
  RfbClient stranger(connect_tcp(port));
  open_socket(stranger, std::string(32, 'f'));
  CHECK(stranger.read(12) == "HTTP/1.1 403");
  RfbClient browser(connect_tcp(port));
  open_socket(browser, token);
  std::string answer;
  while (!answer.ends_with("\r\n\r\n")) {
    const std::string more = browser.read(1);
    if (more.empty()) break;
    answer += more;
  }
  CHECK(answer.starts_with("HTTP/1.1 101 Switching Protocols"));
  CHECK(answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);  // RFC 6455, 1.3
  CHECK(browser.read(14) == std::string("\x82\x0c") + "RFB 003.008\n");
  // Messages from here on are masked, by zeros.
  const auto frame = [](const std::string& bytes) {
    return "\x82" + std::string(1, static_cast<char>(0x80 | bytes.size())) + std::string(4, '\0') + bytes;
  };
  browser.send(frame("RFB 003.008\n"));
  CHECK(browser.read(4) == "\x82\x02\x01\x01");
  browser.send(frame("\1"));
  CHECK(browser.read(6) == std::string("\x82\x04") + std::string(4, '\0'));
  browser.send(frame("\1"));
  browser.read(2 + 24 + 4);
  REQUIRE(machine.wait_for_guest());
  browser.send(frame("\4" + RfbClient::be(1, 1) + RfbClient::be(0, 2) + RfbClient::be('k', 4)));
  CHECK(machine.process->expect("k"));
  browser.send(frame("\4" + RfbClient::be(0, 1) + RfbClient::be(0, 2) + RfbClient::be('k', 4)));
  const std::string text = "Pasted: a=\"1\"";
  browser.send(frame("\6" + RfbClient::be(0, 3) + RfbClient::be(static_cast<u32>(text.size()), 4) + text));
  CHECK(machine.process->expect(text));
  CHECK(machine.monitor("info vnc").find(", Websocket)") != std::string::npos);

  // Browsers that go in the middle of an update.
  for (int n = 0; n < 20; ++n) {
    RfbClient leaving(connect_tcp(port));
    open_socket(leaving, token);
    while (!answer.empty() && leaving.read(1) != "R") {}
    leaving.send(frame("RFB 003.008\n") + frame("\1") + frame("\1"));
    leaving.read(11 + 4 + 6 + 30);
    for (int m = 0; m < 30; ++m) leaving.send(frame("\3" + RfbClient::be(0, 5) + RfbClient::be(0x02d00190, 4)));
    if (n % 2) leaving.read(4096);
  }
  CHECK(machine.monitor("info status").find("running") != std::string::npos);
  Socket last(Socket::connect_unix(machine.dir / "mon"));
  last.expect("(xlat) ");
  last.send("quit\n");
  CHECK(machine.process->wait() == 0);
}

}  // namespace xlat
