// The RTL8139C+ through its bus: slots and ring, descriptors with offloads, EEPROM, timer, damage.
#include "devices/net/rtl8139.h"

#include "devices/net/rtl8139_registers.h"
#include "tests/devices/net/nic_rig.h"

using namespace xlat;
using namespace xlat::rtl8139;

namespace {

struct Rig : PciRig<Rtl8139> {
  static constexpr u32 kRing = 0x10000, kData = 0x20000, kTxRing = 0x1000, kRxRing = 0x2000, kBuffers = 0x30000;

  void classic(u32 rcr = kRcrMatch | kRcrBroadcast | kRcrWrap) {
    set(kRbstart, kRing);
    set(kRcr, rcr);
    set(kCr, kCrTransmit | kCrReceive, 1);
    set(kImr, 0xffff, 2);
  }
  void plus() {
    set(kCpcr, kCpTransmit | kCpReceive | kCpSums | kCpVlan, 2);
    set(kTsad, kTxRing), set(kRdsar, kRxRing);
    set(kRcr, kRcrMatch | kRcrBroadcast);
    for (unsigned n = 0; n < 4; ++n) receive_descriptor(n);
    set(kCr, kCrTransmit | kCrReceive, 1);
    set(kImr, 0xffff, 2);
  }
  void receive_descriptor(unsigned n) {
    put(kRxRing + 16 * n, kOwn | (n == 3 ? kEndOfRing : 0) | 1600);
    put(kRxRing + 16 * n + 4, 0), put(kRxRing + 16 * n + 8, kBuffers + 2048 * n), put(kRxRing + 16 * n + 12, 0);
  }
  void send(unsigned n, u32 flags, u32 address, u32 vlan = 0) {
    put(kTxRing + 16 * n + 4, vlan), put(kTxRing + 16 * n + 8, address), put(kTxRing + 16 * n + 12, 0);
    put(kTxRing + 16 * n, kOwn | flags);
  }
};

}  // namespace

