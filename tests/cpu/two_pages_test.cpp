// An instruction over two pages is right only while both are mapped as they were: the second one remapped, taken away,
// forbidden or written while the instruction is hot. The tested engine and the interpreter must agree on everything.
#include <catch2/catch.hpp>

#include "tests/support/protected_cpu.h"
#include "tests/support/two_spaces.h"

using namespace xlat;
using test::byte_of;
using test::kDirectoryA;
using test::kDirectoryB;
using test::kTableA;

namespace {

constexpr u32 kDriver = 0x8000, kStack = 0x9000;
// The loop runs at the end of one page and the begin of the next, which lies in memory at A or at B.
constexpr u32 kFirst = 0x10000, kSecond = 0x11000, kA = 0x21000, kB = 0x22000;
constexpr u32 kLoop = kSecond - 8, kCrossing = kSecond - 3;
constexpr u32 kPteOfSecond = kTableA + 4 * (kSecond >> 12);

constexpr u32 kRounds = 200, kAddA = 0x00100001, kAddB = 0x03000001;

template <class EngineType>
struct Scene : test::TwoSpaces<EngineType> {
  Scene() : test::TwoSpaces<EngineType>(kDriver, kStack + 0x1000, kSecond, kA, kB, kRounds) {
    // loop: jmp crossing / ... / crossing: add eax,imm / dec ecx / jnz loop / ret
    this->put(kLoop, {0xeb, 0x03, 0x90, 0x90, 0x90, 0x05, 0x01, 0x00});
    this->put(kA, {0x10, 0x00, 0x49, 0x75, 0xf3, 0xc3});
    this->put(kB, {0x00, 0x03, 0x49, 0x75, 0xf3, 0xc3});
    this->cpu.s.gpr[kEdx] = kLoop;
  }
  // again: mov ecx,3 / call edx / (between) / dec esi / jnz again / hlt
  void driver(std::vector<u8> between) {
    std::vector<u8> code = {0xb9, 3, 0, 0, 0, 0xff, 0xd2};
    code.insert(code.end(), between.begin(), between.end());
    this->loop(kDriver, code);
  }
};

void both(auto set_up, auto check) { test::on_both_engines<Scene>(set_up, check); }

}  // namespace

TEST_CASE("an instruction over two pages in a loop, its second page left alone") {
  both([](auto& m) { m.driver({}); }, [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == 3 * kRounds * kAddA); });
}

TEST_CASE("the second page of an instruction is remapped, with INVLPG") {
  both(
      // xor dword [pte],A^B / invlpg [second]
      [](auto& m) {
        m.driver({0x81, 0x35, BYTES32(kPteOfSecond), BYTES32(kA ^ kB), 0x0f, 0x01, 0x3d, BYTES32(kSecond)});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == 3 * kRounds / 2 * (kAddA + kAddB)); });
}

TEST_CASE("the second page of an instruction is another one in another address space") {
  both(
      // xor edi,directory A ^ directory B / mov cr3,edi
      [](auto& m) {
        m.driver({0x81, 0xf7, BYTES32(kDirectoryA ^ kDirectoryB), 0x0f, 0x22, 0xdf});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == 3 * kRounds / 2 * (kAddA + kAddB)); });
}

TEST_CASE("the second page of an instruction is not present: #PF with its address, nothing executed") {
  both(
      [](auto& m) {
        // cmp esi,2 / jne over / and dword [pte],~1 / invlpg [second] / over:
        m.driver(
            {0x83, 0xfe, 2, 0x75, 14, 0x83, 0x25, BYTES32(kPteOfSecond), 0xfe, 0x0f, 0x01, 0x3d, BYTES32(kSecond)});
      },
      [](auto& m) {
        CHECK(m.cpu.s.ip == test::handler_of(kPF) + 1);
        CHECK(m.cpu.s.cr2 == kSecond);
        CHECK(m.cpu.s.reg32(kEax) == 3 * (kRounds - 1) * kAddA);
        CHECK(m.get32(m.cpu.s.reg32(kEsp)) == 0);
        CHECK(m.get32(m.cpu.s.reg32(kEsp) + 4) == kCrossing);
      });
}

