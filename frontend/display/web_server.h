// -display web: noVNC's page and the WebSocket behind it on one port, for who has the link.
#pragma once

#include <memory>

#include "frontend/display/display.h"
#include "frontend/display/vnc_server.h"

namespace xlat {

// A GET request as a browser sends it: what is behind the token in its path, without the query.
struct WebRequest {
  enum class Kind : u8 { kIncomplete, kBad, kWrongMethod, kForbidden, kFile, kSocket };
  Kind kind = Kind::kBad;
  std::string path = {};
};

// `text` begins with the request; `token` must be the first part of its path. Only names of letters, digits, '.', '_'
// and
// '-' are files, none of them beginning with a dot; so no path leads out of the folder.
WebRequest parse_web_request(std::string_view text, std::string_view token);

// Where noVNC's page lies on Debian.
inline constexpr const char* kNoVncFolder = "/usr/share/novnc";

// Prints the link when it starts.
Result<std::unique_ptr<Display>> make_web_server(const WebSettings& settings, VncServer& vnc,
                                                 std::string folder = kNoVncFolder);

}  // namespace xlat
