// ATA and ATAPI drives through their ports, and the PIIX3's bus master through PCI.
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "base/bits.h"
#include "devices/ide/ata.h"
#include "devices/ide/atapi.h"
#include "devices/ide/piix3_ide.h"
#include "mmu/guest_ram.h"
#include "tests/support/run_clock.h"
#include "tests/support/slow_drive.h"

using namespace xlat;

namespace {

struct Line : IrqSink {
  void set_irq(unsigned, bool l) override { level = l; }
  bool level = false;
};

// A primary channel with what a test plugs in, RAM, PCI and the clock.
struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::unique_ptr<GuestRam> ram = std::move(GuestRam::create(1 << 20)).value();
  PciBus pci{ports, memory};
  Line irq14, irq15;
  IdeChannel primary{"ide0", IrqLine(irq14, 0)};
  IdeChannel secondary{"ide1", IrqLine(irq15, 0)};
  Piix3Ide ide{memory, primary, secondary};

  Rig() {
    memory.map_ram(0, 1 << 20, ram->data());
    ports.map(0x1f0, 8, primary, kWidthsAll);
    ports.map(0x3f6, 1, primary.control());
    ports.map(0x170, 8, secondary, kWidthsAll);
    ports.map(0x376, 1, secondary.control());
    pci.add(1, 1, ide);
    config(0x40, 0x80008000);
    config(0x20, 0xc001);
    config(0x04, 0x5);
  }
  void config(u8 reg, u32 value) {
    ports.write(0xcf8, 4, 0x80000900u | reg);
    ports.write(0xcfc, 4, value);
  }
  void run(u64 ns = 10'000'000) { run_clock(clock, clock.now() + ns); }
  void out(unsigned reg, u8 v) { ports.write(static_cast<u16>(0x1f0 + reg), 1, v); }
  u8 in(unsigned reg) { return static_cast<u8>(ports.read(static_cast<u16>(0x1f0 + reg), 1)); }
  u8 alt() { return static_cast<u8>(ports.read(0x3f6, 1)); }
  void lba28(u32 lba, u8 count, u8 dev = 0) {
    out(6, static_cast<u8>(0xe0 | dev << 4 | lba >> 24));
    out(2, count);
    out(3, static_cast<u8>(lba));
    out(4, static_cast<u8>(lba >> 8));
    out(5, static_cast<u8>(lba >> 16));
  }
  void command(u8 c) {
    out(7, c);
    CHECK((alt() & 0x80) != 0);  // never at once
    run();
  }
  std::vector<u8> pio_in(unsigned bytes) {
    std::vector<u8> data;
    while (data.size() < bytes) {
      const u16 v = static_cast<u16>(ports.read(0x1f0, 2));
      data.push_back(static_cast<u8>(v));
      data.push_back(static_cast<u8>(v >> 8));
    }
    return data;
  }
};

struct DiskRig : Rig {
  explicit DiskRig(u64 sectors = 4096, ImageAccess access = ImageAccess::kReadWrite) {
    auto image = make_memory_image(sectors * 512);
    for (u64 s = 0; s < sectors; ++s) {
      std::vector<u8> bytes(512, static_cast<u8>(s));
      store_le<u32>(bytes.data(), static_cast<u32>(s));
      REQUIRE(image->write(s * 512, bytes));
    }
    if (access == ImageAccess::kReadOnly) image = make_memory_image(sectors * 512, access);
    auto drive = std::make_unique<AtaDisk>(clock, "hd0", std::move(image));
    disk = drive.get();
    primary.plug(0, std::move(drive));
    primary.reset();
    run();
  }
  AtaDisk* disk;
};

struct CdRig : Rig {
  CdRig() {
    auto image = make_memory_image(100 * 2048);
    for (u64 s = 0; s < 100; ++s) REQUIRE(image->write(s * 2048, std::vector<u8>(2048, static_cast<u8>(s))));
    auto drive = std::make_unique<AtapiCdrom>(clock, "cd0", std::move(image));
    cd = drive.get();
    primary.plug(0, std::move(drive));
    primary.reset();
    run();
  }
  // Sends the packet and collects what comes back by PIO; `blocks` gets the sizes of the DRQ blocks.
  std::vector<u8> packet(std::vector<u8> cdb, u16 limit = 0xfffe, std::vector<unsigned>* blocks = nullptr) {
    cdb.resize(12);
    out(6, 0xa0);
    out(1, 0);
    out(4, static_cast<u8>(limit));
    out(5, static_cast<u8>(limit >> 8));
    command(0xa0);
    CHECK(in(2) == 1);
    CHECK((alt() & 0x88) == 0x08);
    for (unsigned i = 0; i < 12; i += 2) ports.write(0x1f0, 2, cdb[i] | cdb[i + 1] << 8);
    run();
    std::vector<u8> data;
    while (alt() & 8) {
      CHECK(irq14.level);
      in(7);
      CHECK(in(2) == 2);
      const unsigned n = in(4) | in(5) << 8;
      if (blocks) blocks->push_back(n);
      const auto part = pio_in((n + 1) & ~1u);
      data.insert(data.end(), part.begin(), part.begin() + n);
      run();
    }
    CHECK(in(2) == 3);
    return data;
  }
  AtapiCdrom* cd;
};

}  // namespace

