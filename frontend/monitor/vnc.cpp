// set_password, expire_password, change vnc and info vnc.
#include <ctime>

#include "frontend/display/vnc_server.h"
#include "frontend/monitor/commands.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

constexpr const char* kNoServer = "Error: there is no VNC server; start xlat with -vnc\n";

std::string new_password(VncServer& vnc, const std::string& password) {
  if (!vnc.asks_for_password())
    return "Error: Could not set password: the VNC server was started without password=on\n";
  vnc.set_password(password);
  return password.size() > 8 ? "the protocol takes the first eight letters of the password\n" : "";
}

}  // namespace

std::string monitor_set_password(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.size() < 2 || words.size() > 3) return "set_password: protocol password [action-if-connected] expected\n";
  if (words[0] != "vnc") return fmt::format("Error: no protocol '{}'; there is: vnc\n", words[0]);
  const std::string action = words.size() > 2 ? words[2] : "keep";
  if (action != "keep" && action != "disconnect" && action != "fail") {
    return fmt::format("Error: '{}': give keep, disconnect or fail\n", action);
  }
  if (!context.vnc) return kNoServer;
  if (action == "fail" && context.vnc->has_viewers()) return "Error: a viewer is connected\n";
  std::string said = new_password(*context.vnc, words[1]);
  if (action == "disconnect") context.vnc->disconnect_viewers();
  return said;
}

std::string monitor_expire_password(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.size() != 2) return "expire_password: protocol time expected\n";
  if (words[0] != "vnc") return fmt::format("Error: no protocol '{}'; there is: vnc\n", words[0]);
  std::optional<i64> at;
  if (words[1] == "now") {
    at = 0;
  } else if (words[1] != "never") {
    const bool from_now = words[1].starts_with('+');
    const auto seconds = parse_number(std::string_view(words[1]).substr(from_now));
    if (!seconds || *seconds > (u64{1} << 40)) {
      return fmt::format("Error: '{}': give now, never, +SECONDS or seconds since 1970\n", words[1]);
    }
    at = static_cast<i64>(*seconds) + (from_now ? std::time(nullptr) : 0);
  }
  if (!context.vnc) return kNoServer;
  context.vnc->expire_password(at);
  return {};
}

std::string change_vnc(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  if (words.size() < 2 || words.size() > 3 || (words[1] != "password" && words[1] != "passwd")) {
    return "change vnc: password [PASSWORD] expected\n";
  }
  if (words.size() == 2 && context.vnc) {
    context.secret = [vnc = context.vnc](std::string_view typed) { return new_password(*vnc, std::string(typed)); };
    return {};
  }
  return context.vnc ? new_password(*context.vnc, words[2]) : kNoServer;
}

std::string info_vnc(MonitorContext& context, std::string_view) { return context.vnc ? context.vnc->info() : "None\n"; }

}  // namespace xlat
