// The 82540EM through its bus: EEPROM, rings, offloads, filters, interrupts, damage.
#include "devices/net/e1000.h"

#include "devices/net/e1000_registers.h"
#include "tests/devices/net/nic_rig.h"

using namespace xlat;
using namespace xlat::e1000;

namespace {

struct Rig : PciRig<E1000> {
  static constexpr u32 kTx = 0x1000, kRx = 0x2000, kTxData = 0x10000, kRxData = 0x40000;
  unsigned next_tx = 0;

  Rig() : PciRig(1, 0) {
    set(kTdbal, kTx), set(kTdlen, 16 * 16), set(kTctl, kTctlEnable | kTctlPad);
    set(kRdbal, kRx), set(kRdlen, 16 * 16);
    for (unsigned n = 0; n < 16; ++n) put(kRx + 16 * n, kRxData + 2048 * n);
    set(kRdt, 15);
    set(kRctl, kRctlEnable | kRctlBroadcast | kRctlStripCrc);
    set(kIms, 0xff);
    get(kIcr);
  }
  void descriptor(u64 address, u32 low, u32 high) {
    const u32 at = kTx + 16 * next_tx;
    put(at, static_cast<u32>(address)), put(at + 4, static_cast<u32>(address >> 32)), put(at + 8, low),
        put(at + 12, high);
    next_tx = (next_tx + 1) % 16;
  }
  void go() { set(kTdt, next_tx); }
  void send(const NetFrame& frame, u8 command = kCmdEop | kCmdReport, u32 high = 0) {
    put(kTxData, frame);
    descriptor(kTxData, static_cast<u32>(frame.size()) | u32{command} << 24, high);
    go();
  }
  u8 received_status(unsigned n) const { return ram[kRx + 16 * n + 12]; }
  unsigned received_bytes(unsigned n) const { return load_le<u16>(&ram[kRx + 16 * n + 8]); }
};

u16 eeprom_word(Rig& rig, u32 address) {
  rig.set(kEerd, address << 8 | 1);
  REQUIRE((rig.get(kEerd) & 0x10) != 0);
  return static_cast<u16>(rig.get(kEerd) >> 16);
}

}  // namespace

TEST_CASE("e1000: identity, and an EEPROM with the right sum in both ways to read it", "[net]") {
  Rig rig;
  CHECK(rig.config(0) == 0x100e8086);
  u16 sum = 0;
  for (u32 n = 0; n < 64; ++n) sum = static_cast<u16>(sum + eeprom_word(rig, n));
  CHECK(sum == 0xbaba);
  CHECK(eeprom_word(rig, 0) == 0x5452);
  // By its wires: select, start bit, read, address 2.
  rig.set(kEecd, kEecdRequest);
  CHECK((rig.get(kEecd) & kEecdGrant) != 0);
  const auto clock = [&](u32 data) {
    rig.set(kEecd, kEecdRequest | kEecdSelect | data);
    rig.set(kEecd, kEecdRequest | kEecdSelect | data | kEecdClock);
    return (rig.get(kEecd) & kEecdOut) != 0;
  };
  for (const u32 bit : {1, 1, 0, 0, 0, 0, 0, 1, 0}) clock(bit ? kEecdIn : 0);
  unsigned value = 0;
  for (unsigned n = 0; n < 16; ++n) value = value << 1 | clock(0);
  CHECK(value == 0x5634);
  CHECK(rig.get(kRal) == 0x12005452);
  CHECK(rig.get(kRal + 4) == 0x80005634);
}

