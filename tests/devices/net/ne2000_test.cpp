// NE2000 and RTL8029 through their ports: PROM, remote DMA, ring, filters, damage.
#include "devices/net/dp8390.h"
#include "tests/devices/net/nic_rig.h"

using namespace xlat;

namespace {

struct Rig : NicBoard {
  static constexpr u16 kIo = 0x300;
  bool interrupt = false;
  Dp8390 chip;

  explicit Rig(Dp8390::Kind kind = Dp8390::Kind::kNe2000)
      : chip(kind, port, kOwnMac, [this](bool level) { interrupt = level; }) {
    ports.map(kIo, 0x20, chip, kWidthsAll);
  }
  u8 reg(unsigned n) { return static_cast<u8>(in(kIo + n, 1)); }
  void set_reg(unsigned n, unsigned value) { out(kIo + n, value, 1); }

  // Pages 40h-45h send, 46h-7Fh receive; words.
  void start(u8 receive = 0x0c) {
    set_reg(0, 0x21);
    set_reg(0xe, 0x49);
    set_reg(0xc, receive), set_reg(0xd, 0);
    set_reg(1, 0x46), set_reg(2, 0x80), set_reg(3, 0x46), set_reg(4, 0x40);
    set_reg(7, 0xff), set_reg(0xf, 0x3f);
    set_reg(0, 0x61);
    for (unsigned n = 0; n < 6; ++n) set_reg(1 + n, kOwnMac[n]);
    for (unsigned n = 0; n < 8; ++n) set_reg(8 + n, 0);
    set_reg(7, 0x47);
    set_reg(0, 0x22);
  }
  void remote(u16 address, u16 bytes, unsigned command) {
    set_reg(8, address & 0xff), set_reg(9, address >> 8), set_reg(0xa, bytes & 0xff), set_reg(0xb, bytes >> 8);
    set_reg(0, command);
  }
  NetFrame read_memory(u16 address, u16 bytes) {
    remote(address, bytes, 0x0a);
    NetFrame data;
    for (unsigned n = 0; n < bytes; n += 2) {
      const u32 word = in(kIo + 0x10, 2);
      data.push_back(static_cast<u8>(word)), data.push_back(static_cast<u8>(word >> 8));
    }
    data.resize(bytes);
    return data;
  }
  u8 current() {
    set_reg(0, 0x62);
    const u8 page = reg(7);
    set_reg(0, 0x22);
    return page;
  }
};

}  // namespace

TEST_CASE("ne2000: reset, and the address in its PROM", "[net]") {
  Rig rig;
  rig.start();
  rig.reg(0x1f);
  CHECK((rig.reg(7) & 0x80) != 0);
  CHECK(rig.reg(0) == 0x21);
  rig.set_reg(0xe, 0x48);  // bytes
  rig.remote(0, 32, 0x0a);
  for (unsigned n = 0; n < 12; ++n) CHECK(rig.reg(0x10) == kOwnMac[n / 2]);
  for (unsigned n = 12; n < 28; ++n) rig.reg(0x10);
  CHECK(rig.reg(0x10) == 0x57);
  rig.start();
  rig.remote(0, 12, 0x0a);
  for (unsigned n = 0; n < 6; ++n) CHECK(rig.reg(0x10) == kOwnMac[n]);  // a byte of each word
  CHECK((rig.reg(7) & 0x40) != 0);
  CHECK(Rig(Dp8390::Kind::kRtl8029).reg(0xa) == 0x50);
}

TEST_CASE("ne2000: a frame goes out from its memory", "[net]") {
  Rig rig;
  rig.start();
  const NetFrame frame = make_frame(kOtherMac, 300);
  rig.remote(0x4000, 300, 0x12);
  for (unsigned n = 0; n < 300; n += 2) rig.out(Rig::kIo + 0x10, load_le<u16>(&frame[n]), 2);
  CHECK((rig.reg(7) & 0x40) != 0);
  rig.set_reg(5, 300 & 0xff), rig.set_reg(6, 300 >> 8), rig.set_reg(0, 0x26);
  REQUIRE(rig.sent.size() == 1);
  CHECK(rig.sent[0] == frame);
  CHECK((rig.reg(7) & 0x02) != 0);
  CHECK(rig.interrupt);
  CHECK((rig.reg(0) & 0x04) == 0);
  CHECK(rig.reg(4) == 1);
}

