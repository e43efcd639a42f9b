// Deterministic runs: the same start and the same stamped inputs give the same bytes at the same instruction counts.
#include <catch2/catch.hpp>

#include "machine/machine.h"

using namespace xlat;

namespace {

struct Printed {
  u64 count;
  u8 value;
  bool operator==(const Printed&) const = default;
};

struct Outcome {
  std::vector<Printed> printed;  // firmware messages, each byte with its instruction count
  std::vector<u8> cpu;           // the processor's snapshot
  std::vector<u8> devices;
  std::vector<u8> ram;
  std::string screen;
  u64 time;
};

// Boots the firmware for `count` instructions; the key is pressed when the first byte was printed.
Outcome boot(u64 count, bool press_key, EngineKind engine = EngineKind::kDefault) {
  Outcome outcome;
  MachineConfig config;
  config.ram_bytes = 32 << 20;
  config.time.deterministic = true;
  config.engine = engine;
  Machine* machine = nullptr;
  config.add_debugcon(0x402, [&](u8 value) { outcome.printed.push_back({machine->pc().clock.count(), value}); });
  auto created = Machine::create(config);
  REQUIRE(created.ok());
  machine = created.value().get();
  CHECK(machine->run_until(count / 2) == Machine::Exit::kCount);
  if (press_key) machine->gate().post(KeyInput{*key_by_name("a"), true});
  CHECK(machine->run_until(count) == Machine::Exit::kCount);

  Pc& pc = machine->pc();
  Archive cpu = Archive::saver();
  pc.cpu.serialize(cpu);
  outcome.cpu = cpu.bytes();
  Archive devices = Archive::saver();
  for (Device* device : pc.devices()) device->serialize(devices);
  outcome.devices = devices.bytes();
  outcome.ram.assign(pc.ram->bytes().begin(), pc.ram->bytes().end());
  outcome.screen = pc.vga()->text();
  outcome.time = pc.clock.now();
  return outcome;
}

void check_equal(const Outcome& a, const Outcome& b) {
  CHECK(a.printed == b.printed);
  CHECK(a.cpu == b.cpu);
  CHECK(a.devices == b.devices);
  CHECK(a.ram == b.ram);
  CHECK(a.screen == b.screen);
  CHECK(a.time == b.time);
}

}  // namespace

TEST_CASE("two boots print the same bytes at the same instruction counts and end in the same state") {
  const Outcome first = boot(4'000'000, false);
  CHECK(first.printed.size() > 500);
  CHECK(first.screen.find("SeaBIOS") != std::string::npos);
  check_equal(first, boot(4'000'000, false));
}

TEST_CASE("the interpreter and the JIT print the same bytes at the same instruction counts and end in the same state") {
  if (!jit::jit_available()) {
    WARN("this host has no JIT; skipped");
    return;
  }
  for (const bool press_key : {false, true}) {
    check_equal(boot(12'000'000, press_key, EngineKind::kInterp), boot(12'000'000, press_key, EngineKind::kJit));
  }
}

TEST_CASE("an input that enters at the same count has the same effect") {
  const Outcome first = boot(4'000'000, true);
  check_equal(first, boot(4'000'000, true));
  CHECK_FALSE(first.devices == boot(4'000'000, false).devices);
}

TEST_CASE("slices of any length lead to the same state") {
  const auto run = [](u64 slice) {
    MachineConfig config;
    config.ram_bytes = 32 << 20;
    config.time.deterministic = true;
    auto machine = Machine::create(config);
    REQUIRE(machine.ok());
    for (u64 at = slice; at < 300'000; at += slice) CHECK((*machine)->run_until(at) == Machine::Exit::kCount);
    CHECK((*machine)->run_until(300'000) == Machine::Exit::kCount);
    Archive cpu = Archive::saver();
    (*machine)->pc().cpu.serialize(cpu);
    return cpu.bytes();
  };
  const auto whole = run(300'000);
  CHECK(run(7) == whole);
  CHECK(run(1000) == whole);
}
