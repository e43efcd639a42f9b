// The rows, and the protocols that need no file of their own.
#include <algorithm>

#include "base/spelling.h"
#include "block/host_file.h"
#include "block/protocol.h"

namespace xlat {

namespace {

Result<std::unique_ptr<Storage>> open_file(StorageRequest& request) {
  std::string path = take_option(request.options, "filename").value_or("");
  if (path.starts_with("file:")) path.erase(0, 5);
  if (path.empty()) return error("The 'file' block driver requires a file name");
  const std::string locking = take_option(request.options, "locking").value_or("auto");
  if (locking != "auto" && !parse_switch(locking)) return error("Parameter 'locking' expects auto, on or off");
  for (const char* tuning : {"aio", "drop-cache", "x-check-cache-dropped", "pr-manager", "dynamic-auto-read-only"}) {
    take_option(request.options, tuning);
  }
  return open_host_file(path, request.access, request.lock && parse_switch(locking).value_or(true), request.direct);
}

constexpr ProtocolDriver kProtocols[] = {
    {"file", "file", open_file},
    {"host_device", "host_device host_cdrom", open_file},
    {"host_cdrom", "", open_file},
    {"vvfat", "fat", open_fat},
    {"nbd", "nbd nbd+tcp nbd+unix", open_nbd},
    {"null-co", "null-co", open_null},
    {"null-aio", "null-aio", open_null},
};

}  // namespace

std::span<const ProtocolDriver> protocol_drivers() { return kProtocols; }

const ProtocolDriver* find_protocol(std::string_view driver) {
  const auto* found = std::find_if(std::begin(kProtocols), std::end(kProtocols),
                                   [&](const ProtocolDriver& p) { return p.name == driver; });
  return found == std::end(kProtocols) ? nullptr : found;
}

const ProtocolDriver* find_protocol_by_prefix(std::string_view prefix) {
  for (const ProtocolDriver& p : kProtocols) {
    std::string_view words = p.prefixes;
    while (!words.empty()) {
      const auto blank = words.find(' ');
      if (words.substr(0, blank) == prefix) return &p;
      words = blank == std::string_view::npos ? std::string_view() : words.substr(blank + 1);
    }
  }
  return nullptr;
}

}  // namespace xlat
