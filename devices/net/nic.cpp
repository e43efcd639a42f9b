// Ethernet addresses as text.
#include "devices/net/nic.h"

#include <fmt/format.h>

namespace xlat {

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  std::size_t at = 0;
  for (std::size_t n = 0; n < mac.size(); ++n) {
    if (n > 0 && (at >= text.size() || (text[at] != ':' && text[at] != '-'))) return std::nullopt;
    if (n > 0) ++at;
    unsigned value = 0, digits = 0;
    for (; at < text.size() && digits < 2; ++at, ++digits) {
      const auto digit = std::string_view("0123456789abcdefABCDEF").find(text[at]);
      if (digit == std::string_view::npos) break;
      value = value * 16 + static_cast<unsigned>(digit < 16 ? digit : digit - 6);
    }
    if (digits == 0) return std::nullopt;
    mac[n] = static_cast<u8>(value);
  }
  return at == text.size() ? std::optional(mac) : std::nullopt;
}

std::string mac_text(const MacAddress& mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

}  // namespace xlat
