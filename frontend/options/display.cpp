// -display, -vnc, and what is shown where neither is given.
#include <algorithm>

#include "frontend/display/vnc_server.h"
#include "frontend/display/window.h"
#include "frontend/options/parser.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

constexpr unsigned kVncPort = 5900;
constexpr unsigned kLastPort = 65535;

// [HOST:]NUMBER with the port being `base` and the number. An IPv6 address stands in brackets. "0.0.0.0" and "[::]" are
// all of the host's addresses.
std::optional<ListenAddress> parse_address(std::string_view text, unsigned base) {
  ListenAddress address;
  const auto colon = text.rfind(':');
  const std::string_view number = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (colon != std::string_view::npos && colon > 0) {
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) return std::nullopt;
    address.host = host;
  }
  const auto value = parse_number(number);
  if (!value || *value > kLastPort - base) return std::nullopt;
  address.port = address.last_port = base + static_cast<unsigned>(*value);
  return address;
}

}  // namespace

Status OptionParser::display(const std::string& value) {
  static constexpr std::string_view kNames[] = {"none", "sdl", "vnc", "web", "curses"};
  if (value == "help" || value == "?") {
    say("Displays:\n  none    nothing is shown\n  sdl     a window\n  vnc     a VNC server, as -vnc: vnc=:0\n"
        "  web     a page for web browsers\n  curses  text modes on this terminal\n");
    return {};
  }
  const auto parts = split_suboptions(value, "type");
  // "vnc=:0,..." and "web=8080" name the address where others have their first sub-option.
  if (parts[0].name == "vnc") return display_given_ = true, vnc(value.substr(4));
  if (parts[0].name == "web" || parts[0].value == "web") {
    if (parts.size() > 1) return error("-display web: no sub-option '{}'; give [HOST:]PORT", parts[1].name);
    return web(parts[0].name == "web" ? parts[0].value : std::string());
  }
  std::string type = parts[0].value;
  if (parts[0].name != "type") type = parts[0].name;
  if (type == "vnc") return error("-display vnc: give its address, as vnc=:0");
  if (type == "gtk" || type == "cocoa" || type == "spice-app") {
    settings_.warnings.push_back(fmt::format("-display {}: there is one kind of window; it is -display sdl's", type));
  } else if (type == "dbus" || type == "egl-headless") {
    return error("-display {}: this display: not in this version; use -display sdl, -vnc :0 or -display none", type);
  } else if (std::find(std::begin(kNames), std::end(kNames), type) == std::end(kNames)) {
    return error("-display: no display '{}'; {}", type, choices(type, kNames));
  }
  const bool window = type != "none" && type != "curses";
  if (window && !window_built()) {
    return error("-display {}: this xlat was built without SDL; install libsdl2-dev and build it again", type);
  }
  for (std::size_t n = 1; n < parts.size(); ++n) {
    if (window) {
      if (Status s = window_option(parts[n], type); !s) return s;
      continue;
    }
    if (type != "curses" || parts[n].name != "charset") {
      return error("-display {}: no sub-option '{}'{}", type, parts[n].name,
                   type == "curses" ? "; there is: charset" : "");
    }
    if (parts[n].value != "CP437") {
      return error("-display curses,charset={}: the text screen is shown in CP437 only", parts[n].value);
    }
  }
  settings_.display = window ? DisplayKind::kWindow : type == "curses" ? DisplayKind::kCurses : DisplayKind::kNone;
  display_given_ = true;
  return {};
}

Status OptionParser::window_option(const SubOption& part, std::string_view type) {
  using Hotkey = WindowOptions::Hotkey;
  WindowOptions& window = settings_.window;
  if (part.name == "scale") {
    if (part.value != "integer" && part.value != "smooth") {
      return error("-display {}: scale={}: give integer or smooth", type, part.value);
    }
    window.scaling = part.value == "smooth" ? Scaling::kSmooth : Scaling::kInteger;
    return {};
  }
  if (part.name == "grab-mod") {
    if (part.value == "lctrl-lalt") {
      window.hotkey = Hotkey::kCtrlAlt;
    } else if (part.value == "lshift-lctrl-lalt") {
      window.hotkey = Hotkey::kCtrlAltShift;
    } else if (part.value == "rctrl") {
      window.hotkey = Hotkey::kRightCtrl;
    } else {
      return error("-display {}: grab-mod={}: give lctrl-lalt, lshift-lctrl-lalt or rctrl", type, part.value);
    }
    return {};
  }
  // Of QEMU's windows, where ours does one thing: no OpenGL, no menu bar, no tabs, no grab by hovering.
  static constexpr std::string_view kIgnored[] = {"gl", "grab-on-hover", "show-tabs", "show-menubar", "zoom-to-fit"};
  if (std::find(std::begin(kIgnored), std::end(kIgnored), part.name) != std::end(kIgnored)) {
    if (part.name == "zoom-to-fit" && parse_switch(part.value).value_or(false)) window.scaling = Scaling::kSmooth;
    return {};
  }
  bool* const to = part.name == "full-screen"    ? &window.full_screen
                   : part.name == "window-close" ? &window.close
                   : part.name == "show-cursor"  ? &window.show_cursor
                                                 : nullptr;
  if (!to) {
    static constexpr std::string_view kNames[] = {"scale", "full-screen", "window-close", "show-cursor", "grab-mod"};
    return error("-display {}: no sub-option '{}'; {}", type, part.name, choices(part.name, kNames));
  }
  const auto on = part.has_value ? parse_switch(part.value) : std::optional(true);
  if (!on) return error("-display {}: {}={}: give on or off", type, part.name, part.value);
  *to = *on;
  return {};
}

