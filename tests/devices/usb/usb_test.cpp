// USB devices through the host controller: registers by ports, schedules in memory, as a driver does it.
#include <catch2/catch.hpp>
#include <random>

#include "base/bits.h"
#include "base/clock.h"
#include "devices/usb/uhci.h"
#include "devices/usb/usb_hid.h"
#include "devices/usb/usb_hub.h"
#include "devices/usb/usb_storage.h"
#include "tests/support/slow_drive.h"

using namespace xlat;

namespace {

constexpr u16 kIo = 0xc000;
constexpr u32 kList = 0x1000, kQueueHead = 0x3000, kTds = 0x4000, kBuffer = 0x8000, kBytes = 1 << 20;
constexpr u32 kActive = 1 << 23, kStalled = 1 << 22, kNak = 1 << 19, kTimeout = 1 << 18, kIoc = 1 << 24, kSpd = 1 << 29;

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  std::vector<u8> ram = std::vector<u8>(kBytes);
  PciBus pci{ports, memory};
  InputHub hub;
  Uhci uhci{clock, memory};
  std::vector<std::unique_ptr<UsbDevice>> devices;

  Rig() {
    memory.map_ram(0, kBytes, ram.data());
    pci.add(1, 2, uhci);
    config(0x20, kIo);
    config(0x04, 5);
    for (u32 n = 0; n < 1024; ++n) memory.write(kList + 4 * n, 4, kQueueHead | 2);
    idle();
    ports.write(kIo + 8, 4, kList);
    ports.write(kIo + 4, 2, 0x0f);
    ports.write(kIo, 2, 0x81);
  }
  ~Rig() { devices.clear(); }

  template <class T, class... Args>
  T& plug(const std::string& path, Args&&... args) {
    auto device = std::make_unique<T>(std::forward<Args>(args)...);
    T& made = *device;
    made.reset();
    uhci.bus().free_port(path)->plug(made);
    devices.push_back(std::move(device));
    return made;
  }
  void config(u8 reg, u32 value) {
    ports.write(0xcf8, 4, 0x80000a00u | reg);
    ports.write(0xcfc, 4, value);
  }
  u16 in(u16 offset) { return static_cast<u16>(ports.read(static_cast<u16>(kIo + offset), 2)); }
  void out(u16 offset, u16 value) { ports.write(static_cast<u16>(kIo + offset), 2, value); }
  void idle() { memory.write(kQueueHead, 4, 1), memory.write(kQueueHead + 4, 4, 1); }
  void frames(unsigned n) {
    for (; n > 0; --n) clock.skip_to(clock.now() + 1'000'000), clock.run_due();
  }
  void enable(u16 port) { out(port, 0x0202), frames(1), out(port, 0), out(port, 0x000e); }

  struct Td {
    UsbPid pid;
    unsigned length;
    u32 flags = 0;
  };
  // A queue of these to a device; buffers follow each other. Returns the controls as they were left.
  std::vector<u32> queue(u8 address, u8 endpoint, const std::vector<Td>& tds, unsigned wait = 4) {
    u32 buffer = kBuffer;
    for (u32 n = 0; n < tds.size(); ++n) {
      const u32 at = kTds + 16 * n;
      memory.write(at, 4, n + 1 < tds.size() ? (at + 16) | 4 : 1);
      memory.write(at + 4, 4, kActive | 3u << 27 | tds[n].flags);
      memory.write(at + 8, 4,
                   u8(tds[n].pid) | u32{address} << 8 | u32{endpoint} << 15 | ((tds[n].length - 1) & 0x7ff) << 21);
      memory.write(at + 12, 4, buffer);
      buffer += tds[n].length;
    }
    memory.write(kQueueHead + 4, 4, kTds);
    frames(wait);
    idle();
    std::vector<u32> controls;
    for (u32 n = 0; n < tds.size(); ++n) controls.push_back(static_cast<u32>(memory.read(kTds + 16 * n + 4, 4)));
    return controls;
  }
  void setup(std::initializer_list<u8> bytes) {
    u32 at = kBuffer;
    for (const u8 byte : bytes) memory.write(at++, 1, byte);
  }
  // A control transfer that reads; nothing if it was refused.
  std::optional<std::vector<u8>> get(u8 address, std::initializer_list<u8> bytes) {
    setup(bytes);
    const u8 length = *(bytes.begin() + 6);
    const auto c = queue(address, 0, {{UsbPid::kSetup, 8}, {UsbPid::kIn, length}, {UsbPid::kOut, 0}});
    if (c[1] & kStalled) return std::nullopt;
    const u32 count = (c[1] + 1) & 0x7ff;
    CHECK_FALSE(c[2] & (kActive | kStalled));
    return std::vector<u8>(&ram[kBuffer + 8], &ram[kBuffer + 8 + count]);
  }
  bool set(u8 address, std::initializer_list<u8> bytes, const std::vector<u8>& data = {}) {
    setup(bytes);
    std::copy(data.begin(), data.end(), &ram[kBuffer + 8]);
    std::vector<Td> tds{{UsbPid::kSetup, 8}};
    if (!data.empty()) tds.push_back({UsbPid::kOut, static_cast<unsigned>(data.size())});
    tds.push_back({UsbPid::kIn, 0});
    return !(queue(address, 0, tds).back() & (kStalled | kActive));
  }
  void enumerate(u16 port, u8 address) {
    enable(port);
    REQUIRE(set(0, {0, 5, address, 0, 0, 0, 0, 0}));
    REQUIRE(set(address, {0, 9, 1, 0, 0, 0, 0, 0}));
  }
};

}  // namespace

