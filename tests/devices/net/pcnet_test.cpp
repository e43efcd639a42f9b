// The Am79C970A through its bus: both widths of its ports and rings, filters, loopback, damage.
#include "devices/net/pcnet.h"

#include "tests/devices/net/nic_rig.h"

using namespace xlat;

namespace {

struct Rig : PciRig<Pcnet> {
  static constexpr u32 kBlock = 0x1000, kRx = 0x2000, kTx = 0x3000, kData = 0x10000;
  unsigned style;
  bool wide;

  explicit Rig(unsigned software_style = 2) : style(software_style), wide(software_style != 0) {
    in(kIo + 0x14, 2);
    set_bcr(20, style);
  }
  u32 csr(unsigned n) { return out(kIo + 0x12, n, 2), in(kIo + 0x10, 2); }
  void set_csr(unsigned n, u32 value) { out(kIo + 0x12, n, 2), out(kIo + 0x10, value, 2); }
  u32 bcr(unsigned n) { return out(kIo + 0x12, n, 2), in(kIo + 0x16, 2); }
  void set_bcr(unsigned n, u32 value) { out(kIo + 0x12, n, 2), out(kIo + 0x16, value, 2); }
  u32 size() const { return wide ? 16 : 8; }
  u32 buffer(unsigned n) const { return kData + 0x1000 * n; }

  // Eight descriptors each; those for receiving are the chip's.
  void start(u16 mode = 0, u64 groups = 0, unsigned rx_bytes = 1544) {
    std::vector<u8> block(28);
    store_le<u16>(&block[0], mode);
    u8* rest = &block[2];
    if (wide) block[2] = block[3] = 3 << 4, rest = &block[4];
    std::copy(kOwnMac.begin(), kOwnMac.end(), rest);
    store_le<u64>(rest + (wide ? 8 : 6), groups);
    store_le<u32>(rest + (wide ? 16 : 14), kRx | (wide ? 0 : 3u << 29));
    store_le<u32>(rest + (wide ? 20 : 18), kTx | (wide ? 0 : 3u << 29));
    put(kBlock, block);
    for (unsigned n = 0; n < 8; ++n) write(kRx, n, buffer(n), rx_bytes, 0x80);
    for (unsigned n = 0; n < 8; ++n) write(kTx, n, buffer(8 + n), 64, 0);
    set_csr(1, kBlock), set_csr(2, 0);
    set_csr(0, 0x43);
  }
  void write(u32 ring, unsigned n, u32 address, unsigned bytes, u8 status) {
    const u32 at = ring + size() * n;
    if (!wide) {
      put(at, address | u32{status} << 24);
      put(at + 4, (0x10000u - bytes) & 0xffff);
      return;
    }
    put(at + (style == 3 ? 8 : 0), address);
    put(at + 4, u32{status} << 24 | 0xf000 | ((0x1000 - bytes) & 0xfff));
    put(at + (style == 3 ? 0 : 8), 0);
  }
  u8 status(u32 ring, unsigned n) const { return ram[ring + size() * n + (wide ? 7 : 3)]; }
  unsigned received_bytes(unsigned n) const {
    const u32 at = kRx + size() * n;
    return (!wide ? word(at + 4) >> 16 : word(at + (style == 3 ? 0 : 8))) & 0xfff;
  }
  void send(unsigned n, const NetFrame& frame) {
    put(buffer(8 + n), frame);
    write(kTx, n, buffer(8 + n), static_cast<unsigned>(frame.size()), 0x83);
    set_csr(0, 0x48);
  }
};

}  // namespace

TEST_CASE("pcnet: identity, PROM and ports in both widths", "[net]") {
  Rig rig;
  CHECK(rig.config(0) == 0x20001022);
  CHECK(rig.csr(0) == 4);
  CHECK(rig.csr(88) == 0x1003);
  CHECK(rig.csr(89) == 0x0262);
  for (unsigned n = 0; n < 6; ++n) CHECK(rig.in(Rig::kIo + n, 1) == kOwnMac[n]);
  CHECK(rig.in(Rig::kIo + 14, 2) == 0x5757);
  CHECK(rig.csr(12) == 0x5452);
  CHECK(rig.bcr(4) == 0x80c0);
  rig.port.set_link(false);
  CHECK(rig.bcr(4) == 0x00c0);
  rig.out(Rig::kIo + 0x10, 0, 4);  // dwords from here on
  CHECK((rig.out(Rig::kIo + 0x14, 88), rig.in(Rig::kIo + 0x10)) == 0x1003);
  CHECK((rig.out(Rig::kIo + 0x14, 18), rig.in(Rig::kIo + 0x1c)) == 0x9081);
}

