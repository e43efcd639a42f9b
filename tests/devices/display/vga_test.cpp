// VGA registers, planes and screens through ports and memory.
#include "devices/display/vga.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/vga_mode3.h"

using namespace xlat;

namespace {

struct Rig {
  Clock clock;
  PortBus ports;
  AddressSpace memory;
  PciBus pci{ports, memory};
  Vga vga{clock, std::vector<u8>(4096, 0x55)};

  Rig() {
    vga.map_ports(ports);
    memory.map_io(0xa0000, 0x20000, vga.legacy_window());
    pci.add(2, 0, vga);
  }
  void out(u16 port, u8 v) { ports.write(port, 1, v); }
  u8 in(u16 port) { return static_cast<u8>(ports.read(port, 1)); }
  void seq(u8 i, u8 v) { out(0x3c4, i), out(0x3c5, v); }
  void gfx(u8 i, u8 v) { out(0x3ce, i), out(0x3cf, v); }
  void crtc(u8 i, u8 v) { out(0x3d4, i), out(0x3d5, v); }
  u8 get_crtc(u8 i) { return out(0x3d4, i), in(0x3d5); }
  void dispi(u16 i, u16 v) { ports.write(0x1ce, 2, i), ports.write(0x1cf, 2, v); }
  u16 get_dispi(u16 i) { return ports.write(0x1ce, 2, i), static_cast<u16>(ports.read(0x1cf, 2)); }
  void config(u8 reg, u32 value) {
    ports.write(0xcf8, 4, 0x80001000u | reg);
    ports.write(0xcfc, 4, value);
  }
  u8 peek(u32 a) { return static_cast<u8>(memory.read(a, 1)); }
  void poke(u32 a, u8 v) { memory.write(a, 1, v); }
  // Planar mode at A0000, all planes enabled.
  void planar() {
    out(0x3c2, 0x63);
    seq(2, 0x0f);
    seq(4, 0x06);
    gfx(5, 0);
    gfx(6, 5);
    gfx(8, 0xff);
  }
};

}  // namespace

TEST_CASE("vga: reserved bits, CRTC protection, attribute flip-flop") {
  Rig rig;
  CHECK(rig.in(0x3d5) == 0xff);  // MISC bit 0 clear: the CRTC is at 3B5
  rig.out(0x3c2, 0x67);
  CHECK(rig.in(0x3cc) == 0x67);
  CHECK(rig.in(0x3b5) == 0xff);
  rig.seq(1, 0xff);
  CHECK(rig.in(0x3c5) == 0x3d);
  rig.crtc(0, 0x5f);
  rig.crtc(0x11, 0x80);
  rig.crtc(0, 0x11);
  rig.crtc(7, 0xff);
  CHECK(rig.get_crtc(0) == 0x5f);
  CHECK(rig.get_crtc(7) == 0x10);
  rig.in(0x3da);
  rig.out(0x3c0, 0x10);
  rig.out(0x3c0, 0x0c);
  rig.out(0x3c0, 0x03);
  rig.out(0x3c0, 0x15);
  rig.in(0x3da);
  rig.out(0x3c0, 0x10);
  CHECK(rig.in(0x3c1) == 0x0c);
  rig.in(0x3da);
  rig.out(0x3c0, 0x23);  // PAS: the palette is closed
  rig.out(0x3c0, 0x3f);
  CHECK(rig.in(0x3c1) == 0x15);
}

TEST_CASE("vga: DAC") {
  Rig rig;
  rig.out(0x3c8, 7);
  for (u8 v : {1, 2, 0xff, 4}) rig.out(0x3c9, v);
  CHECK(rig.in(0x3c8) == 8);
  CHECK(rig.in(0x3c7) == 0);
  rig.out(0x3c7, 7);
  CHECK(rig.in(0x3c7) == 3);
  CHECK(rig.in(0x3c9) == 1);
  CHECK(rig.in(0x3c9) == 2);
  CHECK(rig.in(0x3c9) == 0x3f);
  CHECK(rig.in(0x3c9) == 4);
}

TEST_CASE("vga: retrace follows virtual time") {
  Rig rig;
  test::enter_mode3(rig.ports, rig.memory);
  u64 vertical = 0, disabled = 0;
  const unsigned samples = 100'000;
  for (unsigned i = 0; i < samples; ++i) {
    rig.clock.skip_to(rig.clock.now() + 1427);
    const u8 s = rig.in(0x3da);
    vertical += (s & 8) != 0;
    disabled += s & 1;
  }
  CHECK(vertical > 0);
  CHECK(vertical < samples / 50);
  CHECK(disabled > samples / 4);
  CHECK(disabled < samples / 2);
}

