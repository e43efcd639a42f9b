// The 82540EM's transmit side: descriptors of three kinds, VLAN tags, checksums, TCP segmentation.
#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000.h"
#include "devices/net/e1000_registers.h"

namespace xlat {

using namespace e1000;

namespace {
// So much is read before the guest goes on; then as long a pause as the wire would take.
constexpr unsigned kAtOnce = 256;
constexpr std::size_t kBytesAtOnce = 256 << 10;
constexpr u64 kLeastPause = 20'000, kByte = 8;  // ns
constexpr u32 kMacLoopback = 1 << 6, kTransceiverLoopback = 3 << 6;
}  // namespace

// From head to tail. A ring that points to huge buffers is worked on in parts, so that it holds up nobody.
void E1000::transmit() {
  if (sending_ || transmit_more_.pending()) return;
  const Busy busy(sending_);
  unsigned left = kAtOnce;
  std::size_t bytes = 0;
  bool report = false, delayed = true;
  while (reg(kTctl) & kTctlEnable && bus_master() && reg(kTdh) != reg(kTdt)) {
    const u32 count = reg(kTdlen) / 16;
    if (reg(kTdh) >= count || reg(kTdt) >= count) break;
    if (left-- == 0 || bytes >= kBytesAtOnce) {
      transmit_more_.schedule(clock_.now() + std::max<u64>(kLeastPause, bytes * kByte));
      break;
    }
    const u64 place = (u64{reg(kTdbah)} << 32 | reg(kTdbal)) + 16 * reg(kTdh);
    std::array<u8, 16> descriptor{};
    memory_.read_block(place, descriptor);
    const u8 command = descriptor[11];
    const bool legacy = !(command & kCmdExtended), context = !legacy && (descriptor[10] & 0xf0) == 0;
    if (context) {
      read_context(descriptor);
    } else {
      bytes += add_data(descriptor, load_le<u64>(&descriptor[0]), legacy);
      if (command & kCmdEop) send_packet(descriptor, legacy);
    }
    if (command & kCmdReport) {
      descriptor[12] = static_cast<u8>((descriptor[12] & 0xf0) | 1);
      memory_.write_block(place + 12, std::span(descriptor).subspan(12, 1));
      report = true;
      delayed &= (command & kCmdDelay) != 0;
    }
    reg(kTdh) = reg(kTdh) + 1 == count ? 0 : reg(kTdh) + 1;
  }
  if (report) {
    delayed_cause(kCauseTxdw, transmit_delay_, transmit_latest_, delayed ? reg(kTidv) : 0, reg(kTadv));
  }
  if (reg(kTdh) == reg(kTdt)) cause(kCauseTxqe);
}

void E1000::read_context(const std::array<u8, 16>& d) {
  const u32 lengths = load_le<u32>(&d[8]);
  const u8 command = d[11];
  Context& to = command & kCmdSegment ? segment_context_ : context_;
  to = {d[0],
        d[1],
        d[4],
        d[5],
        load_le<u16>(&d[2]),
        load_le<u16>(&d[6]),
        lengths & 0xfffff,
        d[13],
        load_le<u16>(&d[14]),
        (command & 1) != 0,
        (command & 2) != 0};
}

std::size_t E1000::add_data(const std::array<u8, 16>& d, u64 address, bool legacy) {
  if (!packet_.begun) {
    packet_.begun = true;
    packet_.extended = !legacy;
    packet_.options = legacy ? 0 : d[13];
    packet_.segment = !legacy && d[11] & kCmdSegment;
  }
  const u32 length = legacy ? load_le<u16>(&d[8]) : load_le<u32>(&d[8]) & 0xfffff;
  const std::size_t had = packet_.bytes.size(), more = std::min<std::size_t>(length, kMostPacket - had);
  packet_.bytes.resize(had + more);
  memory_.read_block(address, std::span(packet_.bytes).subspan(had));
  return more;
}

// 3.4 to 3.5.
void E1000::send_packet(const std::array<u8, 16>& last, bool legacy) {
  Packet packet = std::exchange(packet_, {});
  if (packet.segment) {
    const Context& c = segment_context_;
    const Segmentation how{c.ip_start, c.tu_start, c.header, c.mss, c.v4, c.tcp};
    count(kTsctc);
    cut_segments(packet.bytes, how, [&](std::span<u8> segment) { send_frame(segment, last); });
    return;
  }
  std::span<u8> frame = packet.bytes;
  if (packet.extended) {
    const auto end = [](u16 last_byte) { return last_byte ? std::size_t{last_byte} + 1 : kMostFrame; };
    if (packet.options & kPoptsTu) insert_checksum(frame, context_.tu_start, end(context_.tu_end), context_.tu_offset);
    if (packet.options & kPoptsIp) insert_checksum(frame, context_.ip_start, end(context_.ip_end), context_.ip_offset);
  } else if (legacy && last[11] & kCmdChecksum) {
    insert_checksum(frame, last[13], kMostFrame, last[10]);  // CSS, CSO
  }
  send_frame(frame, last);
}

void E1000::send_frame(std::span<u8> frame, const std::array<u8, 16>& last) {
  if (frame.size() < kMacHeader || frame.size() > kMostFrame - 64) return;
  std::vector<u8> bytes(frame.begin(), frame.end());
  if (last[11] & kCmdVlan && reg(kCtrl) & kCtrlVlan) {
    u8 tag[4];
    store_be<u16>(&tag[0], static_cast<u16>(reg(kVet)));
    store_be<u16>(&tag[2], load_le<u16>(&last[14]));
    bytes.insert(bytes.begin() + 12, tag, tag + 4);
  }
  if (bytes.size() < kLeastFrame && reg(kTctl) & kTctlPad) bytes.resize(kLeastFrame);
  const std::size_t wire = bytes.size() + 4;
  count(kTpt);
  count(kGptc);
  count_bytes(kTotl, wire);
  count_bytes(kGotcl, wire);
  count_size(kPtc64, wire);
  if (is_broadcast(bytes)) {
    count(kBptc);
  } else if (is_group(bytes)) {
    count(kMptc);
  }
  const u32 loopback = reg(kRctl) & kTransceiverLoopback;
  if (loopback == kMacLoopback || loopback == kTransceiverLoopback || phy_[kPhyControl] & kPhyLoopback) {
    if (reg(kRctl) & kRctlEnable) take_frame(bytes);
    return;
  }
  port_.send(bytes);
}

}  // namespace xlat