Status OptionParser::vnc(const std::string& value) {
  static constexpr std::string_view kNames[] = {"to", "password", "websocket", "share", "key-delay-ms"};
  if (value == "help" || value == "?") {
    say("Addresses of -vnc:\n  [HOST]:N   port 5900 + N\n  unix:PATH  a Unix socket\n  none       no server\n");
    return {};
  }
  const auto parts = split_suboptions(value, "vnc");
  const std::string& where = parts[0].value;
  if (where == "none") {
    settings_.vnc.reset();
    display_given_ = true;
    return {};
  }
  if (!vnc_built())
    return error("-vnc: this xlat was built without libvncserver; install libvncserver-dev and build it again");
  if (settings_.vnc) return error("-vnc {}: there is one VNC server", value);
  VncSettings vnc;
  if (where.starts_with("unix:")) {
    vnc.address.unix_path = where.substr(5);
    if (vnc.address.unix_path.empty() || vnc.address.unix_path.size() > 107) {
      return error("-vnc {}: give the path of a socket, at most 107 bytes long", where);
    }
  } else {
    const auto address = where.find(':') == std::string::npos ? std::nullopt : parse_address(where, kVncPort);
    if (!address) return error("-vnc {}: give [HOST]:N with the number of a display, as :0, or unix:PATH", value);
    vnc.address = *address;
  }
  for (std::size_t n = 1; n < parts.size(); ++n) {
    const SubOption& part = parts[n];
    const auto number = parse_number(part.value);
    const auto on = part.has_value ? parse_switch(part.value) : std::optional(true);
    const auto bad = [&](const char* give) { return error("-vnc: {}={}: give {}", part.name, part.value, give); };
    if (part.name == "to") {
      if (!number || *number > kLastPort - kVncPort || *number + kVncPort < vnc.address.port) {
        return bad("the number of a display not below the first");
      }
      vnc.address.last_port = kVncPort + static_cast<unsigned>(*number);
    } else if (part.name == "password") {
      if (!on) return bad("on or off");
      vnc.password = *on;
    } else if (part.name == "websocket") {
      vnc.websocket = on.value_or(true);
      if (on) continue;
      const auto address = parse_address(part.value, 0);
      if (!address) return bad("on, off or [HOST:]PORT");
      vnc.websocket_address = *address;
    } else if (part.name == "share") {
      if (part.value != "allow-exclusive" && part.value != "force-shared" && part.value != "ignore") {
        return bad("allow-exclusive, force-shared or ignore");
      }
      vnc.shared = part.value != "allow-exclusive";
    } else if (part.name == "key-delay-ms") {
      if (!number || *number > 1000) return bad("0 to 1000 milliseconds");
      vnc.key_delay_ms = static_cast<unsigned>(*number);
    } else if (part.name == "tls-creds" || part.name == "sasl" || part.name == "tls-authz" ||
               part.name == "sasl-authz" || part.name == "password-secret" || part.name == "reverse") {
      return error("-vnc: {}: not in this version", part.name);
    } else if (part.name != "lossy" && part.name != "non-adaptive" && part.name != "connections" &&
               part.name != "power-control" && part.name != "audiodev" && part.name != "id" && part.name != "head" &&
               part.name != "display" && part.name != "ipv4" && part.name != "ipv6" && part.name != "lock-key-sync") {
      // Those are QEMU's ways to encode and to choose among several screens; there is one here, and viewers ask for
      // encodings themselves.
      return error("-vnc: no sub-option '{}'; {}", part.name, choices(part.name, kNames));
    }
  }
  settings_.vnc = std::move(vnc);
  display_given_ = true;
  return {};
}

Status OptionParser::web(const std::string& value) {
  if (!vnc_built()) {
    return error("-display web: this xlat was built without libvncserver; install libvncserver-dev and build it again");
  }
  WebSettings web;
  if (!value.empty()) {
    const auto address = parse_address(value, 0);
    if (!address) return error("-display web={}: give [HOST:]PORT, as web=8080", value);
    web.address = *address;
  }
  settings_.web = web;
  display_given_ = true;
  return {};
}

// As QEMU: a window where there is a display server, else a VNC server for this host, as -vnc localhost:0,to=99.
void OptionParser::default_display() {
  if (display_given_ || nographic_ || vga_.empty()) return;
  if (window_built() && display_server_named()) {
    settings_.display = DisplayKind::kWindow;
  } else if (vnc_built()) {
    VncSettings vnc;
    vnc.address.port = kVncPort;
    vnc.address.last_port = kVncPort + 99;
    vnc.announce = true;
    settings_.vnc = std::move(vnc);
  } else {
    settings_.warnings.push_back(
        "the screen is not shown anywhere; use -display curses for its text or -nographic for a serial console on this "
        "terminal, or -display none");
  }
}

}  // namespace xlat