TEST_CASE("vga: write modes and read modes") {
  Rig rig;
  rig.planar();
  rig.poke(0xa0010, 0xa5);
  CHECK(rig.peek(0xa0010) == 0xa5);
  rig.seq(2, 0x02);
  rig.poke(0xa0010, 0x3c);
  rig.gfx(4, 1);
  CHECK(rig.peek(0xa0010) == 0x3c);
  rig.gfx(4, 2);
  CHECK(rig.peek(0xa0010) == 0xa5);
  rig.seq(2, 0x0f);
  rig.gfx(3, 0x18 | 4);  // XOR, rotate by 4
  rig.poke(0xa0010, 0x0f);
  CHECK(rig.peek(0xa0010) == (0xa5 ^ 0xf0));
  rig.gfx(3, 0);
  rig.gfx(0, 0x05);
  rig.gfx(1, 0x0f);  // set/reset
  rig.gfx(8, 0x0f);  // low bits only
  rig.poke(0xa0020, 0xff);
  rig.gfx(4, 0);
  rig.gfx(1, 0);
  rig.gfx(8, 0xff);
  rig.peek(0xa0020);
  rig.gfx(5, 1);  // write mode 1 copies the latches
  rig.poke(0xa0021, 0);
  rig.gfx(5, 2);  // write mode 2
  rig.poke(0xa0022, 0x06);
  rig.gfx(5, 3);  // write mode 3
  rig.gfx(0, 0x01);
  rig.peek(0xa0030);
  rig.poke(0xa0030, 0x81);
  rig.gfx(5, 0);
  for (u8 plane = 0; plane < 4; ++plane) {
    rig.gfx(4, plane);
    const bool low = plane == 0 || plane == 2;
    // Bits outside the mask came from the latches, loaded by the last read.
    CHECK((rig.peek(0xa0021) & 0x0f) == (low ? 0x0f : 0));
    CHECK(rig.peek(0xa0022) == (plane == 1 || plane == 2 ? 0xff : 0));
    CHECK(rig.peek(0xa0030) == (plane == 0 ? 0x81 : 0));
  }
  rig.gfx(5, 8);  // read mode 1: where planes equal the compare value
  rig.gfx(2, 0x06);
  rig.gfx(7, 0x0f);
  CHECK(rig.peek(0xa0022) == 0xff);
  CHECK(rig.peek(0xa0030) == 0);
}

TEST_CASE("vga: windows, chain-4 and odd/even") {
  Rig rig;
  rig.planar();
  rig.gfx(6, 0x0d);  // B8000
  CHECK(rig.peek(0xa0000) == 0xff);
  rig.poke(0xb8000, 0x12);
  CHECK(rig.vga.memory()[0] == 0x12);
  rig.seq(4, 0x02);
  rig.poke(0xb8003, 0x34);
  CHECK(rig.vga.memory()[2 * 4 + 1] == 0x34);
  CHECK(rig.vga.memory()[2 * 4 + 3] == 0x34);
  CHECK(rig.vga.memory()[2 * 4] == 0);
  rig.gfx(6, 5);
  rig.seq(4, 0x0e);
  rig.memory.write(0xa0104, 4, 0x44332211);
  CHECK(rig.memory.read(0xa0104, 4) == 0x44332211);
  CHECK(rig.vga.memory()[0x104 * 4 + 2] == 0x33);
}

TEST_CASE("vga: text screen") {
  Rig rig;
  test::enter_mode3(rig.ports, rig.memory);
  CHECK(rig.vga.text_mode());
  CHECK(rig.vga.text_columns() == 80);
  CHECK(rig.vga.text_rows() == 25);
  rig.memory.write(0xb8000 + 2 * (3 * 80 + 5), 2, 0x1e48);
  rig.memory.write(0xb8000 + 2 * (3 * 80 + 6), 2, 0x1e69);
  CHECK(rig.vga.text_cell(3, 5).character == 'H');
  CHECK(rig.vga.text_cell(3, 5).attribute == 0x1e);
  CHECK(rig.vga.text().find("\n     Hi\n") != std::string::npos);
  CHECK(rig.vga.text_cell(99, 200).character == ' ');
  rig.crtc(0x0f, 245);
  CHECK(rig.vga.text_cursor().row == 3);
  CHECK(rig.vga.text_cursor().column == 5);
  CHECK(rig.vga.text_cursor().visible);
  rig.crtc(0x0d, 80);  // start address: one row up
  CHECK(rig.vga.text_cell(2, 5).character == 'H');
  // A solid glyph shows as foreground, in 9-pixel cells.
  rig.crtc(0x0d, 0);
  rig.seq(4, 0x06);
  rig.seq(2, 0x04);
  rig.gfx(5, 0);
  rig.gfx(6, 4);
  for (unsigned i = 0; i < 16; ++i) rig.poke(0xa0000 + 'H' * 32 + i, 0xff);
  const Picture p = rig.vga.render();
  CHECK(p.width == 720);
  CHECK(p.height == 400);
  const auto pixel = [&](unsigned x, unsigned y) { return &p.rgb[(y * p.width + x) * 3]; };
  CHECK(pixel(45, 48)[0] == 255);  // yellow
  CHECK(pixel(45, 48)[1] == 255);
  CHECK(pixel(45, 48)[2] > 60);
  CHECK(pixel(53, 48)[0] == 0);  // ninth dot: background, blue
  CHECK(pixel(53, 48)[2] > 100);
}

