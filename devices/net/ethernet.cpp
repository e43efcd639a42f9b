// CRC-32 by eight bytes at a time; RFC 1071, 791, 8200, 793, 768.
#include "devices/net/ethernet.h"

#include <array>

namespace xlat {

namespace {

constexpr u32 kReflected = 0xedb88320, kPolynomial = 0x04c11db7;

using CrcTables = std::array<std::array<u32, 256>, 8>;
constexpr CrcTables make_tables() {
  CrcTables tables{};
  for (u32 n = 0; n < 256; ++n) {
    u32 value = n;
    for (unsigned i = 0; i < 8; ++i) value = value >> 1 ^ (value & 1 ? kReflected : 0);
    tables[0][n] = value;
  }
  for (u32 n = 0; n < 256; ++n) {
    for (unsigned t = 1; t < 8; ++t) {
      const u32 before = tables[t - 1][n];
      tables[t][n] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr CrcTables kTables = make_tables();

}  // namespace

u32 frame_crc(std::span<const u8> bytes) {
  u32 crc = ~u32{0};
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    const u64 block = load_le<u64>(&bytes[at]) ^ crc;
    crc = 0;
    for (unsigned n = 0; n < 8; ++n) crc ^= kTables[7 - n][block >> 8 * n & 0xff];
  }
  for (; at < bytes.size(); ++at) crc = crc >> 8 ^ kTables[0][(crc ^ bytes[at]) & 0xff];
  return ~crc;
}

u32 address_crc(std::span<const u8, 6> address) {
  u32 crc = ~u32{0};
  for (u8 byte : address) {
    for (unsigned n = 0; n < 8; ++n, byte >>= 1) crc = crc << 1 ^ ((crc >> 31 ^ byte) & 1 ? kPolynomial : 0);
  }
  return crc;
}

u16 ones_sum(std::span<const u8> bytes, u32 begin) {
  u64 sum = 0;
  std::size_t at = 0;
  // The sum is the same in either order of bytes, but for its own.
  for (; at + 4 <= bytes.size(); at += 4) sum += load_le<u32>(&bytes[at]);
  if (at + 2 <= bytes.size()) sum += load_le<u16>(&bytes[at]), at += 2;
  if (at < bytes.size()) sum += bytes[at];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum >> 8 | (sum & 0xff) << 8) + begin;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

void insert_checksum(std::span<u8> frame, std::size_t start, std::size_t end, std::size_t at) {
  end = std::min(end, frame.size());
  if (start >= end || at + 2 > frame.size()) return;
  store_be<u16>(&frame[at], static_cast<u16>(~ones_sum(frame.subspan(start, end - start))));
}

IpLayout ip_layout(std::span<const u8> frame) {
  IpLayout layout;
  if (frame.size() < kMacHeader) return layout;
  std::size_t at = kMacHeader;
  u16 type = load_be<u16>(&frame[12]);
  if (type == 0x8100 && frame.size() >= kMacHeader + 4) {
    type = load_be<u16>(&frame[16]);
    at += 4;
  }
  layout.ip = at;
  if (type == 0x0800 && frame.size() >= at + 20 && frame[at] >> 4 == 4) {
    const std::size_t header = (frame[at] & 15) * 4u, total = load_be<u16>(&frame[at + 2]);
    if (header < 20 || total < header || at + total > frame.size()) return layout;
    const bool fragment = load_be<u16>(&frame[at + 6]) & 0x3fff;
    layout = {4, at, at + header, at + total, fragment ? u8{0} : frame[at + 9]};
  } else if (type == 0x86dd && frame.size() >= at + 40 && frame[at] >> 4 == 6) {
    const std::size_t total = 40u + load_be<u16>(&frame[at + 4]);
    if (at + total > frame.size()) return layout;
    layout = {6, at, at + 40, at + total, frame[at + 6]};
  }
  return layout;
}

bool ip_header_good(std::span<const u8> frame, const IpLayout& layout) {
  return ones_sum(frame.subspan(layout.ip, layout.payload - layout.ip)) == 0xffff;
}

u16 pseudo_header_sum(std::span<const u8> frame, const IpLayout& layout, std::size_t bytes) {
  const auto addresses = layout.version == 4 ? frame.subspan(layout.ip + 12, 8) : frame.subspan(layout.ip + 8, 32);
  return ones_sum(addresses, static_cast<u32>(layout.protocol + (bytes & 0xffff) + (bytes >> 16)));
}

bool payload_good(std::span<const u8> frame, const IpLayout& layout) {
  const auto payload = frame.subspan(layout.payload, layout.end - layout.payload);
  if (layout.protocol == kIpUdp && payload.size() >= 8 && load_be<u16>(&payload[6]) == 0) return true;
  return ones_sum(payload, pseudo_header_sum(frame, layout, payload.size())) == 0xffff;
}

void cut_segments(std::span<const u8> packet, const Segmentation& how, const std::function<void(std::span<u8>)>& send) {
  const std::size_t least = how.transport + (how.tcp ? 20 : 8);
  if (how.most == 0 || how.headers < least || how.headers > packet.size() ||
      how.transport < how.ip + (how.v4 ? 20 : 40))
    return;
  const auto data = packet.subspan(how.headers);
  const u16 first_id = how.v4 ? load_be<u16>(&packet[how.ip + 4]) : u16{0};
  const u32 first_sequence = how.tcp ? load_be<u32>(&packet[how.transport + 4]) : 0;
  std::vector<u8> segment;
  std::size_t at = 0;
  for (unsigned n = 0; n == 0 || at < data.size(); ++n) {
    const auto part = data.subspan(at, std::min(how.most, data.size() - at));
    segment.assign(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(how.headers));
    segment.insert(segment.end(), part.begin(), part.end());
    const std::size_t transport_bytes = segment.size() - how.transport;
    IpLayout layout{how.v4 ? u8{4} : u8{6}, how.ip, how.transport, segment.size(), how.tcp ? kIpTcp : kIpUdp};
    if (how.v4) {
      store_be<u16>(&segment[how.ip + 2], static_cast<u16>(segment.size() - how.ip));
      store_be<u16>(&segment[how.ip + 4], static_cast<u16>(first_id + n));
      store_be<u16>(&segment[how.ip + 10], 0);
      insert_checksum(segment, how.ip, how.transport, how.ip + 10);
    } else {
      store_be<u16>(&segment[how.ip + 4], static_cast<u16>(segment.size() - how.ip - 40));
    }
    std::size_t sum_at = how.transport + 6;
    if (how.tcp) {
      sum_at = how.transport + 16;
      store_be<u32>(&segment[how.transport + 4], first_sequence + static_cast<u32>(at));
      if (at + part.size() < data.size()) segment[how.transport + 13] &= 0xf6;  // FIN and PSH come with the last one
    } else {
      store_be<u16>(&segment[how.transport + 4], static_cast<u16>(transport_bytes));
    }
    store_be<u16>(&segment[sum_at], 0);
    const u16 sum = static_cast<u16>(
        ~ones_sum(std::span(segment).subspan(how.transport), pseudo_header_sum(segment, layout, transport_bytes)));
    store_be<u16>(&segment[sum_at], !how.tcp && sum == 0 ? u16{0xffff} : sum);
    send(segment);
    at += part.size();
    if (part.empty()) break;
  }
}

}  // namespace xlat
