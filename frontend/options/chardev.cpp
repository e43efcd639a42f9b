// -chardev: channels with a name, which -serial, -monitor, -mon and -device use by it.
#include <sys/un.h>

#include "frontend/options/char_spec.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

constexpr std::string_view kBackends[] = {"null", "stdio", "file", "socket", "pty", "vc", "msmouse"};

}  // namespace

Result<Chardev> parse_chardev(std::string_view text) {
  using Kind = CharSpec::Kind;
  Chardev chardev;
  CharSpec& spec = chardev.spec;
  const auto parts = split_suboptions(text, "backend");
  const std::string& backend = parts[0].value;
  bool wait_given = false;
  for (const SubOption& part : parts) {
    const auto on_off = [&](bool& to) -> Status {
      const auto on = part.has_value ? parse_switch(part.value) : true;
      if (!on) return error("-chardev {}: {}={}: give on or off", backend, part.name, part.value);
      to = *on;
      return {};
    };
    bool ignored = false;
    Status s;
    if (part.name == "backend") {
      continue;
    } else if (part.name == "id") {
      chardev.id = part.value;
    } else if (part.name == "path") {
      spec.path = part.value;
    } else if (part.name == "host") {
      spec.host = part.value;
    } else if (part.name == "port") {
      const auto port = parse_number(part.value);
      if (!port || *port > 65535) return error("-chardev {}: port={}: give 0 to 65535", backend, part.value);
      spec.port = std::to_string(*port);
    } else if (part.name == "server") {
      s = on_off(spec.server);
    } else if (part.name == "wait") {
      s = on_off(spec.wait);
      wait_given = true;
    } else if (part.name == "nowait") {
      spec.wait = false;
      wait_given = true;
    } else if (part.name == "telnet") {
      s = on_off(spec.telnet);
    } else if (part.name == "mux") {
      s = on_off(chardev.mux);
    } else if (part.name == "signal" || part.name == "nodelay" || part.name == "append") {
      s = on_off(ignored);
    } else if (part.name != "reconnect" && part.name != "width" && part.name != "height" && part.name != "cols" &&
               part.name != "rows") {
      static constexpr std::string_view kNames[] = {"id", "path", "host", "port", "server", "wait", "telnet", "mux"};
      return error("-chardev {}: no sub-option '{}'; {}", backend, part.name, choices(part.name, kNames));
    }
    if (!s) return s.error();
  }
  if (chardev.id.empty()) return error("-chardev {}: id= is missing; give one, as id=char0", backend);
  const auto needs_path = [&](std::size_t most) -> Status {
    if (spec.path.empty()) return error("-chardev {}: path= is missing", backend);
    if (spec.path.size() > most) return error("-chardev {}: path= has at most {} characters", backend, most);
    return {};
  };
  if (backend == "null") {
    spec.kind = Kind::kNull;
  } else if (backend == "stdio") {
    spec.kind = Kind::kStdio;
  } else if (backend == "pty") {
    spec.kind = Kind::kPty;
  } else if (backend == "vc") {
    spec.kind = Kind::kVc;
  } else if (backend == "msmouse") {
    spec.kind = Kind::kMsmouse;
  } else if (backend == "file") {
    spec.kind = Kind::kFile;
    if (Status s = needs_path(4095); !s) return s.error();
  } else if (backend == "socket" && spec.path.empty()) {
    spec.kind = Kind::kTcp;
    if (spec.port.empty()) return error("-chardev socket: give path=, or host= and port=");
  } else if (backend == "socket") {
    spec.kind = Kind::kUnix;
    if (Status s = needs_path(sizeof(sockaddr_un::sun_path) - 1); !s) return s.error();
  } else {
    return error("-chardev: no backend '{}'; {}", backend, choices(backend, kBackends));
  }
  if (wait_given && !spec.server) return error("-chardev {}: wait only makes sense with server=on", backend);
  return chardev;
}

}  // namespace xlat