TEST_CASE("ide: empty channel and absent slave") {
  Rig empty;
  empty.out(6, 0xa0);
  CHECK(empty.in(7) == 0);
  DiskRig rig;
  rig.out(6, 0xb0);
  CHECK(rig.in(7) == 0);
  CHECK(rig.in(6) == 0xb0);
  rig.out(7, 0xec);
  rig.run();
  CHECK(rig.in(7) == 0);
  rig.out(6, 0xa0);
  CHECK(rig.in(7) == 0x50);
}

TEST_CASE("ide: the bridge's decode enables") {
  DiskRig rig;
  rig.config(0x40, 0);
  CHECK(rig.in(7) == 0xff);
  rig.config(0x40, 0x80008000);
  CHECK(rig.in(7) == 0x50);
}

TEST_CASE("ata: signature after reset, SRST and diagnostic") {
  DiskRig rig;
  const auto check_signature = [&] {
    CHECK(rig.in(1) == 1);
    CHECK(rig.in(2) == 1);
    CHECK(rig.in(3) == 1);
    CHECK(rig.in(4) == 0);
    CHECK(rig.in(5) == 0);
    CHECK(rig.in(7) == 0x50);
  };
  check_signature();
  rig.lba28(77, 5);
  rig.ports.write(0x3f6, 1, 4);
  rig.run();
  CHECK(rig.alt() & 0x80);
  rig.ports.write(0x3f6, 1, 0);
  rig.run();
  check_signature();
  rig.out(7, 0x90);
  rig.run();
  CHECK(rig.irq14.level);
  check_signature();
}

TEST_CASE("ata: IDENTIFY") {
  DiskRig rig;
  rig.command(0xec);
  CHECK(rig.irq14.level);
  CHECK(rig.in(7) == 0x58);
  CHECK_FALSE(rig.irq14.level);
  const auto id = rig.pio_in(512);
  const auto word = [&](unsigned n) { return load_le<u16>(&id[2 * n]); };
  CHECK(word(1) == 4);
  CHECK(word(3) == 16);
  CHECK(word(6) == 63);
  CHECK((word(60) | word(61) << 16) == 4096);
  CHECK(word(100) == 4096);
  CHECK((word(83) & 0x0400) != 0);
  CHECK(id[55] == 'X');
  CHECK(id[54] == 'L');
  CHECK(std::accumulate(id.begin(), id.end(), u8{0}, [](u8 a, u8 b) { return static_cast<u8>(a + b); }) == 0);
  CHECK(rig.in(7) == 0x50);
}

TEST_CASE("ata: PIO reads one DRQ block a sector, an interrupt each") {
  DiskRig rig;
  rig.lba28(10, 3);
  rig.command(0x20);
  for (u32 s = 10; s < 13; ++s) {
    CHECK(rig.irq14.level);
    CHECK(rig.in(7) == 0x58);
    const auto data = rig.pio_in(512);
    CHECK(load_le<u32>(data.data()) == s);
    rig.run();
  }
  CHECK_FALSE(rig.irq14.level);
  CHECK(rig.in(7) == 0x50);
}

TEST_CASE("ata: multiple, CHS, LBA48 and 32-bit data port") {
  DiskRig rig;
  rig.lba28(0, 1);
  rig.command(0xc4);
  CHECK(rig.in(7) == 0x51);  // not set up
  CHECK(rig.in(1) == 0x04);
  rig.out(2, 8);
  rig.command(0xc6);
  CHECK(rig.in(7) == 0x50);
  rig.lba28(100, 10);
  rig.command(0xc4);
  auto data = rig.pio_in(8 * 512);
  CHECK(load_le<u32>(&data[7 * 512]) == 107);
  rig.run();
  CHECK(rig.irq14.level);
  data = rig.pio_in(2 * 512);
  CHECK(load_le<u32>(&data[512]) == 109);
  CHECK(rig.in(7) == 0x50);

  rig.out(6, 0xa3);  // head 3
  rig.out(2, 1);
  rig.out(3, 5);  // sector 5
  rig.out(4, 1);  // cylinder 1
  rig.out(5, 0);
  rig.command(0x20);
  CHECK(rig.ports.read(0x1f0, 4) == (1 * 16 + 3) * 63 + 4);
  rig.pio_in(508);
  rig.out(3, 0);
  rig.command(0x20);
  CHECK(rig.in(7) == 0x51);
  CHECK(rig.in(1) == 0x10);

  rig.out(6, 0x40);
  for (const u8 v : {0, 1}) rig.out(2, v);
  for (const u8 v : {0, 0x34}) rig.out(3, v);
  for (const u8 v : {0, 0x02}) rig.out(4, v);
  for (const u8 v : {0, 0}) rig.out(5, v);
  rig.ports.write(0x3f6, 1, 0x80);
  CHECK(rig.in(3) == 0);
  rig.ports.write(0x3f6, 1, 0);
  CHECK(rig.in(3) == 0x34);
  rig.command(0x24);
  CHECK(rig.ports.read(0x1f0, 4) == 0x234);
}

