// The 82077AA through its ports: every command, DMA and PIO, results, resets, geometries, hostile input.
#include "devices/floppy/fdc82077.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "tests/support/run_clock.h"
#include "tests/support/slow_drive.h"

using namespace xlat;

namespace {

constexpr u64 kMs = 1'000'000;

struct Lines : IrqSink {
  bool level = false;
  unsigned edges = 0;
  void set_irq(unsigned, bool on) override {
    edges += on && !level;
    level = on;
  }
};

using Bytes = std::vector<u8>;

struct Rig {
  PortBus ports;
  AddressSpace memory;
  Clock clock;
  Bytes ram = Bytes(0x40000);
  Lines irq;
  Dma8237 dma{ports, memory};
  Fdc82077 fdc{ports, clock, dma, IrqLine(irq, 6)};

  explicit Rig(u64 kib = 1440, FloppyType type = FloppyType::k1440K, ImageAccess access = ImageAccess::kReadWrite) {
    memory.map_ram(0, ram.size(), ram.data());
    fdc.attach(0, type);
    if (kib) insert(kib, access);
    fdc.reset();
    out(0x3f2, 0x1c);
    wait(1);
    for (unsigned n = 0; n < 4; ++n) CHECK(command({8}) == Bytes{static_cast<u8>(0xc0 | n), 0});
    constexpr u8 kRates[] = {2, 2, 0, 2, 0, 3};
    out(0x3f7, kRates[static_cast<unsigned>(type)]);
    command({3, 0xaf, 0x02});
  }
  // Each sector begins with its number.
  void insert(u64 kib, ImageAccess access = ImageAccess::kReadWrite) {
    struct Numbered : BlockImage {
      std::unique_ptr<BlockImage> inner;
      bool protect;
      u64 size() const override { return inner->size(); }
      Status read(u64 at, std::span<u8> to) override { return inner->read(at, to); }
      Status write(u64 at, std::span<const u8> from) override { return inner->write(at, from); }
      Status flush() override { return {}; }
      bool read_only() const override { return protect; }
      const std::string& path() const override { return inner->path(); }
    };
    auto image = std::make_unique<Numbered>();
    image->inner = make_memory_image(kib * 1024);
    image->protect = access == ImageAccess::kReadOnly;
    for (u32 n = 0; n < kib * 2; ++n) {
      const u8 number[4] = {static_cast<u8>(n), static_cast<u8>(n >> 8), 0x5a, 0xff};
      REQUIRE(image->write(u64{n} * 512, number).ok());
    }
    const Status s = fdc.drive(0)->insert(std::move(image));
    if (!s) FAIL(s.error().message);
  }
  void out(u16 port, u8 value) { ports.write(port, 1, value); }
  u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
  void wait(u64 ms) { run_clock(clock, clock.now() + ms * kMs); }
  u8 msr() { return in(0x3f4); }
  void send(const Bytes& bytes) {
    for (const u8 b : bytes) {
      CHECK((msr() & 0xc0) == 0x80);
      out(0x3f5, b);
    }
  }
  Bytes result() {
    Bytes got;
    while ((msr() & 0xd0) == 0xd0 && got.size() < 20) got.push_back(in(0x3f5));
    CHECK((msr() & 0xf0) == 0x80);
    return got;
  }
  // Command, time for it, result.
  Bytes command(const Bytes& bytes) {
    send(bytes);
    wait(3000);
    return result();
  }
  void set_dma(u8 mode, u16 address, u16 bytes) {
    out(0x0a, 6), out(0x0c, 0), out(0x0b, mode | 2), out(0x81, 1);
    out(4, static_cast<u8>(address)), out(4, static_cast<u8>(address >> 8));
    out(5, static_cast<u8>(bytes - 1)), out(5, static_cast<u8>((bytes - 1) >> 8));
    out(0x0a, 2);
  }
  void to_memory(u16 bytes) { set_dma(0x44, 0, bytes); }
  void from_memory(u16 bytes) { set_dma(0x48, 0, bytes); }
  u8* buffer() { return &ram[0x10000]; }
  // The number of the n-th sector read.
  u32 number(u32 n) { return u32{buffer()[n * 512]} | u32{buffer()[n * 512 + 1]} << 8; }
  void seek(u8 cylinder) {
    send({0x0f, 0, cylinder});
    wait(2000);
    CHECK(command({8}) == Bytes{0x20, cylinder});
  }
  u8 disk(u32 sector, u32 at) {
    std::array<u8, 512> bytes;
    REQUIRE(fdc.drive(0)->image()->read(sector * u64{512}, bytes).ok());
    return bytes[at];
  }
};

}  // namespace

