// Parsing of channel names, as QEMU spells them.
#include "frontend/options/char_spec.h"

#include <sys/un.h>

#include "frontend/options/values.h"

namespace xlat {

namespace {

Status parse_server(CharSpec& spec, const std::vector<SubOption>& parts, std::string_view text,
                    std::string_view option) {
  bool wait_given = false;
  for (std::size_t n = 1; n < parts.size(); ++n) {
    const SubOption& part = parts[n];
    if (part.name == "server" || part.name == "wait") {
      const auto on = part.has_value ? parse_switch(part.value) : true;
      if (!on) return error("{} {}: '{}' is neither on nor off", option, text, part.value);
      (part.name == "server" ? spec.server : spec.wait) = *on;
      wait_given |= part.name == "wait";
    } else if (part.name == "nowait" && !part.has_value) {
      spec.wait = false;
      wait_given = true;
    } else if (part.name == "nodelay" || part.name == "reconnect") {
      // Bytes are never held back.
    } else {
      return error("{} {}: no sub-option '{}'; there are: server, wait, nowait", option, text, part.name);
    }
  }
  if (wait_given && !spec.server) return error("{} {}: wait only makes sense with server=on", option, text);
  return {};
}

}  // namespace

Result<CharSpec> parse_char_spec(std::string_view text, std::string_view option) {
  using Kind = CharSpec::Kind;
  CharSpec spec;
  std::string_view rest = text;
  if (rest.starts_with("mon:")) {
    spec.with_monitor = true;
    rest.remove_prefix(4);
  }
  if (rest == "/dev/null") rest = "null";
  if (rest.starts_with("chardev:")) {
    rest.remove_prefix(8);
    if (rest.empty()) return error("{} {}: give the id of a -chardev", option, text);
    spec.kind = Kind::kChardev;
    spec.path = rest;
    return spec;
  }
  if (rest == "none" || rest == "null" || rest == "stdio" || rest == "pty") {
    spec.kind = rest == "none"    ? Kind::kNone
                : rest == "null"  ? Kind::kNull
                : rest == "stdio" ? Kind::kStdio
                                  : Kind::kPty;
    if (spec.with_monitor && (spec.kind == Kind::kNone || spec.kind == Kind::kNull)) {
      return error("{} {}: a monitor needs a channel one can type into", option, text);
    }
    return spec;
  }
  if (rest == "msmouse") {
    if (spec.with_monitor) return error("{} {}: a monitor needs a channel one can type into", option, text);
    spec.kind = Kind::kMsmouse;
    return spec;
  }
  // A size is QEMU's way of asking for one; here consoles are as large as the terminal.
  if (rest == "vc" || rest.starts_with("vc:")) {
    spec.kind = Kind::kVc;
    return spec;
  }
  if (rest.starts_with("file:")) {
    rest.remove_prefix(5);
    if (rest.empty()) return error("{} {}: give a file name: file:PATH", option, text);
    if (spec.with_monitor) return error("{} {}: a monitor needs a channel one can type into", option, text);
    spec.kind = Kind::kFile;
    spec.path = rest;
    return spec;
  }
  if (rest.starts_with("unix:")) {
    rest.remove_prefix(5);
    const auto parts = split_suboptions(rest, "path");
    spec.kind = Kind::kUnix;
    spec.path = parts[0].value;
    if (spec.path.empty()) return error("{} {}: give a path: unix:PATH[,server=on][,wait=off]", option, text);
    if (spec.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return error("{} {}: the path of a Unix socket has at most {} characters", option, text,
                   sizeof(sockaddr_un::sun_path) - 1);
    }
    if (Status s = parse_server(spec, parts, text, option); !s) return s.error();
    return spec;
  }
  if (rest.starts_with("tcp:") || rest.starts_with("telnet:")) {
    spec.telnet = rest.starts_with("telnet:");
    rest.remove_prefix(spec.telnet ? 7 : 4);
    const auto parts = split_suboptions(rest, "address");
    const std::string& address = parts[0].value;
    const auto colon = address.rfind(':');
    const auto port = colon == std::string::npos ? std::nullopt : parse_number(address.substr(colon + 1));
    if (!port || *port > 65535) {
      return error("{} {}: give a host and a port 0..65535: tcp:HOST:PORT[,server=on][,wait=off]", option, text);
    }
    spec.kind = Kind::kTcp;
    spec.host = address.substr(0, colon);
    if (spec.host.size() > 1 && spec.host.front() == '[' && spec.host.back() == ']') {
      spec.host = spec.host.substr(1, spec.host.size() - 2);  // IPv6
    }
    spec.port = std::to_string(*port);
    if (Status s = parse_server(spec, parts, text, option); !s) return s.error();
    return spec;
  }
  // Those of QEMU that are not there.
  for (const std::string_view later : {"udp:", "pipe:", "con:", "/dev/", "braille", "wctablet", "websocket:"}) {
    if (rest.starts_with(later)) return error("{} {}: this kind of channel: not in this version", option, text);
  }
  static constexpr std::string_view kKinds[] = {
      "stdio", "mon:stdio", "file:", "unix:", "tcp:", "telnet:", "pty", "vc", "msmouse", "null", "none", "chardev:"};
  const auto colon = rest.find(':');
  return error("{} {}: no such channel; {}", option, text,
               choices(colon == std::string_view::npos ? rest : rest.substr(0, colon + 1), kKinds));
}

std::string describe(const CharSpec& spec) {
  const std::string server =
      fmt::format("{}{}", spec.server ? ",server=on" : "", spec.server && !spec.wait ? ",wait=off" : "");
  std::string text;
  switch (spec.kind) {
    case CharSpec::Kind::kNone: text = "none"; break;
    case CharSpec::Kind::kNull: text = "null"; break;
    case CharSpec::Kind::kStdio: text = "stdio"; break;
    case CharSpec::Kind::kPty: text = "pty"; break;
    case CharSpec::Kind::kVc: text = "vc"; break;
    case CharSpec::Kind::kMsmouse: text = "msmouse"; break;
    case CharSpec::Kind::kFile: text = "file:" + spec.path; break;
    case CharSpec::Kind::kUnix: text = "unix:" + spec.path + server; break;
    case CharSpec::Kind::kTcp: text = (spec.telnet ? "telnet:" : "tcp:") + spec.host + ":" + spec.port + server; break;
    case CharSpec::Kind::kChardev: text = "chardev:" + spec.path; break;
  }
  return spec.with_monitor ? "mon:" + text : text;
}

}  // namespace xlat
