// An AHCI controller through PCI and its memory: registers, commands of each kind of transfer, resets and errors.
#include "devices/ide/ahci.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <random>

#include "base/bits.h"
#include "devices/ide/ata.h"
#include "devices/ide/atapi.h"
#include "mmu/guest_ram.h"
#include "tests/support/run_clock.h"
#include "tests/support/slow_drive.h"

using namespace xlat;

namespace {

struct Line : IrqSink {
  void set_irq(unsigned, bool l) override { level = l; }
  bool level = false;
};

std::unique_ptr<BlockImage> pattern(u64 bytes) {
  auto image = make_memory_image(bytes);
  std::vector<u8> content(bytes);
  for (u64 n = 0; n < bytes; ++n) content[n] = static_cast<u8>(n / 512 + n * 7);
  REQUIRE(image->write(0, content));
  return image;
}

// Port 0 has a disk, port 1 a CD-ROM drive; command lists at 1000h a port, received FISes behind them, tables at 4000h.
struct Rig {
  static constexpr u32 kBar = 0xfebf1000, kTable = 0x4000, kData = 0x10000;
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::unique_ptr<GuestRam> ram = std::move(GuestRam::create(1 << 20)).value();
  PciBus pci{ports, memory};
  Line irq;
  Ahci ahci{memory, clock, true};

  Rig() {
    memory.map_ram(0, 1 << 20, ram->data());
    ahci.port(0).plug(0, std::make_unique<AtaDisk>(clock, "d", pattern(4 << 20), DriveIdentity{.sata = true}));
    ahci.port(1).plug(0, std::make_unique<AtapiCdrom>(clock, "c", pattern(1 << 20)));
    pci.connect_pirq(2, IrqLine(irq, 0));  // INTA# of slot 3
    pci.add(3, 0, ahci);
    ahci.reset();
    config(0x24, kBar);
    config(0x04, 6);
    run();
  }
  void config(u8 reg, u32 value) {
    ports.write(0xcf8, 4, 0x80001800u | reg);
    ports.write(0xcfc, 4, value);
  }
  void run(u64 ns = 50'000'000) { run_clock(clock, clock.now() + ns); }
  u32 reg(u32 at) { return static_cast<u32>(memory.read(kBar + at, 4)); }
  void reg(u32 at, u32 value) { memory.write(kBar + at, 4, value); }
  static u32 at(unsigned port, u32 offset) { return 0x100 + 0x80 * port + offset; }
  u32 ram32(u32 address) { return load_le<u32>(ram->data() + address); }

