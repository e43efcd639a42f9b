// The 82540EM's receive side: filters, buffers, checksums that were looked at.
#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000.h"
#include "devices/net/e1000_registers.h"

namespace xlat {

using namespace e1000;

namespace {
constexpr u32 kLoopback = 3 << 6;  // of RCTL
constexpr std::size_t kCrc = 4;
constexpr std::size_t kMostStandard = 1522, kMostLong = 16384;  // with the CRC
}  // namespace

// 13.4.22, BSIZE and BSEX.
unsigned E1000::receive_buffer() const {
  const u32 rctl = reg(kRctl);
  const unsigned size = 2048u >> (rctl >> 16 & 3);
  return rctl & kRctlSizeExtension && size < 2048 ? size * 16 : size;
}

u32 E1000::free_receive_descriptors() const {
  const u32 count = reg(kRdlen) / 16, head = reg(kRdh), tail = reg(kRdt);
  if (count == 0 || head >= count || tail >= count) return 0;
  return head <= tail ? tail - head : count - head + tail;
}

bool E1000::can_receive() {
  if (!(reg(kRctl) & kRctlEnable) || !bus_master() || reg(kRctl) & kLoopback) return true;
  return free_receive_descriptors() != 0;
}

void E1000::receive(std::span<const u8> frame) {
  if (!(reg(kRctl) & kRctlEnable) || !bus_master() || reg(kRctl) & kLoopback) return;
  if (frame.size() >= kLeastFrame) return take_frame(frame);
  std::array<u8, kLeastFrame> padded{};
  std::copy(frame.begin(), frame.end(), padded.begin());
  take_frame(padded);
}

// 3.2.1 and 13.5.
bool E1000::accepts(std::span<const u8> frame) const {
  const u32 rctl = reg(kRctl);
  if (load_be<u16>(&frame[12]) == (reg(kVet) & 0xffff) && frame.size() >= kMacHeader + 4 && rctl & kRctlVlanFilter) {
    const u16 tag = load_be<u16>(&frame[14]);
    if (!accepts_vlan(tag)) return false;
  }
  const bool group = is_group(frame);
  if (group ? rctl & kRctlMulticastAll : rctl & kRctlUnicastAll) return true;
  if (is_broadcast(frame) && rctl & kRctlBroadcast) return true;
  for (u32 row = kRal; row < kRal + 0x80; row += 8) {
    if (!(reg(row + 4) >> 31) || reg(row + 4) >> 16 & 3) continue;
    if (load_le<u32>(&frame[0]) == reg(row) && load_le<u16>(&frame[4]) == (reg(row + 4) & 0xffff)) return true;
  }
  if (!group) return false;
  constexpr unsigned kShift[4] = {4, 3, 2, 0};
  const unsigned hash = load_le<u16>(&frame[4]) >> kShift[rctl >> 12 & 3] & 0xfff;
  return bit(reg(kMta + 4 * (hash >> 5)), hash & 31);
}

bool E1000::accepts_vlan(u16 tag) const {
  const u32 rctl = reg(kRctl);
  if (rctl & kRctlCfiEnable && ((tag >> 12 & 1) != 0) != ((rctl & kRctlCfi) != 0)) return false;
  return bit(reg(kVfta + 4 * (tag >> 5 & 127)), tag & 31);
}

// 3.2.9: what was looked at, and what was wrong. Returns the packet checksum.
u16 E1000::check_sums(std::span<const u8> frame, u8& status, u8& errors) const {
  const u32 rxcsum = reg(kRxcsum), start = rxcsum & 0xff;
  const IpLayout layout = rxcsum & (kIpSumOffload | kTuSumOffload) ? ip_layout(frame) : IpLayout();
  if (layout.version == 0) status |= kRxIgnoreSums;
  if (layout.version == 4 && rxcsum & kIpSumOffload) {
    status |= kRxIpSum;
    if (!ip_header_good(frame, layout)) errors |= kRxIpError;
  }
  if (layout.version != 0 && rxcsum & kTuSumOffload && (layout.protocol == kIpTcp || layout.protocol == kIpUdp)) {
    status |= kRxTcpSum;
    if (!payload_good(frame, layout)) errors |= kRxTcpError;
  }
  return start < frame.size() ? ones_sum(frame.subspan(start)) : u16{0};
}

void E1000::count_received(std::span<const u8> frame, std::size_t bytes) {
  count(kTpr);
  count_bytes(kTorl, bytes);
  count(kGprc);
  count_bytes(kGorcl, bytes);
  count_size(kPrc64, bytes);
  if (is_broadcast(frame)) {
    count(kBprc);
  } else if (is_group(frame)) {
    count(kMprc);
  }
}

void E1000::take_frame(std::span<const u8> frame) {
  const std::size_t wire = frame.size() + kCrc;
  if (wire > (reg(kRctl) & kRctlLong ? kMostLong : kMostStandard)) return count(kRoc);
  if (!accepts(frame)) return;

  u8 status = kRxPassed, errors = 0;
  if (!is_group(frame)) status = 0;
  const u16 sum = check_sums(frame, status, errors);
  std::vector<u8> bytes(frame.begin(), frame.end());
  u16 special = 0;
  if (load_be<u16>(&frame[12]) == (reg(kVet) & 0xffff) && reg(kCtrl) & kCtrlVlan) {
    status |= kRxVlan;
    special = load_be<u16>(&frame[14]);
    bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
  }
  if (!(reg(kRctl) & kRctlStripCrc)) {
    const u32 crc = frame_crc(bytes);
    bytes.resize(bytes.size() + kCrc);
    store_le(&bytes[bytes.size() - kCrc], crc);
  }

  const unsigned buffer = receive_buffer();
  const u32 needed = static_cast<u32>((bytes.size() + buffer - 1) / buffer);
  if (needed > free_receive_descriptors()) {
    count(kMpc);
    count(kRnbc);
    return cause(kCauseRxo);
  }
  const u64 ring = u64{reg(kRdbah)} << 32 | reg(kRdbal);
  for (std::size_t at = 0; at < bytes.size(); at += buffer) {
    const auto part = std::span(bytes).subspan(at, std::min<std::size_t>(buffer, bytes.size() - at));
    const u64 place = ring + 16 * reg(kRdh);
    std::array<u8, 16> descriptor{};
    memory_.read_block(place, descriptor);
    const u64 address = load_le<u64>(&descriptor[0]);
    if (address) memory_.write_block(address, part);  // a null one is passed over, 3.2.7
    const bool last = at + part.size() == bytes.size();
    store_le<u16>(&descriptor[8], static_cast<u16>(part.size()));
    store_le<u16>(&descriptor[10], sum);
    descriptor[12] = static_cast<u8>(kRxDone | status | (last ? kRxEop : 0));
    descriptor[13] = errors;
    store_le<u16>(&descriptor[14], special);
    memory_.write_block(place + 8, std::span(descriptor).subspan(8));
    if (++reg(kRdh) * 16 >= reg(kRdlen)) reg(kRdh) = 0;
  }
  count_received(frame, wire);
  // A half, a quarter or an eighth of the ring, by RDMTS.
  if (free_receive_descriptors() <= reg(kRdlen) / 16 >> ((reg(kRctl) >> 8 & 3) + 1)) cause(kCauseRxdmt0);
  delayed_cause(kCauseRxt0, receive_delay_, receive_latest_, reg(kRdtr), reg(kRadv));
}

}  // namespace xlat