TEST_CASE("ata: PIO write, and errors beyond the end") {
  DiskRig rig;
  rig.lba28(20, 2);
  rig.command(0x30);
  CHECK_FALSE(rig.irq14.level);  // none before the first block
  for (unsigned s = 0; s < 2; ++s) {
    CHECK((rig.in(7) & 0x88) == 0x08);
    for (unsigned i = 0; i < 256; ++i) rig.ports.write(0x1f0, 2, 0xabc0 + s);
    rig.run();
    CHECK(rig.irq14.level);
  }
  CHECK(rig.in(7) == 0x50);
  std::vector<u8> back(2);
  REQUIRE(rig.disk->image()->read(21 * 512, back));
  CHECK(load_le<u16>(back.data()) == 0xabc1);
  rig.lba28(4095, 2);
  rig.command(0x20);
  CHECK(rig.in(7) == 0x51);
  CHECK(rig.in(1) == 0x10);
  rig.lba28(4095, 1);
  rig.command(0x40);
  CHECK(rig.in(7) == 0x50);
  DiskRig fixed(64, ImageAccess::kReadOnly);
  fixed.lba28(1, 1);
  fixed.command(0x30);
  CHECK(fixed.in(7) == 0x51);
}

TEST_CASE("ata: settings and power") {
  DiskRig rig;
  rig.out(1, 3);
  rig.out(2, 0x45);  // UDMA 5
  rig.command(0xef);
  CHECK(rig.in(7) == 0x50);
  rig.out(2, 0x47);
  rig.command(0xef);
  CHECK(rig.in(7) == 0x51);
  rig.command(0xe0);
  rig.command(0xe5);
  CHECK(rig.in(2) == 0);
  rig.out(6, 0xe0);
  rig.command(0xf8);
  CHECK((rig.in(3) | rig.in(4) << 8) == 4095);
  rig.command(0x00);  // NOP
  CHECK(rig.in(1) == 4);
  rig.command(0xe7);
  CHECK(rig.in(7) == 0x50);
  rig.command(0xe6);
  rig.out(7, 0xec);
  rig.run();
  CHECK((rig.in(7) & 8) == 0);  // asleep
}

TEST_CASE("ata: nIEN keeps the line low") {
  DiskRig rig;
  rig.ports.write(0x3f6, 1, 2);
  rig.command(0xec);
  CHECK_FALSE(rig.irq14.level);
  rig.ports.write(0x3f6, 1, 0);
  CHECK(rig.irq14.level);
}

TEST_CASE("bus master: reads and writes through a PRD table") {
  DiskRig rig;
  rig.memory.write(0x1000, 4, 0x8000);
  rig.memory.write(0x1004, 4, 0x200);
  rig.memory.write(0x1008, 4, 0x9ffe);
  rig.memory.write(0x100c, 4, 0x80000600);
  rig.ports.write(0xc004, 4, 0x1000);
  rig.ports.write(0xc000, 1, 8);
  rig.lba28(30, 4);
  rig.command(0xc8);
  CHECK_FALSE(rig.irq14.level);
  rig.ports.write(0xc000, 1, 9);
  CHECK((rig.ports.read(0xc002, 1) & 5) == 1);
  rig.run();
  CHECK(rig.irq14.level);
  CHECK((rig.ports.read(0xc002, 1) & 7) == 4);
  CHECK(rig.in(7) == 0x50);
  CHECK(rig.memory.read(0x8000, 4) == 30);
  CHECK(rig.memory.read(0x9ffe, 4) == 31);
  CHECK(rig.memory.read(0x9ffe + 0x400, 4) == 33);
  rig.ports.write(0xc000, 1, 0);
  rig.ports.write(0xc002, 1, 4);
  CHECK((rig.ports.read(0xc002, 1) & 7) == 0);

  rig.memory.write(0x1000, 4, 0x8000);
  rig.memory.write(0x1004, 4, 0x80000200);
  rig.lba28(50, 1);
  rig.ports.write(0xc000, 1, 1);
  rig.command(0xca);
  CHECK(rig.irq14.level);
  u8 back[4];
  REQUIRE(rig.disk->image()->read(50 * 512, back));
  CHECK(load_le<u32>(back) == 30);
}

namespace {
// What is discarded reads as zeros.
struct HoleImage final : BlockImage {
  std::unique_ptr<BlockImage> below = make_memory_image(1 << 20);
  u64 size() const override { return below->size(); }
  Status read(u64 at, std::span<u8> to) override { return below->read(at, to); }
  Status write(u64 at, std::span<const u8> from) override { return below->write(at, from); }
  Status discard(u64 at, u64 bytes) override { return below->write(at, std::vector<u8>(bytes)); }
  Status flush() override { return {}; }
  bool read_only() const override { return false; }
  const std::string& path() const override { return below->path(); }
};
}  // namespace

