// Returns, and jumps and calls through registers and memory: translated code remembers where they went, and must not go
// there when it is no longer right. The tested engine and the interpreter must agree on everything.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"
#include "tests/support/two_spaces.h"

using namespace xlat;
using test::BareMachine;
using test::byte_of;
using test::kDirectoryA;
using test::kDirectoryB;
using test::kTableA;

namespace {

constexpr u32 kDriver = 0x8000, kData = 0x9000;
constexpr u32 kFunction = 0xa000, kStackTop = 0x20000;
// A page that lies in memory at A or at B.
constexpr u32 kMapped = 0x30000, kA = 0x31000, kB = 0x32000, kPteOfMapped = kTableA + 4 * (kMapped >> 12);
constexpr u32 kRounds = 200;

template <class EngineType>
struct Scene : test::TwoSpaces<EngineType> {
  Scene() : test::TwoSpaces<EngineType>(kDriver, kStackTop, kMapped, kA, kB, kRounds) {
    const u64 descriptors[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x004f93000000ffff};
    for (u32 n = 0; n < std::size(descriptors); ++n) {
      this->put32(this->kGdt + 8 * n, static_cast<u32>(descriptors[n]));
      this->put32(this->kGdt + 8 * n + 4, static_cast<u32>(descriptors[n] >> 32));
    }
  }
};

template <template <class> class Machine = Scene>
void both(auto set_up, auto check) {
  test::on_both_engines<Machine>(set_up, check);
}

constexpr u32 relative(u32 from_behind, u32 to) { return to - from_behind; }
// The first instruction of a loop at kDriver.
#define CALL_FUNCTION 0xe8, BYTES32(relative(kDriver + 5, kFunction))

// xor dword [pte],A^B / invlpg [mapped] / ret
constexpr u8 kRemap[] = {0x81, 0x35, BYTES32(kPteOfMapped), BYTES32(kA ^ kB), 0x0f, 0x01, 0x3d, BYTES32(kMapped), 0xc3};
// xor edi,directory A ^ directory B / mov cr3,edi / ret
constexpr u8 kSwitch[] = {0x81, 0xf7, BYTES32(kDirectoryA ^ kDirectoryB), 0x0f, 0x22, 0xdf, 0xc3};

// The mapped page: call function / add eax,imm / dec esi / jnz / hlt. A call from A returns to B, and so on.
void calls_in_mapped_page(auto& m, std::span<const u8> function) {
  m.put(kFunction, function);
  const u32 call = relative(kMapped + 5, kFunction);
  m.put(kA, {0xe8, BYTES32(call), 0x05, 0x01, 0, 0, 0, 0x4e, 0x75, 0xf3, 0xf4});
  m.put(kB, {0xe8, BYTES32(call), 0x05, 0, 0x01, 0, 0, 0x4e, 0x75, 0xf3, 0xf4});
  m.cpu.s.ip = kMapped;
}

// Real mode, all segments at 1000h.
template <class EngineType>
struct RealScene : BareMachine<EngineType> {
  RealScene() { this->real16(0x1000, 0, 0xfffe); }
};

}  // namespace

TEST_CASE("returns: recursion deeper than any table") {
  both(
      [](auto& m) {
        m.loop(kDriver, {0xb9, BYTES32(3000), 0xe8, BYTES32(relative(kDriver + 10, kFunction))});
        // dec ecx / jz out / call function / inc eax / out: ret
        m.put(kFunction, {0x49, 0x74, 0x06, 0xe8, 0xf8, 0xff, 0xff, 0xff, 0x40, 0xc3});
        m.cpu.s.gpr[kEsi] = 4;
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == 4 * 2999); });
}