TEST_CASE("uhci: registers") {
  Rig rig;
  CHECK(rig.uhci.config32(0) == 0x70208086);
  CHECK(rig.uhci.config8(0x60) == 0x10);
  CHECK(rig.in(0x10) == 0x0080);
  CHECK((rig.in(0x14) & 0x80) == 0);  // two ports, not more
  CHECK(rig.in(2) == 0);
  const u16 frame = rig.in(6);
  rig.frames(3);
  CHECK(rig.in(6) == frame + 3);
  rig.out(0, 0);
  CHECK(rig.in(2) == 0x20);
  rig.out(6, 0xfff);
  CHECK(rig.in(6) == 0x7ff);
  rig.out(0, 2);  // host controller reset
  CHECK((rig.in(0) == 0 && rig.in(6) == 0 && rig.ports.read(kIo + 12, 1) == 0x40));
}

TEST_CASE("uhci: ports say what is plugged in, and frames go on while nobody moves") {
  Rig rig;
  UsbTablet& tablet = rig.plug<UsbTablet>("", rig.clock, rig.hub);
  CHECK(rig.in(0x10) == 0x0093);  // full speed, connected, changed
  CHECK((rig.in(2) & 4) != 0);    // resume detected
  rig.enable(0x10);
  CHECK(rig.in(0x10) == 0x0095);
  CHECK_FALSE(tablet.active());
  const u16 frame = rig.in(6);
  rig.frames(1000);
  CHECK(rig.in(6) == ((frame + 1000) & 0x7ff));
}

TEST_CASE("usb: standard requests of a tablet, and its reports") {
  Rig rig;
  rig.plug<UsbTablet>("", rig.clock, rig.hub);
  CHECK_FALSE(rig.hub.absolute());
  rig.enumerate(0x10, 5);
  CHECK(rig.hub.absolute());
  const auto device = rig.get(5, {0x80, 6, 0, 1, 0, 0, 18, 0});
  REQUIRE(device);
  CHECK((device->size() == 18 && (*device)[0] == 18 && (*device)[8] == 0x27 && (*device)[9] == 0x06));
  CHECK(rig.get(5, {0x80, 6, 0, 1, 0, 0, 8, 0})->size() == 8);
  const auto configuration = rig.get(5, {0x80, 6, 0, 2, 0, 0, 255, 0});
  CHECK(configuration->size() == 34);
  CHECK((*configuration)[2] == 34);
  const auto report = rig.get(5, {0x81, 6, 0, 0x22, 0, 0, 255, 0});
  CHECK(report->size() == (*configuration)[25]);  // as the HID descriptor says
  CHECK(rig.get(5, {0x80, 6, 2, 3, 9, 4, 255, 0})->at(2) == 'U');
  CHECK_FALSE(rig.get(5, {0x80, 6, 0, 6, 0, 0, 10, 0}));  // no device qualifier: stall
  CHECK(rig.get(5, {0x80, 8, 0, 0, 0, 0, 1, 0}) == std::vector<u8>{1});
  CHECK(rig.get(5, {0x80, 0, 0, 0, 0, 0, 2, 0}) == std::vector<u8>{1, 0});

  CHECK((rig.queue(5, 1, {{UsbPid::kIn, 8}})[0] & (kActive | kNak)) == (kActive | kNak));
  rig.hub.point({0x1234, 0x7fff, 640, 480}, 1, kLeftButton);
  rig.hub.point({0, 0, 640, 480}, 0, 0);
  auto c = rig.queue(5, 1, {{UsbPid::kIn, 8, kIoc | kSpd}});
  CHECK((c[0] & 0x7ff) == 5);  // six bytes
  CHECK(std::vector<u8>(&rig.ram[kBuffer], &rig.ram[kBuffer + 6]) == std::vector<u8>{1, 0x34, 0x12, 0xff, 0x7f, 0xff});
  CHECK((rig.in(2) & 1) == 1);
  CHECK(rig.uhci.intx_asserted());
  rig.out(2, 7);  // plugging in and the refused request were told of as well
  CHECK_FALSE(rig.uhci.intx_asserted());
  rig.queue(5, 1, {{UsbPid::kIn, 8}});
  CHECK((rig.ram[kBuffer] == 0 && rig.ram[kBuffer + 1] == 0));
  // Nobody at this address: three attempts, then an error.
  c = rig.queue(9, 0, {{UsbPid::kSetup, 8}});
  CHECK((c[0] & (kActive | kStalled | kTimeout)) == (kStalled | kTimeout));
  CHECK((rig.in(2) & 2) == 2);
}