TEST_CASE("FDC registers after the RESET pin and the reset by DOR and DSR") {
  Rig r;
  r.fdc.reset();
  CHECK(r.in(0x3f0) == 0xff);
  CHECK(r.in(0x3f2) == 0);
  CHECK(r.in(0x3f3) == 0xfc);
  CHECK(r.msr() == 0);
  r.out(0x3f3, 0xfe);
  CHECK(r.in(0x3f3) == 0xfe);
  r.out(0x3f5, 0x10);  // ignored in reset
  r.out(0x3f2, 0x0c);
  CHECK(r.msr() == 0);
  CHECK_FALSE(r.irq.level);
  r.wait(1);
  CHECK(r.msr() == 0x80);
  CHECK(r.irq.level);
  CHECK(r.command({8}) == Bytes{0xc0, 0});
  CHECK_FALSE(r.irq.level);
  CHECK(r.command({8}) == Bytes{0xc1, 0});
  CHECK(r.command({8}) == Bytes{0xc2, 0});
  CHECK(r.command({8}) == Bytes{0xc3, 0});
  CHECK(r.command({8}) == Bytes{0x80});

  r.out(0x3f4, 0x80);  // DSR resets by itself
  CHECK(r.msr() == 0);
  r.wait(1);
  CHECK(r.irq.level);
  CHECK(r.command({8}) == Bytes{0xc0, 0});
  r.out(0x3f4, 0x40);  // power down lasts until a reset
  r.wait(10);
  CHECK(r.msr() == 0);
  r.out(0x3f2, 0x08);
  r.out(0x3f2, 0x0c);
  r.wait(1);
  CHECK(r.msr() == 0x80);
  // DMAGATE# keeps the interrupt from the bus.
  r.out(0x3f2, 0x04);
  CHECK_FALSE(r.irq.level);
  r.out(0x3f2, 0x0c);
  CHECK(r.irq.level);
}

TEST_CASE("FDC without polling has no interrupt after a locked reset") {
  Rig r;
  r.command({0x13, 0, 0x57, 10});
  CHECK(r.command({0x94}) == Bytes{0x10});
  r.out(0x3f2, 0x18);
  r.out(0x3f2, 0x1c);
  r.wait(1);
  CHECK_FALSE(r.irq.level);
  CHECK(r.command({8}) == Bytes{0x80});
  CHECK(r.command({0x12, 0x87}).empty());
  CHECK(r.command({0x0e}) == Bytes{0, 0, 0, 0, 0xaf, 2, 0, 0x87, 0x57, 10});
  CHECK(r.command({0x14}) == Bytes{0});
  r.out(0x3f2, 0x18);
  r.out(0x3f2, 0x1c);
  r.wait(1);
  for (unsigned n = 0; n < 4; ++n) r.command({8});
  CHECK(r.command({0x0e}) == Bytes{0, 0, 0, 0, 0xaf, 2, 0, 0x04, 0x20, 0});
  CHECK(r.command({0x12, 0x03}).empty());  // without OW the drive bits stay
  CHECK(r.command({0x0e})[7] == 0x07);
}

TEST_CASE("FDC version, invalid commands, sense drive") {
  Rig r(1440, FloppyType::k1440K, ImageAccess::kReadOnly);
  CHECK(r.command({0x10}) == Bytes{0x90});
  for (const u8 bad : {0x00, 0x01, 0x0b, 0x15, 0x17, 0x18, 0x1f, 0x2e, 0x33, 0x48, 0x83, 0x87, 0xff}) {
    INFO(int{bad});
    CHECK(r.command({bad}) == Bytes{0x80});
  }
  CHECK_FALSE(r.irq.level);
  CHECK(r.command({4, 0}) == Bytes{0x78});  // protected, ready, track 0, two-sided
  r.seek(3);
  CHECK(r.command({4, 4}) == Bytes{0x6c});
  CHECK(r.command({4, 1}) == Bytes{0x29});  // no such drive
}