  void start() {
    reg(0x04, 0x80000002);  // GHC: AE, IE
    for (unsigned port = 0; port < 2; ++port) {
      reg(at(port, 0x00), 0x1000 + 0x1000 * port);
      reg(at(port, 0x08), 0x1400 + 0x1000 * port);
      reg(at(port, 0x14), 0xffffffff);
      reg(at(port, 0x18), 0x10);  // FRE first
      reg(at(port, 0x18), 0x11);
    }
    run();
  }
  // A command in `slot`; its data are `bytes` at kData, in two regions of which the first has an odd length of words.
  void command(unsigned port, unsigned slot, std::array<u8, 20> fis, u32 bytes, u32 flags = 0,
               std::array<u8, 12> packet = {}) {
    const u32 header = 0x1000 + 0x1000 * port + 32 * slot, table = kTable + 0x400 * slot;
    const u32 first = std::min(bytes, 514u);
    store_le<u32>(ram->data() + header, 5 | flags | (bytes > first ? 2u : bytes ? 1u : 0u) << 16);
    store_le<u32>(ram->data() + header + 4, 0xffffffff);
    store_le<u32>(ram->data() + header + 12, 0);
    store_le<u32>(ram->data() + header + 8, table);
    fis[0] = 0x27;
    std::copy(fis.begin(), fis.end(), ram->data() + table);
    std::copy(packet.begin(), packet.end(), ram->data() + table + 0x40);
    store_le<u32>(ram->data() + table + 0x80, kData);
    store_le<u32>(ram->data() + table + 0x8c, first - 1);
    store_le<u32>(ram->data() + table + 0x90, kData + first);
    store_le<u32>(ram->data() + table + 0x9c, bytes - first - 1);
    reg(at(port, 0x38), 1u << slot);
  }
  // A command of native queuing, its data at kData + 2000h for each slot.
  void queued(unsigned slot, bool write, u64 lba, u16 count, u8 tag) {
    std::array<u8, 20> f = fis(write ? 0x61 : 0x60, lba, static_cast<u16>(tag << 3), static_cast<u8>(count));
    f[11] = static_cast<u8>(count >> 8);
    reg(at(0, 0x34), 1u << slot);
    const u32 ahead = kData + 0x2000 * slot;
    command(0, slot, f, count * 512u, write ? 0x40 : 0);
    store_le<u32>(ram->data() + kTable + 0x400 * slot + 0x80, ahead);
    store_le<u32>(ram->data() + kTable + 0x400 * slot + 0x90, ahead + std::min(count * 512u, 514u));
  }
  void queued(unsigned slot, bool write, u64 lba, u16 count) { queued(slot, write, lba, count, static_cast<u8>(slot)); }
  std::span<u8> slot_data(unsigned slot, u32 bytes) { return {ram->data() + kData + 0x2000 * slot, bytes}; }
  static std::array<u8, 20> fis(u8 op, u64 lba = 0, u16 count = 0, u8 features = 0) {
    std::array<u8, 20> f{};
    f[1] = 0x80, f[2] = op, f[3] = features, f[7] = 0x40;
    f[4] = static_cast<u8>(lba), f[5] = static_cast<u8>(lba >> 8), f[6] = static_cast<u8>(lba >> 16);
    f[8] = static_cast<u8>(lba >> 24), f[9] = static_cast<u8>(lba >> 32), f[10] = static_cast<u8>(lba >> 40);
    f[12] = static_cast<u8>(count), f[13] = static_cast<u8>(count >> 8);
    return f;
  }
};

}  // namespace

TEST_CASE("AHCI: registers after a reset, and what a drive says of itself", "[ahci]") {
  Rig r;
  CHECK(r.ports.read(0xcfc, 2) == 0x0006);
  CHECK(r.reg(0x00) == 0xc0241f05);
  CHECK(r.reg(0x04) == 0x80000000);
  CHECK(r.reg(0x0c) == 0x3f);
  CHECK(r.reg(0x10) == 0x00010000);
  CHECK(r.reg(Rig::at(0, 0x28)) == 0x123);
  CHECK(r.reg(Rig::at(2, 0x28)) == 0);
  CHECK(r.reg(Rig::at(2, 0x20)) == 0x7f);
  CHECK(r.reg(Rig::at(0, 0x24)) == 0xffffffff);
  r.start();
  CHECK(r.reg(Rig::at(0, 0x24)) == 0x00000101);
  CHECK(r.reg(Rig::at(1, 0x24)) == 0xeb140101);
  CHECK(r.reg(Rig::at(0, 0x20)) == 0x150);
  CHECK(r.ram32(0x1440) == 0x01500034);      // the signature's register FIS
  CHECK(r.reg(Rig::at(0, 0x18)) == 0xc011);  // running
  // COMRESET: the link goes and comes, and says so until PxSERR is cleared.
  r.reg(Rig::at(0, 0x2c), 1);
  CHECK(r.reg(Rig::at(0, 0x28)) == 0);
  r.reg(Rig::at(0, 0x2c), 0);
  CHECK((r.reg(Rig::at(0, 0x20)) & 0x80) == 0x80);
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x00400040) == 0x00400040);
  r.run();
  r.reg(Rig::at(0, 0x10), 0xffffffff);
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x00400040) == 0x00400040);
  r.reg(Rig::at(0, 0x30), 0xffffffff);
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x00400040) == 0);
  CHECK(r.reg(Rig::at(0, 0x20)) == 0x150);
  // The whole controller.
  r.reg(0x04, 1);
  CHECK(r.reg(0x04) == 0x80000000);
  CHECK(r.reg(Rig::at(0, 0x00)) == 0);
}