TEST_CASE("returns: one function called from many places, with RET imm16") {
  both(
      [](auto& m) {
        std::vector<u8> round;
        for (u32 n = 0; n < 8; ++n) {
          // push n / push esi / call function / inc ebx
          const u32 behind = kDriver + static_cast<u32>(round.size()) + 8;
          round.insert(round.end(), {0x6a, byte_of(n, 0), 0x56, 0xe8, BYTES32(relative(behind, kFunction)), 0x43});
        }
        m.loop(kDriver, round);
        m.put(kFunction, {0x03, 0x44, 0x24, 0x08, 0xc2, 0x08, 0x00});  // add eax,[esp+8] / ret 8
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == 28 * kRounds);
        CHECK(m.cpu.s.reg32(kEbx) == 8 * kRounds);
        CHECK(m.cpu.s.reg32(kEsp) == kStackTop);
      });
}

TEST_CASE("returns: the return address is changed every other time") {
  both(
      [](auto& m) {
        m.loop(kDriver, {CALL_FUNCTION, 0x40, 0x43});  // ... / inc eax / inc ebx
        // mov ecx,esi / and ecx,1 / add [esp],ecx / ret
        m.put(kFunction, {0x89, 0xf1, 0x83, 0xe1, 0x01, 0x01, 0x0c, 0x24, 0xc3});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == kRounds / 2);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds);
      });
}

TEST_CASE("returns: PUSH and RET as a jump, and a jump as the return") {
  both(
      [](auto& m) {
        m.loop(kDriver, {CALL_FUNCTION, 0x40});
        m.put(kFunction, {0x5a, 0x68, BYTES32(kFunction + 16), 0xc3});  // pop edx / push there / ret
        m.put(kFunction + 16, {0x43, 0xff, 0xe2});                      // inc ebx / jmp edx
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == kRounds);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds);
      });
}

TEST_CASE("returns: over several frames at once, as longjmp does") {
  both(
      [](auto& m) {
        m.loop(kDriver, {CALL_FUNCTION, 0x40});
        // mov ebp,esp / call second / inc edx (not reached) / second: call third / inc edx / third: mov esp,ebp / ret
        m.put(kFunction, {0x89, 0xe5, 0xe8, 1, 0, 0, 0, 0x42, 0xe8, 1, 0, 0, 0, 0x42, 0x89, 0xec, 0xc3});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == kRounds);
        CHECK(m.cpu.s.reg32(kEdx) == 0);
      });
}

TEST_CASE("returns: two stacks that lie a multiple of any table apart") {
  both(
      [](auto& m) {
        m.loop(kDriver, {CALL_FUNCTION, 0x40});
        // xor esp,8000h / call third / xor esp,8000h / inc ebx / ret / third: inc edx / ret
        m.put(kFunction,
              {0x81, 0xf4, 0x00, 0x80, 0, 0, 0xe8, 8, 0, 0, 0, 0x81, 0xf4, 0x00, 0x80, 0, 0, 0x43, 0xc3, 0x42, 0xc3});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEbx) == kRounds);
        CHECK(m.cpu.s.reg32(kEdx) == kRounds);
      });
}

TEST_CASE("returns: the page is remapped in between, with INVLPG") {
  both([](auto& m) { calls_in_mapped_page(m, kRemap); },
       [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == kRounds / 2 * 0x101); });
}

TEST_CASE("returns: to another address space") {
  both([](auto& m) { calls_in_mapped_page(m, kSwitch); },
       [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == kRounds / 2 * 0x101); });
}

TEST_CASE("returns: the page is not present any more") {
  both(
      [](auto& m) {
        // cmp esi,2 / jne out / and dword [pte],~1 / invlpg [mapped] / out: ret
        constexpr u8 kTake[] = {
            0x83, 0xfe, 2, 0x75, 14, 0x83, 0x25, BYTES32(kPteOfMapped), 0xfe, 0x0f, 0x01, 0x3d, BYTES32(kMapped), 0xc3};
        calls_in_mapped_page(m, kTake);
      },
      [](auto& m) {
        CHECK(m.cpu.s.ip == test::handler_of(kPF) + 1);
        CHECK(m.cpu.s.cr2 == kMapped + 5);
        CHECK(m.cpu.s.reg32(kEax) == kRounds - 2);
      });
}

