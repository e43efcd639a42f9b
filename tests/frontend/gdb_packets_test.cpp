// Packets of GDB's remote protocol: frames, checksums, acknowledgements, escapes.
#include <catch2/catch.hpp>
#include <vector>

#include "frontend/gdb/packets.h"

using namespace xlat;

namespace {

struct Bench {
  void feed(std::string_view text) { packets.feed(std::span(reinterpret_cast<const u8*>(text.data()), text.size())); }

  std::vector<std::string> got;
  std::string output;
  int interrupts = 0, too_long = 0;
  GdbPackets packets{{.packet = [this](std::string_view text) { got.emplace_back(text); },
                      .interrupt = [this] { ++interrupts; },
                      .too_long = [this] { ++too_long; },
                      .output = [this](std::string_view text) { output += text; }}};
};

}  // namespace

TEST_CASE("packets are acknowledged and delivered", "[gdb]") {
  Bench b;
  b.feed("$g#67$m0,4#fd");
  CHECK(b.got == std::vector<std::string>{"g", "m0,4"});
  CHECK(b.output == "++");
}

TEST_CASE("a packet may come byte by byte, with rubbish and acknowledgements in between", "[gdb]") {
  Bench b;
  for (const char c : std::string("+++abc$?#3f+")) b.feed(std::string_view(&c, 1));
  CHECK(b.got == std::vector<std::string>{"?"});
}

TEST_CASE("a wrong checksum is refused, digits of both cases are taken", "[gdb]") {
  Bench b;
  b.feed("$g#68");
  b.feed("$g#zz");
  CHECK(b.got.empty());
  CHECK(b.output == "--");
  b.feed("$?#3F");
  CHECK(b.got.size() == 1);
  b.feed("$#00");
  CHECK(b.got.back().empty());
}

TEST_CASE("what is sent is sent again on request", "[gdb]") {
  Bench b;
  b.packets.send("OK");
  CHECK(b.output == "$OK#9a");
  b.feed("-");
  CHECK(b.output == "$OK#9a$OK#9a");
  b.packets.stop_acknowledging();
  b.output.clear();
  b.feed("-$g#00");
  CHECK(b.output.empty());
  CHECK(b.got == std::vector<std::string>{"g"});
}

TEST_CASE("escapes and Ctrl-C", "[gdb]") {
  Bench b;
  b.feed("\x03");
  CHECK(b.interrupts == 1);
  // "X" then '#', '}' and a byte 3, which inside a packet is data.
  b.feed("$X}\x03}]\x03#b5");
  REQUIRE(b.got.size() == 1);
  CHECK(b.got[0] == "X#}\x03");
  CHECK(b.interrupts == 1);
  CHECK(GdbPackets::escape("a#$}*b") == "a}\x03}\x04}]}\nb");
}

TEST_CASE("a packet that is too long is told and forgotten", "[gdb]") {
  Bench b;
  b.packets.stop_acknowledging();
  b.feed("$" + std::string(GdbPackets::kMostBytes, 'a') + "#00");
  CHECK(b.got.size() == 1);
  b.feed("$" + std::string(GdbPackets::kMostBytes + 1, 'a') + "#00");
  CHECK(b.got.size() == 1);
  CHECK(b.too_long == 1);
  b.feed("$?#3f");
  CHECK(b.got.size() == 2);
}

TEST_CASE("the grammar of packets", "[gdb]") {
  GdbText text("12aF,ffffffffffffffff;0g");
  u64 value = 0;
  CHECK(text.take_hex(value));
  CHECK(value == 0x12af);
  CHECK(text.take(","));
  CHECK(text.take_hex(value));
  CHECK(value == ~u64{0});
  CHECK_FALSE(text.take(","));
  CHECK(text.take_until(';').empty());
  CHECK(text.take_hex(value));
  CHECK_FALSE(text.take_hex(value));
  std::string bytes;
  CHECK_FALSE(text.take_bytes(bytes));
  CHECK(GdbText("0041ff").take_bytes(bytes));
  CHECK(bytes == std::string("\0A\xff", 3));
  CHECK_FALSE(GdbText("123").take_bytes(bytes));
  CHECK_FALSE(GdbText("12345678123456781").take_hex(value));
}