TEST_CASE("the second page of an instruction is brought by #PF each time") {
  both(
      [](auto& m) {
        m.driver({0x83, 0x25, BYTES32(kPteOfSecond), 0xfe, 0x0f, 0x01, 0x3d, BYTES32(kSecond)});
        // inc ebx / or dword [pte],1 / add esp,4 / iret
        m.put(test::handler_of(kPF), {0x43, 0x83, 0x0d, BYTES32(kPteOfSecond), 0x01, 0x83, 0xc4, 0x04, 0xcf});
      },
      [](auto& m) {
        CHECK(m.cpu.s.reg32(kEax) == 3 * kRounds * kAddA);
        CHECK(m.cpu.s.reg32(kEbx) == kRounds - 1);
      });
}

TEST_CASE("flags set before an instruction over two pages survive its #PF") {
  both(
      [](auto& m) {
        m.put(kLoop, {0x83, 0xc3, 0xff, 0x90, 0x90, 0xb8, 0x01, 0x00});     // add ebx,-1 ; crossing: mov eax,imm
        m.put(kA, {0x10, 0x00, 0x83, 0xd5, 0x00, 0x49, 0x75, 0xf0, 0xc3});  // ... / adc ebp,0 / dec ecx / jnz / ret
        m.cpu.s.gpr[kEbp] = 0;
        m.cpu.s.gpr[kEbx] = 1000;
        m.driver({0x83, 0x25, BYTES32(kPteOfSecond), 0xfe, 0x0f, 0x01, 0x3d, BYTES32(kSecond)});
        m.put(test::handler_of(kPF), {0x83, 0x0d, BYTES32(kPteOfSecond), 0x01, 0x83, 0xc4, 0x04, 0xcf});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEbp) == 3 * kRounds); });
}

TEST_CASE("a byte of an instruction is written in its second page, at another address") {
  both(
      [](auto& m) {
        m.put(kA, {0x00});
        m.driver({0xfe, 0x05, BYTES32(kA)});  // inc byte [A]
      },
      [](auto& m) {
        u32 sum = 0;
        for (u32 n = 0; n < kRounds; ++n) sum += 3 * (1 + (n & 0xff) * 0x10000);
        CHECK(m.cpu.s.reg32(kEax) == sum);
      });
}

TEST_CASE("an instruction over two pages writes to itself in its second page") {
  both(
      [](auto& m) {
        // crossing: add byte [its immediate],imm / dec ecx / jnz loop / ret
        m.put(kCrossing, {0x80, 0x05, byte_of(kSecond + 3, 0)});
        m.put(kA, {byte_of(kSecond + 3, 1), byte_of(kSecond + 3, 2), 0, 0x81, 0x49, 0x75, 0xf1, 0xc3});
        m.driver({0xfe, 0x05, BYTES32(kA + 3)});
      },
      [](auto&) {});
}

TEST_CASE("both pages of an instruction are the same one, and it is written") {
  both(
      [](auto& m) {
        m.put(kA + 0xff8, {0xeb, 0x03, 0x90, 0x90, 0x90, 0x05, 0x01, 0x00});
        m.put32(kTableA + 4 * (kFirst >> 12), kA | 3);
        m.driver({0xfe, 0x05, BYTES32(kA), 0xfe, 0x05, BYTES32(kA + 0xffe)});
      },
      [](auto&) {});
}

TEST_CASE("an instruction whose second page lies at address 0 of memory, remapped") {
  both(
      [](auto& m) {
        m.put(0, {0x10, 0x00, 0x49, 0x75, 0xf3, 0xc3});
        m.put32(kPteOfSecond, 3);
        m.driver({0x81, 0x35, BYTES32(kPteOfSecond), BYTES32(kB), 0x0f, 0x01, 0x3d, BYTES32(kSecond)});
      },
      [](auto& m) { CHECK(m.cpu.s.reg32(kEax) == 3 * kRounds / 2 * (kAddA + kAddB)); });
}