TEST_CASE("returns: the code there is written in between") {
  both(
      [](auto& m) {
        m.loop(kDriver, {CALL_FUNCTION, 0x05, 0, 0, 0, 0});          // ... / add eax,imm
        m.put(kFunction, {0xfe, 0x05, BYTES32(kDriver + 6), 0xc3});  // inc byte [imm] / ret
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == kRounds * (kRounds + 1) / 2); });
}

TEST_CASE("returns: the call itself is written in between") {
  both(
      [](auto& m) {
        m.loop(kDriver, {0xb1, 0, CALL_FUNCTION, 0x00, 0xc8});  // mov cl,imm / call / add al,cl
        m.put(kDriver + 3, {BYTES32(relative(kDriver + 7, kFunction))});
        m.put(kFunction, {0xfe, 0x05, BYTES32(kDriver + 1), 0xc3});  // inc byte [imm] / ret
      },
      [](auto& m) { CHECK((m.cpu.s.reg32(kEax) & 0xff) == ((kRounds - 1) * kRounds / 2 & 0xff)); });
}

TEST_CASE("returns: with other segments than the call had") {
  both(
      [](auto& m) {
        // call function / inc dword [data]: by a flat DS, and by one with a limit
        m.loop(kDriver, {CALL_FUNCTION, 0xff, 0x05, BYTES32(kData)});
        // xor ebx,8 / lea ecx,[ebx+16] / mov ds,cx / ret
        m.put(kFunction, {0x83, 0xf3, 0x08, 0x8d, 0x4b, 0x10, 0x8e, 0xd9, 0xc3});
      },
      [](auto& m) { CHECK(m.get32(kData) == kRounds); });
}

TEST_CASE("returns: of 16-bit code, with both operand sizes and odd stacks") {
  both<RealScene>(
      [](auto& m) {
        m.cpu.s.gpr[kEdx] = 0;
        // again: xor sp,[bx] / call f / inc ax / o32 call g / inc cx / dec si / jnz again / hlt
        m.put(0x10000, {0x33, 0x27, 0xe8, 0x10, 0x00, 0x40, 0x66, 0xe8, 0x0d, 0, 0, 0, 0x41, 0x4e, 0x75, 0xf0, 0xf4});
        m.put(0x10015, {0x42, 0xc3, 0x90, 0x90, 0x42, 0x66, 0xc3});  // f: inc dx / ret / g: inc dx / o32 ret
        m.put(0x18000, {0x03, 0x01});
        m.cpu.s.gpr[kEbx] = 0x8000;
        m.cpu.s.gpr[kEsi] = kRounds;
      },
      [](auto& m) {
        CHECK((m.cpu.s.reg32(kEax) & 0xffff) == kRounds);
        CHECK((m.cpu.s.reg32(kEcx) & 0xffff) == kRounds);
        CHECK((m.cpu.s.reg32(kEdx) & 0xffff) == 2 * kRounds);
      });
}

