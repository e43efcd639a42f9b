// AddressSpace: ownership of pages, odd widths, DMA, and the watch on code lines.
#include "mmu/address_space.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
struct Wide : IoHandler {
  std::string log;
  u32 read(u64 offset, unsigned width) override {
    log += "r" + std::to_string(offset) + ":" + std::to_string(width) + " ";
    return 0x44332211;
  }
  void write(u64 offset, unsigned width, u32 value) override {
    log += "w" + std::to_string(offset) + ":" + std::to_string(width) + "=" + std::to_string(value) + " ";
  }
};

struct Listener : CodeListener {
  std::string log;
  void page_watched(u64 page) override { log += "watch" + std::to_string(page) + " "; }
  void code_written(u64 phys, unsigned bytes) override {
    log += "hit" + std::to_string(phys) + "+" + std::to_string(bytes) + " ";
  }
};
}  // namespace

TEST_CASE("RAM, ROM and nothing") {
  AddressSpace space;
  std::vector<u8> ram(8192), rom(4096, 0x5a);
  space.map_ram(0, 8192, ram.data());
  space.map_rom(0x2000, 4096, rom.data());
  space.write(0x1ffe, 4, 0xaabbccdd);  // its upper half falls into ROM
  CHECK(ram[0x1ffe] == 0xdd);
  CHECK(ram[0x1fff] == 0xcc);
  CHECK(rom[0] == 0x5a);
  CHECK(space.read(0x1ffe, 4) == 0x5a5accdd);
  CHECK(space.read(0x3000, 8) == ~u64{0});
  CHECK(space.read(u64{1} << 33, 4) == 0xffffffff);
}

TEST_CASE("reads and writes of a page can go to different places") {
  AddressSpace space;
  std::vector<u8> ram(4096), rom(4096, 1);
  space.map_split(0xf0000, 4096, rom.data(), ram.data());
  space.write(0xf0000, 1, 7);
  CHECK(space.read(0xf0000, 1) == 1);
  CHECK(ram[0] == 7);
}

TEST_CASE("a device that takes only doublewords sees only those") {
  AddressSpace space;
  Wide chip;
  space.map_io(0x10000, 4096, chip, 0x100, kWidth4);
  CHECK(space.read(0x10000, 8) == 0x4433221144332211);
  CHECK(space.read(0x10002, 1) == 0x33);
  space.write(0x10004, 8, 0x200000001);
  space.write(0x10001, 1, 1);
  CHECK(chip.log == "r256:4 r260:4 r256:4 w260:4=1 w264:4=2 ");
}

TEST_CASE("DMA crosses owners") {
  AddressSpace space;
  std::vector<u8> ram(8192), block(6000, 3), back(6000);
  space.map_ram(0x4000, 8192, ram.data());
  space.write_block(0x4100, block);
  space.read_block(0x4100, back);
  CHECK(back == block);
  space.read_block(0x5fff, {back.data(), 2});
  CHECK(back[1] == 0xff);
}

TEST_CASE("stores to watched lines are told before they happen") {
  AddressSpace space;
  std::vector<u8> ram(8192);
  Listener listener;
  space.map_ram(0, 8192, ram.data());
  space.code_watch().add_listener(listener);
  space.code_watch().watch(0x1010, 8);
  space.code_watch().watch(0x1018, 8);
  CHECK(listener.log == "watch1 ");
  space.write(0x1040, 4, 1);
  CHECK(listener.log == "watch1 ");
  space.write(0x103f, 1, 1);
  CHECK(listener.log == "watch1 hit4159+1 ");
  space.code_watch().forget_page(0x1000);
  space.write(0x1010, 1, 1);
  CHECK(listener.log == "watch1 hit4159+1 ");
}