TEST_CASE("usb: a keyboard behind a hub sends a report for each change") {
  Rig rig;
  UsbHub& hub = rig.plug<UsbHub>("1", rig.uhci.bus(), "1");
  UsbKeyboard& keyboard = rig.plug<UsbKeyboard>("1.3", rig.clock, rig.hub);
  CHECK(rig.uhci.bus().free_port("1.3") == nullptr);
  rig.enumerate(0x10, 2);
  CHECK(hub.find(2) == &hub);
  CHECK(rig.get(2, {0xa0, 6, 0, 0x29, 0, 0, 11, 0})->at(2) == 8);
  REQUIRE(rig.set(2, {0x23, 3, 8, 0, 3, 0, 0, 0}));  // power, port 3
  CHECK((rig.queue(2, 1, {{UsbPid::kIn, 2}})[0] & kActive) == 0);
  CHECK(rig.ram[kBuffer] == 0x08);
  CHECK(rig.get(2, {0xa3, 0, 0, 0, 3, 0, 4, 0}) == std::vector<u8>{0x01, 0x01, 0x01, 0x00});
  REQUIRE(rig.set(2, {0x23, 3, 4, 0, 3, 0, 0, 0}));  // reset
  REQUIRE(rig.set(2, {0x23, 1, 16, 0, 3, 0, 0, 0}));
  REQUIRE(rig.set(2, {0x23, 1, 20, 0, 3, 0, 0, 0}));
  CHECK(rig.get(2, {0xa3, 0, 0, 0, 3, 0, 4, 0}) == std::vector<u8>{0x03, 0x01, 0x00, 0x00});
  REQUIRE(rig.set(0, {0, 5, 7, 0, 0, 0, 0, 0}));
  REQUIRE(rig.set(7, {0, 9, 1, 0, 0, 0, 0, 0}));
  REQUIRE(rig.set(7, {0x21, 9, 0, 2, 0, 0, 1, 0}, {0x02}));
  CHECK(keyboard.leds() == 2);
  rig.hub.key(KeyCode::kShift, true);
  rig.hub.key(KeyCode::kA, true);
  rig.hub.key(KeyCode::kA, false);
  std::vector<std::vector<u8>> reports;
  for (unsigned n = 0; n < 3; ++n) {
    CHECK((rig.queue(7, 1, {{UsbPid::kIn, 8}})[0] & kActive) == 0);
    reports.emplace_back(&rig.ram[kBuffer], &rig.ram[kBuffer + 3]);
  }
  CHECK(reports == std::vector<std::vector<u8>>{{2, 0, 0}, {2, 0, 4}, {2, 0, 0}});
  CHECK((rig.queue(7, 1, {{UsbPid::kIn, 8}})[0] & kNak) != 0);
}