TEST_CASE("ata: TRIM gives ranges back, all or none") {
  for (const bool discards : {false, true}) {
    Rig rig;
    auto image = std::make_unique<HoleImage>();
    REQUIRE(image->write(0, std::vector<u8>(1 << 20, 0x5a)));
    auto drive = std::make_unique<AtaDisk>(rig.clock, "hd0", std::move(image), DriveIdentity{},
                                           DiskSetup{.policy = {.discard = discards}});
    AtaDisk& disk = *drive;
    rig.primary.plug(0, std::move(drive));
    rig.primary.reset();
    rig.run();
    rig.command(0xec);
    const auto id = rig.pio_in(512);
    CHECK(load_le<u16>(&id[2 * 169]) == 1);
    CHECK(load_le<u16>(&id[2 * 105]) == 8);
    CHECK(load_le<u16>(&id[2 * 69]) == 0x4000);
    const auto trim = [&](std::vector<std::pair<u64, u64>> ranges, u16 blocks = 1, u8 features = 1) {
      std::memset(rig.ram->data() + 0x20000, 0, 0x2000);
      for (std::size_t n = 0; n < ranges.size(); ++n)
        store_le<u64>(rig.ram->data() + 0x20000 + 8 * n, ranges[n].first | ranges[n].second << 48);
      rig.memory.write(0x1000, 4, 0x20000);
      rig.memory.write(0x1004, 4, 0x80000000 | blocks * 512u);
      rig.ports.write(0xc000, 1, 0);
      rig.ports.write(0xc002, 1, 6);
      rig.ports.write(0xc004, 4, 0x1000);
      rig.lba28(0, 0);
      rig.out(1, features);
      rig.out(2, static_cast<u8>(blocks >> 8)), rig.out(2, static_cast<u8>(blocks));
      rig.command(0x06);
      rig.ports.write(0xc000, 1, 1);
      rig.run();
      return rig.in(7);
    };
    const auto at = [&](u64 sector) {
      std::array<u8, 1> byte;
      REQUIRE(disk.image()->read(sector * 512, byte));
      return byte[0];
    };
    const u8 gone = discards ? 0 : 0x5a;
    CHECK(trim({{16, 16}, {0, 0}, {64, 8}}) == 0x50);
    CHECK((at(15) == 0x5a && at(16) == gone && at(31) == gone && at(32) == 0x5a && at(64) == gone));
    CHECK(trim({{128, 8}, {2047, 2}}) == 0x51);  // the second reaches beyond the end
    CHECK(rig.in(1) == 0x10);
    CHECK(at(128) == 0x5a);
    std::vector<std::pair<u64, u64>> many(512, {0, 0});
    many[511] = {256, 8};
    CHECK(trim(many, 8) == 0x50);
    CHECK(at(256) == gone);
    CHECK(trim({}, 0) == 0x51);
    CHECK(trim({}, 9) == 0x51);
    CHECK(trim({}, 1, 0) == 0x51);  // of no known kind
    CHECK(rig.in(1) == 0x04);
  }
}

// What QEMU's disks do not have either: CFA's commands, SET MAX, security, and such.
TEST_CASE("ata: commands that are not there are aborted") {
  DiskRig rig;
  for (const u8 command :
       {0x00, 0x03, 0x22, 0x23, 0x26, 0x32, 0x33, 0x37, 0x38, 0x3a, 0x3f, 0x50, 0x60, 0x61, 0x80, 0x87, 0x92, 0xa0,
        0xa1, 0xa2, 0xb1, 0xb8, 0xc0, 0xc7, 0xcc, 0xcd, 0xd1, 0xe4, 0xe8, 0xed, 0xf1, 0xf4, 0xf5, 0xf6, 0xf9, 0xff}) {
    INFO(static_cast<unsigned>(command));
    rig.lba28(0, 1);
    rig.command(command);
    CHECK(rig.in(7) == 0x51);
    CHECK(rig.in(1) == 0x04);
  }
}

TEST_CASE("bus master: a long transfer, a short table, a table in nowhere") {
  DiskRig rig;
  for (unsigned i = 0; i < 4; ++i) {  // 4 x 64 KiB
    rig.memory.write(0x1000 + 8 * i, 4, 0x10000 * (i + 1));
    rig.memory.write(0x1004 + 8 * i, 4, i == 3 ? 0x80000000 : 0);
  }
  rig.ports.write(0xc004, 4, 0x1000);
  rig.lba28(0, 0);  // 256 sectors, twice
  rig.ports.write(0xc000, 1, 9);
  rig.command(0xc8);
  CHECK(rig.in(7) == 0x50);
  CHECK((rig.ports.read(0xc002, 1) & 7) == 5);  // the table describes more than was sent
  CHECK(rig.memory.read(0x10000 + 255 * 512, 4) == 255);

  rig.ports.write(0xc000, 1, 0);
  rig.ports.write(0xc002, 1, 4);
  rig.memory.write(0x1004, 4, 0x80000200);
  rig.lba28(0, 8);
  rig.ports.write(0xc000, 1, 9);
  rig.command(0xc8);
  CHECK_FALSE(rig.irq14.level);
  CHECK((rig.ports.read(0xc002, 1) & 5) == 0);

  rig.ports.write(0xc000, 1, 0);
  rig.ports.write(0xc004, 4, 0xfffffff8);
  rig.lba28(0, 0);
  rig.ports.write(0xc000, 1, 9);
  rig.command(0xc8);
  CHECK((rig.in(7) & 0x80) == 0);
}

TEST_CASE("ide: state survives saving in the middle of a transfer") {
  DiskRig rig;
  rig.lba28(10, 3);
  rig.command(0x20);
  rig.pio_in(100);
  Archive save = Archive::saver();
  rig.primary.serialize(save);
  DiskRig other;
  Archive load = Archive::loader(save.bytes());
  other.primary.serialize(load);
  CHECK(load.ok());
  CHECK(load.at_end());
  CHECK(other.pio_in(412) == rig.pio_in(412));
  other.run();
  CHECK(load_le<u32>(other.pio_in(512).data()) == 11);
}