TEST_CASE("AHCI: data in and out by PIO and DMA, with their interrupts", "[ahci]") {
  Rig r;
  r.start();
  r.command(0, 0, Rig::fis(0xec), 512);  // IDENTIFY DEVICE
  CHECK(r.reg(Rig::at(0, 0x38)) == 1);
  r.run();
  CHECK(r.reg(Rig::at(0, 0x38)) == 0);
  CHECK((r.reg(Rig::at(0, 0x10)) & 3) == 2);  // PIO setup, and no register FIS
  CHECK(r.irq.level);
  CHECK(r.reg(0x08) == 1);
  CHECK(load_le<u16>(r.ram->data() + Rig::kData + 2 * 76) == 0x106);
  CHECK(load_le<u16>(r.ram->data() + Rig::kData + 2 * 93) == 0);
  CHECK(r.ram32(0x1004) == 512);
  r.reg(Rig::at(0, 0x10), 0xffffffff);
  r.reg(0x08, 1);
  CHECK_FALSE(r.irq.level);

  r.command(0, 5, Rig::fis(0x25, 100, 16), 16 * 512);  // READ DMA EXT
  r.run();
  CHECK((r.reg(Rig::at(0, 0x10)) & 3) == 1);
  CHECK(r.ram32(0x1000 + 5 * 32 + 4) == 16 * 512);
  bool same = true;
  for (u32 n = 0; n < 16 * 512; ++n) {
    same &= r.ram->data()[Rig::kData + n] == static_cast<u8>((100 * 512 + n) / 512 + (100 * 512 + n) * 7);
  }
  CHECK(same);

  for (const bool dma : {false, true}) {
    for (u32 n = 0; n < 3 * 512; ++n) r.ram->data()[Rig::kData + n] = static_cast<u8>(n * 3 + dma);
    r.command(0, 0, dma ? Rig::fis(0x35, 40, 3) : Rig::fis(0x34, 40, 3), 3 * 512, 0x40);
    r.run();
    CHECK(r.reg(Rig::at(0, 0x38)) == 0);
    std::vector<u8> written(3 * 512);
    REQUIRE(dynamic_cast<AtaDisk&>(*r.ahci.port(0).drive(0)).image()->read(40 * 512, written));
    CHECK(std::equal(written.begin(), written.end(), r.ram->data() + Rig::kData));
  }
  // Without bus mastering nothing moves.
  r.config(0x04, 2);
  r.command(0, 0, Rig::fis(0x25, 0, 1), 512);
  r.run();
  CHECK(r.reg(Rig::at(0, 0x38)) == 1);
}

TEST_CASE("AHCI: packets for a CD-ROM drive, by PIO and DMA", "[ahci]") {
  Rig r;
  r.start();
  for (const u8 dma : {0, 1}) {
    std::array<u8, 20> packet = Rig::fis(0xa0, 0, 0, dma);
    packet[5] = 0x00, packet[6] = 0x08;                // 2048 bytes a block by PIO
    r.command(1, 0, Rig::fis(0xa0), 0, 0x20, {0x00});  // TEST UNIT READY, for the attention after power-on
    r.run();
    r.reg(Rig::at(1, 0x18), 0x10);
    r.reg(Rig::at(1, 0x18), 0x11);
    std::memset(r.ram->data() + Rig::kData, 0, 8192);
    r.command(1, 1, packet, 8192, 0x20, {0xa8, 0, 0, 0, 0, 10, 0, 0, 0, 4});  // READ(12): 4 sectors from 10
    r.run();
    CHECK(r.reg(Rig::at(1, 0x38)) == 0);
    CHECK((r.reg(Rig::at(1, 0x20)) & 0xff) == 0x50);
    bool same = true;
    for (u32 n = 0; n < 8192; ++n) {
      same &= r.ram->data()[Rig::kData + n] == static_cast<u8>((20480 + n) / 512 + (20480 + n) * 7);
    }
    CHECK(same);
    CHECK(r.ram32(0x2000 + 32 + 4) == 8192);
  }
}

