// A surface follows the screen: whatever the guest changes, it is what a new picture of the screen would be, and every
// pixel that changed lies in a rectangle that was told of.
#include <catch2/catch.hpp>
#include <random>

#include "base/clock.h"
#include "devices/display/edid.h"
#include "devices/display/vga.h"
#include "tests/support/vga_mode3.h"

using namespace xlat;

namespace {

constexpr u32 kFrame = 0xe0000000;

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  PciBus pci{ports, memory};
  Vga vga{clock, {}, 1 << 20};
  Surface surface;
  std::mt19937 random{7};

  Rig() {
    vga.map_ports(ports);
    memory.map_io(0xa0000, 0x20000, vga.legacy_window());
    pci.add(2, 0, vga);
    for (const auto& [reg, value] : {std::pair{0x10u, kFrame}, {0x04u, 3u}}) {
      ports.write(0xcf8, 4, 0x80001000u | reg);
      ports.write(0xcfc, 4, value);
    }
    test::enter_mode3(ports, memory);
  }
  void set(u16 index_port, unsigned index, u8 value) {
    ports.write(index_port, 1, index);
    ports.write(static_cast<u16>(index_port + 1), 1, value);
  }
  void dispi(u16 index, u16 value) { ports.write(0x1ce, 2, index), ports.write(0x1cf, 2, value); }
  u8 any() { return static_cast<u8>(random()); }

  // Returns the number of rectangles.
  std::size_t follow() {
    const Surface before = surface;
    const auto changed = vga.refresh(surface);
    Surface fresh;
    vga.refresh(fresh);
    REQUIRE(surface.width() == fresh.width());
    REQUIRE(surface.height() == fresh.height());
    REQUIRE(std::equal(surface.pixels().begin(), surface.pixels().end(), fresh.pixels().begin()));
    if (before.width() != surface.width() || before.height() != surface.height()) {
      CHECK(changed == std::vector<Rect>{{0, 0, surface.width(), surface.height()}});
      return 1;
    }
    for (unsigned y = 0; y < surface.height(); ++y) {
      for (unsigned x = 0; x < surface.width(); ++x) {
        if (before.row(y)[x] == surface.row(y)[x]) continue;
        const bool told = std::any_of(changed.begin(), changed.end(), [&](const Rect& r) {
          return x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height;
        });
        if (!told) FAIL("pixel " << x << ", " << y << " changed and nobody was told");
      }
    }
    return changed.size();
  }
};

}  // namespace

TEST_CASE("vga refresh: nothing changed, nothing told") {
  Rig rig;
  rig.follow();
  CHECK(rig.follow() == 0);
  // A character changes 16 lines of nine dots.
  rig.memory.write(0xa2000, 1, 0);
  for (u32 n = 0; n < 32; ++n) {  // a font: every character a block
    rig.set(0x3c4, 2, 4), rig.set(0x3c4, 4, 6), rig.set(0x3ce, 5, 0), rig.set(0x3ce, 6, 4);
    rig.memory.write(0xa0000 + 'x' * 32 + n, 1, 0xff);
  }
  rig.set(0x3c4, 2, 3), rig.set(0x3c4, 4, 2), rig.set(0x3ce, 5, 0x10), rig.set(0x3ce, 6, 0x0e);
  rig.follow();
  rig.memory.write(0xb8000 + 2 * 81, 1, 'x');
  const auto changed = rig.vga.refresh(rig.surface);
  CHECK(changed == std::vector<Rect>{{9, 16, 8, 16}});
  CHECK(rig.follow() == 0);
}

TEST_CASE("vga refresh: the cursor blinks by itself") {
  Rig rig;
  rig.follow();
  unsigned blinked = 0;
  for (unsigned n = 0; n < 64; ++n) {
    rig.clock.skip_to(rig.clock.now() + 16'700'000);
    const auto changed = rig.vga.refresh(rig.surface);
    if (changed.empty()) continue;
    ++blinked;
    CHECK(changed == std::vector<Rect>{{0, 13, 9, 2}});
  }
  CHECK((blinked >= 7 && blinked <= 9));  // every eight frames
}

TEST_CASE("vga refresh: random changes in every kind of mode") {
  Rig rig;
  for (unsigned mode = 0; mode < 9; ++mode) {
    if (mode == 1) rig.set(0x3ce, 6, 5), rig.set(0x3ce, 5, 0), rig.set(0x3c4, 4, 6), rig.set(0x3c4, 2, 15);
    if (mode == 2) rig.set(0x3ce, 5, 0x40), rig.set(0x3d4, 0x13, 40);
    if (mode == 3) rig.set(0x3ce, 5, 0x20), rig.set(0x3d4, 0x17, 0xa2);
    if (mode >= 4) {
      constexpr u16 kDepths[] = {4, 8, 15, 24, 32};
      rig.dispi(4, 0), rig.dispi(1, 320), rig.dispi(2, 100), rig.dispi(3, kDepths[mode - 4]), rig.dispi(4, 0x41);
    }
    for (unsigned step = 0; step < 120; ++step) {
      for (unsigned n = rig.random() % 4; n > 0; --n) {
        rig.memory.write(0xa0000 + rig.random() % 0x20000, 1, rig.any());
      }
      if (rig.random() % 2) rig.memory.write(kFrame + rig.random() % 0x20000, 4, rig.random());
      switch (rig.random() % 16) {
        case 0: rig.set(0x3d4, 0x0c + rig.random() % 4, rig.any() & 7); break;
        case 1: rig.ports.write(0x3c8, 1, rig.any()), rig.ports.write(0x3c9, 1, rig.any()); break;
        case 2: rig.dispi(6 + rig.random() % 4, rig.any()); break;
        case 3: rig.clock.skip_to(rig.clock.now() + 50'000'000); break;
        case 4: rig.set(0x3d4, 0x18, rig.any()), rig.set(0x3d4, 7, 0x0f | (rig.any() & 0x10)); break;
        case 5: rig.set(0x3c4, 1, rig.any() & 0x21); break;
        default: break;
      }
      rig.follow();
    }
  }
}

TEST_CASE("vga: the EDID is in BAR 2 and adds up") {
  const auto edid = make_edid(1280, 800, "xlat Monitor");
  unsigned sum = 0;
  for (const u8 byte : edid) sum += byte;
  CHECK(sum % 256 == 0);
  CHECK(edid[54 + 2] + (edid[54 + 4] >> 4) * 256 == 1280);
  CHECK(edid[54 + 5] + (edid[54 + 7] >> 4) * 256 == 800);
}
