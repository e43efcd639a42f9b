// Accesses by ESP, which remember the page they found last: it may be another one, be mapped anew, not be there any
// more, be read alone or hold code. The tested engine and the interpreter must agree on everything.
#include <catch2/catch.hpp>

#include "tests/support/two_spaces.h"

using namespace xlat;
using test::byte_of;
using test::kDirectoryA;
using test::kDirectoryB;
using test::kTableA;

namespace {

constexpr u32 kCode = 0x8000, kStackTop = 0x20000;
constexpr u32 kMapped = 0x30000, kA = 0x31000, kB = 0x32000, kPteOfMapped = kTableA + 4 * (kMapped >> 12);
constexpr u32 kRounds = 40;

template <class EngineType>
struct Scene : test::TwoSpaces<EngineType> {
  Scene() : test::TwoSpaces<EngineType>(kCode, kStackTop, kMapped, kA, kB, kRounds) {}
};

void both(auto set_up, auto check) { test::on_both_engines<Scene>(set_up, check); }

}  // namespace

TEST_CASE("stack: walks over the ends of pages, by any number of bytes") {
  for (const u8 step : {4, 3, 10}) {
    both(
        [&](auto& m) {
          m.cpu.s.gpr[kEsp] = kMapped + 0x1000 + 4 * kRounds;
          m.cpu.s.gpr[kEsi] = 3 * kRounds;
          // push esi / push 12345678h / add eax,[esp+2] / pop ecx / xor [esp],ecx / add [esp-8],al / lea
          // esp,[esp+4-step]
          m.loop(kCode, {0x56, 0x68, 0x78, 0x56, 0x34, 0x12, 0x03, 0x44, 0x24, 2,    0x59,
                         0x31, 0x0c, 0x24, 0x00, 0x44, 0x24, 0xf8, 0x8d, 0x64, 0x24, static_cast<u8>(4 - step)});
        },
        [&](auto& m) { CHECK(m.cpu.s.reg32(kEsp) == kMapped + 0x1000 + 4 * kRounds - 3 * kRounds * step); });
  }
}

TEST_CASE("stack: the page is mapped anew between push and pop, with INVLPG") {
  both(
      [](auto& m) {
        m.cpu.s.gpr[kEsp] = kMapped + 0x800;
        m.put32(kB + 0x7fc, 1);
        // push esi / xor dword [pte],A^B / jmp next / next: mov eax,[esp] / jmp next / next: invlpg [mapped] / jmp next
        // / next: pop eax / add ebx,eax
        m.loop(kCode, {0x56,
                       0x81,
                       0x35,
                       BYTES32(kPteOfMapped),
                       BYTES32(kA ^ kB),
                       0xeb,
                       0,
                       0x8b,
                       0x04,
                       0x24,
                       0xeb,
                       0,
                       0x0f,
                       0x01,
                       0x3d,
                       BYTES32(kMapped),
                       0xeb,
                       0,
                       0x58,
                       0x01,
                       0xc3});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEbx) == 1 + kRounds * (kRounds + 1) / 2 - 1); });
}

TEST_CASE("stack: another address space between push and pop") {
  both(
      [](auto& m) {
        m.cpu.s.gpr[kEsp] = kMapped + 0x800;
        m.put32(kB + 0x7fc, 1);
        // push esi / xor edi,directory A ^ directory B / jmp next / next: mov eax,[esp] / jmp next / next: mov cr3,edi
        // / jmp next / next: pop eax / add ebx,eax
        m.loop(kCode, {0x56, 0x81, 0xf7, BYTES32(kDirectoryA ^ kDirectoryB), 0xeb, 0, 0x8b, 0x04, 0x24, 0xeb, 0, 0x0f,
                       0x22, 0xdf, 0xeb, 0, 0x58, 0x01, 0xc3});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEbx) == 1 + kRounds * (kRounds + 1) / 2 - 1); });
}

TEST_CASE("stack: the page is not present any more") {
  both(
      [](auto& m) {
        m.cpu.s.gpr[kEsp] = kMapped - 0x10;  // so that the handler has a stack
        // mov eax,[esp+14h] / cmp esi,2 / jne out / and dword [pte],~1 / invlpg [mapped] / out: mov ecx,[esp+18h]
        m.loop(kCode, {0x8b,
                       0x44,
                       0x24,
                       0x14,
                       0x83,
                       0xfe,
                       2,
                       0x75,
                       14,
                       0x83,
                       0x25,
                       BYTES32(kPteOfMapped),
                       0xfe,
                       0x0f,
                       0x01,
                       0x3d,
                       BYTES32(kMapped),
                       0x8b,
                       0x4c,
                       0x24,
                       0x18});
      },
      [](auto& m) {
        CHECK(m.cpu.s.ip == test::handler_of(kPF) + 1);
        CHECK(m.cpu.s.cr2 == kMapped + 8);
        CHECK(m.cpu.s.reg32(kEsi) == 2);
      });
}

TEST_CASE("stack: a page that may only be read") {
  both(
      [](auto& m) {
        m.put32(kPteOfMapped, kA | 1);
        m.cpu.s.gpr[kEsp] = kMapped + 0x800;
        for (u32 n = 0; n < 0x100; ++n) m.put32(kA + 0x800 + 4 * n, n);
        // pop eax / add ebx,eax / add ebx,[esp+8]
        m.loop(kCode, {0x58, 0x01, 0xc3, 0x03, 0x5c, 0x24, 8});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEsp) == kMapped + 0x800 + 4 * kRounds);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds * (kRounds - 1) / 2 + kRounds * (kRounds - 1) / 2 + 3 * kRounds);
      });
}

TEST_CASE("stack: code lies in its page, and is written by a push") {
  both(
      [](auto& m) {
        // The loop calls kMapped: inc eax / ret; each round pushes what becomes the function's first bytes.
        m.put(kA, {0x40, 0xc3, 0x90, 0x90});
        m.cpu.s.gpr[kEsp] = kMapped + 0x800;
        const u32 call = kMapped - (kCode + 5);
        // call kMapped / mov ebp,esp / lea esp,[kMapped+4] / push imm (inc ebx / ret) / mov esp,ebp
        m.loop(kCode, {0xe8, BYTES32(call), 0x89, 0xe5, 0x8d, 0x25, BYTES32(kMapped + 4), 0x68, 0x43, 0xc3, 0x90, 0x90,
                       0x89, 0xec});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == 1);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds - 1);
      });
}