TEST_CASE("an instruction that runs often is cut by a new limit of CS") {
  for (const u32 limit : {kSecond - 1, kSecond, kSecond + 1}) {
    Scene<test::TestedEngine> m;
    m.driver({});
    m.run(100'000);
    REQUIRE(m.cpu.s.halted);
    m.cpu.s.halted = false;
    m.cpu.s.gpr[kEax] = 0;
    m.cpu.s.gpr[kEcx] = 1;
    m.cpu.s.ip = kLoop;
    m.cpu.s.seg[kCs].load(8, {limit & 0xffff, 0x00409b00 | (limit & 0xf0000)});
    m.run(10);
    CHECK(m.cpu.s.halted);
    CHECK(m.cpu.s.ip == test::handler_of(kGP) + 1);
    // Where the limit lets the instruction be, the next one is beyond it.
    const bool runs = limit == kSecond + 1;
    CHECK(m.get32(m.cpu.s.reg32(kEsp) + 4) == (runs ? kSecond + 2 : kCrossing));
    CHECK(m.cpu.s.reg32(kEax) == (runs ? kAddA : 0));
  }
}

TEST_CASE("the second page of an instruction is for the supervisor alone, which has run it often") {
  test::ProtectedCpu m;
  m.paging();
  m.put(kLoop, {0xeb, 0x03, 0x90, 0x90, 0x90, 0x05, 0x01, 0x00});
  m.put(kSecond, {0x10, 0x00, 0x49, 0x75, 0xf3, 0xcc});
  m.page(kSecond, kSecond | 3);
  m.cpu.s.ip = kLoop;
  m.cpu.s.gpr[kEcx] = 1000;
  m.run(10'000);
  REQUIRE(m.cpu.s.halted);
  m.cpu.s.halted = false;
  m.user(kLoop);
  m.cpu.s.gpr[kEax] = 0;
  m.cpu.s.gpr[kEcx] = 1000;
  CHECK(m.vector() == kPF);
  CHECK(m.cpu.s.cr2 == kSecond);
  CHECK(m.pushed(1) == kCrossing);
  CHECK(m.cpu.s.reg32(kEax) == 0);
}

TEST_CASE(
    "the second page of an instruction loses the right to execute, and is read before the instruction runs again") {
  const auto set_up = [](auto& m) {
    // PAE: page directory pointers at directory B, one directory, one table of 2 MiB.
    m.driver({});
    m.put32(kDirectoryB, kDirectoryA | 1);
    m.put32(kDirectoryB + 4, 0);
    m.put32(kDirectoryA, kTableA | 3);
    m.put32(kDirectoryA + 4, 0);
    for (u32 page = 0; page < 512; ++page) {
      m.put32(kTableA + 8 * page, page << 12 | 3);
      m.put32(kTableA + 8 * page + 4, 0);
    }
    m.put32(kTableA + 8 * (kSecond >> 12), kA | 3);
    CpuState& s = m.cpu.s;
    s.cr0 &= ~kCr0Pg;
    s.cr4 |= kCr4Pae;
    s.efer |= kEferNxe;
    s.cr3 = kDirectoryB;
    s.pdpte[0] = kDirectoryA | 1;
    s.cr0 |= kCr0Pg;
    m.cpu.flush_tlb();
    // cmp esi,2 / jne over / or byte [pte+7],80h / invlpg [second] / mov ebx,[second] / over:
    m.driver({0x83, 0xfe, 2, 0x75, 20, 0x80, 0x0d, BYTES32(kTableA + 8 * (kSecond >> 12) + 7), 0x80, 0x0f, 0x01, 0x3d,
              BYTES32(kSecond), 0x8b, 0x1d, BYTES32(kSecond)});
  };
  both(set_up, [](auto& m) {
    CHECK(m.cpu.s.ip == test::handler_of(kPF) + 1);
    CHECK(m.cpu.s.cr2 == kSecond);
    CHECK(m.cpu.s.reg32(kEax) == 3 * (kRounds - 1) * kAddA);
    CHECK(m.get32(m.cpu.s.reg32(kEsp)) == 0x11);
  });
}
