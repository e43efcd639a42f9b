// The back ends of -netdev with their sub-options.
#pragma once

#include <span>

#include "frontend/net/net_spec.h"
#include "frontend/options/values.h"

namespace xlat {

inline constexpr std::string_view kNetTypes[] = {"socket", "stream", "dgram", "hubport", "tap", "user"};

// `option` begins the messages.
Result<NetSpec> parse_net_spec(std::string_view option, std::span<const SubOption> parts);

Result<UserNet> parse_user_net(std::string_view option, std::span<const SubOption> parts);
// Whether `part` is common to all back ends: type and id.
inline bool common_net_part(const SubOption& part) { return part.name == "type" || part.name == "id"; }

// What is missing if QEMU's device `name` comes later; empty if it is unknown.
std::string_view later_device(std::string_view name);

}  // namespace xlat
