// The GD5446 through its ports, its window and its BARs. BitBLTs of random parameters are compared with QEMU's by
// tests/compare/run.
#include "devices/display/cirrus.h"

#include <catch2/catch.hpp>
#include <random>

#include "base/clock.h"

using namespace xlat;

namespace {

constexpr u32 kFrame = 0xe0000000, kRegisters = 0xfebf0000;

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  PciBus pci{ports, memory};
  CirrusVga vga{clock, {}};

  Rig() {
    vga.map_ports(ports);
    memory.map_io(0xa0000, 0x20000, vga.legacy_window());
    pci.add(2, 0, vga);
    config(0x10, kFrame);
    config(0x14, kRegisters);
    config(0x04, 3);
    out(0x3c2, 0x67);
    set(0x3c4, 6, 0x12);
  }
  void out(u16 port, u8 v) { ports.write(port, 1, v); }
  u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
  void set(u16 index_port, unsigned index, u8 value) {
    out(index_port, static_cast<u8>(index)), out(static_cast<u16>(index_port + 1), value);
  }
  u8 get(u16 index_port, unsigned index) {
    out(index_port, static_cast<u8>(index));
    return in(static_cast<u16>(index_port + 1));
  }
  void gr(unsigned index, u32 value, unsigned bytes = 1) {
    for (unsigned n = 0; n < bytes; ++n) set(0x3ce, index + n, static_cast<u8>(value >> (8 * n)));
  }
  void config(u8 reg, u32 value) {
    ports.write(0xcf8, 4, 0x80001000u | reg);
    ports.write(0xcfc, 4, value);
  }
  // 64 by 32 pixels of 8 bits at the start of the memory.
  void packed(u8 sr7 = 1) {
    set(0x3c4, 7, sr7);
    set(0x3c4, 1, 1);
    set(0x3ce, 6, 5);
    set(0x3d4, 0x11, 0);
    set(0x3d4, 1, 7), set(0x3d4, 0x12, 31), set(0x3d4, 7, 0), set(0x3d4, 9, 0), set(0x3d4, 0x17, 0xe3);
    set(0x3d4, 0x13, 8);
    in(0x3da);
    out(0x3c0, 0x20);
  }
  void blit(u32 dst, u32 src, unsigned width, unsigned height, unsigned pitch, u8 mode, u8 rop, u8 extension = 0) {
    gr(0x20, width - 1, 2), gr(0x22, height - 1, 2), gr(0x24, pitch, 2), gr(0x26, pitch, 2);
    gr(0x28, dst, 3), gr(0x2c, src, 3), gr(0x2f, 0), gr(0x30, mode), gr(0x32, rop), gr(0x33, extension);
    gr(0x31, 2);
  }
  u8 at(u32 address) { return vga.memory()[address]; }
  void fill(u32 address, std::initializer_list<u8> bytes) {
    for (const u8 byte : bytes) memory.write(kFrame + address++, 1, byte);
  }
};

}  // namespace

TEST_CASE("cirrus: what drivers look at to find it") {
  Rig rig;
  CHECK(rig.vga.config32(0) == 0x00b81013);
  CHECK(rig.get(0x3c4, 6) == 0x12);
  rig.set(0x3c4, 6, 0x00);
  CHECK(rig.get(0x3c4, 6) == 0x0f);
  rig.set(0x3c4, 6, 0xf2);  // only bits 4 and 2 to 0 are looked at
  CHECK(rig.get(0x3c4, 6) == 0x12);
  CHECK(rig.get(0x3d4, 0x27) == 0xb8);
  CHECK(rig.get(0x3c4, 0x0f) == 0x98);
  CHECK(rig.get(0x3c4, 0x15) == 4);
  CHECK(rig.get(0x3c4, 0x17) == 0x20);
}