TEST_CASE("ne2000: frames come into the ring, go round, and wait when it is full", "[net]") {
  Rig rig;
  rig.start();
  u8 page = 0x47;
  for (unsigned n = 0; n < 40; ++n) {
    const u16 bytes = static_cast<u16>(60 + 37 * n);
    rig.deliver(make_frame(n % 3 ? kOwnMac : kEverybody, bytes, static_cast<u8>(n)));
    const NetFrame header = rig.read_memory(static_cast<u16>(page << 8), 4);
    CHECK(load_le<u16>(&header[2]) == bytes + 4);
    CHECK(header[0] == (n % 3 ? 0x01 : 0x21));
    // The remote DMA goes round with the ring.
    CHECK(rig.read_memory(static_cast<u16>((page << 8) + 4), bytes) ==
          make_frame(n % 3 ? kOwnMac : kEverybody, bytes, static_cast<u8>(n)));
    CHECK(rig.current() == header[1]);
    page = header[1];
    rig.set_reg(3, page == 0x46 ? 0x7fu : page - 1u);
    rig.set_reg(7, 0xff);
  }
  for (unsigned n = 0; n < 20; ++n) rig.deliver(make_frame(kOwnMac, 1514));
  const u8 full = rig.current();
  // A driver that has acknowledged without reading all is called again.
  rig.set_reg(7, 0xff);
  rig.deliver(make_frame(kOwnMac, 1514));
  CHECK((rig.reg(7) & 1) == 1);
  rig.set_reg(3, full - 1);
  CHECK(rig.current() != full);
}

TEST_CASE("ne2000: what it listens to", "[net]") {
  Rig rig;
  const auto hears = [&](u8 config, const MacAddress& to) {
    rig.start(config);
    rig.deliver(make_frame(to, 64));
    return rig.current() != 0x47;
  };
  CHECK(hears(0, kOwnMac));
  CHECK_FALSE(hears(0, kOtherMac));
  CHECK_FALSE(hears(0, kEverybody));
  CHECK(hears(4, kEverybody));
  CHECK_FALSE(hears(8, kGroupMac));
  CHECK(hears(0x10, kOtherMac));
  rig.start(0x20);  // monitors
  rig.deliver(make_frame(kOwnMac, 64));
  CHECK(rig.current() == 0x47);
  CHECK(rig.reg(0xf) == 1);
  CHECK(rig.reg(0xf) == 0);
  rig.start(8);
  const unsigned hash = address_crc(std::span(kGroupMac).first<6>()) >> 26;
  rig.set_reg(0, 0x62), rig.set_reg(8 + (hash >> 3), 1u << (hash & 7)), rig.set_reg(0, 0x22);
  rig.deliver(make_frame(kGroupMac, 64));
  CHECK(rig.current() != 0x47);
}

TEST_CASE("ne2000: whatever a guest does to it", "[net]") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Rig rig;
    std::mt19937 random(seed);
    for (unsigned n = 0; n < 20000; ++n) {
      const unsigned at = Rig::kIo + random() % 0x20, width = 1u << random() % 3;
      if (random() % 3) {
        rig.out(at, static_cast<u32>(random()), width);
      } else {
        rig.in(at, width);
      }
      if (random() % 4 == 0) rig.deliver(make_frame(random() % 2 ? kOwnMac : kEverybody, 14 + random() % 2000));
      if (rig.sent.size() > 100) rig.sent.clear();
    }
    Archive saved = Archive::saver();
    rig.chip.serialize(saved);
    Archive loaded = Archive::loader(saved.bytes());
    rig.chip.serialize(loaded);
    CHECK((loaded.ok() && loaded.at_end()));
  }
}