TEST_CASE("usb: a disk by bulk-only transport") {
  Rig rig;
  UsbStorage& disk = rig.plug<UsbStorage>("", rig.clock, make_memory_image(1 << 20), false, "S1");
  rig.enumerate(0x10, 3);
  CHECK(rig.get(3, {0xa1, 0xfe, 0, 0, 0, 0, 1, 0}) == std::vector<u8>{0});
  // Runs a command; returns the status and leaves the data at kBuffer.
  const auto command = [&rig](std::initializer_list<u8> cdb, u32 length, bool in, std::vector<u8> data = {}) {
    u8* const w = &rig.ram[kBuffer];
    std::fill_n(w, 31, u8{0});
    store_le<u32>(w, 0x43425355), store_le<u32>(w + 4, 77), store_le<u32>(w + 8, length);
    w[12] = in ? 0x80 : 0, w[14] = static_cast<u8>(cdb.size());
    std::copy(cdb.begin(), cdb.end(), w + 15);
    REQUIRE((rig.queue(3, 2, {{UsbPid::kOut, 31}})[0] & (kActive | kStalled)) == 0);
    std::copy(data.begin(), data.end(), w);
    std::vector<Rig::Td> tds;
    for (u32 at = 0; at < length; at += 64)
      tds.push_back({in ? UsbPid::kIn : UsbPid::kOut, std::min(64u, length - at)});
    if (length) {
      const auto c = rig.queue(3, in ? 1 : 2, tds, 8);
      REQUIRE((c.back() & (kActive | kStalled)) == 0);
    }
    const std::vector<u8> kept(w, w + length);
    REQUIRE((rig.queue(3, 1, {{UsbPid::kIn, 13}})[0] & (kActive | kStalled)) == 0);
    CHECK(load_le<u32>(w) == 0x53425355);
    CHECK(load_le<u32>(w + 4) == 77);
    const u8 status = w[12];
    std::copy(kept.begin(), kept.end(), w);
    return status;
  };
  CHECK(command({0x00, 0, 0, 0, 0, 0}, 0, true) == 0);
  CHECK(command({0x12, 0, 0, 0, 36, 0}, 36, true) == 0);
  CHECK(std::string(&rig.ram[kBuffer + 8], &rig.ram[kBuffer + 12]) == "XLAT");
  CHECK(command({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8, true) == 0);
  CHECK(std::vector<u8>(&rig.ram[kBuffer], &rig.ram[kBuffer + 8]) == std::vector<u8>{0, 0, 7, 0xff, 0, 0, 2, 0});
  std::vector<u8> data(1024);
  for (std::size_t n = 0; n < data.size(); ++n) data[n] = static_cast<u8>(n * 7);
  CHECK(command({0x2a, 0, 0, 0, 0, 9, 0, 0, 2, 0}, 1024, false, data) == 0);
  CHECK(command({0x28, 0, 0, 0, 0, 9, 0, 0, 2, 0}, 1024, true) == 0);
  CHECK(std::equal(data.begin(), data.end(), &rig.ram[kBuffer]));
  CHECK(command({0x28, 0, 0, 0, 7, 0xff, 0, 0, 2, 0}, 1024, true) == 1);  // beyond the end
  CHECK(command({0x03, 0, 0, 0, 18, 0}, 18, true) == 0);
  CHECK((rig.ram[kBuffer + 2] == 5 && rig.ram[kBuffer + 12] == 0x21));
  CHECK(command({0xff, 0, 0, 0, 0, 0}, 0, true) == 1);
  CHECK_FALSE(disk.disk().removable());
  // What is no command halts both pipes until the device is reset.
  rig.ram[kBuffer] = 0;
  CHECK((rig.queue(3, 2, {{UsbPid::kOut, 31}})[0] & kStalled) != 0);
  CHECK((rig.queue(3, 1, {{UsbPid::kIn, 13}})[0] & kStalled) != 0);
  REQUIRE(rig.set(3, {0x21, 0xff, 0, 0, 0, 0, 0, 0}));
  REQUIRE(rig.set(3, {0x02, 1, 0, 0, 0x81, 0, 0, 0}));
  REQUIRE(rig.set(3, {0x02, 1, 0, 0, 0x02, 0, 0, 0}));
  CHECK(command({0x00, 0, 0, 0, 0, 0}, 0, true) == 0);
}

TEST_CASE("usb: saved and loaded in the middle of things; random schedules do no harm") {
  const auto build = [](Rig& rig) {
    rig.plug<UsbHub>("1", rig.uhci.bus(), "1");
    rig.plug<UsbKeyboard>("1.1", rig.clock, rig.hub);
    rig.plug<UsbTablet>("1.2", rig.clock, rig.hub);
    rig.plug<UsbStorage>("2", rig.clock, make_memory_image(1 << 16), true, "S");
  };
  const auto state = [](Rig& rig) {
    Archive ar = Archive::saver();
    rig.clock.serialize(ar);
    rig.uhci.serialize(ar);
    for (auto& device : rig.devices) device->serialize(ar);
    return ar.bytes();
  };
  std::mt19937 random(11);
  Rig rig, other;
  build(rig), build(other);
  rig.enable(0x10), rig.enable(0x12);
  for (unsigned round = 0; round < 400; ++round) {
    // Tokens that are mostly right, for the addresses and endpoints that there are.
    std::vector<Rig::Td> tds;
    constexpr UsbPid kPids[] = {UsbPid::kSetup, UsbPid::kIn, UsbPid::kOut};
    for (unsigned n = random() % 4; n < 4; ++n)
      tds.push_back({kPids[random() % 3], static_cast<unsigned>(random() % 80)});
    for (unsigned n = 0; n < 64; ++n) rig.ram[kBuffer + n] = static_cast<u8>(random() % 4 ? random() % 12 : random());
    rig.queue(static_cast<u8>(random() % 3), static_cast<u8>(random() % 3), tds, 1 + random() % 3);
    if (random() % 8 == 0) rig.hub.key(KeyCode::kA, random() % 2);
    if (random() % 8 == 0) rig.out(static_cast<u16>(random() % 20), static_cast<u16>(random()));
    if (random() % 16 == 0) rig.enable(random() % 2 ? 0x10 : 0x12), rig.out(0, 0x81);
    if (random() % 32 == 0) rig.memory.write(kQueueHead + random() % 64, 4, random());
    if (random() % 32 == 0) rig.memory.write(kTds + random() % 64, 4, random());
    rig.idle();
    if (round % 20 != 0) continue;
    const auto saved = state(rig);
    Archive ar = Archive::loader(saved);
    other.clock.serialize(ar);
    other.uhci.serialize(ar);
    for (auto& device : other.devices) device->serialize(ar);
    REQUIRE(ar.ok());
    CHECK(state(other) == saved);
  }
}

namespace {
struct SlowStick : SlowDrive, Rig {
  SlowStick() : SlowDrive(1 << 20) {
    plug<UsbStorage>("", clock, image.open(), false, "S1", SlowDrive::setup());
    enumerate(0x10, 3);
  }
  void begin(u8 lba, bool to_host) {
    over_ = false;
    reads_ = to_host;
    u8* const w = &ram[kBuffer];
    std::fill_n(w, 31, u8{0});
    store_le<u32>(w, 0x43425355), store_le<u32>(w + 8, 512);
    w[12] = to_host ? 0x80 : 0, w[14] = 10;
    w[15] = to_host ? 0x28 : 0x2a, w[20] = lba, w[23] = 1;
    REQUIRE((queue(3, 2, {{UsbPid::kOut, 31}})[0] & (kActive | kStalled)) == 0);
  }
  bool moved(UsbPid pid, u8 endpoint, unsigned packets, unsigned bytes) {
    const auto left = queue(3, endpoint, std::vector<Td>(packets, {pid, bytes}), 2);
    CHECK((left[0] & kStalled) == 0);
    const bool all = (left.back() & kActive) == 0;
    CHECK((all || (left[0] & kActive)));
    return all;
  }
  void read(u8 lba) override { begin(lba, true); }
  void write(u8 lba) override {
    begin(lba, false);
    std::fill_n(&ram[kBuffer], 512, u8{0x77});
    REQUIRE(moved(UsbPid::kOut, 2, 8, 64));
  }
  bool over() override {
    if (over_) return true;
    if (reads_) {
      if (!moved(UsbPid::kIn, 1, 8, 64)) return false;
      data_.assign(&ram[kBuffer], &ram[kBuffer + 512]);
      reads_ = false;
    }
    if (!moved(UsbPid::kIn, 1, 1, 13)) return false;
    CHECK(ram[kBuffer + 12] == 0);
    return over_ = true;
  }
  std::vector<u8> data() override { return data_; }
  void reset() override { REQUIRE(set(3, {0x21, 0xff, 0, 0, 0, 0, 0, 0})); }
  void serialize(Archive& ar) override {
    clock.serialize(ar), pci.serialize(ar), uhci.serialize(ar), devices[0]->serialize(ar);
    ar(reads_);
  }
  std::span<u8> memory_bytes() override { return ram; }
  Clock& time() override { return clock; }

  bool reads_ = false;
  std::vector<u8> data_;
};
}  // namespace

TEST_CASE("usb: a slow disk") { check_slow_drive<SlowStick>(); }