TEST_CASE("rtl8139: identity, EEPROM, and configuration behind its lock", "[net]") {
  Rig rig;
  CHECK(rig.config(0) == 0x813910ec);
  CHECK((rig.config(8) & 0xff) == 0x20);
  CHECK(rig.get(kIdr) == 0x12005452);
  CHECK((rig.get(kTcr) & 0x7cc0'0000) == 0x7480'0000);
  const auto clock = [&](u8 data) {
    rig.set(k9346, 0x88 | data, 1);
    rig.set(k9346, 0x8c | data, 1);
    return rig.get(k9346, 1) & 1;
  };
  const auto word = [&](unsigned address) {
    rig.set(k9346, 0x80, 1);
    for (const unsigned bit : {1u, 1u, 0u}) clock(bit ? 2 : 0);
    for (unsigned n = 6; n-- > 0;) clock(address >> n & 1 ? 2 : 0);
    unsigned value = 0;
    for (unsigned n = 0; n < 16; ++n) value = value << 1 | clock(0);
    rig.set(k9346, 0, 1);
    return value;
  };
  CHECK(word(0) == 0x8129);
  CHECK(word(7) == 0x5452);
  CHECK(word(9) == 0x5634);
  rig.set(kConfig1, 0x3c, 1);
  CHECK(rig.get(kConfig1, 1) == 0x0c);
  rig.set(k9346, 0xc0, 1);
  rig.set(kConfig1, 0x3c, 1);
  CHECK(rig.get(kConfig1, 1) == 0x3c);
}

TEST_CASE("rtl8139: four slots send, a ring of bytes receives and wraps", "[net]") {
  Rig rig;
  rig.classic();
  for (unsigned n = 0; n < 6; ++n) {
    rig.put(Rig::kData, make_frame(kOtherMac, 100 + n));
    rig.set(kTsad + 4 * (n % 4), Rig::kData);
    rig.set(kTsd + 4 * (n % 4), 100 + n);
  }
  REQUIRE(rig.sent.size() == 6);
  CHECK(rig.sent[5] == make_frame(kOtherMac, 105));
  CHECK((rig.get(kTsd) & (kTsdOwn | kTsdOk)) == (kTsdOwn | kTsdOk));
  CHECK(rig.get(kIsr, 2) == kIsrTok);
  CHECK(rig.interrupt());
  rig.set(kIsr, 0xffff, 2);
  CHECK_FALSE(rig.interrupt());

  CHECK((rig.get(kCr, 1) & kCrEmpty) != 0);
  u32 at = 0;
  for (unsigned n = 0; n < 20; ++n) {
    const std::size_t bytes = 60 + 71 * n;
    rig.deliver(make_frame(n % 2 ? kOwnMac : kEverybody, bytes, static_cast<u8>(n)));
    CHECK((rig.get(kCr, 1) & kCrEmpty) == 0);
    CHECK(load_le<u16>(&rig.ram[Rig::kRing + at + 2]) == bytes + 4);
    CHECK(rig.bytes(Rig::kRing + at + 4, bytes) == make_frame(n % 2 ? kOwnMac : kEverybody, bytes, static_cast<u8>(n)));
    at = static_cast<u32>(align_up(at + 8 + bytes, 4)) % 8192;
    CHECK(rig.get(kCbr, 2) == at);
    rig.set(kCapr, at - 16, 2);
    CHECK((rig.get(kCr, 1) & kCrEmpty) != 0);
  }
  CHECK(rig.get(kIsr, 2) == kIsrRok);
  // What has no room waits.
  for (unsigned n = 0; n < 10; ++n) rig.deliver(make_frame(kOwnMac, 1514));
  const u32 full = rig.get(kCbr, 2);
  rig.set(kCapr, full - 16, 2);
  CHECK(rig.get(kCbr, 2) != full);
  rig.deliver(make_frame(kOtherMac, 100));
  rig.deliver(make_frame(kGroupMac, 100));
}

TEST_CASE("rtl8139: groups by their hash, everything when it is promiscuous, loopback", "[net]") {
  Rig rig;
  rig.classic(kRcrMulticast);
  rig.deliver(make_frame(kGroupMac, 64));
  CHECK(rig.get(kCbr, 2) == 0);
  const unsigned hash = address_crc(std::span(kGroupMac).first<6>()) >> 26;
  rig.set(kMar + (hash >> 3), 1u << (hash & 7), 1);
  rig.deliver(make_frame(kGroupMac, 64));
  CHECK(rig.get(kCbr, 2) == 72);
  rig.set(kRcr, kRcrAll);
  rig.deliver(make_frame(kOtherMac, 64));
  CHECK(rig.get(kCbr, 2) == 144);
  rig.set(kTcr, kTcrLoop);
  rig.put(Rig::kData, make_frame(kOtherMac, 64));
  rig.set(kTsad, Rig::kData);
  rig.set(kTsd, 64);
  CHECK(rig.sent.empty());
  CHECK(rig.get(kCbr, 2) == 216);
}

TEST_CASE("rtl8139: descriptors of C+ mode with sums, large sends and tags", "[net]") {
  Rig rig;
  rig.plus();
  NetFrame packet = make_tcp(100);
  const NetFrame good = packet;
  packet[24] = packet[25] = packet[50] = packet[51] = 0xee;
  rig.put(Rig::kData, packet);
  rig.send(0, kFirst | kSumIp | kSumTcp | 60, Rig::kData, kTagged | 0x0520);
  rig.send(1, kLast | kSumIp | kSumTcp | static_cast<u32>(packet.size() - 60), Rig::kData + 60);
  rig.put(Rig::kTxRing + 32, 0);
  rig.set(kTppoll, 0x40, 1);
  REQUIRE(rig.sent.size() == 1);
  NetFrame tagged = good;
  const u8 tag[4] = {0x81, 0, 0x20, 0x05};
  tagged.insert(tagged.begin() + 12, tag, tag + 4);
  CHECK(rig.sent[0] == tagged);
  CHECK(rig.word(Rig::kTxRing) == (kFirst | 60));
  const NetFrame large = make_tcp(4000);
  rig.put(Rig::kData, large);
  rig.send(2, kFirst | kLast | kEndOfRing | kLargeSend | 1400u << 16 | static_cast<u32>(large.size()), Rig::kData);
  rig.set(kTppoll, 0x40, 1);
  REQUIRE(rig.sent.size() == 4);
  for (std::size_t n = 1; n < 4; ++n) CHECK(payload_good(rig.sent[n], ip_layout(rig.sent[n])));
  CHECK((rig.get(kIsr, 2) & kIsrTok) != 0);

  rig.deliver(make_tcp(200));
  CHECK(rig.word(Rig::kRxRing) == (kFirst | kLast | kRxPhysical | 1 << 16 | 258));
  CHECK(rig.bytes(Rig::kBuffers, 254) == make_tcp(200));
  rig.deliver(make_tcp(200, false));
  CHECK((rig.word(Rig::kRxRing + 16) & kRxTcpFail) != 0);
  NetFrame with_tag = make_frame(kOwnMac, 100);
  with_tag.insert(with_tag.begin() + 12, tag, tag + 4);
  rig.deliver(with_tag);
  CHECK(rig.word(Rig::kRxRing + 36) == (kRxTagged | 0x0520));
  rig.deliver(make_frame(kOwnMac, 100));
  CHECK((rig.word(Rig::kRxRing + 48) & (kOwn | kEndOfRing)) == kEndOfRing);
  rig.deliver(make_frame(kOwnMac, 101));  // waits
  rig.receive_descriptor(0);
  rig.pass(1'000'000);
  CHECK((rig.word(Rig::kRxRing) & 0x1fff) == 105);
  // Counters are written to memory.
  rig.set(kTsd + 4, 0), rig.set(kTsd, 0x8000 | 8);
  CHECK((rig.get(kTsd) & 8) == 0);
  CHECK(rig.word(0x8000) == 4);
  CHECK(rig.word(0x8008) == 5);
}

TEST_CASE("rtl8139: timer, link, a state", "[net]") {
  Rig rig;
  rig.classic();
  rig.set(kIsr, 0xffff, 2);
  rig.set(kTctr, 0);
  rig.set(kTimerInt, 33'000);  // 1 ms
  rig.pass(900'000);
  CHECK_FALSE(rig.interrupt());
  rig.pass(200'000);
  CHECK(rig.get(kIsr, 2) == kIsrTimeout);
  rig.set(kIsr, 0xffff, 2);
  rig.port.set_link(false);
  CHECK((rig.get(kMsr, 1) & 4) != 0);
  CHECK(rig.get(kIsr, 2) == kIsrLink);
  rig.port.set_link(true);
  rig.deliver(make_frame(kOwnMac, 64));
  const auto state = rig.state();
  rig.set(kCr, kCrReset, 1);
  CHECK(rig.get(kCbr, 2) == 0);
  REQUIRE(rig.load(state));
  CHECK(rig.get(kCbr, 2) == 72);
}

TEST_CASE("rtl8139: a frame that lands in its own registers begins nothing anew", "[net]") {
  Rig rig;
  rig.classic(kRcrAll);
  rig.set(kTcr, kTcrLoop);
  rig.set(kRbstart, Rig::kMmio + kTsd - 4);
  rig.put(Rig::kData, NetFrame(1500));
  for (unsigned n = 0; n < 4; ++n) rig.set(kTsad + 4 * n, Rig::kData);
  rig.set(kTsd, 1500);
  CHECK(rig.sent.empty());
}

TEST_CASE("rtl8139: whatever a guest does to it", "[net]") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Rig rig;
    seed % 2 ? rig.plus() : rig.classic();
    shake(rig, seed, 6000,
          {kTsd, kTsd + 4, kTsad, kTsad + 4, kRbstart, kCr, kCapr, kImr, kIsr, kTcr, kRcr, kTimerInt, k9346, kCpcr,
           kTppoll, kRdsar});
  }
}
