// Code that runs in many code segments: the JIT knows each as a context, and none may take another's translation.
#include <catch2/catch.hpp>

#include "tests/support/bare_cpu.h"
#include "tests/support/hot_jit.h"
#include "tests/support/side_by_side.h"

using namespace xlat;

namespace {

// At 7C00h: for each segment from 2000h down, call the same function at 20000h by another CS:IP, `rounds` times.
//   outer: mov bx,2000 / xor dx,dx / mov cx,segments
//   next:  mov [600],dx / mov [602],bx / push cx / call far [600] / pop cx / dec bx / add dx,16 / dec cx / jnz next
//          dec bp / jnz outer / hlt
//   function: mov cx,3 / again: add ax,cx / xor ax,3 / dec cx / jnz again / push cs / pop si / add di,si / retf
template <class EngineType>
struct Scene : test::BareMachine<EngineType> {
  Scene(u16 segments, u16 rounds) : test::BareMachine<EngineType>(1 << 20) {
    this->real16(0, 0x7c00, 0x7000);
    this->put(0x7c00, {0xbb,
                       0x00,
                       0x20,
                       0x31,
                       0xd2,
                       0xb9,
                       static_cast<u8>(segments),
                       static_cast<u8>(segments >> 8),
                       0x89,
                       0x16,
                       0x00,
                       0x06,
                       0x89,
                       0x1e,
                       0x02,
                       0x06,
                       0x51,
                       0xff,
                       0x1e,
                       0x00,
                       0x06,
                       0x59,
                       0x4b,
                       0x83,
                       0xc2,
                       0x10,
                       0x49,
                       0x75,
                       0xeb,
                       0x4d,
                       0x75,
                       0xe0,
                       0xf4});
    this->put(0x20000,
              {0xb9, 0x03, 0x00, 0x01, 0xc8, 0x83, 0xf0, 0x03, 0x49, 0x75, 0xf8, 0x0e, 0x5e, 0x01, 0xf7, 0xcb});
    CpuState& s = this->cpu.s;
    for (unsigned n = 0; n < 8; ++n) {
      if (n != kEsp) s.gpr[n] = 0;
    }
    s.gpr[kEbp] = rounds;
  }
};

}  // namespace

TEST_CASE("One function in hundreds of code segments: both engines agree") {
  Scene<Interp> a(500, 4);
  Scene<test::HotJit> b(500, 4);
  test::run_side_by_side(a, b, 997);
}

TEST_CASE("A block that has run in more contexts than it has translations for is translated ever more rarely") {
  Scene<test::HotJit> m(4000, 10);
  m.run(10'000'000);
  CHECK(m.cpu.s.halted);
  // Four blocks in 4,000 contexts, ten times over: without patience 160,000 translations.
  CHECK(m.interp.counters().translated < 2000);
}