TEST_CASE("cirrus: the hidden DAC register is behind the fifth read of 3C6") {
  Rig rig;
  rig.out(0x3c6, 0xaa);
  for (unsigned n = 0; n < 4; ++n) CHECK(rig.in(0x3c6) == 0xaa);
  rig.out(0x3c6, 0xe1);
  for (unsigned n = 0; n < 4; ++n) CHECK(rig.in(0x3c6) == 0xaa);
  CHECK(rig.in(0x3c6) == 0xe1);
  CHECK(rig.in(0x3c6) == 0xaa);
  rig.in(0x3c8);  // anything else begins anew
  rig.out(0x3c6, 0xff);
  CHECK(rig.in(0x3c6) == 0xff);
}

TEST_CASE("cirrus: banks of the window, and the same memory in BAR 0") {
  Rig rig;
  rig.packed();
  rig.gr(0x09, 0x10);  // 64 KiB in steps of 4
  rig.memory.write(0xa0123, 1, 0x5a);
  CHECK(rig.at(0x10123) == 0x5a);
  CHECK(rig.memory.read(kFrame + 0x10123, 1) == 0x5a);
  rig.gr(0x0b, 0x21);  // two banks, steps of 16 KiB
  rig.gr(0x09, 0), rig.gr(0x0a, 0x80);
  rig.memory.write(0xa8005, 1, 0x77);
  CHECK(rig.at(0x200005) == 0x77);
  rig.gr(0x0a, 0xff), rig.gr(0x0b, 0x01);
  rig.memory.write(kFrame + 0x3ffffc, 4, 0x01020304);
  CHECK(rig.at(0x3ffffc) == 4);
  CHECK(rig.memory.read(kFrame + 0x400000, 4) == rig.memory.read(kFrame, 4));  // decoded by 22 bits
}

TEST_CASE("cirrus: write mode 4 and 5 write eight pixels") {
  Rig rig;
  rig.packed();
  rig.gr(0x0b, 0x06), rig.gr(0x09, 0);
  rig.gr(0x00, 0x11), rig.gr(0x01, 0xee);
  rig.set(0x3ce, 5, 0x05);
  rig.memory.write(0xa0002, 1, 0xa0);  // eight bytes each
  CHECK((rig.at(16) == 0xee && rig.at(17) == 0x11 && rig.at(18) == 0xee && rig.at(23) == 0x11));
  rig.set(0x3ce, 5, 0x04);
  rig.memory.write(0xa0002, 1, 0x40);
  CHECK((rig.at(16) == 0xee && rig.at(17) == 0xee && rig.at(18) == 0xee));
}

TEST_CASE("cirrus: raster operations, with the manual's truth table each") {
  struct Row {
    u8 code, bits;  // of (S, D) = 11, 10, 01, 00
  };
  constexpr Row kRows[] = {{0x00, 0b0000}, {0x05, 0b1000}, {0x06, 0b1010}, {0x09, 0b0100},
                           {0x0b, 0b0101}, {0x0d, 0b1100}, {0x0e, 0b1111}, {0x50, 0b0010},
                           {0x59, 0b0110}, {0x6d, 0b1110}, {0x90, 0b0001}, {0x95, 0b1001},
                           {0xad, 0b1101}, {0xd0, 0b0011}, {0xd6, 0b1011}, {0xda, 0b0111}};
  for (const Row& row : kRows) {
    Rig rig;
    rig.packed();
    rig.fill(0, {0x0f});
    rig.fill(64, {0x33});
    rig.blit(0, 64, 1, 1, 64, 0, row.code);
    u8 expected = 0;
    for (unsigned n = 0; n < 8; ++n) {
      const unsigned s = 0x33 >> n & 1, d = 0x0f >> n & 1;
      expected |= static_cast<u8>((row.bits >> (s * 2 + d) & 1) << n);
    }
    INFO(int{row.code});
    CHECK(rig.at(0) == expected);
    CHECK((rig.get(0x3ce, 0x31) & 3) == 0);
  }
}

