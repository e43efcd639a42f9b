// Code in a device's memory, which the device may change without a store to the page: it runs as it is at that moment.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"

using namespace xlat;
using test::BareCpu;

namespace {

constexpr u32 kCode = 0x8000, kDevice = 0x1000000, kOtherWindow = 0x1100000;

// Memory behind registers: it counts reads.
struct Handler final : IoHandler {
  explicit Handler(std::vector<u8>& memory) : bytes(memory) {}
  u32 read(u64 offset, unsigned width) override {
    ++reads;
    u32 value = 0;
    for (unsigned n = 0; n < width; ++n) value |= u32{bytes[offset + n]} << (8 * n);
    return value;
  }
  void write(u64 offset, unsigned width, u32 value) override {
    for (unsigned n = 0; n < width; ++n) bytes[offset + n] = static_cast<u8>(value >> (8 * n));
  }
  std::vector<u8>& bytes;
  unsigned reads = 0;
};

// mov ecx,40 / again: mov [esi],cl / call edi / add ebx,eax / dec ecx / jnz again / hlt
void call_rewritten(BareCpu& m, u32 function, u32 patched) {
  m.flat32(kCode, 0x20000);
  m.put(kCode, {0xb9, 40, 0, 0, 0, 0x88, 0x0e, 0xff, 0xd7, 0x01, 0xc3, 0x49, 0x75, 0xf7, 0xf4});
  m.cpu.s.gpr[kEbx] = 0;
  m.cpu.s.gpr[kEdi] = function;
  m.cpu.s.gpr[kEsi] = patched;
  m.run(1000);
  CHECK(m.cpu.s.halted);
  CHECK(m.cpu.s.reg32(kEbx) == 40 * 41 / 2);
}

const std::vector<u8> kFunction = {0xb8, 0, 0, 0, 0, 0xc3};  // mov eax,imm / ret

}  // namespace

TEST_CASE("A function in a device's memory is rewritten through its own window or another, and runs as it is") {
  for (const bool registers : {false, true}) {
    for (const bool other_window : {false, true}) {
      BareCpu m;
      std::vector<u8> vram(8192);
      Handler handler(vram);
      registers ? m.memory.map_io(kDevice, 8192, handler) : m.memory.map_device_ram(kDevice, 8192, vram.data());
      m.memory.map_io(kOtherWindow, 8192, handler);
      std::copy(kFunction.begin(), kFunction.end(), vram.begin() + 0x100);
      call_rewritten(m, kDevice + 0x100, (other_window ? kOtherWindow : kDevice) + 0x101);
    }
  }
}

TEST_CASE("An instruction over a page of RAM and one of a device runs as both are at that moment") {
  for (const bool device_first : {false, true}) {
    BareCpu m;
    std::vector<u8> vram(4096);
    Handler handler(vram);
    // Four bytes in the first page, two in the second. What is patched is the last byte of the first page, or the
    // first of the second, whichever is the device's: byte 3 or byte 4 of the instruction's immediate.
    const u32 border = 0x100000, device = device_first ? border - 4096 : border;
    m.memory.map_device_ram(device, 4096, vram.data());
    m.memory.map_io(kOtherWindow, 4096, handler);
    m.put(border - (device_first ? 2 : 1), kFunction);
    call_rewritten(m, border - (device_first ? 2 : 1), kOtherWindow + (device_first ? 4095 : 0));
  }
}

TEST_CASE("Fetching from a device's registers reads no further than an instruction may go") {
  BareCpu m;
  std::vector<u8> bytes(4096, 0x90);
  bytes[1] = 0xf4;
  Handler handler(bytes);
  m.memory.map_io(kDevice, 4096, handler);
  m.flat32(kDevice, 0x20000);
  m.run(2);
  CHECK(m.cpu.s.halted);
  CHECK(handler.reads <= 2 * 15);
}

TEST_CASE("An instruction in a device's memory may change the one right behind it") {
  BareCpu m;
  std::vector<u8> vram(4096);
  m.memory.map_device_ram(kDevice, 4096, vram.data());
  m.put(kDevice, {0xc6, 0x05, 0x07, 0, 0, 1, 0x40, 0x90, 0xf4});  // mov byte [behind],40 / behind: nop (inc eax) / hlt
  m.flat32(kDevice, 0x20000);
  m.cpu.s.gpr[kEax] = 0;
  m.run(10);
  CHECK(m.cpu.s.halted);
  CHECK(m.cpu.s.reg32(kEax) == 1);
}