TEST_CASE("ata: SMART says that all is well, to those who have its key") {
  Rig r;
  r.primary.plug(0, std::make_unique<AtaDisk>(r.clock, "d", make_memory_image(1 << 20)));
  r.run();
  const auto smart = [&r](u8 features, u8 mid = 0x4f) {
    r.out(6, 0xa0);
    r.out(1, features);
    r.out(4, mid);
    r.out(5, 0xc2);
    r.command(0xb0);
  };
  const auto sector = [&r] {
    std::vector<u8> bytes;
    u8 sum = 0;
    for (unsigned n = 0; n < 512; n += 2) {
      const u32 word = r.ports.read(0x1f0, 2);
      bytes.push_back(static_cast<u8>(word));
      bytes.push_back(static_cast<u8>(word >> 8));
      sum = static_cast<u8>(sum + bytes[n] + bytes[n + 1]);
    }
    CHECK(sum == 0);
    return bytes;
  };
  smart(0xda);
  CHECK(r.alt() == 0x50);
  CHECK(r.in(4) == 0x4f);
  CHECK(r.in(5) == 0xc2);
  smart(0xd0);
  const auto data = sector();
  smart(0xd1);
  const auto thresholds = sector();
  for (unsigned n = 2; n < 362; n += 12) {
    CHECK(data[n] == thresholds[n]);
    if (data[n]) CHECK(data[n + 3] > thresholds[n + 1]);
  }
  // Logs: a directory, errors, and self-tests in the order in which they were begun.
  const auto log = [&](u8 address) {
    r.out(2, 1), r.out(3, address);
    smart(0xd5);
    CHECK(r.alt() == 0x58);
  };
  log(0);
  const auto directory = r.pio_in(512);
  CHECK((directory[0] == 1 && directory[2] == 1 && directory[12] == 1));
  log(1);
  CHECK(sector()[1] == 0);
  log(6);
  CHECK(sector()[508] == 0);
  for (const u8 test : {1, 0x82, 0, 127}) {
    r.out(3, test);
    smart(0xd4);
    CHECK(r.alt() == 0x50);
  }
  r.out(3, 3);
  smart(0xd4);
  CHECK(r.alt() == 0x51);
  log(6);
  const auto tests = sector();
  CHECK((tests[2] == 1 && tests[26] == 0x82 && tests[27] == 0 && tests[50] == 0 && tests[508] == 2));
  r.out(2, 1), r.out(3, 7);
  smart(0xd5);
  CHECK(r.alt() == 0x51);
  for (const u8 autosave : {0, 0xf1, 0x55}) {
    r.out(2, autosave);
    smart(0xd2);
    CHECK(r.alt() == (autosave == 0x55 ? 0x51 : 0x50));
    smart(0xd0);
    CHECK((sector()[362] & 0x80) == (autosave ? 0x80 : 0));
  }
  smart(0xda, 0);
  CHECK(r.alt() == 0x51);
  smart(0xd9);  // off
  smart(0xda);
  CHECK(r.alt() == 0x51);
  smart(0xd8);
  smart(0xda);
  CHECK(r.alt() == 0x50);
}

TEST_CASE("atapi: signature, IDENTIFY PACKET DEVICE") {
  CdRig rig;
  CHECK(rig.in(4) == 0x14);
  CHECK(rig.in(5) == 0xeb);
  CHECK(rig.in(7) == 0);
  rig.command(0xec);
  CHECK(rig.in(7) == 0x51);
  CHECK(rig.in(4) == 0x14);
  rig.command(0xa1);
  const auto id = rig.pio_in(512);
  CHECK(load_le<u16>(id.data()) == 0x85c0);
  rig.out(7, 0x08);
  CHECK(rig.in(7) == 0);
  CHECK(rig.in(5) == 0xeb);
}

