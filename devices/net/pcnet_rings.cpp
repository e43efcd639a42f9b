// The Am79C970A's rings: descriptors of all software styles, sending, receiving.
#include <algorithm>

#include "base/bits.h"
#include "devices/net/pcnet.h"
#include "devices/net/pcnet_registers.h"

namespace xlat {

using namespace pcnet;

namespace {
constexpr unsigned kAtOnce = 256;      // descriptors before the guest goes on
constexpr u64 kStarvedPoll = 100'000;  // ns
constexpr std::size_t kCrc = 4;
}  // namespace

Pcnet::Descriptor Pcnet::load(u32 ring, unsigned index) const {
  Descriptor d;
  d.place = ring + index * descriptor_bytes();
  std::array<u8, 16> bytes{};
  memory_.read_block(d.place, std::span(bytes).first(descriptor_bytes()));
  if (wide()) {
    const bool swapped = (bcr_[20] & 3) == 3;  // style 3 has the address last
    d.address = load_le<u32>(&bytes[swapped ? 8 : 0]);
    const u32 flags = load_le<u32>(&bytes[4]);
    d.status = static_cast<u16>(flags >> 16 & 0xff00);
    d.bytes = (0x1000 - (flags & 0xfff)) & 0xfff;
  } else {
    const u16 flags = load_le<u16>(&bytes[2]);
    d.address = load_le<u16>(&bytes[0]) | u32{flags & 0xffu} << 16;
    d.status = flags & 0xff00;
    d.bytes = (0x1000 - (load_le<u16>(&bytes[4]) & 0xfffu)) & 0xfff;
  }
  if (d.bytes == 0) d.bytes = 0x1000;
  return d;
}

// Gives it back to the host: first what it says, then whose it is.
void Pcnet::store(const Descriptor& d, u16 status, u32 message) {
  status &= static_cast<u16>(~kOwn);
  if (wide()) {
    memory_.write(d.place + ((bcr_[20] & 3) == 3 ? 0 : 8), 4, message);
    const u64 flags = memory_.read(d.place + 4, 4) & 0x00ff'ffff;
    memory_.write(d.place + 4, 4, flags | u64{status} << 16);
  } else {
    memory_.write(d.place + 6, 2, message & 0xffff);
    memory_.write(d.place + 2, 2, static_cast<u16>(status | (d.address >> 16 & 0xff)));
  }
}

void Pcnet::transmit() {
  if (sending_ || !bus_master()) return;
  const Busy busy(sending_);
  bool sent = false;
  for (unsigned n = 0; csr_[0] & kTxon; ++n) {
    if (n == kAtOnce) {
      poll_.schedule(clock_.now() + kStarvedPoll);
      csr_[4] &= static_cast<u16>(~kNoTransmitPoll);
      break;
    }
    const Descriptor d = load(csr_pair(30), transmit_index_);
    if (!(d.status & kOwn)) break;
    if (d.status & kStart) {
      packet_.clear();
      packet_begun_ = true;
    }
    if (packet_begun_) {
      const std::size_t had = packet_.size(), more = std::min<std::size_t>(d.bytes, kMostPacket - had);
      packet_.resize(had + more);
      memory_.read_block(d.address, std::span(packet_).subspan(had));
    }
    transmit_index_ = (transmit_index_ + 1) % transmit_ring();
    store(d, static_cast<u16>(d.status & (kStart | kEnd | kAddFcs)), 0);
    if (!(d.status & kEnd)) continue;
    if (packet_begun_) finish(packet_, !(csr_[15] & kNoFcs) || d.status & kAddFcs);
    packet_begun_ = false;
    packet_.clear();
    sent = true;
  }
  if (!sent) return;
  csr_[0] |= kTint;
  if (!(csr_[4] & 8)) csr_[4] |= 8;  // TXSTRT
  update();
}

void Pcnet::finish(std::span<u8> packet, bool fcs) {
  if (csr_[15] & kLoop) {
    std::vector<u8> looped(packet.begin(), packet.end());
    take_frame(looped, !fcs);
    return;
  }
  // Without a check sequence of the chip's own, the last four bytes are the host's.
  const std::size_t bytes = fcs || packet.size() < kMacHeader + kCrc ? packet.size() : packet.size() - kCrc;
  if (csr_[4] & kPadTransmit && bytes < kLeastFrame) {
    std::array<u8, kLeastFrame> padded{};
    std::copy_n(packet.begin(), bytes, padded.begin());
    return port_.send(padded);
  }
  port_.send(packet.first(bytes));
}

bool Pcnet::can_receive() {
  if (!(csr_[0] & kRxon) || csr_[5] & kSuspend || csr_[15] & kLoop || !bus_master()) return true;
  if (load(csr_pair(24), receive_index_).status & kOwn) return true;
  poll_.schedule(std::min(poll_.pending() ? poll_.deadline() : Clock::kNever, clock_.now() + kStarvedPoll));
  return false;
}

bool Pcnet::accepts(std::span<const u8> frame) const {
  if (csr_[15] & kPromiscuous) return true;
  if (is_broadcast(frame)) return !(csr_[15] & kNoBroadcast);
  if (is_group(frame)) {
    const u32 hash = ~frame_crc(frame.first(6)) >> 26;
    return bit(csr_[8 + (hash >> 4)], hash & 15);
  }
  if (csr_[15] & kNoPhysical) return false;
  for (unsigned n = 0; n < 3; ++n) {
    if (load_le<u16>(&frame[2 * n]) != csr_[12 + n]) return false;
  }
  return true;
}

void Pcnet::receive(std::span<const u8> frame) {
  if (!(csr_[0] & kRxon) || csr_[5] & kSuspend || csr_[15] & kLoop || !bus_master()) return;
  take_frame(frame, false);
}

// Into one buffer after the other, until it ends or the host's buffers do. `with_crc`: its check sequence is in it.
void Pcnet::take_frame(std::span<const u8> frame, bool with_crc) {
  if (!(csr_[0] & kRxon) || frame.size() < kMacHeader || frame.size() > kMostPlainFrame + 2 * kCrc || !accepts(frame))
    return;
  std::vector<u8> bytes(frame.begin(), frame.end());
  if (!with_crc) {
    bytes.resize(std::max(bytes.size(), csr_[15] & kLoop ? bytes.size() : kLeastFrame));
    const u32 crc = frame_crc(bytes);
    bytes.resize(bytes.size() + kCrc);
    store_le(&bytes[bytes.size() - kCrc], crc);
  }
  // Of 802.3 frames, whose length says where they end, padding and check sequence are taken off.
  const u16 length = load_be<u16>(&bytes[12]);
  if (csr_[4] & kStripReceive && length < 46) bytes.resize(std::min<std::size_t>(bytes.size(), kMacHeader + length));

  std::size_t at = 0;
  bool first = true;
  while (first || at < bytes.size()) {
    const Descriptor d = load(csr_pair(24), receive_index_);
    if (!(d.status & kOwn)) {
      csr_[0] |= kMiss;
      if (first) ++csr_[112];
      break;
    }
    const auto part = std::span(bytes).subspan(at, std::min<std::size_t>(d.bytes, bytes.size() - at));
    memory_.write_block(d.address, part);
    at += part.size();
    const bool last = at == bytes.size();
    u16 status = static_cast<u16>((first ? kStart : 0) | (last ? kEnd : 0));
    receive_index_ = (receive_index_ + 1) % receive_ring();
    if (!last && !(load(csr_pair(24), receive_index_).status & kOwn)) status |= kError | kBufferError;
    store(d, status, last ? static_cast<u32>(bytes.size()) : 0);
    csr_[0] |= kRint;
    first = false;
  }
  update();
}

}  // namespace xlat
