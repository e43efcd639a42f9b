// Saved states by name: a machine goes back to one with its disks, in the same process or in another one.
#include "machine/state_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace xlat;

namespace {

// A boot sector that counts in the disk's second sector, by INT 13h, and prints what it counted to COM1.
constexpr u8 kCounter[] = {0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xfb,  // segments, sti
                           0xb8, 0x01, 0x02, 0xbb, 0x00, 0x80, 0xb9, 0x02, 0x00, 0xba, 0x80, 0x00, 0xcd, 0x13,  // read
                           0xff, 0x06, 0x00, 0x80,                                                  // inc word [8000h]
                           0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00, 0xba, 0x80, 0x00, 0xcd, 0x13,        // write
                           0xa0, 0x00, 0x80, 0xba, 0xf8, 0x03, 0xee,                                // out 3f8h, al
                           0xeb, 0xda};

struct Folder {
  Folder() {
    char name[] = "/tmp/xlat-states-test-XXXXXX";
    REQUIRE(mkdtemp(name));
    path = name;
    std::vector<u8> disk(3 << 20);
    std::copy(std::begin(kCounter), std::end(kCounter), disk.begin());
    disk[510] = 0x55, disk[511] = 0xaa;
    disk[2'500'000] = 0x77;
    std::ofstream(image(), std::ios::binary)
        .write(reinterpret_cast<const char*>(disk.data()), static_cast<std::streamsize>(disk.size()));
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string image() const { return path + "/disk"; }
  std::string path;
};

struct Bench {
  explicit Bench(const Folder& folder, EngineKind engine = EngineKind::kDefault, bool snapshot = false,
                 u64 ram = 4 << 20) {
    MachineConfig config;
    config.ram_bytes = ram;
    config.engine = engine;
    config.time.deterministic = true;
    config.add_ide(0, DriveConfig{.path = folder.image(), .snapshot = snapshot, .format = "raw"});
    config.boot_order = "c";
    config.add_serial(0, [this](u8 value) { printed += static_cast<char>(value); });
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine = std::move(*made);
  }
  void run(u64 instructions) {
    CHECK(machine->run_until(machine->pc().clock.count() + instructions) == Machine::Exit::kCount);
  }
  void run_until_printed(std::size_t count) {
    for (unsigned n = 0; n < 200 && printed.size() < count; ++n) run(1'000'000);
    REQUIRE(printed.size() >= count);
  }
  StateStore store() { return StateStore::of(*machine).value(); }
  std::string printed;
  std::unique_ptr<Machine> machine;
};

u8 counter_on_disk(const Folder& folder) {
  std::ifstream file(folder.image(), std::ios::binary);
  file.seekg(512);
  return static_cast<u8>(file.get());
}

}  // namespace

TEST_CASE("a machine goes back to a saved state, and its disk with it") {
  const Folder folder;
  Bench one(folder);
  one.run_until_printed(5);
  const std::string before = one.printed;
  REQUIRE(one.store().save("five", 1000));
  const u8 on_disk = counter_on_disk(folder);
  one.run_until_printed(before.size() + 20);
  CHECK(counter_on_disk(folder) != on_disk);
  const std::string as_it_went = one.printed.substr(before.size(), 20);

  REQUIRE(one.store().load("five"));
  CHECK(counter_on_disk(folder) == on_disk);
  one.printed.clear();
  one.run_until_printed(20);
  CHECK(one.printed.substr(0, 20) == as_it_went);

  // In a new process' machine, with the other engine.
  REQUIRE(one.store().load("five"));
  one.machine.reset();
  for (const EngineKind engine : {EngineKind::kInterp, EngineKind::kDefault}) {
    Bench other(folder, engine);
    REQUIRE(other.store().load("five"));
    CHECK(counter_on_disk(folder) == on_disk);
    other.run_until_printed(20);
    CHECK(other.printed.substr(0, 20) == as_it_went);
  }
}

TEST_CASE("the overlay of a disk with snapshot=on is part of a saved state") {
  const Folder folder;
  std::string as_it_went;
  {
    Bench one(folder, EngineKind::kDefault, true);
    one.run_until_printed(5);
    REQUIRE(one.store().save("s", 1));
    one.printed.clear();
    one.run_until_printed(10);
    as_it_went = one.printed.substr(0, 10);
  }
  CHECK(counter_on_disk(folder) == 0);
  Bench other(folder, EngineKind::kDefault, true);
  REQUIRE(other.store().load("s"));
  other.run_until_printed(10);
  CHECK(other.printed.substr(0, 10) == as_it_went);
  CHECK(counter_on_disk(folder) == 0);
}

TEST_CASE("saved states are listed by date, replaced, and removed") {
  const Folder folder;
  Bench one(folder);
  StateStore store = one.store();
  CHECK(store.list().value().empty());
  REQUIRE(store.save("b", 2000));
  one.run(1000);
  REQUIRE(store.save("../a name.", 1000));
  one.run(1000);
  REQUIRE(store.save("b", 3000));
  const auto all = store.list().value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "../a name.");
  CHECK(all[0].date == 1000);
  CHECK(all[0].count == 1000);
  CHECK(all[1].name == "b");
  CHECK(all[1].date == 3000);
  CHECK(all[1].clock_ns == one.machine->pc().clock.now());
  CHECK(all[1].bytes > 1000);
  CHECK(store.load("../a name."));
  CHECK(one.machine->pc().clock.count() == 1000);
  CHECK(store.remove("../a name."));
  CHECK_FALSE(store.remove("../a name.").ok());
  CHECK_FALSE(store.load("../a name.").ok());
  CHECK_FALSE(store.save("", 1).ok());
  CHECK_FALSE(store.save(std::string(200, 'x'), 1).ok());
  CHECK_FALSE(store.save("two\nlines", 1).ok());
  REQUIRE(store.list().value().size() == 1);
}

