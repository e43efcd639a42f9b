// Guests that write their own code: into the running block, just ahead, into other functions, by every kind of store,
// under single step and over pages. The tested engine and the interpreter must agree on everything.
#include <catch2/catch.hpp>
#include <random>

#include "tests/support/bare_cpu.h"
#include "tests/support/compared_engine.h"

using namespace xlat;
using test::BareMachine;
using test::ComparedEngine;

namespace {

constexpr u32 kCode = 0x8000, kFunction = 0x9000, kStack = 0x20000;

// Runs `program` at kCode on both engines until it halts; `check` sees each machine.
void both(auto set_up, auto check, u64 most = 10'000'000) {
  const auto run = [&](auto& m) {
    m.flat32(kCode, kStack);
    set_up(m);
    m.run(most);
    CHECK(m.cpu.s.halted);
    check(m);
  };
  BareMachine<Interp> a;
  BareMachine<ComparedEngine> b;
  run(a);
  run(b);
  CHECK(a.clock.count() == b.clock.count());
  CHECK(a.state() == b.state());
  const bool same_ram = a.ram == b.ram;  // not in CHECK, which would print megabytes
  CHECK(same_ram);
}

// A thousand rounds and one of a loop over ECX that changes EAX, which begins at 100.
auto thousand_rounds(std::vector<u8> loop) {
  return [loop](auto& m) {
    m.put(kCode, loop);
    m.cpu.s.gpr[kEcx] = 1001;
    m.cpu.s.gpr[kEax] = 100;
  };
}

auto eax_is(u32 value) {
  return [value](auto& m) { CHECK(m.cpu.s.reg32(kEax) == value); };
}

}  // namespace

TEST_CASE("a function rewritten before each call runs as it was last written") {
  // mov [f+1],ecx / call f / add ebx,eax / dec ecx / jnz / mov eax,ebx / hlt;  f: mov eax,imm / ret
  both(
      [](auto& m) {
        m.put(kCode,
              {0x89, 0x0d, 0x01, 0x90, 0, 0, 0xe8, 0xf5, 0x0f, 0, 0, 0x01, 0xc3, 0x49, 0x75, 0xf0, 0x89, 0xd8, 0xf4});
        m.put(kFunction, {0xb8, 0, 0, 0, 0, 0xc3});
        m.cpu.s.gpr[kEcx] = 20'000;
        m.cpu.s.gpr[kEbx] = 0;
      },
      eax_is(20'000 * 20'001 / 2));
}

TEST_CASE("a store changes the instruction behind it, in each round of a loop") {
  // again: xor byte [x],8 / x: inc eax or dec eax / dec ecx / jnz again / hlt
  both(thousand_rounds({0x80, 0x35, 0x07, 0x80, 0, 0, 0x08, 0x40, 0x49, 0x75, 0xf5, 0xf4}), eax_is(99));
}

TEST_CASE("a store changes an instruction before it, which runs changed in the next round") {
  // again: inc eax or dec eax / xor byte [again],8 / dec ecx / jnz again / hlt
  both(thousand_rounds({0x40, 0x80, 0x35, 0x00, 0x80, 0, 0, 0x08, 0x49, 0x75, 0xf5, 0xf4}), eax_is(101));
}

TEST_CASE("a store changes its own instruction, which ends as it began") {
  // mov dword [self+6],imm: the immediate of the running instruction
  both(
      [](auto& m) {
        m.put(kCode, {0xc7, 0x05, 0x06, 0x80, 0, 0, 0x11, 0x22, 0x33, 0x44, 0xa1, 0x06, 0x80, 0, 0, 0xf4});
      },
      eax_is(0x44332211));
}

