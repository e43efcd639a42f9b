// The channels that -serial, -monitor and -debugcon name.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace xlat {

struct CharSpec {
  enum class Kind : unsigned char { kNone, kNull, kStdio, kFile, kUnix, kTcp, kPty, kVc };
  Kind kind = Kind::kNone;
  std::string path = {};             // file or Unix socket
  std::string host = {}, port = {};  // TCP
  bool server = false;               // listens instead of connecting
  bool wait = true;                  // a server holds the machine until someone has connected
  bool with_monitor = false;         // "mon:": the monitor shares the channel, Ctrl-A c switches

  bool operator==(const CharSpec&) const = default;
};

// As `info chardev` shows it: "unix:/path,server=on".
std::string describe(const CharSpec& spec);

// `option` ("-serial") is named in errors.
Result<CharSpec> parse_char_spec(std::string_view text, std::string_view option);

}  // namespace xlat
