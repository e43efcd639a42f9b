// UTF-16 by hand, as the C library's conversions depend on the locale.
#include "block/utf16.h"

#include "base/bits.h"

namespace xlat {

std::string utf8_of(std::span<const u8> utf16, bool big_endian) {
  std::string out;
  const auto unit = [&](std::size_t n) -> u32 {
    return big_endian ? load_be<u16>(&utf16[n * 2]) : load_le<u16>(&utf16[n * 2]);
  };
  for (std::size_t n = 0; n < utf16.size() / 2; ++n) {
    u32 c = unit(n);
    if (c == 0) break;
    if (c >= 0xd800 && c < 0xdc00 && n + 1 < utf16.size() / 2 && unit(n + 1) >> 10 == 0x37) {
      c = 0x10000 + ((c & 0x3ff) << 10 | (unit(++n) & 0x3ff));
    } else if (c >= 0xd800 && c < 0xe000) {
      c = '?';
    }
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 63));
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    }
  }
  return out;
}

std::vector<u8> utf16_of(std::string_view utf8, bool big_endian) {
  std::vector<u8> out;
  const auto put = [&](u32 unit) {
    out.resize(out.size() + 2);
    u8* to = &out[out.size() - 2];
    big_endian ? store_be<u16>(to, static_cast<u16>(unit)) : store_le<u16>(to, static_cast<u16>(unit));
  };
  for (std::size_t n = 0; n < utf8.size();) {
    const u8 first = static_cast<u8>(utf8[n]);
    const unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    u32 c = more == 0 ? first : first & mask(6 - more);
    for (unsigned k = 1; k <= more; ++k) c = c << 6 | (n + k < utf8.size() ? static_cast<u8>(utf8[n + k]) & 63 : 0);
    n += more + 1;
    if (c < 0x10000) {
      put(c);
    } else {
      put(0xd800 | (c - 0x10000) >> 10);
      put(0xdc00 | (c & 0x3ff));
    }
  }
  return out;
}

}  // namespace xlat
