// The channels that -serial, -monitor, -debugcon and -chardev name.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace xlat {

struct CharSpec {
  enum class Kind : unsigned char { kNone, kNull, kStdio, kFile, kUnix, kTcp, kPty, kVc, kMsmouse, kChardev };
  Kind kind = Kind::kNone;
  std::string path = {};             // file or Unix socket; for kChardev, which no parsed command line has, the id
  std::string host = {}, port = {};  // TCP
  bool server = false;               // listens instead of connecting
  bool wait = true;                  // a server holds the machine until someone has connected
  bool telnet = false;               // TCP with telnet's negotiation
  bool with_monitor = false;         // "mon:": the monitor shares the channel, Ctrl-A c switches

  bool operator==(const CharSpec&) const = default;
};

// As `info chardev` shows it: "unix:/path,server=on".
std::string describe(const CharSpec& spec);

// `option` ("-serial") is named in errors.
Result<CharSpec> parse_char_spec(std::string_view text, std::string_view option);

// -chardev BACKEND,id=ID,...
struct Chardev {
  std::string id;
  CharSpec spec;
  bool mux = false;  // a serial port and the monitor may share it
};
Result<Chardev> parse_chardev(std::string_view text);

}  // namespace xlat
