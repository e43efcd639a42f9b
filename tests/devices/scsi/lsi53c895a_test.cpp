// The 53C895A through PCI and its registers: SCRIPTS, the SCSI bus behind them, interrupts, resets and saved states.
#include "devices/scsi/lsi53c895a.h"

#include <cstring>
#include <random>

#include "devices/scsi/scsi_cdrom.h"
#include "devices/scsi/scsi_disk.h"
#include "mmu/guest_ram.h"
#include "tests/devices/scsi/scsi_rig.h"
#include "tests/support/run_clock.h"
#include "tests/support/slow_drive.h"

using namespace xlat;

namespace {

struct Line : IrqSink {
  void set_irq(unsigned, bool l) override { level = l; }
  bool level = false;
};

// Instructions.
constexpr u32 kSelectAtn = 0x41000000, kWaitDisconnect = 0x48000000, kWaitReselect = 0x50000000, kClearAck = 0x60000040,
              kSetAtn = 0x58000008, kDataOut = 0x08000000, kDataIn = 0x09000000, kCommand = 0x0a000000,
              kStatus = 0x0b000000, kMessageOut = 0x0e000000, kMessageIn = 0x0f000000, kTable = 0x10000000,
              kInterrupt = 0x98080000, kJump = 0x80080000, kNoSdu = 0x7c027f00,  // MOVE SCNTL2 & 7Fh TO SCNTL2
    kUnless = 0x80030000, kIf = 0x800b0000;  // JUMP IF NOT, IF a phase, WHEN it is there

// A disk at target 0, a CD-ROM drive at 3. Scripts are at 2000h, the table of indirect moves (DSA) at 3000h.
struct Rig {
  static constexpr u32 kIo = 0xc000, kMmio = 0xfebf1000, kRam = 0xfebf4000;
  static constexpr u32 kScript = 0x2000, kDsa = 0x3000, kCdb = 0x3100, kMessages = 0x3200, kIn = 0x3300,
                       kData = 0x10000;
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::unique_ptr<GuestRam> ram = std::move(GuestRam::create(1 << 20)).value();
  PciBus pci{ports, memory};
  Line irq;
  ScsiDisk disk;
  ScsiCdrom cdrom{clock, "c", pattern_image(300 * 2048), {.product = "CD"}};
  Lsi53c895a chip;
  u32 end = 0;  // of the script being written

  explicit Rig(Lsi53c895a::Model model = Lsi53c895a::Model::k895a, std::unique_ptr<BlockImage> image = nullptr,
               DiskSetup setup = {})
      : disk(clock, "d", image ? std::move(image) : pattern_image(4 << 20), false, {.product = "DISK"},
             std::move(setup)),
        chip(memory, clock, model) {
    memory.map_ram(0, 1 << 20, ram->data());
    chip.bus().plug(0, 0, disk);
    chip.bus().plug(3, 0, cdrom);
    pci.connect_pirq(2, IrqLine(irq, 0));  // INTA# of slot 3
    pci.add(3, 0, chip);
    chip.reset();
    config(0x10, kIo);
    config(0x14, kMmio);
    config(0x18, kRam);
    config(0x04, 7);
    reg(0x40, 0xff), reg(0x41, 0xff - 3), reg(0x39, 0x7f);  // all interrupts but timers'
    reg(0x40, 0xaf & ~0x10);
    reg(0x04, 0x47), reg(0x4a, 0x80);  // SCSI ID 7, which answers reselection
  }
  void config(u8 at, u32 value) {
    ports.write(0xcf8, 4, 0x80001800u | at);
    ports.write(0xcfc, 4, value);
  }
  u8 reg(u8 at) { return static_cast<u8>(ports.read(static_cast<u16>(kIo + at), 1)); }
  void reg(u8 at, u8 value) { ports.write(static_cast<u16>(kIo + at), 1, value); }
  u32 reg32(u8 at) { return static_cast<u32>(memory.read(kMmio + at, 4)); }
  void reg32(u8 at, u32 value) { memory.write(kMmio + at, 4, value); }
  u8& byte(u32 at) { return ram->data()[at]; }
  void put(u32 at, std::initializer_list<u8> bytes) { std::copy(bytes.begin(), bytes.end(), ram->data() + at); }
  void run(u64 ns = 50'000'000) { run_clock(clock, clock.now() + ns); }
  void begin() { end = kScript; }
  u32 add(u32 instruction, u32 address = 0) {
    store_le<u32>(ram->data() + end, instruction);
    store_le<u32>(ram->data() + end + 4, address);
    end += 8;
    return end - 8;
  }
  void patch(u32 at, u32 address) { store_le<u32>(ram->data() + at + 4, address); }
  void start(u32 at = kScript) { reg32(0x2c, at); }
  // What the last script ended with: INT's vector, or nothing.
  std::optional<u32> vector() {
    const u8 dstat = reg(0x0c);
    return dstat & 4 ? std::optional(reg32(0x30)) : std::nullopt;
  }