TEST_CASE("FDC seeks, recalibrates, and shows the disk change line") {
  Rig r;
  CHECK(r.in(0x3f7) == 0x80);
  r.send({0x0f, 0, 5});
  CHECK(r.msr() == 0x81);
  CHECK_FALSE(r.irq.level);
  r.wait(29);  // SRT Ah is 6 ms a step
  CHECK(r.msr() == 0x81);
  r.wait(2);
  CHECK(r.msr() == 0x80);
  CHECK(r.irq.level);
  CHECK(r.command({8}) == Bytes{0x20, 5});
  CHECK_FALSE(r.irq.level);
  CHECK(r.in(0x3f7) == 0);
  r.fdc.drive(0)->eject();
  CHECK(r.in(0x3f7) == 0x80);
  r.seek(6);
  CHECK(r.in(0x3f7) == 0x80);  // a step without a disk does not clear it
  r.insert(1440);
  CHECK(r.in(0x3f7) == 0x80);
  r.send({7, 0});
  r.wait(100);
  CHECK(r.command({8}) == Bytes{0x20, 0});
  CHECK(r.in(0x3f7) == 0);

  // 79 steps do not always reach track 0.
  r.seek(83);
  r.send({7, 0});
  r.wait(1000);
  CHECK(r.command({8}) == Bytes{0x70, 0});
  r.send({7, 0});
  r.wait(1000);
  CHECK(r.command({8}) == Bytes{0x20, 0});
  // Relative, inwards and outwards.
  r.send({0xcf, 0, 10});
  r.wait(100);
  CHECK(r.command({8}) == Bytes{0x20, 10});
  r.send({0x8f, 0, 4});
  r.wait(100);
  CHECK(r.command({8}) == Bytes{0x20, 6});
  // Two drives at once; the second is not there and never finds its track 0.
  r.send({0x0f, 0, 20});
  r.send({0x07, 1});
  CHECK(r.msr() == 0x83);
  r.wait(1000);
  CHECK(r.command({8}) == Bytes{0x20, 20});
  CHECK(r.irq.level);
  CHECK(r.command({8}) == Bytes{0x71, 0});
  CHECK(r.command({8}) == Bytes{0x80});
}