TEST_CASE("stores of every kind to code are noticed") {
  struct Kind {
    const char* name;
    std::initializer_list<u8> store;  // writes 48h (dec eax) to the byte EDI points to
  };
  static const Kind kKinds[] = {
      {"mov", {0xc6, 0x07, 0x48}},
      {"mov word", {0x66, 0xc7, 0x07, 0x48, 0xc3}},
      {"mov dword", {0xc7, 0x07, 0x48, 0xc3, 0x90, 0x90}},
      {"xor", {0x80, 0x37, 0x08}},
      {"stosb", {0xb0, 0x48, 0xaa}},
      {"rep stosb", {0xb0, 0x48, 0xb9, 1, 0, 0, 0, 0xf3, 0xaa}},
      {"rep movsb", {0xbe, 0x00, 0xa0, 0, 0, 0xb9, 2, 0, 0, 0, 0xf3, 0xa4}},
      {"rep movsd", {0xbe, 0x00, 0xa0, 0, 0, 0xb9, 1, 0, 0, 0, 0xf3, 0xa5}},
      {"xchg", {0xb3, 0x48, 0x86, 0x1f}},
      {"cmpxchg", {0xb0, 0x40, 0xb3, 0x48, 0x0f, 0xb0, 0x1f}},
      {"or by bts", {0x0f, 0xba, 0x2f, 0x03}},
      {"push", {0x89, 0xe6, 0x8d, 0x67, 0x04, 0x68, 0x48, 0xc3, 0x90, 0x90, 0x89, 0xf4}},
      {"pop", {0x68, 0x48, 0xc3, 0x90, 0x90, 0x8f, 0x07}},
      {"sete", {0x31, 0xdb, 0xb3, 0x47, 0x88, 0x1f, 0xfe, 0x07}},
      {"fistp", {0x68, 0x48, 0xc3, 0x90, 0x90, 0xdb, 0x04, 0x24, 0xdb, 0x1f, 0x58}},
      {"movd", {0xbb, 0x48, 0xc3, 0x90, 0x90, 0x0f, 0x6e, 0xc3, 0x0f, 0x7e, 0x07, 0x0f, 0x77}},
      {"across lines", {0x8d, 0x7f, 0xfe, 0xc7, 0x07, 0x90, 0x90, 0x48, 0xc3}},
  };
  for (const Kind& kind : kKinds) {
    // At the start of a line, so that "across lines" is; called often, so that it is translated.
    for (const u32 function : {0x9040u, 0x9ffeu}) {
      INFO(kind.name << ", function at " << std::hex << function);
      both(
          [&](auto& m) {
            m.cpu.s.fpu.control = 0x37f;
            m.cpu.s.fpu.tag = 0xffff;
            m.put(function, {0x40, 0xc3, 0x90, 0x90});
            m.put(0xa000, {0x48, 0xc3, 0x90, 0x90});
            if (function == 0x9ffe) m.put(0xa000, {0x90, 0xc3, 0x90, 0xc3});
            // mov eax,10 ; mov ecx,40 ; mov edi,f ; l: call edi ; loop l
            std::vector<u8> code = {0xb9, 40, 0, 0, 0, 0xbf, 0, 0, 0, 0, 0xb8, 10, 0, 0, 0, 0xff, 0xd7, 0xe2, 0xfc};
            store_le_n(&code[6], 4, function);
            // mov edi,f ; mov ebp,eax ; the store ; mov eax,ebp ; mov edi,f ; call edi ; hlt
            code.insert(code.end(), {0x89, 0xc5});
            code.insert(code.end(), kind.store);
            code.insert(code.end(), {0x89, 0xe8, 0xbf, 0, 0, 0, 0});
            store_le_n(&code[code.size() - 4], 4, function);
            code.insert(code.end(), {0xff, 0xd7, 0xf4});
            m.put(kCode, code);
          },
          [&](auto& m) {
            // What is copied from A000 cannot be at A000 when the function reaches to there.
            if (function == 0x9040) CHECK(m.cpu.s.reg32(kEax) == 49);
          });
    }
  }
}