TEST_CASE("atapi: audio is silence that takes its time, and volumes are kept") {
  CdRig rig;
  const auto status = [&] { return rig.packet({0x42, 0, 0x40, 1, 0, 0, 0, 0, 16}); };
  CHECK(status()[1] == 0x15);
  rig.packet({0x45, 0, 0, 0, 0, 10, 0, 0, 75});
  CHECK(status()[1] == 0x11);
  rig.run(500'000'000);
  CHECK((status()[11] >= 47 && status()[11] < 60));
  rig.packet({0x4b});
  CHECK(status()[1] == 0x12);
  rig.packet({0x4b, 0, 0, 0, 0, 0, 0, 0, 1});
  rig.run(1'000'000'000);
  CHECK(status()[1] == 0x13);
  CHECK((status()[1] == 0x15 && status()[11] == 85));
  rig.packet({0x4b});
  CHECK(rig.packet({0x03, 0, 0, 0, 18})[12] == 0x2c);
  rig.packet({0x47, 0, 0, 0, 2, 0, 0, 3, 0});
  CHECK(status()[1] == 0x11);
  rig.packet({0x4e});
  CHECK(status()[1] == 0x15);
  auto page = rig.packet({0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 24});
  REQUIRE(page.size() == 24);
  page[17] = 40;
  rig.out(6, 0xa0), rig.out(1, 0), rig.out(4, 0xfe), rig.out(5, 0xff);
  rig.command(0xa0);
  for (const u16 word : {0x1055, 0, 0, 0, 24, 0}) rig.ports.write(0x1f0, 2, word);
  rig.run();
  for (unsigned n = 0; n < 24; n += 2) rig.ports.write(0x1f0, 2, page[n] | page[n + 1] << 8);
  rig.run();
  CHECK(rig.in(7) == 0x50);
  CHECK(rig.packet({0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 24})[17] == 40);
}

TEST_CASE("atapi: reading in blocks of the host's size") {
  CdRig rig;
  CHECK(rig.packet({0x25}) == std::vector<u8>{0, 0, 0, 99, 0, 0, 8, 0});
  std::vector<unsigned> blocks;
  auto data = rig.packet({0x28, 0, 0, 0, 0, 5, 0, 0, 40}, 2048, &blocks);
  CHECK(blocks == std::vector<unsigned>(40, 2048));
  CHECK(data[0] == 5);
  CHECK(data[39 * 2048] == 44);
  data = rig.packet({0xa8, 0, 0, 0, 0, 99, 0, 0, 0, 1}, 0xffff);
  CHECK(data == std::vector<u8>(2048, 99));
  data = rig.packet({0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0xf8}, 1001);
  REQUIRE(data.size() == 2352);
  CHECK(std::vector<u8>(data.begin(), data.begin() + 17) ==
        std::vector<u8>{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 2, 0x16, 1, 16});
  CHECK(rig.packet({0x28, 0, 0, 0, 0, 99, 0, 0, 2}).empty());
  CHECK(rig.in(7) == 0x51);
  CHECK(rig.in(1) == 0x54);
  data = rig.packet({3, 0, 0, 0, 18});
  CHECK(data[2] == 5);
  CHECK(data[12] == 0x21);
}

TEST_CASE("atapi: DMA") {
  CdRig rig;
  rig.memory.write(0x1000, 4, 0x20000);
  rig.memory.write(0x1004, 4, 0x80000000 | 3 * 2048);
  rig.ports.write(0xc004, 4, 0x1000);
  rig.out(1, 1);
  rig.command(0xa0);
  const u8 cdb[12] = {0x28, 0, 0, 0, 0, 7, 0, 0, 3, 0, 0, 0};
  for (unsigned i = 0; i < 12; i += 2) rig.ports.write(0x1f0, 2, cdb[i] | cdb[i + 1] << 8);
  rig.ports.write(0xc000, 1, 9);
  rig.run();
  CHECK(rig.irq14.level);
  CHECK(rig.in(2) == 3);
  CHECK(rig.in(7) == 0x50);
  CHECK(rig.memory.read(0x20000, 1) == 7);
  CHECK(rig.memory.read(0x20000 + 2 * 2048, 1) == 9);
}

TEST_CASE("atapi: information commands") {
  CdRig rig;
  const auto inquiry = rig.packet({0x12, 0, 0, 0, 36});
  CHECK(inquiry.size() == 36);
  CHECK(inquiry[0] == 5);
  const auto toc = rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 100});
  CHECK(toc == std::vector<u8>{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0, 100});
  CHECK(rig.packet({0x43, 2, 1, 0, 0, 0, 0, 0, 100}).size() == 12);
  CHECK(rig.packet({0x43, 2, 2, 0, 0, 0, 0, 0, 100}).size() == 48);
  CHECK(rig.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 4}).size() == 4);
  CHECK(rig.packet({0x46, 0, 0, 0, 0, 0, 0, 0, 200})[7] == 8);
  CHECK(rig.packet({0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 200}).size() == 28);
  CHECK(rig.packet({0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 200}).size() > 28);
  CHECK(rig.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 200}).size() == 34);
  CHECK(rig.packet({0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8}).size() == 8);
  CHECK(rig.packet({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}) == std::vector<u8>{0, 6, 4, 0x10, 0, 2, 0, 0});
  CHECK(rig.packet({0x99}).empty());
  CHECK(rig.in(1) == 0x54);
}

TEST_CASE("atapi: changing the disc") {
  CdRig rig;
  CHECK(rig.packet({0x1e, 0, 0, 0, 1}).empty());  // lock
  CHECK_FALSE(rig.cd->eject(false));
  CHECK(rig.packet({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8})[4] == 1);
  rig.packet({0x1b, 0, 0, 0, 2});
  CHECK(rig.in(1) == 0x54);
  rig.packet({0x1e});
  CHECK(rig.cd->eject(false));
  rig.packet({0});
  CHECK(rig.in(1) == 0x24);  // not ready
  CHECK(rig.cd->insert(make_memory_image(10 * 2048)));
  rig.packet({0});
  CHECK(rig.in(1) == 0x64);  // unit attention, once
  rig.packet({0});
  CHECK(rig.in(7) == 0x50);
  CHECK(rig.packet({0x25})[3] == 9);
  rig.packet({0x1b, 0, 0, 0, 2});
  CHECK(rig.cd->tray_open());
  rig.packet({0});
  CHECK(rig.in(1) == 0x24);
  rig.packet({0x1b, 0, 0, 0, 3});
  CHECK_FALSE(rig.cd->tray_open());
}

namespace {
// Fails for as long as `failing` says.
class FailingImage final : public BlockImage {
 public:
  explicit FailingImage(const int& failing) : failing_(failing) {}
  u64 size() const override { return image_->size(); }
  Status read(u64 offset, std::span<u8> to) override { return failing_ ? failed() : image_->read(offset, to); }
  Status write(u64 offset, std::span<const u8> from) override {
    return failing_ ? failed() : image_->write(offset, from);
  }
  Status flush() override { return failing_ ? failed() : Status{}; }
  bool read_only() const override { return false; }
  const std::string& path() const override { return image_->path(); }