TEST_CASE("AHCI: errors stop a port until it is started again", "[ahci]") {
  Rig r;
  r.start();
  r.command(0, 0, Rig::fis(0x25, 1'000'000, 1), 512);  // beyond the end
  r.run();
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x40000001) == 0x40000001);
  CHECK((r.reg(Rig::at(0, 0x20)) & 0x1001) == 0x1001);  // ERR, IDNF
  r.command(0, 1, Rig::fis(0xec), 512);
  r.run();
  CHECK(r.reg(Rig::at(0, 0x38)) == 2);
  r.reg(Rig::at(0, 0x18), 0x10);
  CHECK(r.reg(Rig::at(0, 0x38)) == 0);
  r.reg(Rig::at(0, 0x18), 0x11);
  r.command(0, 1, Rig::fis(0xec), 512);
  r.run();
  CHECK(r.reg(Rig::at(0, 0x38)) == 0);
  // A soft reset by two control FISes.
  for (const u8 srst : {4, 0}) {
    std::array<u8, 20> control{};
    control[15] = srst;
    r.command(0, 0, control, 0, srst ? 0x500 : 0);
    r.run();
    CHECK(r.reg(Rig::at(0, 0x38)) == 0);
  }
  CHECK(r.reg(Rig::at(0, 0x20)) == 0x150);
  // A table that is shorter than the transfer, and a FIS of no kind.
  r.command(0, 0, Rig::fis(0x25, 0, 64), 1024);
  r.run();
  r.reg(Rig::at(0, 0x18), 0x10);
  r.reg(Rig::at(0, 0x18), 0x11);
  r.command(0, 2, Rig::fis(0xec), 512);
  r.ram->data()[Rig::kTable + 0x800] = 0x99;
  r.run();
  CHECK(r.clock.now() > 0);
}

namespace {
std::vector<u8> pattern_of(u64 lba, u32 sectors) {
  std::vector<u8> bytes(sectors * 512);
  for (u64 n = 0; n < bytes.size(); ++n) bytes[n] = static_cast<u8>((lba * 512 + n) / 512 + (lba * 512 + n) * 7);
  return bytes;
}
bool same(std::span<const u8> a, const std::vector<u8>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
}  // namespace

TEST_CASE("AHCI: queued commands are taken together and end one by one", "[ahci]") {
  Rig r;
  r.start();
  r.command(0, 0, Rig::fis(0xec), 512);
  r.run();
  CHECK(load_le<u16>(r.ram->data() + Rig::kData + 2 * 75) == 31);
  r.reg(Rig::at(0, 0x10), 0xffffffff);
  for (unsigned slot = 0; slot < 8; ++slot) {
    auto news = r.slot_data(slot, 8 * 512);
    std::fill(news.begin(), news.end(), static_cast<u8>(slot % 2 ? 0x77 : 0));
    r.queued(slot, slot % 2, 100 + 10 * slot, 8);
  }
  CHECK(r.reg(Rig::at(0, 0x38)) == 0xff);
  CHECK(r.reg(Rig::at(0, 0x34)) == 0xff);
  r.run(3'000);  // the drive has them all before the medium is done with one
  CHECK(r.reg(Rig::at(0, 0x38)) == 0);
  CHECK(r.reg(Rig::at(0, 0x34)) == 0xff);
  CHECK((r.reg(Rig::at(0, 0x20)) & 0x88) == 0);
  r.run();
  CHECK(r.reg(Rig::at(0, 0x34)) == 0);
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x4000000f) == 8);  // set device bits
  CHECK(r.irq.level);
  CHECK(r.ram32(0x1400) == 0x00000041);  // DMA setup, of the last one: a write
  CHECK((r.ram32(0x1404) & 0xff) == 7);
  CHECK(r.ram32(0x1458) == 0x005040a1);
  CHECK(r.ram32(0x145c) == 1u << 7);
  for (unsigned slot = 0; slot < 8; slot += 2) CHECK(same(r.slot_data(slot, 4096), pattern_of(100 + 10 * slot, 8)));
  std::vector<u8> written(8 * 512);
  REQUIRE(dynamic_cast<AtaDisk&>(*r.ahci.port(0).drive(0)).image()->read(110 * 512, written));
  CHECK(written == std::vector<u8>(8 * 512, 0x77));
}