  // Selects, sends the messages at kMessages and the command at kCdb. A target that disconnects is waited for; `data`
  // is the instruction that moves data, or 0.
  void whole(u8 target, unsigned messages, unsigned cdb, u32 data, u32 address) {
    begin();
    add(kSelectAtn | u32{target} << 16);
    add(kMessageOut | messages, kMessages);
    add(kCommand | cdb, kCdb);
    const u32 looks = end;
    const u32 disconnects = add(kIf | 7 << 24);
    if (data) {
      const u32 none = add(kIf | 3 << 24);
      add(data, address);
      patch(none, end);
    }
    // A target that goes away after its data comes back with its status.
    const u32 late = add(kIf | 7 << 24);
    add(kStatus | 1, kIn);
    add(kMessageIn | 1, kIn + 1);
    add(kNoSdu);
    add(kClearAck);
    add(kWaitDisconnect);
    add(kInterrupt, 0x77);
    patch(disconnects, end);
    patch(late, end);
    add(kMessageIn | 1, kIn + 2);
    add(0x800c0000 | 0x02, end + 40);  // SAVE DATA POINTERS: another message follows
    add(kNoSdu);
    add(kClearAck);
    add(kWaitDisconnect);
    const u32 skip = add(kJump);
    const u32 more = end;
    add(kClearAck);
    add(kJump, disconnects);
    (void)more;
    patch(skip, end);
    add(kWaitReselect);
    add(kMessageIn | 1, kIn + 3);
    if (messages > 1) {
      add(kClearAck);
      add(kMessageIn | 2, kIn + 4);
    }
    add(kClearAck);
    add(kJump, looks);
    start();
    run();
  }
};

}  // namespace

TEST_CASE("53C895A: on the PCI bus, and its registers after a reset", "[lsi]") {
  Rig r;
  r.config(0, 0);
  CHECK(r.ports.read(0xcfc, 4) == 0x00121000);
  r.ports.write(0xcf8, 4, 0x80001808);
  CHECK(r.ports.read(0xcfc, 4) >> 8 == 0x010000);
  CHECK(r.reg(0x00) == 0xc0);
  CHECK(r.reg(0x0c) == 0x80);
  CHECK(r.reg(0x14) == 0x00);
  CHECK(r.reg(0x19) == 0xf0);
  CHECK(r.reg(0x1a) == 0x31);
  CHECK(r.reg(0x46) == 0xf0);
  CHECK(r.reg(0x47) == 0x0f);
  CHECK((r.reg(0x0f) & 2) == 2);
  // The same registers through memory, wider; RAM of its own.
  CHECK(r.reg32(0x00) == 0x000000c0);
  r.reg32(0x34, 0x12345678);
  CHECK(r.reg(0x35) == 0x56);
  r.memory.write(Rig::kRam + 0x1ffc, 4, 0xcafe);
  CHECK(r.memory.read(Rig::kRam + 0x1ffc, 4) == 0xcafe);
  r.reg(0x1a, 0x08);
  CHECK(r.reg32(0x34) == Rig::kMmio);
  CHECK(r.reg32(0x5c) == Rig::kRam);
  CHECK((r.reg32(0xa8) & 0xffff) == 0x0012);
  r.reg(0x14, 0x40);
  CHECK(r.reg(0x14) == 0x40);
  CHECK(r.reg(0x04) == 0);
  r.reg(0x14, 0);
  CHECK(r.reg32(0x34) == 0);

  Rig old(Lsi53c895a::Model::k810);
  old.config(0, 0);
  CHECK(old.ports.read(0xcfc, 4) == 0x00011000);
  old.reg(0x60, 5);
  CHECK(old.reg(0x60) == 0);
  CHECK(old.chip.bar_size(2) == 0);
}