TEST_CASE("cirrus: copies forward and backward, fills, expansion") {
  Rig rig;
  rig.packed();
  rig.fill(0, {1, 2, 3, 4, 5, 6, 7, 8});
  rig.blit(2 + 5, 5, 6, 1, 64, 1, 0x0d);  // overlapping, from the last byte on
  CHECK((rig.at(2) == 1 && rig.at(7) == 6));
  rig.gr(0x01, 0x9c), rig.gr(0x11, 0x8b);
  rig.blit(128, 0, 8, 2, 64, 0xd0, 0x0d, 4);  // solid, 16 bits
  CHECK((rig.at(128) == 0x9c && rig.at(129) == 0x8b && rig.at(199) == 0x8b && rig.at(200) == 0));
  rig.gr(0x00, 0x10);
  rig.fill(0x1000, {0xa5});
  rig.blit(256, 0x1000, 8, 1, 64, 0x80, 0x0d);
  CHECK((rig.at(256) == 0x9c && rig.at(257) == 0x10 && rig.at(263) == 0x9c));
  rig.blit(320, 0x1000, 8, 1, 64, 0x88, 0x0d);  // zeros leave what is there
  CHECK((rig.at(320) == 0x9c && rig.at(321) == 0));
}

TEST_CASE("cirrus: the processor writes a BitBLT's source") {
  for (const u32 window : {0xa0000u, kFrame, kFrame + (16u << 20)}) {
    Rig rig;
    rig.packed();
    rig.blit(0, 0, 5, 2, 64, 0x04, 0x0d);
    CHECK((rig.get(0x3ce, 0x31) & 1) == 1);
    rig.memory.write(window, 4, 0x44332211);
    rig.memory.write(window + 4, 4, 0x99999955);  // lines end with a doubleword
    // Saved and loaded between two lines.
    Archive save = Archive::saver();
    rig.vga.serialize(save);
    Rig other;
    Archive load = Archive::loader(save.bytes());
    other.vga.serialize(load);
    REQUIRE(load.ok());
    for (Rig* r : {&rig, &other}) {
      r->memory.write(window, 4, 0xddccbbaa);
      CHECK((r->get(0x3ce, 0x31) & 1) == 1);
      r->memory.write(window, 4, 0x999999ee);
      CHECK((r->get(0x3ce, 0x31) & 1) == 0);
      CHECK((r->at(0) == 0x11 && r->at(4) == 0x55 && r->at(5) == 0 && r->at(64) == 0xaa && r->at(68) == 0xee));
    }
    // The aperture is plain memory again after a while.
    for (unsigned n = 0; n < 70; ++n) rig.memory.write(kFrame + 0x2000 + n, 1, 0x42);
    CHECK(rig.memory.page(kFrame).write != nullptr);
    CHECK(rig.at(0x2000 + 69) == 0x42);
  }
}

TEST_CASE("cirrus: registers in BAR 1, at B8000h and at the end of the frame buffer") {
  Rig rig;
  rig.packed();
  rig.memory.write(kRegisters + 0x100 + 0x08, 2, 0x0123);
  CHECK((rig.get(0x3ce, 0x20) == 0x23 && rig.get(0x3ce, 0x21) == 0x01));
  rig.set(0x3c4, 0x17, 0x04);
  rig.memory.write(0xb8000 + 0x1a, 1, 0x59);
  CHECK(rig.get(0x3ce, 0x32) == 0x59);
  rig.set(0x3c4, 0x17, 0x44);
  rig.memory.write(kFrame + (4 << 20) - 256 + 0x1a, 1, 0x6d);
  CHECK(rig.get(0x3ce, 0x32) == 0x6d);
  rig.memory.write(kRegisters + 5, 1, 0x77);  // the VGA's ports: 3C5
  CHECK(rig.memory.read(kRegisters + 0x100 + 0x1a, 1) == 0x6d);
}