TEST_CASE("AHCI: a queued command that fails takes the others with it, and the log says which it was", "[ahci]") {
  Rig r;
  r.start();
  r.queued(1, false, 0, 4);
  r.queued(2, false, 8190, 4);  // beyond the end
  r.run();
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x40000000) != 0);
  CHECK((r.reg(Rig::at(0, 0x20)) & 0xffff) == 0x1041);
  CHECK((r.reg(Rig::at(0, 0x34)) & 4) == 4);
  r.reg(Rig::at(0, 0x18), 0x10);
  CHECK(r.reg(Rig::at(0, 0x34)) == 0);
  r.reg(Rig::at(0, 0x18), 0x11);
  r.command(0, 0, Rig::fis(0x2f, 0x10, 1), 512);  // READ LOG EXT
  r.run();
  const u8* log = r.ram->data() + Rig::kData;
  CHECK((log[0] == 2 && log[2] == 0x41 && log[3] == 0x10 && log[4] == 0xfe && log[5] == 0x1f && log[12] == 4));
  CHECK(static_cast<u8>(std::accumulate(log, log + 512, 0)) == 0);
  // One is enough: the log is empty now.
  r.command(0, 0, Rig::fis(0x2f, 0x10, 1), 512);
  r.run();
  CHECK(log[0] == 0x80);
  r.command(0, 0, Rig::fis(0x2f, 0x00, 1), 512);
  r.run();
  CHECK((log[0] == 1 && log[0x20] == 1));
  // Other commands find no room between queued ones; a tag is that of its slot.
  r.queued(3, false, 0, 8);
  r.command(0, 4, Rig::fis(0xec), 512);
  r.run();
  CHECK((r.reg(Rig::at(0, 0x20)) & 0xffff) == 0x0441);
  r.reg(Rig::at(0, 0x18), 0x10), r.reg(Rig::at(0, 0x18), 0x11);
  r.queued(3, false, 0, 8, 4);
  r.run();
  CHECK((r.reg(Rig::at(0, 0x20)) & 0xffff) == 0x0441);
  r.reg(Rig::at(0, 0x18), 0x10), r.reg(Rig::at(0, 0x18), 0x11);
  r.queued(3, false, 5, 8);
  r.run();
  CHECK(same(r.slot_data(3, 4096), pattern_of(5, 8)));
}

TEST_CASE("AHCI: capabilities, messages, the index pair and wide addresses", "[ahci]") {
  Rig r;
  const auto config = [&](u8 at, unsigned width = 4) {
    r.ports.write(0xcf8, 4, 0x80001800u | (at & 0xfc));
    return r.ports.read(static_cast<u16>(0xcfc + (at & 3)), width);
  };
  CHECK((config(0x06, 2) & 0x10) == 0x10);
  CHECK(config(0x34, 1) == 0x80);
  CHECK(config(0x80) == 0x0080a805);
  CHECK(config(0xa8) == 0x00100012);
  CHECK(config(0xac) == 0x48);
  // Registers by their index.
  r.config(0x20, 0xc001);
  r.config(0x04, 7);
  r.ports.write(0xc010, 4, 0x0c);
  CHECK(r.ports.read(0xc014, 4) == 0x3f);
  r.ports.write(0xc010, 4, 0x104);
  r.ports.write(0xc014, 4, 5);
  CHECK(r.reg(Rig::at(0, 0x04)) == 5);
  // A list above 4 GiB, where nothing is: no FIS that a drive would take.
  r.start();
  r.command(0, 0, Rig::fis(0xec), 512);
  r.run();
  CHECK((r.reg(Rig::at(0, 0x10)) & 0x40000000) != 0);
  r.reg(Rig::at(0, 0x04), 0);
  r.reg(Rig::at(0, 0x18), 0x10), r.reg(Rig::at(0, 0x18), 0x11);
  r.reg(Rig::at(0, 0x10), 0xffffffff), r.reg(0x08, 0xff);
  // Messages instead of INTA#.
  r.config(0x84, 0x9001);  // bits 1:0 are not there
  r.config(0x8c, 0xbeef);
  r.config(0x80, 0x00010000);
  CHECK(config(0x84) == 0x9000);
  r.command(0, 0, Rig::fis(0xec), 512);
  r.run();
  CHECK_FALSE(r.irq.level);
  CHECK(r.ram32(0x9000) == 0xbeef);
  store_le<u32>(r.ram->data() + 0x9000, 0);
  r.command(0, 0, Rig::fis(0xec), 512);  // IS is not cleared: nothing new
  r.run();
  CHECK(r.ram32(0x9000) == 0);
  r.reg(0x08, 1);  // PxIS still says so
  CHECK(r.ram32(0x9000) == 0xbeef);
  r.config(0x80, 0);
  CHECK(r.irq.level);
}