TEST_CASE("returns: by the user, to a page for the supervisor alone that has been returned to often") {
  test::ProtectedCpu m;
  m.paging();
  constexpr u32 kCode = 0x12000, kBehind = kCode + 5;
  m.put(kCode, {0xe8, 4, 0, 0, 0, 0x49, 0x75, 0xf8, 0xf4, 0xc3});  // call f / dec ecx / jnz / hlt / f: ret
  m.page(kCode, kCode | 3);
  m.cpu.s.ip = kCode;
  m.cpu.s.gpr[kEcx] = 1000;
  m.run(10'000);
  REQUIRE(m.cpu.s.halted);
  m.cpu.s.halted = false;
  constexpr u32 kUserCode = 0x13000;
  m.put(kUserCode, {0x68, BYTES32(kBehind), 0xc3});
  m.page(kUserCode, kUserCode | 7);
  REQUIRE((m.cpu.s.reg32(kEsp) & 0xfff) == (test::ProtectedCpu::kStack3 & 0xfff));  // the same place in any table
  m.user(kUserCode);
  CHECK(m.vector() == kPF);
  CHECK(m.cpu.s.cr2 == kBehind);
}

TEST_CASE("indirect jumps: targets that change now and then, always, and between two") {
  for (const u32 mask : {0x00u, 0x40u, 0x01u, 0x3fu, 0x3eu, 0xc7u}) {
    both(
        [mask](auto& m) {
          // mov ecx,esi / and ecx,mask / shl ecx,4 / lea edx,[ecx+targets] / mov [data],edx / call edx /
          // jmp [data+4] / behind: call [data]
          const u32 behind = kDriver + 31;
          m.loop(kDriver, {0x89,
                           0xf1,
                           0x81,
                           0xe1,
                           BYTES32(mask),
                           0xc1,
                           0xe1,
                           0x04,
                           0x8d,
                           0x91,
                           BYTES32(kMapped + 0x10000),
                           0x89,
                           0x15,
                           BYTES32(kData),
                           0xff,
                           0xd2,
                           0xff,
                           0x25,
                           BYTES32(kData + 4),
                           0xff,
                           0x15,
                           BYTES32(kData)});
          m.put32(kData + 4, behind);
          // add eax,n / ret
          for (u32 n = 0; n < 256; ++n) m.put(kMapped + 0x10000 + 16 * n, {0x05, BYTES32(n), 0xc3});
          m.cpu.s.gpr[kEsi] = 1000;
        },
        [mask](auto& m) {
          u32 sum = 0;
          for (u32 n = 1; n <= 1000; ++n) sum += 2 * (n & mask);
          CHECK(m.cpu.s.reg32(kEax) == sum);
        });
  }
}

TEST_CASE("indirect jumps: the target's page is remapped in between") {
  for (const std::span<const u8> change : {std::span<const u8>(kRemap), std::span<const u8>(kSwitch)}) {
    both(
        [change](auto& m) {
          m.put(kFunction, change);
          m.loop(kDriver, {CALL_FUNCTION, 0xba, BYTES32(kMapped), 0xff, 0xd2});  // ... / mov edx,mapped / call edx
          m.put(kA, {0x05, 0x01, 0, 0, 0, 0xc3});
          m.put(kB, {0x05, 0, 0x01, 0, 0, 0xc3});
        },
        [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == kRounds / 2 * 0x101); });
  }
}

TEST_CASE("indirect jumps: the target is written in between, and so is the jump") {
  both(
      [](auto& m) {
        // mov edx,function / call edx / inc byte [function+1] / inc byte [the next immediate] / add ebx,imm
        m.loop(kDriver, {0xba, BYTES32(kFunction), 0xff, 0xd2, 0xfe, 0x05, BYTES32(kFunction + 1), 0xfe, 0x05,
                         BYTES32(kDriver + 21), 0x81, 0xc3, 0, 0, 0, 0});
        m.put(kFunction, {0x05, 0, 0, 0, 0, 0xc3});  // add eax,imm / ret
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == (kRounds - 1) * kRounds / 2);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds * (kRounds + 1) / 2);
      });
}

TEST_CASE("indirect jumps: a target at the last address, and one beyond the limit of CS") {
  both(
      [](auto& m) {
        // cmp esi,3 / jne over / mov edx,-1 / over: call edx
        m.loop(kDriver, {0x83, 0xfe, 0x03, 0x75, 0x05, 0xba, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd2});
        m.put(kFunction, {0x40, 0xc3});
        m.cpu.s.gpr[kEdx] = kFunction;
      },
      [](auto& m) {
        CHECK(m.cpu.s.ip == test::handler_of(kPF) + 1);
        CHECK(m.cpu.s.cr2 == 0xffffffff);
        CHECK(m.cpu.s.reg32(kEax) == kRounds - 3);
      });
  both(
      [](auto& m) {
        m.loop(kDriver, {0x83, 0xfe, 0x03, 0x75, 0x05, 0xba, BYTES32(0x40000), 0xff, 0xd2});
        m.put(kFunction, {0x40, 0xc3});
        m.cpu.s.gpr[kEdx] = kFunction;
        m.cpu.s.seg[kCs].load(8, {0x0000ffff, 0x00439b00});
      },
      [](auto& m) {
        CHECK(m.cpu.s.ip == test::handler_of(kGP) + 1);
        CHECK(m.cpu.s.reg32(kEax) == kRounds - 3);
      });
}
