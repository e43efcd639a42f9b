// The guess at a disk's geometry, by size and by partition table, and what IDENTIFY says then.
#include "block/disk_geometry.h"

#include <array>
#include <catch2/catch.hpp>

#include "base/bits.h"
#include "devices/ide/ata.h"

using namespace xlat;

namespace {
using Mbr = std::array<u8, 512>;

Mbr with_partition(u8 last_head, u8 last_sector, u32 sectors = 1000, unsigned slot = 0) {
  Mbr mbr{};
  mbr[510] = 0x55, mbr[511] = 0xaa;
  u8* entry = &mbr[446 + 16 * slot];
  entry[5] = last_head, entry[6] = last_sector;
  store_le(entry + 12, sectors);
  return mbr;
}

void check(u64 sectors, const Mbr& mbr, unsigned cylinders, unsigned heads, unsigned per_track, DiskTranslation how) {
  const DiskGeometry g = guess_geometry(sectors, mbr);
  INFO(sectors);
  CHECK(g.cylinders == cylinders);
  CHECK(g.heads == heads);
  CHECK(g.sectors == per_track);
  CHECK(g.translation == how);
}
}  // namespace

// The figures are what QEMU 7.2 says; tests/compare/run asks it.
TEST_CASE("disk geometry by size") {
  using enum DiskTranslation;
  check(1, {}, 2, 16, 63, kNone);
  check(2 * 1008, {}, 2, 16, 63, kNone);
  check(20480, {}, 20, 16, 63, kNone);
  check(1024 * 1008, {}, 1024, 16, 63, kNone);
  check(1025 * 1008, {}, 1025, 16, 63, kLba);
  check(16383 * 1008, {}, 16383, 16, 63, kLba);
  check(u64{1} << 40, {}, 16383, 16, 63, kLba);
}

TEST_CASE("disk geometry by partition table") {
  using enum DiskTranslation;
  constexpr u64 k600M = 1228800, k9G = 18432000;
  check(k600M, with_partition(15, 63), 1219, 16, 63, kNone);
  check(40960, with_partition(3, 17), 602, 4, 17, kNone);
  check(k600M, with_partition(254, 0xff), 1219, 16, 63, kLarge);
  check(8806400, with_partition(254, 0xff), 8736, 16, 63, kLba);
  check(8192000, with_partition(127, 63), 8126, 16, 63, kLarge);
  check(k9G, with_partition(254, 63), 16383, 16, 63, kLba);
  // What says nothing: no head, no sector, no length, no signature, more cylinders than there can be, or none.
  check(k600M, with_partition(0, 63), 1219, 16, 63, kLba);
  check(k600M, with_partition(15, 0xc0), 1219, 16, 63, kLba);
  check(k600M, with_partition(15, 63, 0), 1219, 16, 63, kLba);
  Mbr unsigned_mbr = with_partition(15, 63);
  unsigned_mbr[511] = 0;
  check(k600M, unsigned_mbr, 1219, 16, 63, kLba);
  check(k9G, with_partition(1, 1), 16383, 16, 63, kLba);
  check(4, with_partition(15, 63), 2, 16, 63, kNone);
  // Any of the four.
  check(k600M, with_partition(7, 32, 5, 3), 4800, 8, 32, kNone);
}

TEST_CASE("disk geometry in IDENTIFY, before and after INITIALIZE DEVICE PARAMETERS") {
  Clock clock;
  auto image = make_memory_image(40960 * 512);
  REQUIRE(image->write(0, with_partition(3, 17)));
  AtaDisk disk(clock, "hd0", std::move(image));
  const auto run = [&](u8 command) {
    disk.write_command(command);
    while (clock.next_deadline() != Clock::kNever) clock.skip_to(clock.next_deadline()), clock.run_due();
  };
  const auto identify = [&] {
    run(0xec);
    std::array<u16, 256> words;
    for (u16& word : words) word = static_cast<u16>(disk.read_data(2));
    return words;
  };
  while (clock.next_deadline() != Clock::kNever) clock.skip_to(clock.next_deadline()), clock.run_due();
  auto words = identify();
  CHECK((words[1] == 602 && words[3] == 4 && words[6] == 17));
  CHECK((words[54] == 602 && words[55] == 4 && words[56] == 17 && words[57] == 602 * 4 * 17));
  CHECK(words[60] == 40960);
  disk.write_register(ata::kDevice, 0x0f);
  disk.write_register(ata::kCount, 63);
  run(0x91);
  words = identify();
  CHECK((words[1] == 602 && words[54] == 40 && words[55] == 16 && words[56] == 63));
}