 private:
  Error failed() const { return Error{"the host said no", failing_}; }
  const int& failing_;
  std::unique_ptr<BlockImage> image_ = make_memory_image(1 << 20);
};

struct FailingRig : Rig {
  FailingRig() {
    const auto on_error = [this](bool write, const Error& e) {
      ++asked;
      CHECK(e.host == failing);
      last_write = write;
      return action;
    };
    auto drive = std::make_unique<AtaDisk>(clock, "hd0", std::make_unique<FailingImage>(failing), DriveIdentity{},
                                           DiskSetup{.on_error = on_error});
    disk = drive.get();
    primary.plug(0, std::move(drive));
    primary.reset();
    run();
  }
  void pio_out(u8 value) {
    for (int n = 0; n < 256; ++n) ports.write(0x1f0, 2, value * 0x101u);
    run(100'000);
  }
  void dma(u8 command_code, u32 bytes, u8 direction) {
    memory.write(0x1000, 4, 0x20000);
    memory.write(0x1004, 4, 0x80000000 | bytes);
    ports.write(0xc000, 1, 0);
    ports.write(0xc002, 1, 6);
    ports.write(0xc004, 4, 0x1000);
    command(command_code);
    ports.write(0xc000, 1, direction | 1);
    run(100'000);
  }
  u8 first_byte(u32 lba) {
    lba28(lba, 1);
    command(0x20);
    return pio_in(512)[0];
  }
  int failing = 0;
  int asked = 0;
  bool last_write = false;
  IoErrorAction action = IoErrorAction::kRetry;
  AtaDisk* disk;
};
}  // namespace

TEST_CASE("ata: a host that fails: reported, ignored, tried again") {
  FailingRig rig;
  SECTION("PIO write, tried again") {
    rig.lba28(5, 1);
    rig.command(0x30);
    rig.failing = ENOSPC;
    rig.pio_out(0x5a);
    CHECK(rig.last_write);
    CHECK((rig.alt() & 0x81) == 0x80);
    CHECK_FALSE(rig.irq14.level);
    const int before = rig.asked;
    rig.run();
    CHECK(rig.asked > before);
    rig.failing = 0;
    rig.run();
    CHECK(rig.irq14.level);
    CHECK(rig.in(7) == 0x50);
    CHECK(rig.first_byte(5) == 0x5a);
  }
  SECTION("DMA write, tried again with what came from memory the first time") {
    std::memset(rig.ram->data() + 0x20000, 0x77, 1024);
    rig.lba28(7, 2);
    rig.failing = ENOSPC;
    rig.dma(0xca, 1024, 0);
    CHECK((rig.alt() & 0x81) == 0x80);
    std::memset(rig.ram->data() + 0x20000, 0x11, 1024);
    // It may be saved meanwhile.
    Archive saver = Archive::saver();
    rig.disk->serialize(saver);
    Archive loader = Archive::loader(saver.bytes());
    rig.disk->serialize(loader);
    CHECK(loader.ok());
    rig.failing = 0;
    rig.run();
    CHECK(rig.in(7) == 0x50);
    CHECK((rig.ports.read(0xc002, 1) & 7) == 4);
    CHECK(rig.first_byte(7) == 0x77);
    CHECK(rig.first_byte(8) == 0x77);
  }
  SECTION("DMA write with a table that is too short, tried again") {
    std::memset(rig.ram->data() + 0x20000, 0x77, 512);
    rig.lba28(7, 2);
    rig.failing = ENOSPC;
    rig.dma(0xca, 512, 0);
    rig.failing = 0;
    rig.run();
    CHECK((rig.alt() & 0x80) == 0);
    CHECK(rig.first_byte(7) == 0x77);
  }
  SECTION("reads and flushes, tried again") {
    rig.failing = EIO;
    rig.lba28(9, 2);
    rig.command(0x20);
    CHECK_FALSE(rig.last_write);
    CHECK((rig.alt() & 0x81) == 0x80);
    rig.failing = 0;
    rig.run();
    CHECK((rig.alt() & 8) == 8);
    rig.pio_in(512);
    rig.run();
    rig.pio_in(512);
    rig.failing = EIO;
    rig.lba28(0, 2);
    rig.dma(0xc8, 1024, 8);
    CHECK((rig.alt() & 0x81) == 0x80);
    rig.failing = 0;
    rig.run();
    CHECK(rig.in(7) == 0x50);
    rig.failing = ENOSPC;
    rig.command(0xe7);
    CHECK(rig.last_write);
    CHECK((rig.alt() & 0x81) == 0x80);
    rig.failing = 0;
    rig.run();
    CHECK(rig.in(7) == 0x50);
  }
  SECTION("reset while it waits") {
    rig.lba28(5, 1);
    rig.command(0x30);
    rig.failing = ENOSPC;
    rig.pio_out(0x5a);
    rig.ports.write(0x3f6, 1, 4);
    rig.ports.write(0x3f6, 1, 0);
    rig.run();
    CHECK(rig.in(7) == 0x50);
    rig.failing = 0;
    rig.run();
    CHECK(rig.first_byte(5) == 0);
  }
  SECTION("reported") {
    rig.action = IoErrorAction::kReport;
    rig.failing = ENOSPC;
    rig.lba28(5, 1);
    rig.command(0x30);
    rig.pio_out(1);
    CHECK((rig.in(7) & 0x81) == 0x01);
    CHECK(rig.in(1) == 0x04);
    rig.lba28(5, 1);
    rig.command(0x20);
    CHECK(rig.in(1) == 0x40);
    rig.command(0xe7);
    CHECK((rig.in(7) & 0x21) == 0x21);
  }
  SECTION("ignored") {
    rig.action = IoErrorAction::kIgnore;
    rig.failing = ENOSPC;
    rig.lba28(5, 1);
    rig.command(0x30);
    rig.pio_out(1);
    CHECK(rig.in(7) == 0x50);
    CHECK(rig.first_byte(5) == 0);
    rig.command(0xe7);
    CHECK(rig.in(7) == 0x50);
  }
}

TEST_CASE("ide: random port accesses do no harm") {
  DiskRig rig;
  rig.primary.plug(1, std::make_unique<AtapiCdrom>(rig.clock, "cd1", make_memory_image(50 * 2048)));
  rig.primary.reset();
  rig.run();
  u32 seed = 99;
  const auto random = [&] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
  for (int i = 0; i < 300'000; ++i) {
    const u32 r = random();
    const unsigned width = 1u << (r % 3);
    u16 port = static_cast<u16>(0x1f0 + r / 4 % 8);
    if (r / 64 % 16 == 0) port = 0x3f6;
    if (r / 64 % 16 == 1) port = static_cast<u16>(0xc000 + r / 2048 % 16);
    if (r / 64 % 16 < 5 && r % 5 == 0) port = 0x1f7;
    if (r / 1024 % 3) {
      rig.ports.write(port, port == 0x1f0 ? width : 1, random());
    } else {
      rig.ports.read(port, width);
    }
    if (r / 4096 % 8 == 0) rig.run(r % 50'000);
  }
  SUCCEED();
}

namespace {
// A drive on the primary channel, by PIO or by the bus master.
struct SlowIde : SlowDrive, Rig {
  explicit SlowIde(std::size_t bytes) : SlowDrive(bytes) {}
  void plug(std::unique_ptr<IdeDrive> drive) {
    primary.plug(0, std::move(drive));
    primary.reset();
    run();
  }
  void reset() override {
    ports.write(0x3f6, 1, 4);
    run();
    ports.write(0x3f6, 1, 0);
    run();
  }
  void serialize(Archive& ar) override {
    clock.serialize(ar), pci.serialize(ar), ide.serialize(ar), primary.serialize(ar);
  }
  std::span<u8> memory_bytes() override { return ram->bytes(); }
  Clock& time() override { return clock; }
};

struct SlowPio : SlowIde {
  SlowPio() : SlowIde(1 << 20) {
    SlowIde::plug(std::make_unique<AtaDisk>(clock, "hd0", image.open(), DriveIdentity{}, setup()));
  }
  void begin(u8 lba, u8 command) {
    over_ = false;
    lba28(lba, 1);
    out(7, command);
    pass(100'000);
  }
  void read(u8 lba) override { begin(lba, 0x20); }
  void write(u8 lba) override {
    begin(lba, 0x30);
    for (int n = 0; n < 256; ++n) ports.write(0x1f0, 2, 0x7777);
    pass(100'000);
  }
  bool over() override { return over_ = (alt() & 0x81) == 0 && irq14.level; }
  std::vector<u8> data() override { return pio_in(512); }
};

struct SlowDma : SlowPio {
  void begin(u8 lba, u8 command, u8 direction) {
    memory.write(0x1000, 4, 0x20000);
    memory.write(0x1004, 4, 0x80000200);
    ports.write(0xc000, 1, 0);
    ports.write(0xc002, 1, 6);
    ports.write(0xc004, 4, 0x1000);
    SlowPio::begin(lba, command);
    ports.write(0xc000, 1, direction | 1u);
    pass(100'000);
  }
  void read(u8 lba) override { begin(lba, 0xc8, 8); }
  void write(u8 lba) override {
    std::fill_n(ram->data() + 0x20000, 512, u8{0x77});
    begin(lba, 0xca, 0);
  }
  bool over() override { return over_ = SlowPio::over() && (ports.read(0xc002, 1) & 7) == 4; }
  std::vector<u8> data() override { return {ram->data() + 0x20000, ram->data() + 0x20200}; }
};

struct SlowCd : SlowIde {
  SlowCd() : SlowIde(1 << 20) {
    SlowIde::plug(std::make_unique<AtapiCdrom>(clock, "cd0", image.open(), DriveIdentity{}, setup()));
  }
  u32 block() const override { return 2048; }
  void read(u8 lba) override {
    over_ = false;
    out(6, 0xa0), out(1, 0), out(4, 0), out(5, 8), out(7, 0xa0);
    pass(100'000);
    for (const u16 word : {0x28, 0, lba << 8, 0, 1, 0}) ports.write(0x1f0, 2, word);
    pass(100'000);
  }
  void write(u8) override {}
  bool over() override { return over_ = (alt() & 0x89) == 8; }
  std::vector<u8> data() override {
    const std::vector<u8> bytes = pio_in(2048);
    pass(100'000);
    CHECK(alt() == 0x50);
    return bytes;
  }
};
}  // namespace

TEST_CASE("ata: a slow disk, by PIO") { check_slow_drive<SlowPio>(); }
TEST_CASE("ata: a slow disk, by DMA") { check_slow_drive<SlowDma>(); }
TEST_CASE("atapi: a slow disc") { check_slow_drive<SlowCd>(false); }
