// The RTL8139's own way: four slots to send, and a ring of bytes in which packets are received.
#include <algorithm>

#include "base/bits.h"
#include "devices/net/rtl8139.h"
#include "devices/net/rtl8139_registers.h"

namespace xlat {

using namespace rtl8139;

namespace {
constexpr u16 kPacketOk = 1, kPacketBroadcast = 1 << 13, kPacketPhysical = 1 << 14, kPacketMulticast = 1 << 15;
constexpr u32 kHeader = 4, kCrc = 4;
constexpr std::size_t kMostSent = 1792;  // what a slot takes
}  // namespace

void Rtl8139::send(std::span<const u8> frame) {
  ++tallies_.sent;
  if (loops()) return take_frame(frame);
  port_.send(frame);
}

void Rtl8139::transmit_slot(unsigned n) {
  const u32 tsd = reg32(kTsd + 4 * n);
  if (sending_ || tsd & kTsdOwn || !(registers_[kCr] & kCrTransmit)) return;
  const Busy busy(sending_);
  const std::size_t bytes = std::min<std::size_t>(tsd & 0x1fff, kMostSent);
  std::array<u8, kMostSent> frame{};
  if (bus_master()) memory_.read_block(reg32(kTsad + 4 * n), std::span(frame).first(bytes));
  set32(kTsd + 4 * n, tsd | kTsdOwn | kTsdOk | (port_.link() ? 0 : kTsdCarrier));
  if (bytes >= kMacHeader) send(std::span(frame).first(bytes));
  raise(kIsrTok);
}

// RBLEN; behind the end there is room for a packet that does not wrap.
u32 Rtl8139::ring_bytes() const { return 8192u << (reg32(kRcr) >> 11 & 3); }

u32 Rtl8139::ring_free() const {
  const u32 size = ring_bytes(), read = (reg16(kCapr) + 0x10u) % size, at = ring_at_ % size;
  return read == at ? size : (read + size - at) % size;
}

bool Rtl8139::can_receive() {
  if (!(registers_[kCr] & kCrReceive) || !bus_master() || loops()) return true;
  if (!plus_receive()) return ring_free() > kHeader + kMostPlainFrame + kCrc + 8;
  const u32 flags = static_cast<u32>(memory_.read(reg64(kRdsar) + 16 * receive_index_, 4));
  if (flags & kOwn) return true;
  poll_.schedule(clock_.now() + kStarvedPoll);  // nobody says when that changes
  return false;
}

void Rtl8139::receive(std::span<const u8> frame) {
  if (!(registers_[kCr] & kCrReceive) || !bus_master() || loops()) return;
  take_frame(frame);
}

bool Rtl8139::accepts(std::span<const u8> frame) const {
  const u32 rcr = reg32(kRcr);
  if (rcr & kRcrAll) return true;
  if (is_broadcast(frame)) return rcr & kRcrBroadcast;
  if (!is_group(frame)) return rcr & kRcrMatch && std::equal(frame.begin(), frame.begin() + 6, registers_.begin());
  const unsigned hash = address_crc(frame.first<6>()) >> 26;
  return rcr & kRcrMulticast && bit(registers_[kMar + (hash >> 3)], hash & 7);
}

void Rtl8139::take_frame(std::span<const u8> frame) {
  // A little more than Ethernet's, for VLAN tags.
  if (!(registers_[kCr] & kCrReceive) || frame.size() > kMostPlainFrame + 8 || !accepts(frame)) return;
  std::array<u8, kMostPlainFrame + 8> padded{};
  std::copy(frame.begin(), frame.end(), padded.begin());
  const auto whole = std::span<const u8>(padded).first(std::max(frame.size(), kLeastFrame));
  plus_receive() ? put_in_descriptors(whole) : put_in_ring(whole);
}

void Rtl8139::put_in_ring(std::span<const u8> frame) {
  const u32 size = ring_bytes(), length = static_cast<u32>(frame.size()) + kCrc;
  const u32 total = static_cast<u32>(align_up(kHeader + length, 4));
  if (total >= ring_free()) {
    ++tallies_.missed;
    set32(kMpc, (reg32(kMpc) + 1) & 0xff'ffff);
    return raise(kIsrOverflow);
  }
  std::vector<u8> bytes(kHeader);
  u16 status = kPacketOk;
  if (is_broadcast(frame)) {
    status |= kPacketBroadcast;
    ++tallies_.broadcast;
  } else if (is_group(frame)) {
    status |= kPacketMulticast;
    ++tallies_.multicast;
  } else {
    status |= kPacketPhysical;
    ++tallies_.physical;
  }
  store_le<u16>(&bytes[0], status);
  store_le<u16>(&bytes[2], static_cast<u16>(length));
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  bytes.resize(total);
  store_le(&bytes[kHeader + frame.size()], frame_crc(frame));
  const u32 at = ring_at_ % size, first = reg32(kRbstart);
  const bool wraps = at + total > size && (!(reg32(kRcr) & kRcrWrap) || size == 65536);
  const u32 before = wraps ? size - at : total;
  memory_.write_block(first + at, std::span(bytes).first(before));
  if (wraps) memory_.write_block(first, std::span(bytes).subspan(before));
  ring_at_ = static_cast<u16>((at + total) % size);
  ++tallies_.received;
  raise(kIsrRok);
}

}  // namespace xlat
