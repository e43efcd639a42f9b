// A whole machine with sound cards, saved while they play and loaded into a fresh one: it plays on, frame for frame.
#include <catch2/catch.hpp>

#include "base/bits.h"
#include "machine/machine.h"
#include "tests/support/recording.h"

using namespace xlat;

namespace {

struct Bench {
  std::shared_ptr<Recording> sink = std::make_shared<Recording>(48000);
  std::unique_ptr<Machine> machine;

  Bench() {
    MachineConfig config;
    config.ram_bytes = 4 << 20;
    config.time.deterministic = true;
    config.audio.push_back({"snd", sink});
    config.speaker_audio = "snd";
    for (const char* type : {"sb16", "gus", "ES1370", "AC97"}) {
      config.devices.push_back({.type = type, .properties = {{"audiodev", "snd"}}});
    }
    auto made = Machine::create(config);
    if (!made) FAIL(made.error().message);
    machine = std::move(*made);
  }
  void out(unsigned port, u32 value, unsigned width = 1) {
    machine->pc().ports.write(static_cast<u16>(port), width, value);
  }
  u32 bar(unsigned slot, unsigned n) {
    out(0xcf8, 0x80000010 + slot * 0x800 + 4 * n, 4);
    return machine->pc().ports.read(0xcfc, 4) & ~3u;
  }
  // The guest may halt, and then time goes by faster than instructions.
  void run_to(u64 ns) {
    while (machine->pc().clock.now() < ns) {
      REQUIRE(machine->run_until(machine->pc().clock.count() + 1000) == Machine::Exit::kCount);
    }
  }
};

}  // namespace

TEST_CASE("a machine whose sound cards play is saved, and plays on where it is loaded") {
  Bench one;
  one.run_to(300'000'000);  // the firmware gives the PCI cards their ports
  auto& ram = *one.machine->pc().ram;
  for (unsigned n = 0; n < 8000; ++n) {
    ram.data()[0x200000 + n] = static_cast<u8>(n * 3);
    ram.data()[0x210000 + n] = static_cast<u8>(n * 5);
  }
  // PC speaker.
  one.out(0x43, 0xb6), one.out(0x42, 0x98), one.out(0x42, 0x0a), one.out(0x61, 3);
  // Sound Blaster: 8-bit auto-init.
  for (const auto& [port, value] : std::initializer_list<std::pair<u16, u8>>{{0x0a, 5},
                                                                             {0x0c, 0},
                                                                             {0x0b, 0x59},
                                                                             {0x83, 0x20},
                                                                             {0x02, 0},
                                                                             {0x02, 0},
                                                                             {0x03, 0xff},
                                                                             {0x03, 0x0f},
                                                                             {0x0a, 1}}) {
    one.out(port, value);
  }
  for (const u8 byte : {0x40, 206, 0x48, 0xff, 0x01, 0x1c}) one.out(0x22c, byte);
  // AC97, in whatever slot it is.
  unsigned ac97 = 0;
  for (unsigned slot = 2; slot < 8; ++slot) {
    one.out(0xcf8, 0x80000000 + slot * 0x800, 4);
    if (one.machine->pc().ports.read(0xcfc, 4) == 0x24158086) ac97 = slot;
  }
  REQUIRE(ac97 != 0);
  const u32 codec = one.bar(ac97, 0), masters = one.bar(ac97, 1);
  REQUIRE(masters != 0);
  one.out(0xcf8, 0x80000004 + ac97 * 0x800, 4), one.out(0xcfc, 5, 2);
  for (unsigned n = 0; n < 32; ++n) {
    store_le<u32>(&ram.data()[0x220000 + 8 * n], 0x210000);
    store_le<u32>(&ram.data()[0x220004 + 8 * n], 4000);
  }
  one.out(codec + 2, 0, 2), one.out(codec + 0x18, 0x0808, 2);
  one.out(masters + 0x10, 0x220000, 4), one.out(masters + 0x15, 31), one.out(masters + 0x1b, 1);
  one.run_to(350'000'000);

  Archive saved = Archive::saver();
  one.machine->serialize(saved);
  const std::size_t before = one.sink->frames.size();
  one.run_to(500'000'000);
  one.machine->pc().audio.find("snd")->finish();

  Bench other;
  Archive ar = Archive::loader(saved.bytes());
  other.machine->serialize(ar);
  INFO(ar.error());
  REQUIRE(ar.ok());
  const std::size_t made = other.sink->frames.size();
  other.run_to(500'000'000);
  other.machine->pc().audio.find("snd")->finish();
  const std::span<const AudioFrame> mine(one.sink->frames.begin() + static_cast<std::ptrdiff_t>(before),
                                         one.sink->frames.end());
  const std::span<const AudioFrame> its(other.sink->frames.begin() + static_cast<std::ptrdiff_t>(made),
                                        other.sink->frames.end());
  CHECK(peak(left_of(mine)) > 10000);
  CHECK(mine.size() > 1000);
  CHECK(std::equal(mine.begin(), mine.end(), its.begin(), its.end()));
}
