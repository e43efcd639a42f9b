// The PC as a whole: what the firmware finds, how the machine ends, what bad configurations say.
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "machine/machine.h"
#include "tests/support/reach_kernel.h"

using namespace xlat;
namespace fs = std::filesystem;

namespace {

// A Multiboot kernel that is `code` at 1 MiB.
class Kernel {
 public:
  explicit Kernel(std::initializer_list<u8> code) {
    char name[] = "/tmp/xlat-kernel-XXXXXX";
    const int fd = mkstemp(name);
    REQUIRE(fd >= 0);
    close(fd);
    path_ = name;
    std::ofstream out(path_, std::ios::binary);
    const u32 flags = 1 << 16, start = 0x100000;
    const u32 bytes = 32 + static_cast<u32>(code.size());
    for (const u32 word : {0x1badb002u, flags, 0u - 0x1badb002u - flags, start, start, start + bytes, 0u, start + 32}) {
      out.write(reinterpret_cast<const char*>(&word), 4);
    }
    for (const u8 byte : code) out.put(static_cast<char>(byte));
  }
  ~Kernel() { fs::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

MachineConfig with_kernel(const Kernel& kernel) {
  MachineConfig config;
  config.ram_bytes = 16 << 20;
  config.time.deterministic = true;
  config.no_reboot = true;
  config.kernel = kernel.path();
  return config;
}

Machine::Exit run(const MachineConfig& config) {
  auto machine = Machine::create(config);
  if (!machine) FAIL(machine.error().message);
  return (*machine)->run_until(50'000'000);
}

}  // namespace

TEST_CASE(
    "without -boot reboot-timeout the firmware stops when nothing boots, and it waits as long as it likes for a key") {
  MachineConfig config;
  config.ram_bytes = 16 << 20;
  auto machine = Machine::create(config);
  REQUIRE(machine);
  const FwCfg& fw_cfg = (*machine)->pc().fw_cfg;
  const std::vector<u8>* wait = fw_cfg.file("etc/boot-fail-wait");
  REQUIRE(wait);
  CHECK(*wait == std::vector<u8>(4, 0xff));
  CHECK(fw_cfg.file("etc/boot-menu-wait") == nullptr);
}

TEST_CASE("a guest powers off through the PIIX4") {
  // mov dx,604h / mov ax,2000h / out dx,ax / jmp $
  const Kernel kernel{0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xeb, 0xfe};
  CHECK(run(with_kernel(kernel)) == Machine::Exit::kPowerOff);
}

TEST_CASE("ACPI S3: what wakes the machine, and what lives on") {
  // mov byte [2000000h - 16], 77h; the same SLP_TYP 1; and for the clock's alarm: B = 22h, every second.
  // mov al,0Bh / out 70h,al / mov al,22h / out 71h,al
  const Kernel kernel{0xc6, 0x05, 0x00, 0x00, 0x80, 0x00, 0x77, 0x66, 0xba, 0x04,
                      0x06, 0x66, 0xb8, 0x00, 0x24, 0x66, 0xef, 0xeb, 0xfe};
  const Kernel alarm{0xc6, 0x05, 0x00, 0x00, 0x80, 0x00, 0x77, 0xb0, 0x01, 0xe6, 0x70, 0xb0, 0xff,
                     0xe6, 0x71, 0xb0, 0x03, 0xe6, 0x70, 0xb0, 0xff, 0xe6, 0x71, 0xb0, 0x05, 0xe6,
                     0x70, 0xb0, 0xff, 0xe6, 0x71, 0xb0, 0x0b, 0xe6, 0x70, 0xb0, 0x22, 0xe6, 0x71,
                     0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x24, 0x66, 0xef, 0xeb, 0xfe};
  const std::optional<Input> kWakers[] = {
      WakeInput{}, KeyInput{*key_by_name("a"), true}, MouseInput{0, 0, 0, 1}, PowerButtonInput{}, ResetInput{},
      std::nullopt};
  for (const auto& waker : kWakers) {
    INFO("cause " << (waker ? static_cast<int>(waker->index()) : -1));
    MachineConfig config = with_kernel(waker ? kernel : alarm);
    config.no_reboot = false;
    auto made = Machine::create(config);
    REQUIRE(made);
    Machine& machine = **made;
    Pc& pc = machine.pc();
    // Looked at from the machine's own thread, as there are no instructions to count while it sleeps.
    bool slept = false, woke = false;
    u64 asleep = 0;
    std::function<void()> look = [&] {
      if (!slept && pc.suspended()) {
        slept = true;
        asleep = pc.clock.count();
        CHECK(pc.rtc.cmos(0x0f) == 0xfe);
        if (waker) {
          machine.gate().post(KeyInput{*key_by_name("a"), false});  // no cause
          machine.gate().post(MouseInput{1, 1, 0, 0});
          machine.gate().post(*waker);
        }
      }
      if (slept && !pc.suspended()) {
        woke = true;
        machine.quit();
      }
    };
    Timer each(pc.clock, [&] {
      look();
      each.schedule(pc.clock.now() + 100'000);
    });
    each.schedule(0);
    machine.run_until(60'000'000);
    REQUIRE(slept);
    REQUIRE(woke);
    CHECK(pc.clock.count() - asleep < 2'000'000);
    CHECK(pc.ram->data()[0x800000] == 0x77);
    const bool reset = waker && std::holds_alternative<ResetInput>(*waker);
    // WAK_STS, with the power button or the clock as its cause.
    CHECK((pc.pm.status() & 0xff00) == (reset ? 0 : waker ? 0x8100 : 0x8400));
  }
}

TEST_CASE("a guest resets through ports 64h, 92h and CF9h, and by a triple fault") {
  const Kernel kbc{0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe};
  CHECK(run(with_kernel(kbc)) == Machine::Exit::kReset);
  const Kernel fast{0xb0, 0x01, 0xe6, 0x92, 0xeb, 0xfe};
  CHECK(run(with_kernel(fast)) == Machine::Exit::kReset);
  const Kernel cf9{0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x02, 0xee, 0xb0, 0x06, 0xee, 0xeb, 0xfe};
  CHECK(run(with_kernel(cf9)) == Machine::Exit::kReset);
  // lidt of an empty table / ud2
  const Kernel triple{0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b};
  CHECK(run(with_kernel(triple)) == Machine::Exit::kReset);
}

TEST_CASE("isa-debug-exit ends the run with its status") {
  const Kernel kernel{0xb0, 0x10, 0xe6, 0xf4, 0xeb, 0xfe};
  MachineConfig config = with_kernel(kernel);
  config.add_debug_exit(0xf4, 4);
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  CHECK((*machine)->run() == Machine::Exit::kDebugExit);
  CHECK((*machine)->exit_status() == 0x21);
}

TEST_CASE("a reset boots the same kernel again") {
  // inc dword [200000h], which a reset keeps; cmp 3; jae off / reset; off: power off
  const Kernel kernel{0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0x83, 0x3d, 0x00, 0x00, 0x20, 0x00, 0x03, 0x73, 0x06, 0xb0,
                      0xfe, 0xe6, 0x64, 0xeb, 0xfe, 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef};
  MachineConfig config = with_kernel(kernel);
  config.no_reboot = false;
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  CHECK((*machine)->run_until(50'000'000) == Machine::Exit::kPowerOff);
  CHECK((*machine)->pc().memory.read(0x200000, 4) == 3);
}

TEST_CASE("serial input enters through the gate and can be recorded") {
  // init LCR=3, FCR=1; loop: poll LSR bit 0; read; write back; loop
  const Kernel echo{0x66, 0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee, 0xb2, 0xfa, 0xb0, 0x01, 0xee, 0xb2,
                    0xfd, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xb2, 0xf8, 0xec, 0xee, 0xeb, 0xf3};
  MachineConfig config = with_kernel(echo);
  std::string sent;
  config.add_serial(0, [&](u8 value) { sent += static_cast<char>(value); });
  auto machine = Machine::create(config);
  REQUIRE(machine.ok());
  std::vector<StampedInput> record;
  (*machine)->gate().record_to(&record);
  REQUIRE(test::reach_kernel(**machine, 0x100020));
  const u64 begun = (*machine)->pc().clock.count() + 10'000;
  CHECK((*machine)->run_until(begun) == Machine::Exit::kCount);
  for (const char c : std::string("hello, gate: more bytes than a FIFO holds")) {
    (*machine)->gate().post(CharInput{0, static_cast<u8>(c)});
  }
  CHECK((*machine)->run_until(begun + 2'000'000) == Machine::Exit::kCount);
  CHECK(sent == "hello, gate: more bytes than a FIFO holds");
  REQUIRE(record.size() == sent.size());
  CHECK(record.front().count >= begun);
}

TEST_CASE("bad configurations are errors that name what is wrong") {
  const auto message = [](MachineConfig config) {
    auto machine = Machine::create(config);
    return machine ? std::string() : machine.error().message;
  };
  MachineConfig config;
  config.ram_bytes = 512 << 10;
  CHECK(message(config).find("640K to 3G") != std::string::npos);
  config = {};
  config.bios = "/nonexistent/bios";
  CHECK(message(config).find("/nonexistent/bios") != std::string::npos);
  config = {};
  config.add_ide(0, DriveConfig{"/nonexistent/disk", false, false, false});
  CHECK(message(config).find("/nonexistent/disk") != std::string::npos);
  config = {};
  config.boot_order = "cx";
  CHECK_FALSE(message(config).empty());
  config = {};
  config.kernel = "/etc/hostname";
  CHECK(message(config).find("/etc/hostname") != std::string::npos);
}

TEST_CASE("a snapshot image is not modified, a plain one is written") {
  // Writes a sector of ones by PIO: wait until the drive is ready after power-on, select drive 0, count 1, LBA 0, WRITE
  // SECTORS, wait DRQ, 256 words.
  const Kernel writer{0x66, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80, 0x75, 0xfb, 0x66, 0xba, 0xf6, 0x01, 0xb0, 0xe0,
                      0xee, 0xb2, 0xf2, 0xb0, 0x01, 0xee, 0xb2, 0xf3, 0xb0, 0x00, 0xee, 0xb2, 0xf4, 0xee, 0xb2,
                      0xf5, 0xee, 0xb2, 0xf7, 0xb0, 0x30, 0xee, 0xec, 0xa8, 0x08, 0x74, 0xfb,  // wait for DRQ
                      0xb2, 0xf0, 0xb9, 0x00, 0x01, 0x00, 0x00, 0x66, 0xb8, 0xff, 0xff, 0x66, 0xef, 0xe2, 0xfc,
                      0xb2, 0xf7, 0xec, 0xa8, 0x88, 0x75, 0xfb,  // wait for BSY and DRQ to go
                      0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xeb, 0xfe};
  char name[] = "/tmp/xlat-disk-XXXXXX";
  close(mkstemp(name));
  const auto fill = [&] { std::ofstream(name, std::ios::binary) << std::string(1 << 20, 'z'); };
  const auto first = [&] {
    std::ifstream in(name, std::ios::binary);
    return in.get();
  };
  for (const bool snapshot : {true, false}) {
    fill();
    MachineConfig config = with_kernel(writer);
    config.add_ide(0, DriveConfig{name, false, snapshot, false});
    CHECK(run(config) == Machine::Exit::kPowerOff);
    CHECK(first() == (snapshot ? 'z' : 0xff));
  }
  fs::remove(name);
}

TEST_CASE("the firmware boots floppies of all kinds and reads their last sector") {
  struct Disk {
    u64 kib;
    u8 cylinders, heads, sectors;
  };
  for (const Disk& d :
       {Disk{160, 40, 1, 8}, Disk{360, 40, 2, 9}, Disk{720, 80, 2, 9}, Disk{1200, 80, 2, 15}, Disk{2880, 80, 2, 36}}) {
    INFO(d.kib);
    char name[] = "/tmp/xlat-floppy-XXXXXX";
    const int fd = mkstemp(name);
    REQUIRE(fd >= 0);
    close(fd);
    {
      std::vector<char> image(d.kib * 1024);
      const u8 last_cylinder = d.cylinders - 1, last_head = d.heads - 1;
      // int 13h: read one sector at C, H, S to 8000h; out F4h: its first byte, or EEh if that failed.
      const u8 code[] = {0x31, 0xc0, 0x8e, 0xc0,      0x8e,          0xd8, 0xb8, 0x01,      0x02, 0xbb,
                         0x00, 0x80, 0xb9, d.sectors, last_cylinder, 0xba, 0x00, last_head, 0xcd, 0x13,
                         0xb0, 0xee, 0x72, 0x03,      0xa0,          0x00, 0x80, 0xe6,      0xf4, 0xf4};
      std::copy(std::begin(code), std::end(code), image.begin());
      image[510] = 0x55;
      image[511] = static_cast<char>(0xaa);
      image[image.size() - 512] = 0x21;
      std::ofstream(name, std::ios::binary).write(image.data(), static_cast<std::streamsize>(image.size()));
    }
    MachineConfig config;
    config.ram_bytes = 16 << 20;
    config.time.deterministic = true;
    config.boot_order = "a";
    config.remove("VGA");
    config.add_floppy(0, DriveConfig{.path = name, .read_only = true});
    config.add_debug_exit(0xf4, 4);
    auto machine = Machine::create(config);
    if (!machine) FAIL(machine.error().message);
    CHECK((*machine)->run_until(2'000'000'000) == Machine::Exit::kDebugExit);
    CHECK((*machine)->exit_status() == (0x21 << 1 | 1));
    fs::remove(name);
  }
}

TEST_CASE("a surface follows what the processor stores into the frame buffer", "[machine]") {
  for (const EngineKind engine : {EngineKind::kInterp, EngineKind::kDefault}) {
    // The frame buffer's address is at 200000h. Stores a number to a place of each page, then begins anew.
    const Kernel fill{0xa1, 0x00, 0x00, 0x20, 0x00, 0x89, 0xc7, 0x89, 0x0f, 0x41, 0x81, 0xc7, 0x04, 0x10, 0x00,
                      0x00, 0x89, 0xfa, 0x29, 0xc2, 0x81, 0xfa, 0x00, 0x00, 0x10, 0x00, 0x72, 0xeb, 0xeb, 0xe2};
    MachineConfig config = with_kernel(fill);
    config.engine = engine;
    auto machine = Machine::create(config);
    REQUIRE(machine.ok());
    REQUIRE(test::reach_kernel(**machine, 0x100020));
    Pc& pc = (*machine)->pc();
    pc.memory.write(0x200000, 4, *pc.pci.at(2, 0)->bar_address(0));
    for (const auto& [index, value] : {std::pair{4, 0}, {1, 640}, {2, 400}, {3, 32}, {4, 0x41}}) {
      pc.ports.write(0x1ce, 2, static_cast<u32>(index)), pc.ports.write(0x1cf, 2, static_cast<u32>(value));
    }
    Surface surface;
    std::size_t changes = 0;
    for (unsigned n = 1; n <= 40; ++n) {
      REQUIRE((*machine)->run_until(pc.clock.count() + 137 * n) == Machine::Exit::kCount);
      changes += pc.display()->refresh(surface).size();
      Surface fresh;
      pc.display()->refresh(fresh);
      REQUIRE(std::equal(fresh.pixels().begin(), fresh.pixels().end(), surface.pixels().begin()));
    }
    CHECK(changes > 100);
  }
}

TEST_CASE("network cards have addresses of their own, however many there are") {
  MachineConfig config;
  config.ram_bytes = 1 << 20;
  config.time.deterministic = true;
  config.remove("VGA");
  // All functions of the PCI bus but those that every PC has, and all ISA ports for one.
  for (unsigned n = 0; n < 256; ++n) {
    if (n == 0 || n == 8 || n == 9 || n == 11) continue;
    config.devices.push_back(
        {.type = "pcnet", .properties = {{"addr", fmt::format("{:x}.{}", n / 8, n % 8)}, {"romfile", ""}}});
  }
  for (unsigned port = 0x200; port < 0x2c0; port += 32) {
    config.devices.push_back({.type = "ne2k_isa", .properties = {{"iobase", std::to_string(port)}}});
  }
  auto machine = Machine::create(config);
  if (!machine) FAIL(machine.error().message);
  std::set<MacAddress> addresses;
  for (const auto& port : (*machine)->pc().networks()) addresses.insert(port->mac());
  CHECK(addresses.size() == 258);
}