TEST_CASE("cirrus: pictures of 8 to 32 bits, with the cursor on them") {
  Rig rig;
  rig.packed();
  rig.out(0x3c8, 7);
  for (const u8 c : {63, 0, 21}) rig.out(0x3c9, c);
  rig.fill(64 * 3 + 2, {7});
  Picture p = rig.vga.render();
  REQUIRE((p.width == 64 && p.height == 32));
  const auto pixel = [&p](unsigned x, unsigned y) {
    const u8* c = &p.rgb[(std::size_t{y} * p.width + x) * 3];
    return u32{c[0]} << 16 | u32{c[1]} << 8 | c[2];
  };
  CHECK(pixel(2, 3) == 0xff0055);
  CHECK(pixel(3, 3) == 0);

  rig.set(0x3c4, 7, 7);  // 16 bits; 64 pixels take 128 bytes
  rig.set(0x3d4, 0x13, 16);
  rig.fill(128 * 3 + 4, {0x1f, 0x04});
  p = rig.vga.render();
  CHECK(pixel(2, 3) == 0x0800ff);  // 5-5-5
  for (unsigned n = 0; n < 4; ++n) rig.in(0x3c6);
  rig.out(0x3c6, 0xe1);
  p = rig.vga.render();
  CHECK(pixel(2, 3) == 0x0082ff);  // 5-6-5
  rig.set(0x3c4, 7, 9);            // 32 bits
  rig.set(0x3d4, 0x13, 32);
  rig.set(0x3d4, 0x0d, 64);  // from the second line on
  rig.fill(256 * 4 + 8, {0x56, 0x34, 0x12, 0xff});
  p = rig.vga.render();
  CHECK(pixel(2, 3) == 0x123456);

  // A cursor of 32 pixels: one of its colour, one that inverts.
  rig.set(0x3c4, 0x12, 2);
  rig.out(0x3c8, 15);
  for (const u8 c : {0, 63, 0}) rig.out(0x3c9, c);
  rig.set(0x3c4, 0x12, 1);
  rig.fill((4 << 20) - 16384, {0xc0});        // plane 0
  rig.fill((4 << 20) - 16384 + 128, {0x80});  // plane 1
  rig.set(0x3c4, 0x10 | 1 << 5, 0);           // x = 1
  rig.set(0x3c4, 0x11 | 3 << 5, 0);           // y = 3
  p = rig.vga.render();
  CHECK(pixel(1, 3) == 0x00ff00);
  CHECK(pixel(2, 3) == (0x123456 ^ 0xffffff));
  Surface surface;
  rig.vga.refresh(surface);
  rig.set(0x3c4, 0x10 | 2 << 5, 0);
  CHECK(rig.vga.refresh(surface) == std::vector<Rect>{{1, 3, 3, 1}});
}

TEST_CASE("cirrus: random accesses do no harm") {
  Rig rig;
  std::mt19937 random(5);
  Surface surface;
  for (unsigned n = 0; n < 300'000; ++n) {
    const u32 r = random();
    switch (r & 7) {
      case 0: rig.ports.write(static_cast<u16>(0x3b0 + (r >> 8) % 48), 1, r >> 16 & 0xff); break;
      case 1: (void)rig.in(static_cast<u16>(0x3b0 + (r >> 8) % 48)); break;
      case 2: rig.gr((r >> 8) & 0x3f, r >> 16 & 0xff); break;
      case 3: rig.set(0x3c4, r >> 8 & 0xff, r >> 16 & 0xff); break;
      case 4: rig.memory.write(0xa0000 + (r >> 8) % 0x20000, 1u << (r >> 5 & 1), random()); break;
      case 5: rig.memory.write(kFrame + (random() & 0x1ffffff), 4, random()); break;
      case 6: (void)rig.memory.read(kFrame + (random() & 0x1ffffff), 4); break;
      default: rig.memory.write(kRegisters + (r >> 8) % 4096, 2, r >> 16); break;
    }
    if (r % 4096 == 0) rig.gr(0x22, 0, 2);  // few lines, lest it takes long
    if (n % 20000 == 0) rig.vga.refresh(surface);
  }
}