TEST_CASE("53C895A: registers, jumps, calls and arithmetic of SCRIPTS", "[lsi]") {
  Rig r;
  r.begin();
  r.add(0x78340500);                    // MOVE 5 TO SCRATCHA0
  r.add(0x7e340700);                    // + 7
  r.add(0x72340000);                    // SFBR = SCRATCHA0
  const u32 wrong = r.add(0x8004000c);  // JUMP IF NOT 12
  const u32 call = r.add(0x88080000);
  r.add(0x7e35ff00);  // SCRATCHA1 + FFh, twice: carry
  r.add(0x7e350200);
  r.add(0x7f360000);          // SCRATCHA2 + carry
  r.add(0xc0000004, 0x8000);  // memory move to 9000h
  store_le<u32>(r.ram->data() + r.end, 0x9000), r.end += 4;
  r.add(0xe1600004, 0x8000);  // load SCRATCHC
  r.add(0xf0340004, 0x10);    // store SCRATCHA at DSA + 10h
  r.add(0x98180000, 1);       // INTFLY
  r.add(kInterrupt, 0xabcd);
  r.patch(wrong, r.end);
  r.add(kInterrupt, 0xbad);
  r.patch(call, r.end);
  r.add(0x78370900);
  r.add(0x90080000);  // RETURN
  store_le<u32>(r.ram->data() + 0x8000, 0x11223344);
  r.reg32(0x10, Rig::kDsa);
  r.start();
  CHECK((r.reg(0x15) & 2) == 2);
  r.run(1000);
  CHECK((r.reg(0x15) & 2) == 0);
  CHECK(r.irq.level);
  CHECK((r.reg(0x14) & 7) == 5);  // on the fly, and the DMA's
  CHECK(r.vector() == 0xabcd);
  CHECK(r.irq.level);
  r.reg(0x14, 4);
  CHECK_FALSE(r.irq.level);
  CHECK(r.reg32(0x34) == 0x0901010c);
  CHECK(r.reg32(0x60) == 0x11223344);
  CHECK(load_le<u32>(&r.byte(0x9000)) == 0x11223344);
  CHECK(r.reg32(0x1c) == Rig::kScript + 5 * 8);  // TEMP: of the call alone
  CHECK(load_le<u32>(&r.byte(Rig::kDsa + 0x10)) == 0x0901010c);
  // Single steps.
  r.reg(0x3b, 0x10);
  r.begin();
  r.add(0x78340500);
  r.add(kInterrupt, 1);
  r.start();
  r.run(1000);
  CHECK((r.reg(0x0c) & 0x7f) == 8);
  r.reg(0x3b, 0x14);
  r.run(1000);
  CHECK((r.reg(0x0c) & 4) == 4);
  // What is none.
  r.reg(0x3b, 0);
  r.begin();
  r.add(0xa0000000 | 0x08080000);
  r.start();
  r.run(1000);
  CHECK((r.reg(0x0c) & 1) == 1);
  r.begin();
  r.add(0x09000000, 0x8000);  // a block move of no bytes
  r.start();
  r.run(1000);
  CHECK((r.reg(0x0c) & 1) == 1);
}

TEST_CASE("53C895A: a script without an end leaves the guest its time, and can be aborted", "[lsi]") {
  Rig r;
  r.begin();
  r.add(kJump, Rig::kScript);
  r.start();
  unsigned events = 0;
  const u64 until = r.clock.now() + 1'000'000;
  while (r.clock.next_deadline() <= until) {
    r.clock.skip_to(r.clock.next_deadline());
    r.clock.run_due();
    ++events;
  }
  CHECK(events < 100);
  CHECK((r.reg(0x15) & 2) == 2);
  r.reg(0x14, 0x80);
  CHECK((r.reg(0x0c) & 0x10) == 0x10);
  r.reg(0x14, 0);
  CHECK((r.reg(0x15) & 2) == 0);
  // A memory move of 16 MiB goes in pieces.
  r.begin();
  r.add(0xc0ffffff, 0);
  store_le<u32>(r.ram->data() + r.end, 0xf0000000);
  r.start();
  r.run(1'000'000);
  CHECK((r.reg(0x15) & 2) == 2);
  CHECK((r.reg32(0x24) & 0xffffff) < 0xffffff);
}