TEST_CASE("e1000: frames go out, padded, with a tag or a checksum if the descriptor says so", "[net]") {
  Rig rig;
  rig.send(make_frame(kOtherMac, 100));
  REQUIRE(rig.sent.size() == 1);
  CHECK(rig.sent[0] == make_frame(kOtherMac, 100));
  CHECK((rig.ram[Rig::kTx + 12] & 1) == 1);
  CHECK(rig.interrupt());
  CHECK((rig.get(kIcr) & kCauseTxdw) != 0);
  CHECK_FALSE(rig.interrupt());
  CHECK(rig.get(kGptc) == 1);
  CHECK(rig.get(kGptc) == 0);

  rig.send(make_frame(kOtherMac, 20));
  CHECK(rig.sent.back().size() == 60);

  rig.set(kCtrl, kCtrlVlan);
  rig.send(make_frame(kOtherMac, 64), kCmdEop | kCmdVlan, 0x0123'0000);
  CHECK(rig.sent.back().size() == 68);
  CHECK(load_be<u32>(&rig.sent.back()[12]) == 0x81000123);

  NetFrame packet = make_tcp(100);
  const NetFrame good = packet;
  store_be<u16>(&packet[50], pseudo_header_sum(packet, ip_layout(packet), 120));
  rig.send(packet, kCmdEop | kCmdChecksum, 34 << 8);  // CSS; CSO is in the second dword
  CHECK(rig.sent.back() != good);                     // CSO was 0
  rig.put(Rig::kTxData, packet);
  rig.descriptor(Rig::kTxData, static_cast<u32>(packet.size()) | 50 << 16 | u32{kCmdEop | kCmdChecksum} << 24, 34 << 8);
  rig.go();
  CHECK(rig.sent.back() == good);
}

TEST_CASE("e1000: a large TCP packet becomes segments with sums of their own", "[net]") {
  Rig rig;
  const NetFrame packet = make_tcp(4000);
  rig.put(Rig::kTxData, packet);
  // IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 50, TUCSE 0; TSE, IP, TCP; HDRLEN 54, MSS 1460.
  rig.descriptor(u64{34} << 32 | u64{50} << 40 | 14 | 24 << 8 | 33 << 16, 4000 | 0x27u << 24, 54 << 8 | 1460u << 16);
  rig.descriptor(Rig::kTxData, 54 | 1 << 20 | 0x26u << 24, 3 << 8);
  rig.descriptor(Rig::kTxData + 54, 4000 | 1 << 20 | 0x2fu << 24, 3 << 8);
  rig.go();
  REQUIRE(rig.sent.size() == 3);
  NetFrame data;
  for (std::size_t n = 0; n < 3; ++n) {
    const NetFrame& frame = rig.sent[n];
    const IpLayout layout = ip_layout(frame);
    REQUIRE(layout.version == 4);
    CHECK(ip_header_good(frame, layout));
    CHECK(payload_good(frame, layout));
    CHECK(load_be<u16>(&frame[18]) == 0x1234 + n);
    CHECK(load_be<u32>(&frame[38]) == 0x100 + 1460 * n);
    CHECK(frame[47] == (n == 2 ? 0x19 : 0x10));
    data.insert(data.end(), frame.begin() + 54, frame.end());
  }
  CHECK(data == NetFrame(packet.begin() + 54, packet.end()));
  CHECK(rig.get(kTsctc) == 1);
}

TEST_CASE("e1000: what comes in is filtered, placed, counted and told", "[net]") {
  Rig rig;
  rig.deliver(make_frame(kOwnMac, 200));
  CHECK(rig.received_status(0) == (kRxDone | kRxEop | kRxIgnoreSums));
  CHECK(rig.received_bytes(0) == 200);
  CHECK(rig.bytes(Rig::kRxData, 200) == make_frame(kOwnMac, 200));
  CHECK(rig.interrupt());
  CHECK((rig.get(kIcr) & kCauseRxt0) != 0);
  rig.deliver(make_frame(kOtherMac, 200));
  CHECK(rig.get(kRdh) == 1);
  rig.deliver(make_frame(kGroupMac, 200));
  CHECK(rig.get(kRdh) == 1);
  rig.set(kMta + 4 * (0x160 >> 5), 1u << (0x160 & 31));  // bits 47:36 of the address
  rig.deliver(make_frame(kGroupMac, 200));
  CHECK(rig.get(kRdh) == 2);
  rig.deliver(make_frame(kEverybody, 20));
  CHECK(rig.received_bytes(2) == 60);
  rig.set(kRctl, rig.get(kRctl) | kRctlUnicastAll);
  rig.deliver(make_frame(kOtherMac, 200));
  CHECK(rig.get(kRdh) == 4);
  CHECK(rig.get(kBprc) == 1);
  CHECK(rig.get(kMprc) == 1);
  CHECK(rig.get(kGprc) == 4);
  // Several buffers, with the check sequence.
  rig.set(kRctl, kRctlEnable | kRctlLong | 3 << 16);  // buffers of 256 bytes
  rig.deliver(make_frame(kOwnMac, 600));
  CHECK(rig.get(kRdh) == 7);
  CHECK(rig.received_status(4) == (kRxDone | kRxIgnoreSums));
  CHECK(rig.received_bytes(6) == 600 + 4 - 512);
  NetFrame whole;
  for (unsigned n = 4; n < 7; ++n) {
    const NetFrame part = rig.bytes(Rig::kRxData + 2048 * n, rig.received_bytes(n));
    whole.insert(whole.end(), part.begin(), part.end());
  }
  CHECK(load_le<u32>(&whole[600]) == frame_crc(make_frame(kOwnMac, 600)));
}

TEST_CASE("e1000: sums are looked at, tags taken off, by request", "[net]") {
  Rig rig;
  rig.set(kRxcsum, kIpSumOffload | kTuSumOffload);
  rig.deliver(make_tcp(300));
  CHECK(rig.received_status(0) == (kRxDone | kRxEop | kRxIpSum | kRxTcpSum));
  CHECK(rig.ram[Rig::kRx + 13] == 0);
  rig.deliver(make_tcp(300, false));
  CHECK(rig.ram[Rig::kRx + 16 + 13] == kRxTcpError);
  rig.set(kCtrl, kCtrlVlan);
  NetFrame tagged = make_frame(kOwnMac, 100);
  const u8 tag[4] = {0x81, 0, 0x20, 0x05};
  tagged.insert(tagged.begin() + 12, tag, tag + 4);
  rig.deliver(tagged);
  CHECK((rig.received_status(2) & kRxVlan) != 0);
  CHECK(load_le<u16>(&rig.ram[Rig::kRx + 32 + 14]) == 0x2005);
  CHECK(rig.bytes(Rig::kRxData + 4096, 100) == make_frame(kOwnMac, 100));
  rig.set(kRctl, rig.get(kRctl) | kRctlVlanFilter);
  rig.deliver(tagged);
  CHECK(rig.get(kRdh) == 3);
  rig.set(kVfta, 1 << 5);
  rig.deliver(tagged);
  CHECK(rig.get(kRdh) == 4);
}

TEST_CASE("e1000: frames wait for descriptors, interrupts for ITR and RDTR", "[net]") {
  Rig rig;
  for (unsigned n = 0; n < 20; ++n) rig.deliver(make_frame(kOwnMac, 64, static_cast<u8>(n)));
  CHECK(rig.get(kRdh) == 15);
  rig.set(kRdt, 4);
  CHECK(rig.get(kRdh) == 4);  // five that waited
  CHECK(rig.bytes(Rig::kRxData + 2048 * 3, 64) == make_frame(kOwnMac, 64, 19));

  rig.set(kImc, kCauseRxdmt0);
  rig.set(kItr, 1000);  // 256 us
  rig.get(kIcr);
  rig.set(kRdt, 12);
  rig.deliver(make_frame(kOwnMac, 64));
  CHECK(rig.interrupt());
  rig.get(kIcr);
  rig.deliver(make_frame(kOwnMac, 64));
  CHECK_FALSE(rig.interrupt());
  rig.pass(300'000);
  CHECK(rig.interrupt());
  rig.get(kIcr);
  rig.set(kItr, 0);
  rig.pass(1'000'000);
  rig.set(kRdtr, 100);
  rig.set(kRadv, 150);
  rig.deliver(make_frame(kOwnMac, 64));
  CHECK_FALSE(rig.interrupt());
  rig.pass(80'000);
  rig.deliver(make_frame(kOwnMac, 64));
  rig.pass(60'000);
  CHECK_FALSE(rig.interrupt());
  rig.pass(20'000);  // RADV after the first
  CHECK(rig.interrupt());
}

TEST_CASE("e1000: link, PHY, loopback, reset, a state in between", "[net]") {
  Rig rig;
  CHECK((rig.get(kStatus) & kStatusLinkUp) != 0);
  rig.port.set_link(false);
  CHECK((rig.get(kStatus) & kStatusLinkUp) == 0);
  CHECK((rig.get(kIcr) & kCauseLsc) != 0);
  rig.set(kMdic, 2u << 26 | 1 << 21 | kPhyStatus << 16);
  CHECK((rig.get(kMdic) & 0x1000'ffff) == 0x1000'7949);
  rig.send(make_frame(kOtherMac, 64));
  CHECK(rig.sent.empty());
  rig.port.set_link(true);
  rig.set(kMdic, 1u << 26 | 1 << 21 | kPhyControl << 16 | 0x4140);
  rig.send(make_frame(kOwnMac, 64));
  CHECK(rig.sent.empty());
  CHECK(rig.bytes(Rig::kRxData, 64) == make_frame(kOwnMac, 64));

  // A packet half read is part of the state.
  rig.put(Rig::kTxData, make_frame(kOtherMac, 100));
  rig.set(kMdic, 1u << 26 | 1 << 21 | kPhyControl << 16 | 0x1140);
  rig.descriptor(Rig::kTxData, 40, 0);
  rig.go();
  const auto state = rig.state();
  rig.set(kCtrl, kCtrlReset);
  CHECK(rig.get(kTdbal) == 0);
  CHECK(rig.get(kRal) == 0x12005452);
  REQUIRE(rig.load(state));
  rig.descriptor(Rig::kTxData + 40, 60 | u32{kCmdEop} << 24, 0);
  rig.go();
  REQUIRE(rig.sent.size() == 1);
  CHECK(rig.sent[0] == make_frame(kOtherMac, 100));
}

TEST_CASE("e1000: a frame that lands in its own registers begins nothing anew", "[net]") {
  Rig rig;
  rig.set(kRctl, kRctlEnable | kRctlUnicastAll | 1 << 6);  // MAC loopback
  for (unsigned n = 0; n < 16; ++n) rig.put(Rig::kRx + 16 * n, Rig::kMmio + kTdt);
  NetFrame frame(60);
  for (std::size_t n = 0; n < frame.size(); n += 4) store_le<u32>(&frame[n], 8);
  for (unsigned n = 0; n < 4; ++n) rig.send(frame);
  CHECK(rig.sent.empty());
  rig.pass(1'000'000);
}

TEST_CASE("e1000: whatever a guest does to it", "[net]") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Rig rig;
    shake(rig, seed, 6000, {kCtrl, kRctl, kTctl, kTdbal, kTdlen, kTdh,  kTdt,    kRdbal, kRdlen, kRdh,
                            kRdt,  kIms,  kIcr,  kMdic,  kEecd,  kEerd, kRxcsum, kRdtr,  kItr,   kVet});
  }
}
