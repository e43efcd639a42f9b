// Registers, initialization and interrupts of the Am79C970A.
#include "devices/net/pcnet.h"

#include "base/bits.h"
#include "devices/net/pcnet_registers.h"

namespace xlat {

using namespace pcnet;

Pcnet::Pcnet(PciNic parts)
    : PciFunction({.vendor = 0x1022,
                   .device = 0x2000,
                   .revision = 0x10,
                   .class_code = 0x020000,
                   .subsystem_vendor = 0,
                   .subsystem = 0,
                   .interrupt_pin = 1}),
      memory_(parts.memory),
      clock_(parts.clock),
      port_(parts.port),
      poll_(clock_, [this] { poll(); }) {
  define16(kPciStatus, 0x0280);  // fast back-to-back, DEVSEL# medium
  define8(0x3e, 0x06);
  define8(0x3f, 0xff);
  add_io_bar(0, 0x20, *this, kWidthsAll);
  add_memory_bar(1, 4096, *this, kWidthsAll);
  if (!parts.rom.empty()) add_rom_bar(std::move(parts.rom));
  // The address PROM: bytes 12 and 13 are the sum of the others, 14 and 15 say that this is one of AMD's.
  std::copy(parts.mac.begin(), parts.mac.end(), prom_.begin());
  prom_[14] = prom_[15] = 0x57;
  u16 sum = 0;
  for (unsigned n = 0; n < 16; ++n) {
    if (n != 12 && n != 13) sum = static_cast<u16>(sum + prom_[n]);
  }
  store_le(&prom_[12], sum);
  port_.attach(*this, "pcnet", parts.mac);
  reset();
}

// H_RESET.
void Pcnet::reset() {
  reset_config();
  bcr_ = {};
  bcr_[0] = bcr_[1] = 5;
  bcr_[2] = 2;
  bcr_[4] = 0x00c0;
  bcr_[5] = 0x0084;
  bcr_[6] = 0x0088;
  bcr_[7] = 0x0090;
  bcr_[18] = 0x9001;
  bcr_[19] = 2;
  bcr_[20] = 0x0200;
  dword_io_ = false;
  csr_ = {};
  for (unsigned n = 0; n < 3; ++n) csr_[12 + n] = load_le<u16>(&prom_[2 * n]);
  soft_reset();
}

// S_RESET, by a read of the reset port.
void Pcnet::soft_reset() {
  csr_[0] = kStop;
  csr_[3] = 0;
  csr_[4] = 0x0115;
  csr_[5] = 0;
  csr_[15] &= 0x0180;
  csr_[80] = 0x1410;
  csr_[88] = 0x1003;  // the part, and its maker
  csr_[89] = 0x0262;
  csr_[94] = 0;
  csr_[100] = 0x0200;
  csr_[112] = csr_[114] = csr_[124] = 0;
  rap_ = 0;
  packet_.clear();
  packet_begun_ = false;
  poll_.cancel();
  update();
}

void Pcnet::stop() {
  csr_[0] = kStop;
  csr_[4] &= static_cast<u16>(~0x02c2);
  csr_[5] &= static_cast<u16>(~0x0011);
  packet_.clear();
  packet_begun_ = false;
  poll_.cancel();
  update();
}

void Pcnet::set_csr_pair(unsigned n, u32 value) {
  csr_[n] = static_cast<u16>(value);
  csr_[n + 1] = static_cast<u16>(value >> 16);
}

// The initialization block, in either width.
void Pcnet::initialize() {
  const u32 at = host_address(csr_pair(1));
  std::array<u8, 28> block{};
  memory_.read_block(at, std::span(block).first(wide() ? 28 : 24));
  csr_[15] = load_le<u16>(&block[0]);
  unsigned receive_length, transmit_length;
  const u8* rest = &block[2];
  if (wide()) {
    receive_length = block[2] >> 4;
    transmit_length = block[3] >> 4;
    rest = &block[4];
  } else {
    receive_length = block[19] >> 5;
    transmit_length = block[23] >> 5;
  }
  for (unsigned n = 0; n < 3; ++n) csr_[12 + n] = load_le<u16>(rest + 2 * n);
  const u8* const groups = rest + (wide() ? 8 : 6);
  for (unsigned n = 0; n < 4; ++n) csr_[8 + n] = load_le<u16>(groups + 2 * n);
  set_csr_pair(24, host_address(load_le<u32>(groups + 8)));
  set_csr_pair(30, host_address(load_le<u32>(groups + 12)));
  const unsigned most = wide() ? 9 : 7;
  csr_[76] = static_cast<u16>(0x10000 - (1u << std::min(receive_length, most)));
  csr_[78] = static_cast<u16>(0x10000 - (1u << std::min(transmit_length, most)));
  receive_index_ = transmit_index_ = 0;
  csr_[0] = static_cast<u16>((csr_[0] & ~kStop) | kInit | kIdon);
}

void Pcnet::start() {
  if (csr_[0] & kStop) receive_index_ = transmit_index_ = 0;
  csr_[0] = static_cast<u16>((csr_[0] & ~kStop) | kStrt);
  if (!(csr_[15] & kModeNoReceive)) csr_[0] |= kRxon;
  if (!(csr_[15] & kModeNoTransmit)) csr_[0] |= kTxon;
  poll_.schedule(clock_.now() + kPollInterval);
}

void Pcnet::control(u16 value) {
  csr_[0] &= static_cast<u16>(~(value & kClearable));
  csr_[0] = static_cast<u16>((csr_[0] & ~kIena) | (value & kIena));
  if (value & kStop) {
    stop();
    return;
  }
  if (value & kInit && !(csr_[0] & kInit)) initialize();
  if (value & kStrt && !(csr_[0] & kStrt)) start();
  update();
  if (value & kTdmd) transmit();
  port_.feed();
}

void Pcnet::update() {
  u16& status = csr_[0];
  status = static_cast<u16>((status & ~(kIntr | kErr)) | (status & kErrors ? kErr : 0));
  const u16 causes = static_cast<u16>(status & kCauses & ~csr_[3]);
  // Of CSR4 and CSR5 a flag stands one bit above its mask; the masks of the former forbid, those of the latter allow.
  const bool more = (csr_[4] >> 1 & ~csr_[4] & 0x0115) || (csr_[4] & 0x0040) || (csr_[5] >> 1 & csr_[5] & 0x0508);
  if (causes || more) status |= kIntr;
  set_intx(status & kIntr && status & kIena);
}

// What the chip looks for by itself: descriptors that the host has given back, with nothing said.
void Pcnet::poll() {
  if (csr_[0] & kStop) return;
  poll_.schedule(clock_.now() + kPollInterval);
  if (!(csr_[4] & kNoTransmitPoll)) transmit();
  port_.feed();
}

u16 Pcnet::read_csr(unsigned n) {
  switch (n) {
    case 16: return csr_[1];
    case 17: return csr_[2];
    case 58: return bcr_[20];
    case 72: return static_cast<u16>(receive_ring() - receive_index_);
    case 74: return static_cast<u16>(transmit_ring() - transmit_index_);
    default: return n < kCsrs ? csr_[n] : u16{0};
  }
}

void Pcnet::write_csr(unsigned n, u16 value) {
  const bool stopped = csr_[0] & kStop || csr_[5] & kSuspend;
  switch (n) {
    case 0: return control(value);
    case 3:
      csr_[3] = value & 0x5f7c;
      update();
      return port_.feed();
    case 4:
      csr_[4] = static_cast<u16>((csr_[4] & ~(value & 0x026a) & 0x026a) | (value & 0xf815) | (value & 0x0100));
      if (value & 0x0080)
        csr_[4] |= 0x0040;  // UINTCMD
      else
        csr_[4] &= static_cast<u16>(~(value & 0x0040));
      return update();
    case 5: csr_[5] = static_cast<u16>((csr_[5] & ~(value & 0x0a90) & 0x0a90) | (value & 0xf56f)); return update();
    case 16: csr_[1] = value; return;
    case 17: csr_[2] = value; return;
    case 58: return write_bcr(20, value);
    case 47:
    case 82:
    case 112:
    case 114: csr_[n] = value; return;
    case 88:
    case 89: return;
    default: break;
  }
  // Addresses, rings and modes are only written while nothing runs.
  const bool setting = n == 1 || n == 2 || (n >= 8 && n <= 15) || (n >= 18 && n <= 42) || n == 46 ||
                       (n >= 60 && n <= 65) || n == 72 || n == 74 || n == 76 || n == 78;
  if (!setting || !stopped) return;
  if (n == 72) receive_index_ = (receive_ring() - value) & 0xffff;
  if (n == 74) transmit_index_ = (transmit_ring() - value) & 0xffff;
  csr_[n] = value;
}

u16 Pcnet::read_bcr(unsigned n) const {
  if (n >= kBcrs) return 0;
  // LEDOUT of the light that shows the link.
  if (n == 4) return static_cast<u16>((bcr_[4] & 0x7fff) | (port_.link() && bcr_[4] & 0x40 ? 0x8000 : 0));
  return bcr_[n];
}

void Pcnet::write_bcr(unsigned n, u16 value) {
  if (n == 20) {
    static constexpr u16 kStyles[] = {0x0200, 0x0301, 0x0302, 0x0303};
    bcr_[20] = static_cast<u16>(kStyles[value & 3] | (value & 0x0400));
  } else if (n == 18) {
    bcr_[18] = static_cast<u16>((value & 0xff60) | (dword_io_ ? 0x80 : 0) | 1);
  } else if (n == 2 || (n >= 4 && n <= 7) || n == 9 || n == 16 || n == 17 || n == 19 || n == 21 || n == 22) {
    bcr_[n] = value;
  }
}

u32 Pcnet::read(u64 offset, unsigned width) {
  const unsigned at = static_cast<unsigned>(offset & 0x1f);
  if (at < 0x10) {
    u32 value = 0;
    for (unsigned n = 0; n < width && at + n < 0x10; ++n) value |= u32{prom_[at + n]} << 8 * n;
    return value;
  }
  if (width == 1) return at == (dword_io_ ? 0x18u : 0x14u) ? (soft_reset(), 0u) : 0xff;
  switch (dword_io_ ? (at - 0x10) / 2 : at - 0x10) {
    case 0: return read_csr(rap_);
    case 2: return rap_;
    case 4: soft_reset(); return 0;
    case 6: return read_bcr(rap_);
    default: return 0;
  }
}

void Pcnet::write(u64 offset, unsigned width, u32 value) {
  const unsigned at = static_cast<unsigned>(offset & 0x1f);
  if (at < 0x10) {
    if (!(bcr_[2] & 0x0100)) return;  // APROMWE
    for (unsigned n = 0; n < width && at + n < 0x10; ++n) prom_[at + n] = static_cast<u8>(value >> 8 * n);
    return;
  }
  // The first dword that is written there makes all of them dwords.
  if (width == 4 && at == 0x10 && !dword_io_) {
    dword_io_ = true;
    bcr_[18] |= 0x80;
  }
  if (width == 1 || (dword_io_ && width != 4) || (!dword_io_ && width == 4)) return;
  const u16 word = static_cast<u16>(value);
  switch (dword_io_ ? (at - 0x10) / 2 : at - 0x10) {
    case 0: return write_csr(rap_, word);
    case 2: rap_ = word & 0x7f; return;
    case 6: return write_bcr(rap_, word);
    default: return;
  }
}

void Pcnet::serialize(Archive& ar) {
  ar.section("pcnet", 1);
  serialize_config(ar);
  ar(prom_)(csr_)(bcr_).range(rap_, u16{0}, u16{0x7f})(dword_io_);
  ar.range(receive_index_, u32{0}, u32{0xffff}).range(transmit_index_, u32{0}, u32{0xffff});
  ar.blob(packet_, kMostPacket);
  ar(packet_begun_);
  poll_.serialize(ar);
}

namespace {
constexpr auto kProperties = pci_nic_properties("efi-pcnet.rom");
}  // namespace

extern const DeviceType kPcnetType = {
    "pcnet", "PCI", DeviceType::Category::kNetwork, "AMD Am79C970A PCnet-PCI II", kProperties, make_pci_nic<Pcnet>};

}  // namespace xlat
