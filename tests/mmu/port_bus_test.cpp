// PortBus: widths are split for handlers that do not take them, unmapped ports float high.
#include "mmu/port_bus.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
struct Recorder : IoHandler {
  std::string log;
  u32 answer = 0;
  u32 read(u64 offset, unsigned width) override {
    log += fmt(offset, width) + " ";
    return answer + static_cast<u32>(offset);
  }
  void write(u64 offset, unsigned width, u32 value) override {
    log += fmt(offset, width) + "=" + std::to_string(value) + " ";
  }
  static std::string fmt(u64 offset, unsigned width) { return std::to_string(offset) + ":" + std::to_string(width); }
};
}  // namespace

TEST_CASE("ports nobody answers read as all ones") {
  PortBus bus;
  CHECK(bus.read(0x123, 1) == 0xff);
  CHECK(bus.read(0x123, 2) == 0xffff);
  CHECK(bus.read(0x123, 4) == 0xffffffff);
  bus.write(0x123, 4, 5);
}

TEST_CASE("wide accesses of a byte device are split, low part first") {
  PortBus bus;
  Recorder chip;
  chip.answer = 0x10;
  bus.map(0x60, 4, chip);
  CHECK(bus.read(0x60, 4) == 0x13121110);
  CHECK(chip.log == "0:1 1:1 2:1 3:1 ");
  chip.log.clear();
  bus.write(0x61, 2, 0x0302);
  CHECK(chip.log == "1:1=2 2:1=3 ");
}

TEST_CASE("an access over the end of a device reaches both neighbours") {
  PortBus bus;
  Recorder chip;
  bus.map(0x70, 2, chip, kWidthsAll);
  CHECK(bus.read(0x71, 2) == 0xff01);
  CHECK(chip.log == "1:1 ");
  CHECK(bus.read(0x70, 2) == 0);
}

TEST_CASE("the port space wraps and mappings can be removed") {
  PortBus bus;
  Recorder low, high;
  bus.map(0, 1, low);
  bus.map(0xffff, 1, high);
  low.answer = 1;
  high.answer = 2;
  CHECK(bus.read(0xffff, 2) == 0x0102);
  bus.unmap(low);
  CHECK(bus.read(0, 1) == 0xff);
}

TEST_CASE("a handler that was hidden answers again when the one over it goes") {
  PortBus bus;
  Recorder fixed, bar, newer;
  bus.map(0x60, 4, fixed);
  bus.map(0x60, 2, bar);
  bus.map(0x61, 1, newer);
  fixed.answer = 0x10, bar.answer = 0x20, newer.answer = 0x30;
  bus.unmap(bar);
  CHECK(bus.read(0x60, 4) == 0x13123010);
  bus.unmap(newer);
  CHECK(bus.read(0x61, 1) == 0x11);
}