TEST_CASE("vga: 256-colour and 16-colour graphics pictures") {
  Rig rig;
  test::enter_mode3(rig.ports, rig.memory);
  rig.crtc(0x11, 0x0e);
  rig.crtc(0x09, 0x41);
  rig.crtc(0x14, 0x40);
  rig.crtc(0x17, 0xa3);
  rig.gfx(5, 0x40);
  rig.gfx(6, 0x05);
  rig.seq(2, 0x0f);
  rig.seq(4, 0x0e);
  rig.out(0x3c8, 200);
  for (u8 v : {63, 0, 21}) rig.out(0x3c9, v);
  rig.poke(0xa0000 + 320 * 10 + 33, 200);
  Picture p = rig.vga.render();
  CHECK(p.width == 640);
  CHECK(p.height == 400);
  CHECK(p.rgb[(20 * 640 + 66) * 3] == 255);
  CHECK(p.rgb[(21 * 640 + 67) * 3 + 2] == 85);
  CHECK(p.rgb[(22 * 640 + 67) * 3] != 255);

  rig.seq(4, 0x06);
  rig.gfx(5, 0);
  rig.crtc(0x09, 0x40);
  rig.crtc(0x14, 0);
  rig.crtc(0x17, 0xe3);
  rig.poke(0xa0000 + 80 * 7 + 2, 0x40);
  p = rig.vga.render();
  CHECK(p.rgb[(7 * 640 + 17) * 3] == 255);
  CHECK(p.rgb[(7 * 640 + 16) * 3] == 0);
}

TEST_CASE("vga: VBE through dispi, linear frame buffer and banks") {
  Rig rig;
  CHECK(rig.get_dispi(0) == 0xb0c5);
  CHECK(rig.get_dispi(10) == 256);
  rig.config(0x10, 0xe0000000);
  rig.config(0x18, 0xe1000000);
  rig.config(0x30, 0xe1010001);
  rig.config(0x04, 3);
  CHECK(rig.memory.read(0xe1010000, 2) == 0x5555);
  rig.dispi(4, 2);
  CHECK(rig.get_dispi(1) == 16000);
  rig.dispi(4, 0);
  rig.dispi(1, 640);
  rig.dispi(2, 480);
  rig.dispi(3, 32);
  rig.memory.write(0xe0000000, 4, 0x123456);
  rig.dispi(4, 0x41);
  CHECK(rig.memory.read(0xe0000000, 4) == 0);
  CHECK(rig.get_dispi(6) == 640);
  CHECK(rig.memory.read(0xe1000502, 2) == 640);
  CHECK(rig.memory.read(0xe1000600, 4) == 8);
  rig.memory.write(0xe0000000 + (100 * 640 + 7) * 4, 4, 0x00a1b2c3);
  Picture p = rig.vga.render();
  REQUIRE(p.width == 640);
  CHECK(p.rgb[(100 * 640 + 7) * 3] == 0xa1);
  CHECK(p.rgb[(100 * 640 + 7) * 3 + 2] == 0xc3);
  rig.dispi(9, 100);
  p = rig.vga.render();
  CHECK(p.rgb[7 * 3 + 1] == 0xb2);
  rig.out(0x3c2, 0x67);
  rig.gfx(6, 5);
  rig.dispi(5, 3);
  rig.poke(0xa0010, 0x77);
  CHECK(rig.memory.read(0xe0030010, 1) == 0x77);
  rig.dispi(1, 16000);  // refused while on
  CHECK(rig.get_dispi(1) == 640);
  rig.dispi(4, 0);
  rig.dispi(1, 16000);
  rig.dispi(2, 12000);
  rig.dispi(4, 0xc1);
  CHECK(rig.vga.render().rgb.empty());  // does not fit into the memory
}

TEST_CASE("vga: saved and loaded; random accesses do no harm") {
  Rig rig;
  test::enter_mode3(rig.ports, rig.memory);
  rig.poke(0xb8000, 'x');
  Archive save = Archive::saver();
  rig.vga.serialize(save);
  Rig other;
  Archive load = Archive::loader(save.bytes());
  other.vga.serialize(load);
  CHECK(load.ok());
  CHECK(other.vga.text().front() == 'x');
  u32 seed = 5;
  const auto random = [&] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
  for (int i = 0; i < 200'000; ++i) {
    const u16 port = static_cast<u16>(random() % 4 ? 0x3b0 + random() % 0x30 : 0x1ce + random() % 3);
    if (random() % 3) {
      rig.ports.write(port, 1 + random() % 2, random());
    } else {
      rig.ports.read(port, 1);
    }
    rig.memory.write(0xa0000 + random() % 0x20000, 4, random());
    rig.memory.read(0xa0000 + random() % 0x20000, 4);
    if (i % 5000 == 0) (void)rig.vga.render(), (void)rig.vga.text(), (void)rig.vga.text_cursor();
  }
  SUCCEED();
}
