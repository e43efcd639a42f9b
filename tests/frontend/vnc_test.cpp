// The VNC server as a viewer sees it: picture, keys, passwords, and viewers that mean no good.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "tests/frontend/rfb_client.h"

extern "C" void rfbEncryptBytes(unsigned char* bytes, char* password);  // libvncserver's, in place of a DES of ours

namespace xlat {

namespace {

// The picture that screendump saves.
std::vector<u32> screendump(EchoMachine& machine) {
  const std::string path = (machine.dir / "screen.ppm");
  machine.monitor("screendump " + path);
  std::ifstream in(path, std::ios::binary);
  std::string magic;
  unsigned width = 0, height = 0, most = 0;
  in >> magic >> width >> height >> most;
  in.get();
  std::vector<u32> pixels(std::size_t{width} * height);
  for (u32& pixel : pixels) {
    for (int n = 0; n < 3; ++n) pixel = pixel << 8 | static_cast<u8>(in.get());
  }
  return pixels;
}

// Takes updates until the viewer sees what the adapter shows.
bool sees_screen(RfbClient& viewer, EchoMachine& machine) {
  viewer.ask(false);
  for (int tries = 0; tries < 50 && viewer.update(); ++tries) {
    if (viewer.pixels == screendump(machine)) return true;
    viewer.ask(tries % 2 == 0);
  }
  return false;
}

// A message that a viewer may send, or nearly.
std::string random_message(std::mt19937& random) {
  const auto any = [&](u32 limit) { return random() % limit; };
  const auto be = RfbClient::be;
  switch (any(12)) {
    case 0:
    case 1: {  // SetPixelFormat
      static constexpr u8 kBits[] = {8, 16, 32, 32, 8, 16, 24, 0};
      std::string format = be(kBits[any(8)], 1) + be(any(33), 1) + be(any(2), 1) + be(any(8) != 0, 1);
      for (unsigned n = 0; n < 3; ++n) format += be((1u << any(9)) - 1, 2);
      for (unsigned n = 0; n < 3; ++n) format += be(any(24), 1);
      return be(0, 4) + format + be(0, 3);
    }
    case 2:
    case 3: {  // SetEncodings
      static constexpr i32 kKnown[] = {0,    1,    2,    4,    5,    6,    7,    8,    9,   16,   17,
                                       -223, -224, -239, -240, -258, -308, -260, -261, -32, -256, -1063131698};
      std::string list;
      const u32 count = 1 + any(6);
      for (u32 n = 0; n < count; ++n) list += be(static_cast<u32>(kKnown[any(std::size(kKnown))]), 4);
      return be(2, 1) + be(0, 1) + be(count, 2) + list;
    }
    case 4: return be(4, 1) + be(any(2), 1) + be(0, 2) + be("GTab"[any(4)], 4);
    case 5: return be(5, 1) + be(any(256), 1) + be(any(1000), 2) + be(any(1000), 2);
    case 6: return any(20) ? be(6, 1) + be(0, 3) + be(3, 4) + "abc" : be(random(), 4) + be(random(), 4);
    case 7: return any(20) ? be(255, 1) + be(0, 1) + be(any(2), 2) + be(0, 4) + be(any(256), 4) : be(8, 1) + be(2, 3);
    default:
      return be(3, 1) + be(any(4) != 0, 1) + be(any(300), 2) + be(any(300), 2) + be(any(900), 2) + be(any(900), 2);
  }
}

}  // namespace

TEST_CASE("a viewer sees the adapter's picture, also after its size has changed", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  EchoMachine machine({"-name", "bench", "-vnc", "unix:" + path});
  RfbClient viewer(Socket::connect_unix(path));
  REQUIRE(viewer.log_in());
  CHECK(viewer.name == "xlat (bench)");
  REQUIRE(machine.wait_for_guest());
  CHECK(sees_screen(viewer, machine));
  CHECK(viewer.encodings[-258] == 1);

  viewer.press('a');
  CHECK(machine.process->expect("a"));
  viewer.press('!');  // Shift is pressed for it
  viewer.press('B');
  CHECK(machine.process->expect("!B"));
  viewer.key(0xffe1, true);  // a program that types: Shift and "1"
  viewer.press('1');
  viewer.key(0xffe1, false);
  viewer.press('c');
  CHECK(machine.process->expect("!c"));
  viewer.number_key(0x20, true);  // the key of "d" by its number
  viewer.number_key(0x20, false);
  CHECK(machine.process->expect("d"));
  CHECK(sees_screen(viewer, machine));

  viewer.press('G');
  for (int tries = 0; tries < 50 && viewer.width != 640; ++tries) CHECK(sees_screen(viewer, machine));
  CHECK(sees_screen(viewer, machine));
  CHECK(viewer.width == 640);
  CHECK(viewer.encodings[-223] >= 1);
  RfbClient second(Socket::connect_unix(path));
  REQUIRE(second.log_in());
  CHECK(sees_screen(second, machine));
  const std::string info = machine.monitor("info vnc");
  CHECK(info.find("Server: " + path + " (unix)") != std::string::npos);
  CHECK(info.find("Client: local") != info.rfind("Client: local"));
  machine.monitor("stop");
  CHECK(sees_screen(second, machine));
  machine.process->send("");
  CHECK(machine.process->errors.empty());
}

TEST_CASE("with password=on nobody gets in without the password", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  EchoMachine machine({"-vnc", "unix:" + path + ",password=on"});
  const auto tries = [&](std::string password) {
    RfbClient viewer(Socket::connect_unix(path));
    CHECK(viewer.greet() == "\2");
    viewer.send("\2");
    std::string challenge = viewer.read(16);
    REQUIRE(challenge.size() == 16);
    password.resize(9);
    rfbEncryptBytes(reinterpret_cast<unsigned char*>(challenge.data()), password.data());
    viewer.send(challenge);
    return viewer.number(4) == 0 && viewer.start();
  };
  CHECK_FALSE(tries(""));
  CHECK(machine.monitor("set_password vnc secret").find("Error") == std::string::npos);
  CHECK_FALSE(tries("secre"));
  CHECK(tries("secret"));
  machine.monitor("change vnc password other");
  CHECK_FALSE(tries("secret"));
  CHECK(tries("other"));
  {
    Socket monitor(Socket::connect_unix(machine.dir / "mon"));
    CHECK(monitor.expect("(xlat) "));
    monitor.send("change vnc password\r\n");
    CHECK(monitor.expect("Password: "));
    monitor.got.clear();
    monitor.send(
        "asket\x7f"
        "d\r\n");
    CHECK(monitor.expect("(xlat) "));
    CHECK(monitor.got.find("ask") == std::string::npos);
  }
  CHECK_FALSE(tries("other"));
  CHECK(tries("asked"));
  machine.monitor("change vnc password other");
  machine.monitor("expire_password vnc now");
  CHECK_FALSE(tries("other"));
  machine.monitor("expire_password vnc +1000");
  CHECK(tries("other"));
  CHECK(machine.monitor("info vnc").find("Auth: vnc") != std::string::npos);
  CHECK(machine.monitor("set_password spice x").find("Error") != std::string::npos);
  // One that asks for no password at all.
  RfbClient viewer(Socket::connect_unix(path));
  viewer.greet();
  viewer.send("\1");
  CHECK(viewer.read(4) != std::string(4, '\0'));
  CHECK(machine.wait_for_guest());
}

TEST_CASE("garbage, silence and viewers that take nothing disturb neither guest nor others", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  EchoMachine machine({"-vnc", "unix:" + path});
  REQUIRE(machine.wait_for_guest());
  std::vector<std::unique_ptr<RfbClient>> bad;
  for (int n = 0; n < 4; ++n) bad.push_back(std::make_unique<RfbClient>(Socket::connect_unix(path)));  // say nothing
  for (const char* text :
       {"GET /vnc HTTP/1.1\r\nHost: x\r\nOrigin: x\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01", "RFB 009.009\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
    bad.push_back(std::make_unique<RfbClient>(Socket::connect_unix(path)));
    bad.back()->send(text);
    CHECK(bad.back()->read(1000).size() < 1000);  // the connection ends, also where a page's script has made it
  }
  for (const unsigned kind : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 15u, 150u, 248u, 250u, 251u, 252u, 255u}) {
    RfbClient viewer(Socket::connect_unix(path));
    REQUIRE(viewer.log_in());
    viewer.send(std::string(1, static_cast<char>(kind)) + std::string(40, static_cast<char>(kind * 37)));
  }
  auto greedy = std::make_unique<RfbClient>(Socket::connect_unix(path));
  if (greedy->log_in(RfbClient::Takes::kWhenRead)) {
    for (int n = 0; n < 2000 && greedy->send(""); ++n) greedy->ask(false);
  }
  RfbClient good(Socket::connect_unix(path));
  REQUIRE(good.log_in());
  CHECK(sees_screen(good, machine));
  good.press('z');
  CHECK(machine.process->expect("z"));
  CHECK(machine.monitor("info status").find("running") != std::string::npos);
  machine.monitor("set_password vnc x disconnect");
  bad.clear();
  greedy.reset();
  Socket last(Socket::connect_unix((machine.dir / "mon")));
  last.expect("(xlat) ");
  last.send("quit\n");
  CHECK(machine.process->wait() == 0);
  CHECK(machine.process->errors.empty());
}

// Each viewer has a screen of its own: what one asks for reaches no other.
TEST_CASE("viewers that change format and encoding all the time while the guest changes its mode", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  EchoMachine machine({"-vnc", "unix:" + path});
  REQUIRE(machine.wait_for_guest());
  std::vector<std::thread> viewers;
  for (unsigned seed = 0; seed < 6; ++seed) {
    viewers.emplace_back([&path, seed] {
      std::mt19937 random(seed);
      for (int connections = 0; connections < 12; ++connections) {
        RfbClient viewer(Socket::connect_unix(path));
        if (!viewer.log_in(RfbClient::Takes::kWhenRead)) continue;
        std::thread reader([&] {
          while (!viewer.read(4096).empty()) continue;
        });
        for (int n = 0; n < 400 && viewer.send(random_message(random)); ++n) {
          if (n % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        shutdown(viewer.fd(), SHUT_RDWR);
        reader.join();
      }
    });
  }
  for (std::thread& viewer : viewers) viewer.join();
  // The server may still be busy with what those left behind.
  std::unique_ptr<RfbClient> good;
  bool logged_in = false;
  for (int tries = 0; tries < 3 && !logged_in; ++tries) {
    good = std::make_unique<RfbClient>(Socket::connect_unix(path));
    logged_in = good->log_in();
  }
  REQUIRE(logged_in);
  CHECK(sees_screen(*good, machine));
  CHECK(machine.monitor("info status").find("running") != std::string::npos);
}

TEST_CASE("one who says little or takes little holds up no other viewer", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  EchoMachine machine({"-vnc", "unix:" + path});
  REQUIRE(machine.wait_for_guest());
  RfbClient good(Socket::connect_unix(path)), half(Socket::connect_unix(path)), full(Socket::connect_unix(path));
  REQUIRE(good.log_in());
  REQUIRE(half.log_in(RfbClient::Takes::kWhenRead));
  REQUIRE(full.log_in(RfbClient::Takes::kWhenRead));
  half.send(std::string("\0\0\0", 3));  // of a SetPixelFormat
  for (int n = 0; n < 100; ++n) full.ask(false);
  RfbClient quick(Socket::connect_unix(path));
  quick.send("R");  // before the greeting
  const auto begun = std::chrono::steady_clock::now();
  CHECK(sees_screen(good, machine));
  good.press('k');
  CHECK(machine.process->expect("k"));
  RfbClient late(Socket::connect_unix(path));
  CHECK(late.log_in());
  CHECK(sees_screen(late, machine));
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(3));
}

TEST_CASE("a viewer that wants the machine for itself", "[vnc]") {
  TempDir dir;
  const std::string path = (dir / "vnc");
  const bool force = GENERATE(false, true);
  EchoMachine machine({"-vnc", "unix:" + path + (force ? ",share=force-shared" : "")});
  RfbClient first(Socket::connect_unix(path));
  REQUIRE(first.log_in());
  RfbClient second(Socket::connect_unix(path));
  REQUIRE(second.greet() == "\1");
  second.send(std::string("\1\0", 2));
  CHECK(second.read(8).size() == 8);
  first.ask(false);
  CHECK(first.update() == force);
}

TEST_CASE("where the VNC server listens, and what it says if it cannot", "[vnc]") {
  const unsigned port = free_port();
  if (port < 5900) return;
  const std::string display = "127.0.0.1:" + std::to_string(port - 5900);
  EchoMachine machine({"-vnc", display});
  RfbClient viewer(connect_tcp(port));
  CHECK(viewer.log_in());
  Process second({"-vnc", display});
  CHECK(second.wait() == 1);
  CHECK(second.errors == fmt::format("xlat: -vnc: cannot listen on 127.0.0.1:{}: Address already in use; another "
                                     "program has it, choose another or stop that one\n",
                                     port));
}

TEST_CASE("without an option about displays and a display server, viewers of this host can look", "[vnc]") {
  const auto without_display = [] {
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
  };
  Process machine({"-m", "8"}, false, without_display, false);
  REQUIRE(machine.expect("\n"));
  const std::string head = "VNC server running on 127.0.0.1:";
  REQUIRE(machine.output.starts_with(head));
  const unsigned port = static_cast<unsigned>(std::stoul(machine.output.substr(head.size())));
  CHECK(port >= 5900);
  RfbClient viewer(connect_tcp(port));
  CHECK(viewer.log_in());
  Process second({"-m", "8"}, false, without_display, false);
  REQUIRE(second.expect("\n"));
  CHECK(second.output.starts_with(head));
  CHECK(second.output != machine.output);
}

}  // namespace xlat