TEST_CASE("53C895A: a target that is there, one that is not", "[lsi]") {
  Rig r;
  r.put(Rig::kMessages, {0x80});
  r.put(Rig::kCdb, {0x12, 0, 0, 0, 36, 0});
  r.whole(0, 1, 6, kDataIn | 36, Rig::kData);
  CHECK(r.vector() == 0x77);
  CHECK((r.byte(Rig::kIn) == 0 && r.byte(Rig::kIn + 1) == 0));
  CHECK(std::string(&r.byte(Rig::kData + 8), &r.byte(Rig::kData + 20)) == "XLAT    DISK");
  CHECK((r.reg(0x14) & 8) == 0);
  // The time-out that is set: 125 us by two to the power of three.
  r.reg(0x48, 4);
  r.begin();
  r.add(kSelectAtn | 5 << 16);
  r.add(kUnless | 6 << 24, 0);
  r.start();
  r.run(900'000);
  CHECK((r.reg(0x15) & 2) == 2);
  CHECK(r.reg32(0x2c) == Rig::kScript + 16);
  r.run(200'000);
  CHECK(r.irq.level);
  CHECK(r.reg(0x42) == 0);
  CHECK(r.reg(0x43) == 4);
  CHECK_FALSE(r.irq.level);
  CHECK((r.reg(0x15) & 2) == 0);
  // A target that is left where it must not be says so.
  r.begin();
  r.add(kSelectAtn);
  r.add(kMessageOut | 1, Rig::kMessages);
  r.add(kCommand | 6, Rig::kCdb);
  r.add(kInterrupt, 3);
  r.start();
  r.run(1000);
  CHECK(r.vector() == 3);
  CHECK((r.reg(0x14) & 8) == 8);
  CHECK((r.reg(0x0b) & 0xa7) == 0xa1);  // REQ, BSY, data in
  r.put(Rig::kMessages, {0x06});
  r.begin();
  r.add(kSetAtn);
  r.add(kMessageOut | 1, Rig::kMessages);
  r.start();
  r.run(1000);
  // The data phase is still there: the target looks at ATN when it is over.
  CHECK(r.reg(0x42) == 0x80);
  CHECK((r.reg32(0x24) & 0xffffff) == 1);
}

TEST_CASE("53C895A: blocks through a table of moves, with disconnection", "[lsi]") {
  Rig r;
  const std::vector<u8> content = pattern_bytes(4 << 20);
  r.disk.reset_settings(scsi::kNoSense);
  r.reg32(0x10, Rig::kDsa);
  // A table of one entry.
  const auto entry = [&](u32 bytes) {
    store_le<u32>(&r.byte(Rig::kDsa + 0x40), bytes);
    store_le<u32>(&r.byte(Rig::kDsa + 0x44), Rig::kData);
  };
  for (const bool disconnects : {false, true}) {
    r.put(Rig::kMessages, {static_cast<u8>(disconnects ? 0xc0 : 0x80), 0x20, 0x15});
    r.put(Rig::kCdb, {0x28, 0, 0, 0, 0, 10, 0, 0, 200, 0});
    entry(200 * 512);
    std::fill_n(&r.byte(Rig::kData), 200 * 512, u8{0});
    std::fill_n(&r.byte(Rig::kIn), 8, u8{0xee});
    r.whole(0, 3, 10, kDataIn | kTable, 0x40);
    CHECK(r.vector() == 0x77);
    CHECK((r.byte(Rig::kIn) == 0 && r.byte(Rig::kIn + 1) == 0));
    CHECK(std::equal(&r.byte(Rig::kData), &r.byte(Rig::kData + 200 * 512), content.begin() + 10 * 512));
    CHECK(r.byte(Rig::kIn + 2) == (disconnects ? 0x04 : 0xee));
    if (disconnects)
      CHECK((r.byte(Rig::kIn + 3) == 0x80 && r.byte(Rig::kIn + 4) == 0x20 && r.byte(Rig::kIn + 5) == 0x15));
    if (disconnects) CHECK(r.reg(0x0a) == 0x80);
    // And back, to another place.
    r.put(Rig::kCdb, {0x2a, 0, 0, 0, 4, 0, 0, 0, 200, 0});
    r.whole(0, 3, 10, kDataOut | kTable, 0x40);
    CHECK(r.vector() == 0x77);
    CHECK((r.byte(Rig::kIn) == 0 && r.byte(Rig::kIn + 1) == 0));
    std::vector<u8> now(200 * 512);
    REQUIRE(r.disk.image()->read(1024 * 512, now));
    CHECK(std::equal(now.begin(), now.end(), content.begin() + 10 * 512));
    REQUIRE(r.disk.image()->write(1024 * 512, std::vector<u8>(200 * 512)));
    if (disconnects) CHECK(r.byte(Rig::kIn + 2) == 0x04);
  }
  CHECK(r.reg32(0xdc) == 4 * 200 * 512);
}

TEST_CASE("53C895A: fewer data than expected are a phase mismatch, told or jumped on", "[lsi]") {
  Rig r;
  r.put(Rig::kMessages, {0x80});
  r.put(Rig::kCdb, {0x12, 0, 0, 0, 20, 0});
  r.whole(0, 1, 6, kDataIn | 100, Rig::kData);
  CHECK_FALSE(r.vector());
  CHECK(r.reg(0x42) == 0x80);
  CHECK((r.reg32(0x24) & 0xffffff) == 80);
  CHECK(r.reg32(0x28) == Rig::kData + 20);
  CHECK((r.reg(0x0e) & 7) == 3);
  // The script goes on by hand.
  r.begin();
  r.add(kStatus | 1, Rig::kIn);
  r.add(kMessageIn | 1, Rig::kIn + 1);
  r.add(kNoSdu);
  r.add(kClearAck);
  r.add(kWaitDisconnect);
  const u32 rest = r.add(kInterrupt, 0x55);
  r.start();
  r.run();
  CHECK(r.vector() == 0x55);
  // The same by PMJAD2, for data in.
  const u32 tail = Rig::kScript + 0x800;
  std::copy_n(&r.byte(Rig::kScript), rest + 8 - Rig::kScript, &r.byte(tail + 8));
  r.end = tail;
  r.add(kInterrupt, 0x44);
  r.reg(0x56, 0xc0);
  r.reg32(0xc4, tail);
  r.reg32(0xc0, 0);
  r.whole(0, 1, 6, kDataIn | 100, Rig::kData);
  CHECK(r.vector() == 0x44);
  CHECK(r.reg(0x42) == 0);
  CHECK(r.reg32(0xc8) == (0x09000000 | 80));
  CHECK(r.reg32(0xcc) == Rig::kData + 20);
  CHECK(r.reg32(0xd4) == Rig::kScript + 40);
  r.reg(0x3b, 4);  // STD: on from there
  r.run();
  CHECK(r.vector() == 0x55);
}

TEST_CASE("53C895A: two tagged commands at once, messages, and resets", "[lsi]") {
  Rig r;
  r.disk.reset_settings(scsi::kNoSense);
  const std::vector<u8> content = pattern_bytes(4 << 20);
  // Two reads are begun and let go of.
  for (u8 tag = 1; tag <= 2; ++tag) {
    r.put(Rig::kMessages, {0xc0, 0x20, tag});
    r.put(Rig::kCdb, {0x28, 0, 0, 0, 0, static_cast<u8>(tag * 16), 0, 0, 1, 0});
    r.begin();
    r.add(kSelectAtn);
    r.add(kMessageOut | 3, Rig::kMessages);
    r.add(kCommand | 10, Rig::kCdb);
    r.add(kMessageIn | 1, Rig::kIn);
    r.add(kNoSdu);
    r.add(kClearAck);
    r.add(kWaitDisconnect);
    r.add(kInterrupt, tag);
    r.start();
    r.run(0);
    CHECK(r.vector() == tag);
    CHECK(r.byte(Rig::kIn) == 4);
  }
  // SIGP ends a wait, and is cleared by a look at CTEST2.
  r.run();
  r.begin();
  r.add(kWaitReselect, Rig::kScript + 0x100);
  r.add(kMessageIn | 3, Rig::kIn);
  r.add(kClearAck);
  r.add(kDataIn | 512, Rig::kData);
  r.add(kStatus | 1, Rig::kIn + 3);
  r.add(kMessageIn | 1, Rig::kIn + 4);
  r.add(kNoSdu);
  r.add(kClearAck);
  r.add(kWaitDisconnect);
  r.add(kInterrupt, 0x66);
  r.end = Rig::kScript + 0x100;
  r.add(kInterrupt, 0x99);
  r.reg(0x14, 0x20);
  r.start();
  r.run(1000);
  CHECK(r.vector() == 0x99);
  CHECK((r.reg(0x1a) & 0x40) == 0x40);
  CHECK((r.reg(0x14) & 0x20) == 0);
  u8 seen = 0;
  for (unsigned n = 0; n < 2; ++n) {
    r.start();
    r.run();
    CHECK(r.vector() == 0x66);
    const u8 tag = r.byte(Rig::kIn + 2);
    REQUIRE((tag == 1 || tag == 2));
    seen |= tag;
    CHECK(r.reg(0x50) == 0);  // SIDL: the last byte, COMMAND COMPLETE
    CHECK(std::equal(&r.byte(Rig::kData), &r.byte(Rig::kData + 512), content.begin() + tag * 16 * 512));
  }
  CHECK(seen == 3);

  // Synchronous transfers are agreed on in the middle of messages.
  r.put(Rig::kMessages, {0x80, 0x01, 3, 1, 9, 62});
  r.put(Rig::kCdb, {0x00, 0, 0, 0, 0, 0});
  r.begin();
  r.add(kSelectAtn);
  r.add(kMessageOut | 6, Rig::kMessages);
  r.add(kMessageIn | 5, Rig::kIn);
  r.add(kClearAck);
  r.add(kCommand | 6, Rig::kCdb);
  r.add(kStatus | 1, Rig::kIn + 5);
  r.add(kInterrupt, 4);
  r.start();
  r.run();
  CHECK(r.vector() == 4);
  CHECK(std::vector<u8>(&r.byte(Rig::kIn), &r.byte(Rig::kIn + 6)) == std::vector<u8>{1, 3, 1, 10, 31, 0});
  // RST frees the bus, and the units say so.
  r.reg(0x01, 0x08);
  CHECK(r.reg(0x42) == 0x02);
  CHECK((r.reg(0x0d) & 2) == 2);
  r.reg(0x01, 0);
  CHECK((r.reg(0x14) & 8) == 0);
  CHECK(scsi_sense(r.disk) == scsi::kBusReset);
  // BUS DEVICE RESET ends the connection without a word.
  r.put(Rig::kMessages, {0x80, 0x0c});
  r.begin();
  r.add(kSelectAtn);
  r.add(kMessageOut | 2, Rig::kMessages);
  r.add(kJump, Rig::kScript + 16);
  r.start();
  r.run();
  CHECK(r.reg(0x42) == 0x04);
  CHECK(scsi_sense(r.disk) == scsi::kDeviceReset);
}

TEST_CASE("53C895A: firmware that knows only chips in software", "[lsi]") {
  // SeaBIOS selects without ATN and sends a message all the same, a command that is too long, and takes no message.
  Rig r;
  r.disk.reset_settings(scsi::kNoSense);
  r.put(Rig::kMessages, {0x80});
  r.put(Rig::kCdb, {0x28, 0, 0, 0, 0, 10, 0, 0, 1, 0});
  for (unsigned n = 0; n < 2; ++n) {
    r.begin();
    r.add(0x40000000);
    r.add(0x06000001, Rig::kMessages);
    r.add(0x02000010, Rig::kCdb);
    r.add(0x87820000, 0x18);
    r.add(0x07000002, Rig::kIn);
    r.add(kWaitReselect);
    r.add(0x07000002, Rig::kIn);
    r.add(0x01000200, Rig::kData);
    r.add(0x03000001, Rig::kIn);
    r.add(0x07000001, Rig::kIn + 1);
    r.add(kInterrupt);
    r.start();
    r.run();
    CHECK(r.reg(0x42) == 0);
    CHECK(r.vector() == 0);
    CHECK((r.byte(Rig::kIn) == 0 && r.byte(Rig::kIn + 1) == 0));
  }
  r.reg(0x48, 0);
  r.begin();
  r.add(0x40000000 | 6 << 16);
  r.add(0x06000001, Rig::kMessages);
  r.start();
  r.run(1'000'000);
  CHECK(r.reg(0x43) == 4);
}

TEST_CASE("53C895A: the general purpose timer, and nothing without bus mastering", "[lsi]") {
  Rig r;
  r.reg(0x41, 2);
  r.reg(0x49, 5);  // 2 ms
  r.run(1'900'000);
  CHECK_FALSE(r.irq.level);
  r.run(200'000);
  CHECK(r.irq.level);
  CHECK(r.reg(0x43) == 2);
  r.config(0x04, 3);
  r.begin();
  r.add(kInterrupt, 7);
  r.start();
  r.run();
  CHECK((r.reg(0x0c) & 4) == 0);
  r.config(0x04, 7);
  r.run();
  CHECK(r.vector() == 7);
}

TEST_CASE("53C895A: saved in the middle of a transfer and loaded", "[lsi]") {
  const std::vector<u8> content = pattern_bytes(4 << 20);
  Rig r;
  r.disk.reset_settings(scsi::kNoSense);
  r.put(Rig::kMessages, {0xc0, 0x20, 9});
  r.put(Rig::kCdb, {0x28, 0, 0, 0, 0, 0, 0, 2, 0, 0});
  // All events up to the `n`-th, then a copy goes on.
  for (unsigned n = 1; n < 24; ++n) {
    Rig a;
    a.disk.reset_settings(scsi::kNoSense);
    a.put(Rig::kMessages, {0xc0, 0x20, 9});
    a.put(Rig::kCdb, {0x28, 0, 0, 0, 0, 0, 0, 2, 0, 0});
    a.whole(7, 3, 10, kDataIn | 512 * 512, Rig::kData);  // writes the script for nobody
    a.reg(0x43), a.reg(0x42), a.reg(0x0c);
    store_le<u32>(&a.byte(Rig::kScript), kSelectAtn);
    a.start();
    for (unsigned events = 0; events < n; ++events) {
      a.clock.skip_to(a.clock.next_deadline());
      a.clock.run_due();
      if (a.clock.next_deadline() == Clock::kNever) break;
    }
    Archive saved = Archive::saver();
    a.clock.serialize(saved);
    a.chip.serialize(saved);
    a.disk.serialize(saved);
    a.cdrom.serialize(saved);
    Rig b;
    std::memcpy(b.ram->data(), a.ram->data(), 1 << 20);
    Archive loader = Archive::loader(saved.bytes());
    b.clock.serialize(loader);
    b.chip.serialize(loader);
    b.disk.serialize(loader);
    b.cdrom.serialize(loader);
    REQUIRE(loader.ok());
    Archive again = Archive::saver();
    b.clock.serialize(again);
    b.chip.serialize(again);
    b.disk.serialize(again);
    b.cdrom.serialize(again);
    REQUIRE(again.bytes() == saved.bytes());
    for (Rig* each : {&a, &b}) {
      each->run();
      CHECK(each->vector() == 0x77);
      CHECK(std::equal(&each->byte(Rig::kData), &each->byte(Rig::kData + 512 * 512), content.begin()));
    }
  }
}

TEST_CASE("53C895A: random scripts, registers and damaged states do no harm", "[lsi]") {
  std::mt19937 random(5);
  for (unsigned round = 0; round < 60; ++round) {
    Rig r(round % 4 == 3 ? Lsi53c895a::Model::k810 : Lsi53c895a::Model::k895a);
    for (u32 at = Rig::kScript; at < Rig::kScript + 0x2000; at += 4) {
      static constexpr u32 kSome[] = {
          kSelectAtn, 0x40000000, kWaitDisconnect, kWaitReselect, kClearAck,  kSetAtn,    kDataOut,   kDataIn,
          kCommand,   kStatus,    kMessageOut,     kMessageIn,    kJump,      kUnless,    kIf,        kInterrupt,
          0x70000000, 0xc0000000, 0xe0000000,      0xf1000000,    0x88080000, 0x90080000, 0x58000400, 0x98180000};
      u32 word = kSome[random() % std::size(kSome)];
      if (random() % 2) word |= random() % 64;
      if (random() % 8 == 0) word ^= 1u << random() % 32;
      if (random() % 16 == 0) word = random();
      if (at & 4)
        word = random() % 8   ? Rig::kScript + (random() % 0x800) * 4
               : random() % 3 ? Rig::kMmio + random() % 256
                              : random();
      store_le<u32>(&r.byte(at), word);
    }
    for (u32 at = Rig::kCdb; at < Rig::kCdb + 0x40; ++at)
      r.byte(at) = static_cast<u8>(random() % 4 ? random() % 48 : random());
    r.start(Rig::kScript + random() % 0x1000 / 8 * 8);
    for (unsigned n = 0; n < 200; ++n) {
      r.run(random() % 100'000);
      if (random() % 2) r.start(Rig::kScript + random() % 0x1000 / 8 * 8);
      if (random() % 8 == 0) r.reg(static_cast<u8>(random()), static_cast<u8>(random()));
      if (random() % 4 == 0) r.reg(static_cast<u8>(random()));
      if (random() % 32 == 0) r.config(0x04, 7);
      if (random() % 64 != 0) continue;
      Archive saved = Archive::saver();
      r.chip.serialize(saved);
      std::vector<u8> bytes = saved.bytes();
      for (unsigned k = random() % 6; k > 0; --k) bytes[random() % bytes.size()] ^= static_cast<u8>(1 << random() % 8);
      Archive loader = Archive::loader(std::move(bytes));
      r.chip.serialize(loader);
    }
  }
}

namespace {
struct SlowScsi : SlowDrive, Rig {
  SlowScsi() : SlowDrive(1 << 20), Rig(Lsi53c895a::Model::k895a, image.open(), SlowDrive::setup()) {}
  void begin(std::initializer_list<u8> cdb, u32 data) {
    over_ = false;
    put(kMessages, {0xc0});
    put(kCdb, cdb);
    whole(0, 1, static_cast<unsigned>(cdb.size()), data, kData);
  }
  void read(u8 lba) override { begin({0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0}, kDataIn | 512); }
  void write(u8 lba) override {
    std::fill_n(&byte(kData), 512, u8{0x77});
    begin({0x2a, 0, 0, 0, 0, lba, 0, 0, 1, 0}, kDataOut | 512);
  }
  bool over() override {
    if (!over_ && vector() == 0x77) {
      over_ = true;
      CHECK(byte(kIn) == 0);
    }
    return over_;
  }
  std::vector<u8> data() override { return {&byte(kData), &byte(kData) + 512}; }
  void reset() override {
    reg(0x01, 8), run(), reg(0x01, 0);
    reg(0x14, 0x40), reg(0x14, 0);
    reg(0x40, 0xaf), reg(0x41, 0xff - 3), reg(0x04, 0x47), reg(0x4a, 0x80);
    begin({0, 0, 0, 0, 0, 0}, 0);  // which says that the bus was reset
    CHECK((vector() == 0x77 && byte(kIn) == 2));
  }
  void serialize(Archive& ar) override {
    clock.serialize(ar), pci.serialize(ar), disk.serialize(ar), cdrom.serialize(ar), chip.serialize(ar);
  }
  std::span<u8> memory_bytes() override { return ram->bytes(); }
  Clock& time() override { return clock; }
};
}  // namespace

TEST_CASE("53C895A: a slow disk", "[lsi]") { check_slow_drive<SlowScsi>(); }