TEST_CASE("pcnet: frames both ways in every software style", "[net]") {
  for (const unsigned style : {0u, 2u, 3u}) {
    INFO("style " << style);
    Rig rig(style);
    rig.start();
    CHECK((rig.csr(0) & 0x0133) == 0x0133);
    CHECK(rig.interrupt());
    rig.set_csr(0, 0x0140);
    CHECK_FALSE(rig.interrupt());
    for (unsigned n = 0; n < 12; ++n) rig.send(n % 8, make_frame(kOtherMac, 100 + n));
    REQUIRE(rig.sent.size() == 12);
    CHECK(rig.sent[11] == make_frame(kOtherMac, 111));
    CHECK((rig.status(Rig::kTx, 3) & 0x80) == 0);
    CHECK((rig.csr(0) & 0x0200) != 0);

    rig.deliver(make_frame(kOwnMac, 300));
    CHECK(rig.status(Rig::kRx, 0) == 0x03);
    CHECK(rig.received_bytes(0) == 304);
    CHECK(rig.bytes(rig.buffer(0), 300) == make_frame(kOwnMac, 300));
    CHECK(rig.interrupt());
    rig.deliver(make_frame(kOtherMac, 300));
    rig.deliver(make_frame(kGroupMac, 300));
    CHECK(rig.status(Rig::kRx, 1) == 0x80);
    rig.deliver(make_frame(kEverybody, 30));
    CHECK(rig.received_bytes(1) == 64);
  }
}

TEST_CASE("pcnet: chains of buffers, groups, frames that wait", "[net]") {
  Rig rig;
  rig.start(0, ~u64{0}, 256);
  rig.deliver(make_frame(kGroupMac, 600));
  CHECK(rig.status(Rig::kRx, 0) == 0x02);
  CHECK(rig.status(Rig::kRx, 1) == 0x00);
  CHECK(rig.status(Rig::kRx, 2) == 0x01);
  CHECK(rig.received_bytes(2) == 604);
  // Sent from three buffers.
  const NetFrame frame = make_frame(kOtherMac, 300);
  for (unsigned n = 0; n < 3; ++n) {
    rig.put(rig.buffer(8 + n), std::span(frame).subspan(100 * n, 100));
    rig.write(Rig::kTx, n, rig.buffer(8 + n), 100, static_cast<u8>(0x80 | (n == 0 ? 2 : 0) | (n == 2 ? 1 : 0)));
  }
  rig.set_csr(0, 0x48);
  REQUIRE(rig.sent.size() == 1);
  CHECK(rig.sent[0] == frame);
  for (unsigned n = 0; n < 6; ++n) rig.deliver(make_frame(kOwnMac, 100));
  CHECK(rig.status(Rig::kRx, 7) == 0x03);
  for (unsigned n = 0; n < 8; ++n) rig.write(Rig::kRx, n, rig.buffer(n), 256, 0x80);  // nothing is said
  rig.pass(3'000'000);
  CHECK(rig.status(Rig::kRx, 0) == 0x03);
  CHECK(rig.status(Rig::kRx, 1) == 0x80);
}

TEST_CASE("pcnet: loopback, promiscuous, stop, a state", "[net]") {
  Rig rig;
  rig.start(0x0004);
  rig.send(0, make_frame(kOwnMac, 80));
  CHECK(rig.sent.empty());
  CHECK(rig.received_bytes(0) == 84);
  rig.set_csr(0, 4);
  CHECK(rig.csr(0) == 4);
  rig.start(0x8000);
  rig.deliver(make_frame(kOtherMac, 100));
  CHECK(rig.status(Rig::kRx, 0) == 0x03);
  const auto state = rig.state();
  rig.in(Rig::kIo + 0x14, 2);
  REQUIRE(rig.load(state));
  rig.send(0, make_frame(kOtherMac, 77));
  CHECK(rig.sent.back() == make_frame(kOtherMac, 77));
}

TEST_CASE("pcnet: whatever a guest does to it", "[net]") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Rig rig(seed % 4);
    rig.start();
    shake(rig, seed, 6000, {0x10, 0x12, 0x14, 0x16, 0x18, 0x1c});
  }
}
