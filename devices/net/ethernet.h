// What network cards compute over frames: IEEE 802.3's CRC, hashes of addresses, and the Internet's checksums.
#pragma once

#include <algorithm>
#include <functional>
#include <span>

#include "base/bits.h"
#include "devices/net/nic.h"

namespace xlat {

// The frame check sequence as it is sent, least significant byte first.
u32 frame_crc(std::span<const u8> bytes);
// The register of a CRC generator that shifts to the left, as the chips' manuals take hash bits from it.
u32 address_crc(std::span<const u8, 6> address);

inline bool is_group(std::span<const u8> frame) { return frame[0] & 1; }
inline bool is_broadcast(std::span<const u8> frame) {
  return std::all_of(frame.begin(), frame.begin() + 6, [](u8 byte) { return byte == 0xff; });
}
inline bool is_for(std::span<const u8> frame, const MacAddress& address) {
  return std::equal(address.begin(), address.end(), frame.begin());
}

// RFC 1071: the ones' complement sum of 16-bit big-endian words, folded, not complemented.
u16 ones_sum(std::span<const u8> bytes, u32 begin = 0);
// Writes the checksum of bytes [start, end) of the frame at `at`, over what is there as the sum so far. Places outside
// the frame are left alone.
void insert_checksum(std::span<u8> frame, std::size_t start, std::size_t end, std::size_t at);

// Where the headers of an IP packet lie in a frame, and whether its checksums are right.
struct IpLayout {
  u8 version = 0;           // 4, 6, or 0: no IP packet, or a broken one
  std::size_t ip = 0;       // offset of its header
  std::size_t payload = 0;  // of TCP's or UDP's header
  std::size_t end = 0;      // behind the packet
  u8 protocol = 0;          // 6 TCP, 17 UDP; 0 for fragments
};
inline constexpr u8 kIpTcp = 6, kIpUdp = 17;
IpLayout ip_layout(std::span<const u8> frame);
bool ip_header_good(std::span<const u8> frame, const IpLayout& layout);
// True for UDP without a checksum.
bool payload_good(std::span<const u8> frame, const IpLayout& layout);
// The sum of the pseudo header of TCP and UDP, with `bytes` of payload.
u16 pseudo_header_sum(std::span<const u8> frame, const IpLayout& layout, std::size_t bytes);

// How a TCP packet (or a UDP datagram) that is longer than a frame is cut up.
struct Segmentation {
  std::size_t ip = 0, transport = 0;  // offsets of those headers
  std::size_t headers = 0;            // bytes that are repeated
  std::size_t most = 0;               // bytes of data in a segment
  bool v4 = true, tcp = true;
};
// Gives each segment to `send`, with lengths, identification, sequence number, flags and checksums of its own. What
// does not hold the headers it names is not sent.
void cut_segments(std::span<const u8> packet, const Segmentation& how, const std::function<void(std::span<u8>)>& send);

}  // namespace xlat
