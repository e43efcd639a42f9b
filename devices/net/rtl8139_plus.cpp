// The RTL8139C+'s rings of descriptors: checksums, large sends, VLAN tags.
#include <algorithm>

#include "base/bits.h"
#include "devices/net/rtl8139.h"
#include "devices/net/rtl8139_registers.h"

namespace xlat {

using namespace rtl8139;

namespace {
constexpr u32 kMostDescriptors = 64;
constexpr u32 kProtocols[] = {0, 1u << 16, 2u << 16, 3u << 16};  // none, TCP, UDP, other of IP
}  // namespace

void Rtl8139::transmit_plus(bool high) {
  if (sending_) return;
  const Busy busy(sending_);
  const u64 ring = reg64(high ? kThpds : kTsad);
  u32& index = transmit_index_[high];
  bool sent = false;
  // A ring whose descriptors are all the card's is gone through once.
  for (unsigned n = 0; n < kMostDescriptors; ++n) {
    if (!(registers_[kCr] & kCrTransmit) || !(reg16(kCpcr) & kCpTransmit) || !bus_master()) break;
    const u64 place = ring + 16 * index;
    std::array<u8, 16> descriptor{};
    memory_.read_block(place, descriptor);
    const u32 flags = load_le<u32>(&descriptor[0]);
    if (!(flags & kOwn)) {
      if (sent) raise(kIsrTdu);
      break;
    }
    if (flags & kFirst) {
      packet_.clear();
      packet_options_ = flags;
      packet_vlan_ = load_le<u32>(&descriptor[4]);
    }
    const std::size_t had = packet_.size(), more = std::min<std::size_t>(flags & 0xffff, kMostPacket - had);
    packet_.resize(had + more);
    memory_.read_block(load_le<u64>(&descriptor[8]), std::span(packet_).subspan(had));
    // Of the upper half only these are left; where errors would be there was the size of segments.
    memory_.write(place, 4, flags & (kEndOfRing | kFirst | kLast | 0xffff));
    index = flags & kEndOfRing || index + 1 == kMostDescriptors ? 0 : index + 1;
    if (!(flags & kLast)) continue;
    send_plus(packet_options_ | (flags & (kSumIp | kSumUdp | kSumTcp)), packet_vlan_);
    packet_.clear();
    sent = true;
  }
  if (sent) raise(kIsrTok);
}

void Rtl8139::send_plus(u32 options, u32 vlan) {
  std::vector<u8> packet = std::move(packet_);
  const auto out = [&](std::span<u8> frame) {
    if (frame.size() < kMacHeader || frame.size() > kMostPlainFrame + 4) return;
    if (!(vlan & kTagged)) return send(frame);
    std::vector<u8> tagged(frame.begin(), frame.end());
    const u8 tag[4] = {0x81, 0x00, static_cast<u8>(vlan), static_cast<u8>(vlan >> 8)};  // as it goes over the wire
    tagged.insert(tagged.begin() + 12, tag, tag + 4);
    send(tagged);
  };
  const IpLayout layout = ip_layout(packet);
  if (options & kLargeSend && layout.version != 0 && layout.protocol == kIpTcp &&
      packet.size() >= layout.payload + 20) {
    const std::size_t headers = layout.payload + (packet[layout.payload + 12] >> 4) * 4u;
    const Segmentation how{layout.ip, layout.payload, headers, options >> 16 & 0x7ff, layout.version == 4, true};
    return cut_segments(packet, how, out);
  }
  if (layout.version != 0) {
    const bool tcp = layout.protocol == kIpTcp && options & kSumTcp,
               udp = layout.protocol == kIpUdp && options & kSumUdp;
    const std::size_t at = layout.payload + (tcp ? 16 : 6), bytes = layout.end - layout.payload;
    if ((tcp && bytes >= 20) || (udp && bytes >= 8)) {
      store_be<u16>(&packet[at], 0);
      const u16 sum = static_cast<u16>(
          ~ones_sum(std::span(packet).subspan(layout.payload, bytes), pseudo_header_sum(packet, layout, bytes)));
      store_be<u16>(&packet[at], udp && sum == 0 ? u16{0xffff} : sum);
    }
    if (layout.version == 4 && options & kSumIp) {
      store_be<u16>(&packet[layout.ip + 10], 0);
      insert_checksum(packet, layout.ip, layout.payload, layout.ip + 10);
    }
  }
  out(packet);
}

void Rtl8139::put_in_descriptors(std::span<const u8> frame) {
  std::vector<u8> bytes(frame.begin(), frame.end());
  u32 tag = 0;
  if (reg16(kCpcr) & kCpVlan && load_be<u16>(&bytes[12]) == 0x8100) {
    tag = kRxTagged | bytes[14] | u32{bytes[15]} << 8;
    bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
    bytes.resize(std::max(bytes.size(), kLeastFrame));
  }
  u32 status = kFirst | kLast;
  status |= is_broadcast(frame) ? kRxBroadcast : is_group(frame) ? kRxMulticast : kRxPhysical;
  const IpLayout layout = reg16(kCpcr) & kCpSums ? ip_layout(bytes) : IpLayout();
  if (layout.version != 0) {
    const bool tcp = layout.protocol == kIpTcp, udp = layout.protocol == kIpUdp;
    status |= kProtocols[tcp ? 1 : udp ? 2 : 3];
    if (layout.version == 4 && !ip_header_good(bytes, layout)) status |= kRxIpFail;
    if ((tcp || udp) && !payload_good(bytes, layout)) status |= tcp ? kRxTcpFail : kRxUdpFail;
  }
  const u32 crc = frame_crc(bytes);
  bytes.resize(bytes.size() + 4);
  store_le(&bytes[bytes.size() - 4], crc);

  const u64 place = reg64(kRdsar) + 16 * receive_index_;
  std::array<u8, 16> descriptor{};
  memory_.read_block(place, descriptor);
  const u32 flags = load_le<u32>(&descriptor[0]);
  const u32 room = flags & 0x1fff;
  if (!(flags & kOwn) || room < bytes.size()) {
    ++tallies_.missed;
    set32(kMpc, (reg32(kMpc) + 1) & 0xff'ffff);
    return raise(flags & kOwn ? kIsrFifo : kIsrOverflow);
  }
  memory_.write_block(load_le<u64>(&descriptor[8]), bytes);
  memory_.write(place + 4, 4, tag);
  memory_.write(place, 4, (flags & kEndOfRing) | status | static_cast<u32>(bytes.size()));
  receive_index_ = flags & kEndOfRing || receive_index_ + 1 == kMostDescriptors ? 0 : receive_index_ + 1;
  ++tallies_.received;
  raise(kIsrRok);
}

}  // namespace xlat