TEST_CASE("code that a device or debugger writes is not run from memory of old") {
  both(
      [](auto& m) {
        m.put(kCode, {0xb9, 40, 0, 0, 0, 0x40, 0xe2, 0xfd, 0xf4});
        m.run(200);
        m.cpu.s.halted = false;
        m.put(kCode + 5, {0x48});
        m.cpu.s.ip = kCode;
        m.cpu.s.gpr[kEax] = 100;
      },
      eax_is(60));
}

TEST_CASE("two linear addresses of a page of code: a store through one is seen through the other") {
  both(
      [](auto& m) {
        for (u32 page = 0; page < 1024; ++page) m.put32(0x2000 + 4 * page, page << 12 | 7);
        m.put32(0x2000 + 4 * 0x30, kFunction | 7);  // 30000 leads to the function's page as well
        m.put32(0x1000, 0x2000 | 7);
        m.cpu.s.cr3 = 0x1000;
        m.cpu.write_cr0(m.cpu.s.cr0 | kCr0Pg);
        // again: mov [30001],ecx / call 9000 / mov esi,30000 / call esi / add ebx,eax / dec ecx / jnz / mov eax,ebx /
        // hlt
        m.put(kCode, {0x89, 0x0d, 0x01, 0x00, 0x03, 0,    0xe8, 0xf5, 0x0f, 0,    0,    0xbe, 0x00,
                      0x00, 0x03, 0,    0xff, 0xd6, 0x01, 0xc3, 0x49, 0x75, 0xe9, 0x89, 0xd8, 0xf4});
        m.put(kFunction, {0xb8, 0, 0, 0, 0, 0xc3});
        m.cpu.s.gpr[kEcx] = 500;
        m.cpu.s.gpr[kEbx] = 0;
      },
      eax_is(500 * 501 / 2));
}

TEST_CASE("budgets that end anywhere in code that rewrites itself lead to the same state") {
  const auto machine = [](auto& m) {
    m.flat32(kCode, kStack);
    m.put(kCode, {0x80, 0x35, 0x07, 0x80, 0, 0, 0x08, 0x40, 0x49, 0x75, 0xf5, 0xf4});
    m.cpu.s.gpr[kEcx] = 400;
  };
  BareMachine<Interp> a;
  BareMachine<ComparedEngine> b;
  machine(a);
  machine(b);
  std::mt19937 random(1);
  while (!a.cpu.s.halted) {
    const u64 n = 1 + random() % 13;
    a.run(n);
    b.run(n);
    REQUIRE(a.clock.count() == b.clock.count());
    REQUIRE(a.cpu.s == b.cpu.s);
  }
  const bool same_ram = a.ram == b.ram;  // not in CHECK, which would print megabytes
  CHECK(same_ram);
}

TEST_CASE("single steps through code that rewrites itself") {
  both(
      [](auto& m) {
        m.put32(0x3008, 0x0000ffff);
        m.put32(0x300c, 0x00cf9b00);
        m.put32(0x3010, 0x0000ffff);
        m.put32(0x3014, 0x00cf9300);
        m.cpu.s.gdtr = {0x3000, 0x17};
        m.put32(0x4008, 8 << 16 | 0x5000);
        m.put32(0x400c, 0x8e00);
        m.cpu.s.idtr = {0x4000, 0x7ff};
        m.put(0x5000, {0x45, 0xcf});  // #DB: inc ebp / iret
        m.put(kCode, {0x80, 0x35, 0x07, 0x80, 0, 0, 0x08, 0x40, 0x49, 0x75, 0xf5, 0x9d, 0xf4});
        m.cpu.s.gpr[kEcx] = 100;
        m.cpu.s.gpr[kEax] = m.cpu.s.gpr[kEbp] = 0;
        m.put32(kStack - 4, 2);  // what POPF takes: TF off
        m.cpu.s.gpr[kEsp] = kStack - 4;
        m.cpu.s.flags.set(kFlagsFixed1 | kTf);
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEbp) == 401);
        CHECK(m.cpu.s.reg32(kEax) == 0);
      });
}