TEST_CASE("AHCI: saved in mid-transfer it goes on where it was", "[ahci]") {
  Rig r;
  r.start();
  r.command(0, 3, Rig::fis(0x25, 7, 600), 600 * 512);
  r.run(21'000);
  CHECK(r.reg(Rig::at(0, 0x38)) == 8);
  Archive saved = Archive::saver();
  r.clock.serialize(saved);
  r.ahci.serialize(saved);
  Rig other;
  std::copy_n(r.ram->data(), 1 << 20, other.ram->data());
  Archive loader = Archive::loader(saved.bytes());
  other.clock.serialize(loader);
  other.ahci.serialize(loader);
  CHECK(loader.ok());
  CHECK(loader.at_end());
  r.run();
  other.run();
  CHECK(other.reg(Rig::at(0, 0x38)) == 0);
  CHECK(std::equal(r.ram->data(), r.ram->data() + (1 << 20), other.ram->data()));
}

TEST_CASE("AHCI: random registers and descriptors", "[ahci]") {
  std::mt19937 random(3);
  Rig r;
  r.start();
  for (unsigned n = 0; n < 20'000; ++n) {
    const unsigned port = random() % 2;
    switch (random() % 6) {
      case 0: r.reg(Rig::at(port, random() % 32 * 4), random()); break;
      case 1: r.memory.write(Rig::kBar + random() % 0x400, 1u << random() % 3, random()); break;
      case 2: r.ram->data()[0x1000 + random() % 0x8000] = static_cast<u8>(random()); break;
      case 3:
        if (random() % 2) r.reg(Rig::at(port, 0x34), 15);
        r.command(
            port, random() % 4,
            Rig::fis(static_cast<u8>(random() % 3 ? random() : 0x60 + random() % 2), random() % 9000, random() % 9),
            random() % 9000 + 1, random() & 0x60);
        break;
      case 4: r.run(random() % 100'000); break;
      case 5: r.start(); break;
    }
  }
  SUCCEED();
}

namespace {
struct SlowSata : SlowDrive, Rig {
  SlowSata() : SlowDrive(1 << 20) {
    ahci.port(0).plug(
        0, std::make_unique<AtaDisk>(clock, "d", image.open(), DriveIdentity{.sata = true}, SlowDrive::setup()));
    ahci.reset();
    config(0x24, kBar);
    config(0x04, 6);
    run();
    start();
  }
  void read(u8 lba) override { command(0, 0, fis(0x25, lba, 1), 512); }
  void write(u8 lba) override {
    std::fill_n(ram->data() + kData, 512, u8{0x77});
    command(0, 0, fis(0x35, lba, 1), 512, 0x40);
  }
  bool over() override { return over_ = reg(at(0, 0x38)) == 0 && (reg(at(0, 0x20)) & 0x81) == 0; }
  std::vector<u8> data() override { return {ram->data() + kData, ram->data() + kData + 512}; }
  void reset() override {
    reg(at(0, 0x18), 0x10);
    reg(at(0, 0x2c), 1), run();
    reg(at(0, 0x2c), 0), run();
    reg(at(0, 0x30), 0xffffffff);
    reg(at(0, 0x18), 0x11);
  }
  void serialize(Archive& ar) override { clock.serialize(ar), pci.serialize(ar), ahci.serialize(ar); }
  std::span<u8> memory_bytes() override { return ram->bytes(); }
  Clock& time() override { return clock; }
};
}  // namespace

namespace {
struct SlowQueue : SlowSata {
  void read(u8 lba) override { queued(6, false, lba, 1), run(100'000); }
  void write(u8 lba) override {
    const auto bytes = slot_data(6, 512);
    std::fill(bytes.begin(), bytes.end(), u8{0x77});
    queued(6, true, lba, 1);
    run(100'000);
  }
  bool over() override { return over_ = SlowSata::over() && reg(at(0, 0x34)) == 0; }
  std::vector<u8> data() override {
    const auto bytes = slot_data(6, 512);
    return {bytes.begin(), bytes.end()};
  }
};
}  // namespace

TEST_CASE("AHCI: a slow disk", "[ahci]") { check_slow_drive<SlowSata>(); }
TEST_CASE("AHCI: a slow disk with a queue", "[ahci]") { check_slow_drive<SlowQueue>(); }
