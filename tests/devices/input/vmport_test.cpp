// VMware's backdoor and its pointer, with registers of our own in place of a processor's.
#include "devices/input/vmport.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {

using enum VmPortRegisters::Register;

struct Registers final : VmPortRegisters {
  u32 value[6] = {};
  unsigned cpl = 0;
  u32 get(Register which) const override { return value[which]; }
  void set(Register which, u32 v) override { value[which] = v; }
  unsigned privilege_level() const override { return cpl; }
};

struct Rig {
  PortBus ports;
  Registers regs;
  InputHub hub;
  int announced = 0;
  VmPort port{ports, regs, hub, [this] { ++announced; }, u64{64} << 20};

  // IN EAX, DX as a driver does it.
  u32 call(u32 command, u32 argument = 0) {
    regs.value[kEax] = VmPort::kMagic, regs.value[kEbx] = argument;
    regs.value[kEcx] = command, regs.value[kEdx] = VmPort::kPort;
    return regs.value[kEax] = ports.read(VmPort::kPort, 4);
  }
  void enable(u32 mode) {
    call(41, VmMouse::kReadId);
    call(39, 1);
    call(41, mode);
  }
};

PointerPosition at(u16 x, u16 y) { return {x, y, 640, 480}; }

}  // namespace

TEST_CASE("vmport: version and memory, and nobody without the magic number", "[input]") {
  Rig r;
  CHECK(r.call(10) == 6);
  CHECK(r.regs.value[kEbx] == 0x564d5868);
  CHECK(r.call(0x14) == 64 << 20);
  CHECK(r.call(0xabcd000a) == 6);  // bits 31:16 of ECX are of another use
  CHECK(r.call(99) == 0xffffffff);
  r.regs.value[kEax] = 1;
  CHECK(r.ports.read(VmPort::kPort, 4) == 0xffffffff);
  CHECK(r.ports.read(VmPort::kPort, 1) == 0xff);
  CHECK(r.ports.read(VmPort::kPort + 1, 1) == 0xff);
  r.call(10);
  r.regs.value[kEax] = VmPort::kMagic, r.regs.value[kEcx] = 10;
  r.ports.write(VmPort::kPort, 4, 0);
  CHECK(r.regs.value[kEax] == 6);
}

TEST_CASE("vmport: positions once the driver has asked for them", "[input]") {
  Rig r;
  CHECK(r.call(40) == 0xffff0000);
  r.hub.point(at(100, 100), 0, 0);
  CHECK_FALSE(r.hub.absolute());
  r.call(41, VmMouse::kReadId);
  CHECK(r.call(40) == 1);
  CHECK(r.call(39, 1) == VmMouse::kVersion);
  r.call(41, VmMouse::kAbsolute);
  CHECK(r.hub.absolute());
  CHECK(r.hub.pointers()[0].name == "vmmouse");
  r.hub.point(at(32767, 16384), -1, kLeftButton | kMiddleButton);
  CHECK(r.announced == 1);
  CHECK(r.call(40) == 4);
  CHECK(r.call(39, 4) == 0x28);
  CHECK(r.regs.value[kEbx] == 0xffff);
  CHECK(r.regs.value[kEcx] == 0x8000);
  CHECK(r.regs.value[kEdx] == 0xffffffff);
  r.hub.point(at(1, 2), 0, kRightButton);
  CHECK(r.call(39, 6) == 0xffff0000);  // more than there is
  CHECK(r.call(40) == 0xffff0000);
  CHECK_FALSE(r.hub.absolute());
  r.enable(VmMouse::kAbsolute);
  CHECK(r.hub.absolute());
  r.call(41, VmMouse::kDisable);
  CHECK_FALSE(r.hub.absolute());
}

TEST_CASE("vmport: motion, a full queue, and the kernel alone", "[input]") {
  Rig r;
  r.enable(VmMouse::kRelative);
  CHECK_FALSE(r.hub.absolute());
  r.hub.move(-3, 4, 0, kRightButton);
  CHECK(r.call(39, 4) == 0x10010);
  CHECK(r.regs.value[kEbx] == 0xfffffffd);
  CHECK(r.regs.value[kEcx] == 4);
  for (int n = 0; n < 1000; ++n) r.hub.move(n, 0, 0, 0);
  CHECK(r.call(40) == 1024);
  r.call(41, VmMouse::kReadId);
  CHECK(r.call(40) == 1024);
  r.call(86, 1);
  r.regs.cpl = 3;
  CHECK(r.call(40) == 0xffffffff);
  CHECK(r.call(10) == 6);
  r.regs.cpl = 0;
  CHECK(r.call(40) == 1024);
}

TEST_CASE("vmport: saved with what waits", "[input]") {
  Rig r;
  r.enable(VmMouse::kAbsolute);
  r.hub.point(at(0, 0), 0, kLeftButton);
  auto saved = Archive::saver();
  r.port.serialize(saved);
  Rig other;
  auto loader = Archive::loader(saved.bytes());
  other.port.serialize(loader);
  REQUIRE((loader.ok() && loader.at_end()));
  CHECK(other.hub.absolute());
  CHECK(other.call(39, 4) == 0x20);
  other.port.reset();
  CHECK_FALSE(other.hub.absolute());
}
