// TelnetFilter: negotiation taken out of what comes, all ones doubled in what goes.
#include "frontend/channels/telnet.h"

#include <catch2/catch.hpp>
#include <string>

using namespace xlat;

namespace {
std::string through(TelnetFilter& filter, const std::string& bytes) {
  const auto data = filter.data({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
  return {data.begin(), data.end()};
}
}  // namespace

TEST_CASE("telnet: commands, options and subnegotiations are not data, wherever the pieces are cut", "[telnet]") {
  constexpr char kSent[] = "he\xff\xfd\x01ll\xff\xfa\x1f\x00\x50\xff\xff\x18\xff\xf0o\xff\xf1 \xff\xff!\r\0x\r\n";
  const std::string sent(kSent, sizeof kSent - 1);
  const std::string data("hello \xff!\rx\r\n");
  for (std::size_t cut = 0; cut <= sent.size(); ++cut) {
    TelnetFilter filter;
    const std::string first = through(filter, sent.substr(0, cut));
    CHECK(first + through(filter, sent.substr(cut)) == data);
  }
}

TEST_CASE("telnet: a byte of all ones is sent twice", "[telnet]") {
  const u8 bytes[] = {1, 255, 2};
  CHECK(TelnetFilter::escaped(bytes) == std::vector<u8>{1, 255, 255, 2});
}
