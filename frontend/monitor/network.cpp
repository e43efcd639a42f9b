// set_link, hostfwd_add, hostfwd_remove, info network and info usernet.
#include "frontend/monitor/commands.h"
#include "frontend/net/networks.h"
#include "frontend/options/values.h"

namespace xlat {

namespace {

// [netdev_id] RULE.
UserNetControl* find_user(MonitorContext& context, std::span<const std::string> words, std::string& said) {
  if (words.empty() || words.size() > 2) {
    said = "invalid format\n";
    return nullptr;
  }
  const std::string id = words.size() == 2 ? words[0] : "";
  UserNetControl* user = context.networks ? context.networks->user(id) : nullptr;
  if (!user) said = id.empty() ? "no user network\n" : fmt::format("unrecognized netdev id '{}'\n", id);
  return user;
}

}  // namespace

std::string monitor_set_link(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  const auto up = words.size() == 2 ? parse_switch(words[1]) : std::nullopt;
  if (!up) return "set_link: name on|off expected\n";
  return context.networks ? context.networks->set_link(words[0], *up) : "";
}

std::string monitor_hostfwd_add(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  std::string said;
  UserNetControl* const user = find_user(context, words, said);
  if (!user) return said;
  auto forward = parse_host_forward(words.back());
  if (!forward) return forward.error().message + "\n";
  return user->add_forward(*forward) ? "" : fmt::format("could not set up host forwarding rule '{}'\n", words.back());
}

std::string monitor_hostfwd_remove(MonitorContext& context, std::string_view arguments) {
  const auto words = monitor_words(arguments);
  std::string said;
  UserNetControl* const user = find_user(context, words, said);
  if (!user) return said;
  // The guest's side is of no interest, and need not be there.
  const std::string rule = words.back().substr(0, words.back().find('-'));
  auto forward = parse_host_forward(rule + "-:1");
  if (!forward) return "invalid format\n";
  return fmt::format("host forwarding rule for {} {}\n", words.back(),
                     user->remove_forward(*forward) ? "removed" : "not found");
}

std::string info_network(MonitorContext& context, std::string_view) {
  return context.networks ? context.networks->info() : "";
}

std::string info_usernet(MonitorContext& context, std::string_view) {
  return context.networks ? context.networks->user_info() : "";
}

}  // namespace xlat