TEST_CASE("FDC reads by DMA with terminal count and multi-track") {
  Rig r;
  r.to_memory(1024);
  r.send({0xe6, 0, 0, 0, 3, 2, 18, 0x1b, 0xff});
  CHECK(r.msr() == 0x10);
  const unsigned edges = r.irq.edges;
  r.wait(50);
  CHECK(r.irq.edges == edges + 1);
  CHECK(r.msr() == 0xd0);
  CHECK(r.in(0x3f5) == 0);
  CHECK_FALSE(r.irq.level);  // by the first byte
  CHECK(r.result() == Bytes{0, 0, 0, 0, 5, 2});
  CHECK((r.number(0) == 2 && r.number(1) == 3));

  // From the last sector of side 0 over to side 1.
  r.to_memory(1024);
  CHECK(r.command({0xe6, 0, 0, 0, 18, 2, 18, 0x1b, 0xff}) == Bytes{4, 0, 0, 0, 1, 2, 2});
  CHECK((r.number(0) == 17 && r.number(1) == 18));
  // TC on the last of the cylinder: the next address is the next cylinder's first.
  r.to_memory(512);
  CHECK(r.command({0xe6, 4, 0, 1, 18, 2, 18, 0x1b, 0xff}) == Bytes{4, 0, 0, 1, 0, 1, 2});
  r.to_memory(512);
  CHECK(r.command({0x66, 0, 0, 0, 18, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0, 1, 0, 1, 2});
  // The count may end within a sector.
  r.to_memory(700);
  CHECK(r.command({0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0, 0, 0, 3, 2});
  // No TC before EOT.
  r.to_memory(0);
  CHECK(r.command({0x66, 0, 0, 0, 17, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 0x80, 0, 1, 0, 1, 2});
  CHECK((r.number(0) == 16 && r.number(1) == 17));
  // DMA that is not there in time.
  r.out(0x0a, 6);
  CHECK(r.command({0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 0x10, 0, 0, 0, 1, 2});
  r.from_memory(512);
  CHECK(r.command({0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff})[1] == 0x10);
}

TEST_CASE("FDC multi-track transfers with an EOT beyond the last sector") {
  Rig r;
  // 18 sectors from the second on: the last is the first of the other side.
  r.to_memory(18 * 512);
  CHECK(r.command({0xe6, 0, 0, 0, 2, 2, 19, 0x1b, 0xff}) == Bytes{4, 0, 0, 0, 1, 2, 2});
  for (u32 n = 0; n < 18; ++n) CHECK(r.number(n) == n + 1);
  // TC on the last sector of the track.
  r.to_memory(512);
  CHECK(r.command({0xe6, 0, 0, 0, 18, 2, 99, 0x1b, 0xff}) == Bytes{0, 0, 0, 0, 1, 1, 2});
  // On to the next cylinder; afterwards the carriage is where it was.
  r.to_memory(38 * 512);
  CHECK(r.command({0xe6, 0, 0, 0, 18, 2, 63, 0x1b, 0xff}) == Bytes{4, 0, 0, 1, 1, 2, 2});
  for (u32 n = 0; n < 38; ++n) CHECK(r.number(n) == n + 17);
  CHECK(r.command({0x0e})[0] == 0);
  r.to_memory(512);
  CHECK(r.command({0x66, 0, 0, 0, 3, 2, 18, 0x1b, 0xff})[0] == 0);
  CHECK(r.number(0) == 2);
  // Writing.
  std::fill_n(r.buffer(), 3 * 512, u8{0x77});
  r.from_memory(3 * 512);
  CHECK(r.command({0xc5, 0, 0, 0, 17, 2, 20, 0x1b, 0xff}) == Bytes{4, 0, 0, 0, 1, 2, 2});
  CHECK((r.disk(15, 0) == 15 && r.disk(16, 0) == 0x77 && r.disk(17, 0) == 0x77 && r.disk(18, 0) == 0x77));
  CHECK(r.disk(19, 0) == 19);
  // VERIFY by a count, and scans.
  CHECK(r.command({0xf6, 0x80, 0, 0, 17, 2, 30, 0x1b, 4}) == Bytes{4, 0, 0, 0, 1, 3, 2});
  r.from_memory(3 * 512);
  CHECK(r.command({0xd1, 0, 0, 0, 17, 2, 20, 0x1b, 1})[2] == 8);
  // Without MT there is nothing behind the last sector, as on a disk without that sector.
  r.to_memory(2 * 512);
  CHECK(r.command({0x66, 0, 0, 0, 18, 2, 19, 0x1b, 0xff}) == Bytes{0x40, 4, 0, 0, 0, 19, 2});
  // An EOT before the end of the track is one, whatever follows.
  r.to_memory(4 * 512);
  CHECK(r.command({0xe6, 0, 0, 0, 8, 2, 9, 0x1b, 0xff}) == Bytes{4, 0, 0, 0, 1, 3, 2});
  CHECK((r.number(1) == 8 && r.buffer()[1024] == 0x77 && r.number(3) == 19));
  // The last cylinder is the end of it all.
  r.seek(79);
  r.to_memory(40 * 512);
  const Bytes end = r.command({0xe6, 0, 79, 0, 2, 2, 60, 0x1b, 0xff});
  CHECK((end[0] & 0xc0) == 0x40);
  CHECK(end[1] != 0);
}

TEST_CASE("FDC addresses that are not on the disk") {
  Rig r;
  r.to_memory(512);
  CHECK(r.command({0x66, 0, 0, 0, 19, 2, 40, 0x1b, 0xff}) == Bytes{0x40, 4, 0, 0, 0, 19, 2});
  CHECK(r.command({0x66, 0, 0, 0, 0, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 4, 0, 0, 0, 0, 2});
  CHECK(r.command({0x66, 0, 0, 1, 1, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 4, 0, 0, 1, 1, 2});
  CHECK(r.command({0x66, 0, 0, 0, 1, 3, 18, 0x1b, 0xff}) == Bytes{0x40, 4, 0, 0, 0, 1, 3});
  CHECK(r.command({0x66, 0, 7, 0, 1, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 4, 0x10, 7, 0, 1, 2});
  CHECK(r.command({0x26, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 1, 0, 0, 0, 1, 2});  // FM
  CHECK(r.command({0x66, 1, 0, 0, 1, 2, 18, 0x1b, 0xff}) == Bytes{0x41, 1, 0, 0, 0, 1, 2});  // no drive
  r.out(0x3f7, 2);                                                                           // the wrong rate
  CHECK(r.command({0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff})[1] == 1);
  CHECK(r.command({0x4a, 0})[1] == 1);
  r.out(0x3f4, 0);  // right again, by the DSR
  CHECK(r.command({0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff})[0] == 0);
  r.fdc.drive(0)->eject();
  CHECK(r.command({0x4a, 0}) == Bytes{0x40, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("FDC implied seek") {
  Rig r;
  r.command({0x13, 0, 0x57, 0});
  r.to_memory(512);
  CHECK(r.command({0x66, 4, 40, 1, 5, 2, 18, 0x1b, 0xff}) == Bytes{0x24, 0, 0, 40, 1, 6, 2});
  CHECK(r.number(0) == 40 * 36 + 18 + 4);
  CHECK(r.command({0x0e})[0] == 40);
  CHECK(r.command({8}) == Bytes{0x80});
}

TEST_CASE("FDC writes, write protection, deleted data") {
  Rig r;
  std::iota(r.buffer(), r.buffer() + 1536, u8{1});
  r.from_memory(1024);
  CHECK(r.command({0xc5, 0, 0, 0, 18, 2, 18, 0x1b, 0xff}) == Bytes{4, 0, 0, 0, 1, 2, 2});
  CHECK((r.disk(17, 0) == 1 && r.disk(17, 511) == 0 && r.disk(18, 0) == 1));
  r.from_memory(10);  // the rest of the sector becomes zeros
  CHECK(r.command({0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0, 0, 0, 6, 2});
  CHECK((r.disk(4, 9) == 10 && r.disk(4, 10) == 0 && r.disk(4, 511) == 0));

  r.from_memory(512);
  CHECK(r.command({0x49, 0, 0, 0, 7, 2, 18, 0x1b, 0xff})[0] == 0);  // WRITE DELETED DATA
  r.to_memory(1536);
  // Without SK the deleted sector is read, marked, and the last.
  CHECK(r.command({0x46, 0, 0, 0, 6, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0x40, 0, 0, 7, 2});
  CHECK(r.buffer()[512] == 1);
  r.to_memory(1024);
  CHECK(r.command({0x66, 0, 0, 0, 6, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0x40, 0, 0, 9, 2});
  CHECK((r.number(0) == 5 && r.number(1) == 7));
  r.to_memory(512);
  CHECK(r.command({0x4c, 0, 0, 0, 7, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0, 0, 0, 8, 2});
  r.to_memory(512);
  CHECK(r.command({0x4c, 0, 0, 0, 8, 2, 18, 0x1b, 0xff}) == Bytes{0, 0, 0x40, 0, 0, 8, 2});
  r.from_memory(512);
  CHECK(r.command({0x45, 0, 0, 0, 7, 2, 18, 0x1b, 0xff})[0] == 0);  // an ordinary write takes the mark away
  r.to_memory(512);
  CHECK(r.command({0x46, 0, 0, 0, 7, 2, 18, 0x1b, 0xff})[2] == 0);

  r.insert(1440, ImageAccess::kReadOnly);
  r.from_memory(512);
  CHECK(r.command({0x45, 0, 0, 0, 7, 2, 18, 0x1b, 0xff}) == Bytes{0x40, 2, 0, 0, 0, 7, 2});
  CHECK(r.command({0x4d, 0, 2, 18, 0x54, 0xf6})[1] == 2);
}

TEST_CASE("FDC reads a track and its addresses") {
  Rig r;
  r.seek(1);
  r.to_memory(0);
  CHECK(r.command({0x42, 0, 1, 0, 1, 2, 3, 0x1b, 0xff}) == Bytes{0x40, 0x80, 0, 2, 0, 1, 2});
  CHECK((r.number(0) == 36 && r.number(2) == 38));
  r.to_memory(1024);
  CHECK(r.command({0x42, 4, 1, 1, 1, 2, 18, 0x1b, 0xff}) == Bytes{4, 0, 0, 1, 1, 3, 2});
  CHECK((r.number(0) == 54 && r.number(1) == 55));
  r.to_memory(512);  // other addresses than asked for are read all the same, and reported
  CHECK(r.command({0x42, 0, 1, 0, 9, 2, 18, 0x1b, 0xff})[1] == 4);
  CHECK(r.number(0) == 36);
  bool seen[19] = {};
  for (unsigned n = 0; n < 200; ++n) {
    r.send({0x4a, 4});
    r.wait(10);
    const Bytes id = r.result();
    REQUIRE(id.size() == 7);
    CHECK((id[0] == 4 && id[3] == 1 && id[4] == 1 && id[6] == 2));
    REQUIRE((id[5] >= 1 && id[5] <= 18));
    seen[id[5]] = true;
    r.clock.skip_to(r.clock.now() + 1'390'000);
  }
  CHECK(std::count(seen, seen + 19, true) == 18);
}

TEST_CASE("FDC formats a track") {
  Rig r;
  r.seek(2);
  for (u8 n = 0; n < 18; ++n) {
    const u8 id[4] = {2, 1, static_cast<u8>(n + 1), 2};
    std::copy(id, id + 4, r.buffer() + 4 * n);
  }
  r.from_memory(72);
  CHECK(r.command({0x4d, 4, 2, 18, 0x54, 0xf6})[0] == 4);
  CHECK((r.disk(2 * 36 + 18, 0) == 0xf6 && r.disk(2 * 36 + 35, 511) == 0xf6 && r.disk(2 * 36 + 17, 2) == 0x5a));
  r.buffer()[0] = 9;  // an address the image has no place for
  r.from_memory(72);
  CHECK(r.command({0x4d, 4, 2, 18, 0x54, 0xf6})[0] == 0x44);
}

TEST_CASE("FDC verify and scan") {
  Rig r;
  CHECK(r.command({0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff})[0] == 0);
  CHECK(r.command({0x56, 0, 0, 0, 1, 2, 19, 0x1b, 0xff})[0] == 0x40);
  CHECK(r.command({0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 5}) == Bytes{0, 0, 0, 0, 0, 6, 2});
  CHECK(r.command({0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 19}) == Bytes{0x40, 0x80, 0, 1, 0, 1, 2});
  CHECK(r.command({0xd6, 0x80, 0, 0, 1, 2, 18, 0x1b, 19}) == Bytes{4, 0, 0, 0, 1, 2, 2});

  // The buffer is sector 9 (address 10) over and over.
  const auto look = [&](u8 op, u8 value) {
    for (unsigned n = 0; n < 18; ++n) {
      u8* s = r.buffer() + 512 * n;
      std::fill(s, s + 512, u8{0});
      s[0] = value, s[2] = 0x5a;
    }
    r.from_memory(18 * 512);
    return r.command({op, 0, 0, 0, 8, 2, 18, 0x1b, 1});
  };
  CHECK(look(0x51, 9) == Bytes{0, 0, 8, 0, 0, 10, 2});
  CHECK(look(0x51, 99) == Bytes{0, 0, 4, 1, 0, 1, 2});
  CHECK(look(0x59, 7) == Bytes{0, 0, 8, 0, 0, 8, 2});  // disk <= host
  CHECK(look(0x59, 8) == Bytes{0, 0, 0, 0, 0, 8, 2});
  CHECK(look(0x59, 6)[2] == 4);
  CHECK(look(0x5d, 12) == Bytes{0, 0, 8, 0, 0, 13, 2});  // disk >= host
  CHECK(look(0x51, 0xff) == Bytes{0, 0, 8, 0, 0, 8, 2});
}

TEST_CASE("FDC without DMA") {
  Rig r;
  r.command({3, 0xaf, 0x03});
  r.send({0x66, 0, 0, 0, 1, 2, 2, 0x1b, 0xff});
  CHECK(r.msr() == 0x10);
  Bytes got;
  for (unsigned sector = 0; sector < 2; ++sector) {
    r.wait(5);
    CHECK(r.irq.level);
    for (unsigned n = 0; n < 512; ++n) {
      REQUIRE(r.msr() == 0xf0);
      got.push_back(r.in(0x3f5));
    }
  }
  CHECK((got[0] == 0 && got[512] == 1 && got[514] == 0x5a));
  CHECK(r.irq.level);  // the result's
  CHECK(r.result() == Bytes{0x40, 0x80, 0, 1, 0, 1, 2});
  CHECK_FALSE(r.irq.level);

  r.send({0x45, 0, 0, 0, 4, 2, 4, 0x1b, 0xff});
  r.wait(5);
  for (unsigned n = 0; n < 512; ++n) {
    REQUIRE(r.msr() == 0xb0);
    r.out(0x3f5, static_cast<u8>(n * 3));
  }
  CHECK(r.msr() == 0x10);
  r.wait(5);
  CHECK(r.result() == Bytes{0x40, 0x80, 0, 1, 0, 1, 2});
  CHECK((r.disk(3, 1) == 3 && r.disk(3, 511) == static_cast<u8>(511 * 3)));
  // Who does not come for his bytes loses them.
  r.send({0x66, 0, 0, 0, 1, 2, 2, 0x1b, 0xff});
  r.wait(1000);
  CHECK(r.result() == Bytes{0x40, 0x10, 0, 0, 0, 1, 2});
}

TEST_CASE("FDC geometries by image size") {
  struct {
    u64 kib;
    FloppyType type;
    u8 cylinders, heads, sectors;
  } const kDisks[] = {{160, FloppyType::k360K, 40, 1, 8},    {180, FloppyType::k360K, 40, 1, 9},
                      {320, FloppyType::k360K, 40, 2, 8},    {360, FloppyType::k1200K, 40, 2, 9},
                      {720, FloppyType::k1440K, 80, 2, 9},   {1200, FloppyType::k1200K, 80, 2, 15},
                      {1440, FloppyType::k2880K, 80, 2, 18}, {1680, FloppyType::k1440K, 80, 2, 21},
                      {2880, FloppyType::k2880K, 80, 2, 36}};
  for (const auto& d : kDisks) {
    INFO(d.kib);
    Rig r(d.kib, d.type);
    u8 rate = 0;
    while (!(r.fdc.drive(0)->format().rates >> rate & 1)) ++rate;
    r.out(0x3f7, rate);
    const u8 head = d.heads - 1, cylinder = d.cylinders - 1;
    r.seek(cylinder);
    r.to_memory(512);
    CHECK(r.command({0x46, static_cast<u8>(head << 2), cylinder, head, d.sectors, 2, d.sectors, 0x1b, 0xff})[0] ==
          head << 2);
    CHECK(r.number(0) == d.kib * 2 - 1);
    // One sector more is not there, nor is side 1 of a single-sided disk.
    CHECK(r.command({0x46, 0, cylinder, 0, static_cast<u8>(d.sectors + 1), 2, 99, 0x1b, 0xff})[1] == 4);
    if (head == 0) CHECK(r.command({0x46, 4, cylinder, 1, 1, 2, 9, 0x1b, 0xff})[1] == 1);
  }
  Clock clock;
  std::vector<std::pair<bool, std::size_t>> done;  // whether it went well, and bytes read
  FloppyDrive small(clock, FloppyType::k1440K, {},
                    [&](const DiskRequest& r) { done.emplace_back(r.status.ok(), r.data.size()); });
  CHECK_FALSE(small.insert(make_memory_image(2880 << 10)).ok());
  CHECK_FALSE(small.insert(make_memory_image(360 << 10)).ok());
  CHECK_FALSE(small.insert(make_memory_image(5000 << 10)).ok());
  CHECK(fitting_floppy_format(1000, {}).bytes() == 1440 << 10);
  CHECK(fitting_floppy_format(13188, {}).sectors == 18);
  CHECK(fitting_floppy_format((1440 << 10) + 512, {}).bytes() == 2880 << 10);
  CHECK(fitting_floppy_format(u64{1} << 40, {}).bytes() == 2880 << 10);
  // A FAT file system says how large its disk is.
  std::array<u8, 512> fat{0xeb, 0x3c, 0x90};
  fat[12] = 2, fat[19] = 0xa0, fat[20] = 0x05, fat[21] = 0xf9;
  CHECK(fitting_floppy_format(13188, fat).bytes() == 720 << 10);
  CHECK(fitting_floppy_format(800 << 10, fat).bytes() == 800 << 10);
  fat[20] = 0x33;
  CHECK(fitting_floppy_format(13188, fat).bytes() == 1440 << 10);
  // A part of a disk: the rest reads as zeros and cannot be written.
  REQUIRE(small.insert(make_memory_image(512)).ok());
  std::array<u8, 512> bytes;
  bytes.fill(1);
  small.read(5);
  small.write(5, bytes, false);
  small.write(0, bytes, true);
  clock.skip_to(1'000'000);
  clock.run_due();
  CHECK(done == std::vector<std::pair<bool, std::size_t>>{{true, 0}, {false, 512}, {true, 512}});
}

TEST_CASE("FDC saved in the middle of everything and loaded") {
  Rig r;
  r.command({3, 0xaf, 0x03});
  r.send({0x66, 0, 0, 0, 1, 2, 2, 0x1b, 0xff});
  r.wait(5);
  for (unsigned n = 0; n < 100; ++n) r.in(0x3f5);
  Archive save = Archive::saver();
  r.clock.serialize(save);
  r.fdc.serialize(save);
  Rig other;
  Archive load = Archive::loader(save.bytes());
  other.clock.serialize(load);
  other.fdc.serialize(load);
  REQUIRE(load.ok());
  CHECK(load.at_end());
  for (unsigned n = 100; n < 512; ++n) CHECK(other.in(0x3f5) == r.in(0x3f5));
  other.wait(5), r.wait(5);
  CHECK(other.in(0x3f5) == 1);
}

TEST_CASE("FDC endures random accesses and damaged snapshots") {
  std::mt19937 random(7);
  Rig r;
  r.fdc.attach(1, FloppyType::k2880K);
  Bytes good;
  for (unsigned n = 0; n < 300'000; ++n) {
    const u16 port = static_cast<u16>(0x3f0 + random() % 8);
    u8 value = static_cast<u8>(random());
    if (port == 0x3f2 && random() % 16) value |= 0x0c;
    if (port == 0x3f4 && random() % 64) continue;
    switch (random() % 8) {
      case 0: r.ports.read(port, 1u << random() % 3); break;
      case 1: r.wait(random() % 30); break;
      case 2: r.set_dma(static_cast<u8>(random()), static_cast<u16>(random()), static_cast<u16>(random())); break;
      case 3:
        if (random() % 200 == 0) {
          if (random() % 2)
            r.fdc.drive(0)->eject();
          else
            (void)r.fdc.drive(0)->insert(make_memory_image(random() % 2 ? 720 << 10 : 1440 << 10));
        }
        break;
      default: r.ports.write(port, random() % 4 ? 1 : 2, value); break;
    }
    if (n % 3000 == 0) {
      Archive save = Archive::saver();
      r.fdc.serialize(save);
      good = save.bytes();
      if (n % 9000 == 0) good[random() % good.size()] ^= static_cast<u8>(1 << random() % 8);
      Archive load = Archive::loader(good);
      r.fdc.serialize(load);
    }
  }
  SUCCEED();
}

namespace {
struct SlowFloppy : SlowDrive, Rig {
  SlowFloppy() : SlowDrive(1440 * 1024), Rig(0, FloppyType::kNone) {
    fdc.attach(0, FloppyType::k1440K, setup());
    REQUIRE(fdc.drive(0)->insert(image.open()));
    out(0x3f7, 0);
  }
  void begin(u8 lba, u8 command) {
    over_ = false;
    const u8 sector = static_cast<u8>(lba + 1);
    send({command, 0, 0, 0, sector, 2, sector, 0x1b, 0xff});
  }
  void read(u8 lba) override { to_memory(512), begin(lba, 0x46); }
  void write(u8 lba) override {
    std::fill_n(buffer(), 512, u8{0x77});
    from_memory(512);
    begin(lba, 0x45);
    pass(300'000'000);  // the disk turns
  }
  bool over() override {
    if (over_ || (msr() & 0xd0) != 0xd0) return over_;
    const Bytes got = result();
    CHECK((got[0] & 0xc0) == 0);
    return over_ = true;
  }
  std::vector<u8> data() override { return {buffer(), buffer() + 512}; }
  void reset() override {
    pass(300'000'000);
    out(0x3f2, 0x18), wait(1), out(0x3f2, 0x1c), wait(1);
    for (unsigned n = 0; n < 4; ++n) command({8});
  }
  void serialize(Archive& ar) override { clock.serialize(ar), dma.serialize(ar), fdc.serialize(ar); }
  std::span<u8> memory_bytes() override { return ram; }
  Clock& time() override { return clock; }
};
}  // namespace

TEST_CASE("FDC with a slow disk") { check_slow_drive<SlowFloppy>(); }