TEST_CASE("a state that does not fit, or is damaged, leaves the machine as it was and says why") {
  const Folder folder;
  Bench one(folder);
  one.run_until_printed(3);
  REQUIRE(one.store().save("s", 1));
  const std::string path = folder.image() + ".states/s.state";
  std::vector<char> good(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary).read(good.data(), static_cast<std::streamsize>(good.size()));
  one.machine.reset();

  Bench larger(folder, EngineKind::kDefault, false, 8 << 20);
  larger.run(5000);
  const Status other_size = larger.store().load("s");
  REQUIRE_FALSE(other_size.ok());
  CHECK(other_size.error().message.find("'-m 4096 KiB' where this one has '-m 8192 KiB'") != std::string::npos);
  CHECK(larger.machine->pc().clock.count() == 5000);
  CHECK(larger.machine->run_state() == Machine::RunState::kRunning);
  larger.machine.reset();

  Bench again(folder);
  again.run(5000);
  for (std::size_t n = 0; n < 60; ++n) {
    std::vector<char> bad = good;
    bad[100 + n * (good.size() - 200) / 60] ^= 0x10;
    std::ofstream(path, std::ios::binary).write(bad.data(), static_cast<std::streamsize>(bad.size()));
    const Status damaged = again.store().load("s");
    if (damaged) continue;  // nothing but a byte without a meaning
    CHECK_FALSE(damaged.error().message.empty());
    CHECK(again.machine->pc().clock.count() == 5000);
  }
  std::ofstream(path, std::ios::binary).write(good.data(), static_cast<std::streamsize>(good.size() - 50));
  CHECK_FALSE(again.store().load("s").ok());
  std::ofstream(path, std::ios::binary).write(good.data(), static_cast<std::streamsize>(good.size()));
  CHECK(again.store().load("s"));
}

TEST_CASE("a save that fails leaves the old state whole") {
  const Folder folder;
  const std::string path = folder.path + "/state";
  REQUIRE(save_state_to_file(path, [](StateWriter& out) {
    const Status s = out.section("one", "1");
    return s ? out.end() : s;
  }));
  const Status failed = save_state_to_file(path, [](StateWriter& out) -> Status {
    if (Status s = out.section("one", "2"); !s) return s;
    return error("the disk is full");
  });
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message.find("the disk is full") != std::string::npos);
  auto reader = read_state_file(path);
  REQUIRE(reader);
  CHECK(reader->section("one").value() == std::vector<u8>{'1'});
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 2);  // no half of one beside it
}

TEST_CASE("a machine without images has no place for saved states") {
  MachineConfig config;
  config.ram_bytes = 1 << 20;
  config.time.deterministic = true;
  auto machine = Machine::create(config);
  REQUIRE(machine);
  CHECK_FALSE(StateStore::of(**machine).ok());
}
