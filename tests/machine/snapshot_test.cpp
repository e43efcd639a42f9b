// Whole machines saved in mid-run and loaded into fresh ones: the same bytes again, and the same run from there on.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "machine/machine.h"

using namespace xlat;

namespace {

// A disk whose boot sector loads sectors, prints on the screen, to COM1 and LPT1, and reads the clock, for ever.
class BootDisk {
 public:
  BootDisk() {
    char name[] = "/tmp/xlat-snapshot-test-XXXXXX";
    const int fd = mkstemp(name);
    REQUIRE(fd >= 0);
    close(fd);
    path_ = name;
    std::vector<u8> bytes(1440 * 1024);
    const u8 code[] = {0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xfb,  // segments, stack, sti
                       0xb8, 0x01, 0x02, 0xbb, 0x00, 0x80, 0xb9, 0x02, 0x00, 0xb2, 0x80, 0xb6,
                       0x00, 0xcd, 0x13,                          // INT 13h reads a sector of the disk
                       0xb8, 0x01, 0x02, 0xb2, 0x00, 0xcd, 0x13,  // and one of the floppy
                       0xb8, 0x2a, 0x0e, 0xcd, 0x10,              // '*' on the screen
                       0xb8, 0x41, 0x01, 0x31, 0xd2, 0xcd, 0x14,  // 'A' to COM1
                       0xb8, 0x42, 0x00, 0xcd, 0x17,              // 'B' to LPT1
                       0xb4, 0x02, 0xcd, 0x1a,                    // the clock
                       0xf4,                                      // hlt
                       0xeb, 0xc9};
    std::copy(std::begin(code), std::end(code), bytes.begin());
    bytes[510] = 0x55, bytes[511] = 0xaa;
    std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), 1440 * 1024);
  }
  ~BootDisk() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Bench {
  Bench(const BootDisk& disk, EngineKind engine) {
    MachineConfig config;
    config.ram_bytes = 4 << 20;
    config.engine = engine;
    config.time.deterministic = true;
    config.add_floppy(0, DriveConfig{.path = disk.path(), .read_only = true, .format = "raw"});
    config.add_ide(0, DriveConfig{.path = disk.path(), .snapshot = true, .format = "raw"});
    config.add_ide(2, DriveConfig{.path = disk.path(), .cdrom = true, .format = "raw"});
    config.boot_order = "c";
    const auto print = [this](u8 value) { printed += static_cast<char>(value); };
    for (unsigned n = 0; n < 2; ++n) config.add_serial(n, print);
    config.add_parallel(print);
    config.add_debugcon(0x402, print);
    config.add_debug_exit();
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine = std::move(*made);
  }
  std::vector<u8> save() {
    Archive ar = Archive::saver();
    machine->serialize(ar);
    return ar.bytes();
  }
  void load(const std::vector<u8>& bytes) {
    Archive ar = Archive::loader(bytes);
    machine->serialize(ar);
    INFO(ar.error());
    REQUIRE(ar.ok());
    CHECK(ar.at_end());
  }
  void run(u64 instructions) {
    CHECK(machine->run_until(machine->pc().clock.count() + instructions) == Machine::Exit::kCount);
  }
  std::string printed;
  std::unique_ptr<Machine> machine;
};

// Empty if the two are equal, else where they differ first: the words before it, of which one is the section's name.
std::string difference(const std::vector<u8>& a, const std::vector<u8>& b) {
  const auto found = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (found.first == a.end() && found.second == b.end()) return {};
  const std::size_t at = static_cast<std::size_t>(found.first - a.begin());
  std::string words;
  for (std::size_t n = at > 2000 ? at - 2000 : 0; n < at; ++n)
    words += a[n] >= 'a' && a[n] <= 'z' ? static_cast<char>(a[n]) : ' ';
  return fmt::format("at {}, behind {}", at,
                     words.substr(words.find_last_not_of(' ') > 60 ? words.find_last_not_of(' ') - 60 : 0));
}

}  // namespace

TEST_CASE("a whole machine saved in mid-run goes on in a fresh one, byte for byte") {
  const BootDisk disk;
  for (const EngineKind engine : {EngineKind::kInterp, EngineKind::kJit}) {
    if (engine == EngineKind::kJit && !jit::jit_available()) continue;
    INFO("engine " << static_cast<int>(engine));
    Bench one(disk, engine);
    u32 seed = 1;
    for (unsigned stage = 0; stage < 16; ++stage) {
      seed = seed * 1664525 + 1013904223;
      one.run(200'000 + (seed >> 8) % 3'000'000);
      // Inputs of every kind, some of which the guest does not take for long.
      one.machine->gate().post(KeyInput{*key_by_name("a"), stage % 2 == 0});
      one.machine->gate().post(MouseInput{static_cast<i32>(stage), 1, 0, static_cast<u8>(stage & 7)});
      one.machine->enter_bytes(0, std::vector<u8>(40, static_cast<u8>(stage)));
      if (stage == 9) one.machine->gate().post(PowerButtonInput{});
      if (stage == 12) one.machine->gate().post(ResetInput{});
      if (stage == 14) one.machine->pc().a20.set(false);
      one.run(17);

      const std::vector<u8> saved = one.save();
      Bench other(disk, engine);
      other.run(seed % 1'000'000);  // it may have a past of its own
      other.load(saved);
      const std::vector<u8> again = other.save();
      INFO("stage " << stage);
      CHECK(difference(saved, again) == "");
      one.printed.clear();
      other.printed.clear();
      one.run(2'000'000);
      other.run(2'000'000);
      CHECK(one.printed == other.printed);
      const std::vector<u8> a = one.save(), b = other.save();
      CHECK(difference(a, b) == "");
      CHECK(one.machine->backlog(0) == other.machine->backlog(0));
    }
  }
}

TEST_CASE("a snapshot of another machine, or a damaged one, is refused") {
  const BootDisk disk;
  Bench one(disk, EngineKind::kInterp);
  one.run(1'000'000);
  const std::vector<u8> saved = one.save();
  MachineConfig config;
  config.ram_bytes = 8 << 20;
  auto larger = Machine::create(config);
  REQUIRE(larger);
  Archive ar = Archive::loader(saved);
  (*larger)->serialize(ar);
  CHECK_FALSE(ar.ok());
  u32 seed = 7;
  for (unsigned n = 0; n < 40; ++n) {
    std::vector<u8> damaged = saved;
    for (unsigned k = 0; k < 20; ++k) {
      seed = seed * 1664525 + 1013904223;
      // Most of it is memory: half of the damage goes behind that.
      const std::size_t at = (seed >> 4) % (k % 2 ? damaged.size() : std::min<std::size_t>(damaged.size(), 300'000));
      damaged[damaged.size() - 1 - at] ^= static_cast<u8>(1 << (seed & 7));
    }
    if (n % 4 == 0) damaged.resize(damaged.size() - (seed >> 8) % 5000);
    Archive loader = Archive::loader(damaged);
    one.machine->serialize(loader);
    if (loader.ok()) one.machine->run_until(one.machine->pc().clock.count() + 20'000);
    one.load(saved);
  }
  SUCCEED();
}
