// Registers, ring and remote DMA of the DP8390.
#include "devices/net/dp8390.h"

#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "devices/net/ethernet.h"

namespace xlat {

namespace {

// Command register.
constexpr u8 kStop = 1, kStart = 2, kTransmit = 4, kRemoteRead = 1 << 3, kRemoteAbort = 0x20, kSendPacket = 3 << 3,
             kRemote = 0x38;
// Interrupt status.
constexpr u8 kReceived = 1, kTransmitted = 2, kOverwrite = 0x10, kCounter = 0x20, kRemoteDone = 0x40,
             kResetStatus = 0x80;
// Receive configuration.
constexpr u8 kAcceptBroadcast = 4, kAcceptGroups = 8, kPromiscuous = 0x10, kMonitor = 0x20;
// Receive and transmit status.
constexpr u8 kIntact = 1, kMissed = 0x10, kGroup = 0x20, kSent = 1, kCarrierLost = 0x10;
constexpr u8 kLoopback = 6;  // of the transmit configuration
constexpr u8 kWordWide = 1;  // of the data configuration
constexpr unsigned kPage = 256, kHeader = 4, kCrc = 4;
constexpr unsigned kMostPages = (kHeader + kMostPlainFrame + kCrc + kPage - 1) / kPage;

enum Page0 : unsigned {
  kPstart = 1,
  kPstop,
  kBnry,
  kTpsr,
  kTbcr0,
  kTbcr1,
  kIsr,
  kRsar0,
  kRsar1,
  kRbcr0,
  kRbcr1,
  kRcr,
  kTcr,
  kDcr,
  kImr,
};

void set_low(u16& value, u8 byte) { value = static_cast<u16>((value & 0xff00) | byte); }
void set_high(u16& value, u8 byte) { value = static_cast<u16>((value & 0x00ff) | byte << 8); }

}  // namespace

Dp8390::Dp8390(Kind kind, NetPort& port, const MacAddress& mac, std::function<void(bool)> interrupt)
    : kind_(kind), port_(port), interrupt_(std::move(interrupt)) {
  // The PROM is eight bits wide: on the 16-bit bus each byte is there twice. 57h twice says that this is one.
  for (unsigned n = 0; n < mac.size(); ++n) prom_[2 * n] = prom_[2 * n + 1] = mac[n];
  for (unsigned n = 28; n < 32; ++n) prom_[n] = 0x57;
  port_.attach(*this, kind == Kind::kNe2000 ? "ne2k_isa" : "ne2k_pci", mac);
  reset();
}

void Dp8390::reset() {
  command_ = kStop | kRemoteAbort;
  status_ = kResetStatus;
  mask_ = transmit_config_ = 0;
  data_config_ = 4;
  receive_config_ = receive_status_ = transmit_status_ = 0;
  remote_bytes_ = 0;
  realtek_ = {0, 0, 0, 0};
  update();
}

void Dp8390::raise(u8 bits) {
  status_ |= bits;
  update();
}

void Dp8390::update() { interrupt_(status_ & mask_ & 0x7f); }

u8 Dp8390::peek(u16 address) const {
  if (address < prom_.size()) return prom_[address];
  return address >= kMemory && address < kMemory + kMemoryBytes ? ram_[address - kMemory] : 0xff;
}

void Dp8390::poke(u16 address, u8 value) {
  if (address >= kMemory && address < kMemory + kMemoryBytes) ram_[address - kMemory] = value;
}

// ---- Remote DMA ----

void Dp8390::next_data() {
  if (++remote_address_ == page_stop_ << 8) remote_address_ = static_cast<u16>(page_start_ << 8);
  if (remote_bytes_ && --remote_bytes_ == 0) raise(kRemoteDone);
}

u8 Dp8390::data_byte() {
  const u8 value = peek(remote_address_);
  next_data();
  return value;
}

void Dp8390::data_byte(u8 value) {
  if (remote_bytes_ == 0) return;
  poke(remote_address_, value);
  next_data();
}

// An access moves as many bytes as the data configuration says, whatever its width; but for dwords, which are the
// RTL8029's.
unsigned Dp8390::data_step(unsigned width) const { return width == 4 ? 4 : data_config_ & kWordWide ? 2 : 1; }

// ---- Registers ----

u32 Dp8390::read(u64 offset, unsigned width) {
  if (offset >= 0x18 && offset < 0x20) {
    reset();
    return 0;
  }
  if (offset >= 0x10 && offset < 0x18) {
    u32 word = 0;
    for (unsigned n = 0; n < data_step(width); ++n) word |= u32{data_byte()} << 8 * n;
    return word & static_cast<u32>(mask(8 * width));
  }
  u32 value = 0;
  for (unsigned n = 0; n < width && offset + n < 0x10; ++n) {
    value |= u32{read_register(static_cast<unsigned>(offset) + n)} << 8 * n;
  }
  return value;
}

void Dp8390::write(u64 offset, unsigned width, u32 value) {
  if (offset >= 0x18) return;  // the reset that a read has begun ends
  if (offset >= 0x10) {
    for (unsigned n = 0; n < data_step(width); ++n) data_byte(static_cast<u8>(value >> 8 * n));
    return;
  }
  for (unsigned n = 0; n < width && offset + n < 0x10; ++n) {
    write_register(static_cast<unsigned>(offset) + n, static_cast<u8>(value >> 8 * n));
  }
}

u8 Dp8390::read_register(unsigned n) {
  if (n == 0) return command_;
  switch (command_ >> 6) {
    case 0: return read_page0(n);
    case 1: return n < 7 ? address_[n - 1] : n == 7 ? current_ : groups_[n - 8];
    case 2:
      switch (n) {
        case kPstart: return page_start_;
        case kPstop: return page_stop_;
        case kTpsr: return transmit_page_;
        case kRcr: return receive_config_ | 0xc0;
        case kTcr: return transmit_config_ | 0xe0;
        case kDcr: return data_config_ | 0x80;
        case kImr: return mask_ | 0x80;
        default: return 0;
      }
    default:
      if (kind_ != Kind::kRtl8029) return 0;
      // 9346CR, CONFIG0 (a PCI card), CONFIG2, CONFIG3 (full duplex in its bit 6).
      return n == 1 ? realtek_[0] : n == 5 ? realtek_[1] : n == 6 ? static_cast<u8>(realtek_[2] | 0x40) : u8{0};
  }
}

u8 Dp8390::read_page0(unsigned n) {
  switch (n) {
    case 1: return static_cast<u8>(remote_address_);  // the local DMA's address, which has no meaning at rest
    case 2: return static_cast<u8>(remote_address_ >> 8);
    case kBnry: return boundary_;
    case kTpsr: return transmit_status_;
    case kTbcr0: return 0;  // collisions
    case kTbcr1: return 0;  // FIFO
    case kIsr: return status_;
    case kRsar0: return static_cast<u8>(remote_address_);
    case kRsar1: return static_cast<u8>(remote_address_ >> 8);
    case kRbcr0: return kind_ == Kind::kRtl8029 ? 0x50 : 0xff;
    case kRbcr1: return kind_ == Kind::kRtl8029 ? 0x43 : 0xff;
    case kRcr: return receive_status_;
    default: return std::exchange(tallies_[n - kTcr], u8{0});
  }
}

void Dp8390::write_register(unsigned n, u8 value) {
  if (n == 0) return command(value);
  switch (command_ >> 6) {
    case 0: return write_page0(n, value);
    case 1:
      if (n < 7) address_[n - 1] = value;
      if (n == 7) current_ = value;
      if (n > 7) groups_[n - 8] = value;
      return;
    case 3:
      if (n == 1) realtek_[0] = value;
      if (n == 5) realtek_[1] = value;
      if (n == 6) realtek_[2] = value & 0x46;
      return;
    default: return;
  }
}

void Dp8390::write_page0(unsigned n, u8 value) {
  switch (n) {
    case kPstart: page_start_ = value; break;
    case kPstop: page_stop_ = value; break;
    case kBnry:
      boundary_ = value;
      port_.feed();
      break;
    case kTpsr: transmit_page_ = value; break;
    case kTbcr0: set_low(transmit_bytes_, value); break;
    case kTbcr1: set_high(transmit_bytes_, value); break;
    case kIsr:
      status_ &= static_cast<u8>(~(value & 0x7f));
      update();
      break;
    case kRsar0: set_low(remote_address_, value); break;
    case kRsar1: set_high(remote_address_, value); break;
    case kRbcr0: set_low(remote_bytes_, value); break;
    case kRbcr1: set_high(remote_bytes_, value); break;
    case kRcr: receive_config_ = value & 0x3f; break;
    case kTcr: transmit_config_ = value & 0x1f; break;
    case kDcr: data_config_ = value & 0x7f; break;
    case kImr:
      mask_ = value & 0x7f;
      update();
      break;
    default: break;
  }
}

void Dp8390::command(u8 value) {
  command_ = value & static_cast<u8>(~kTransmit);
  if (value & kStop) {
    raise(kResetStatus);
    return;
  }
  if (value & kStart) status_ &= static_cast<u8>(~kResetStatus);
  if ((value & kRemote) == kSendPacket) {  // reads the packet at the boundary
    remote_address_ = static_cast<u16>(boundary_ << 8);
    remote_bytes_ = static_cast<u16>(peek(static_cast<u16>(remote_address_ + 2)) |
                                     peek(static_cast<u16>(remote_address_ + 3)) << 8);
  } else if (!(value & kRemoteAbort) && value & (kRemoteRead | kRemoteRead << 1) && remote_bytes_ == 0) {
    raise(kRemoteDone);
  }
  if (value & kTransmit) transmit();
  port_.feed();
}

void Dp8390::transmit() {
  std::array<u8, kMostPlainFrame> frame;
  const std::size_t bytes = std::min<std::size_t>(transmit_bytes_, frame.size());
  for (std::size_t n = 0; n < bytes; ++n) frame[n] = peek(static_cast<u16>((transmit_page_ << 8) + n));
  const bool loop = transmit_config_ & kLoopback;
  if (!loop) port_.send(std::span(frame).first(bytes));
  transmit_status_ = static_cast<u8>(kSent | (port_.link() || loop ? 0 : kCarrierLost));
  raise(kTransmitted);
}

// ---- Receiving ----

u8 Dp8390::next_page(u8 page) const {
  const u8 next = static_cast<u8>(page + 1);
  return next == page_stop_ ? page_start_ : next;
}

unsigned Dp8390::free_pages() const {
  const int size = page_stop_ - page_start_, ahead = boundary_ - current_;
  if (size <= 0) return 0;
  return static_cast<unsigned>(std::clamp(ahead > 0 ? ahead : size + ahead, 0, size));
}

bool Dp8390::can_receive() {
  if (command_ & kStop || transmit_config_ & kLoopback) return true;
  // A ring that never holds a frame, and one that is not there, lose what comes.
  if (page_stop_ - page_start_ <= static_cast<int>(kMostPages) || free_pages() > kMostPages) return true;
  // Drivers stop at some number of packets and count on the next one to call them for the rest.
  if (!(status_ & kReceived)) raise(kReceived);
  return false;
}

bool Dp8390::accepts(std::span<const u8> frame) const {
  if (receive_config_ & kPromiscuous) return true;
  if (is_broadcast(frame)) return receive_config_ & kAcceptBroadcast;
  if (!is_group(frame)) return is_for(frame, address_);
  const unsigned hash = address_crc(frame.first<6>()) >> 26;
  return receive_config_ & kAcceptGroups && bit(groups_[hash >> 3], hash & 7);
}

void Dp8390::missed() {
  receive_status_ |= kMissed;
  if (tallies_[2] < 0xff) ++tallies_[2];
  if (tallies_[2] & 0x80) raise(kCounter);
}

void Dp8390::receive(std::span<const u8> frame) {
  if (command_ & kStop || transmit_config_ & kLoopback) return;
  if (frame.size() > kMostPlainFrame || !accepts(frame)) return;
  if (receive_config_ & kMonitor) return missed();
  std::array<u8, kMostPlainFrame + kCrc> bytes{};
  std::copy(frame.begin(), frame.end(), bytes.begin());
  const std::size_t length = std::max(frame.size(), kLeastFrame);
  store_le(&bytes[length], frame_crc(std::span(bytes).first(length)));
  const unsigned pages = static_cast<unsigned>((kHeader + length + kCrc + kPage - 1) / kPage);
  if (pages >= free_pages()) {
    missed();
    return raise(kOverwrite);
  }
  u8 last = current_;
  for (unsigned n = 0; n < pages; ++n) last = next_page(last);
  receive_status_ = static_cast<u8>(kIntact | (is_group(frame) ? kGroup : 0));
  const u16 count = static_cast<u16>(length + kCrc);
  const std::array<u8, kHeader> header = {receive_status_, last, static_cast<u8>(count), static_cast<u8>(count >> 8)};
  u8 page = current_;
  unsigned at = 0;
  const auto put = [&](u8 byte) {
    poke(static_cast<u16>(page << 8 | at), byte);
    if (++at == kPage) at = 0, page = next_page(page);
  };
  for (const u8 byte : header) put(byte);
  for (std::size_t n = 0; n < length + kCrc; ++n) put(bytes[n]);
  current_ = last;
  raise(kReceived);
}

void Dp8390::serialize(Archive& ar) {
  ar(ram_)(command_)(page_start_)(page_stop_)(boundary_)(current_)(transmit_page_)(transmit_status_)(receive_status_);
  ar(status_)(mask_)(receive_config_)(transmit_config_)(data_config_)(transmit_bytes_)(remote_address_)(remote_bytes_);
  ar(address_)(groups_)(tallies_)(realtek_);
}

}  // namespace xlat
