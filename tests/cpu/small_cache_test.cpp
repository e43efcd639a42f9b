// A code cache far too small for the guest: it is emptied over and over while results stay the interpreter's.
#include <catch2/catch.hpp>
#include <random>

#include "tests/support/bare_cpu.h"
#include "tests/support/hot_jit.h"

using namespace xlat;
using test::BareMachine;
using test::HotJit;

namespace {

constexpr u32 kCode = 0x10000, kFunctions = 400, kApart = 0x240;

struct SmallJit : HotJit {
  explicit SmallJit(Cpu& cpu) : HotJit(cpu, 96 << 10) {}
};
// Too small for any block.
struct TinyJit : HotJit {
  explicit TinyJit(Cpu& cpu) : HotJit(cpu, 16 << 10) {}
};

// Many functions, called directly, through a table and by falling from one into the next, in random order.
template <class Machine>
void set_up(Machine& m) {
  std::mt19937 random(7);
  m.flat32(kCode, 0x8000);
  std::vector<u8> code;
  const auto put = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
  const auto put32 = [&](u32 value) {
    for (unsigned n = 0; n < 4; ++n) code.push_back(static_cast<u8>(value >> (8 * n)));
  };
  const auto function = [](u32 n) { return kCode + 0x8000 + n * kApart; };
  put({0xb9});  // mov ecx,3
  put32(3);
  const std::size_t again = code.size();
  for (unsigned n = 0; n < 1000; ++n) {
    const u32 which = static_cast<u32>(random()) % kFunctions;
    if (random() % 2) {
      put({0xe8});
      put32(function(which) - (kCode + static_cast<u32>(code.size()) + 4));
    } else {
      put({0xba});  // mov edx,f / call edx
      put32(function(which));
      put({0xff, 0xd2});
    }
  }
  put({0x49, 0x0f, 0x85});  // dec ecx / jnz again
  put32(static_cast<u32>(again - (code.size() + 4)));
  put({0xf4});
  REQUIRE(code.size() < 0x8000);
  m.put(kCode, code);
  for (u32 n = 0; n < kFunctions; ++n) {
    code.clear();
    put({0x05});  // add eax,imm / xor [2000],eax / adc ebx,[2000] / jc over / rol eax,n / over: ret
    put32(static_cast<u32>(random()));
    put({0x31, 0x05, 0x00, 0x20, 0, 0, 0x13, 0x1d, 0x00, 0x20, 0, 0, 0x72, 0x03, 0xc1, 0xc0,
         static_cast<u8>(n % 31 + 1), 0xc3});
    m.put(function(n), code);
  }
}

u64 number_after(const std::string& text, const std::string& name) {
  const auto at = text.find(name);
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(text.find_first_of("0123456789", at + name.size())));
}

// Each function calls the next one, and then itself returns: into code that was evicted since the call.
template <class Machine>
void set_up_chain(Machine& m) {
  m.flat32(kCode, 0x8000);
  // again: call first / dec ecx / jnz again / hlt
  m.put(kCode, {0xe8, 0xfb, 0x0f, 0, 0, 0x49, 0x75, 0xf8, 0xf4});
  m.cpu.s.gpr[kEcx] = 20;
  for (u32 n = 0; n < kFunctions; ++n) {
    const u32 at = kCode + 0x1000 + n * kApart;
    // add eax,edx / call next / xor ebx,eax / adc edx,1 / ret
    m.put(at, {0x01, 0xd0, 0xe8, static_cast<u8>(kApart - 7), static_cast<u8>((kApart - 7) >> 8), 0, 0, 0x31, 0xc3,
               0x83, 0xd2, 0x01, 0xc3});
  }
  m.put(kCode + 0x1000 + kFunctions * kApart, {0xc3});
}

template <class Small>
u64 flushes_of_a_run(auto set_up_both) {
  BareMachine<Interp> a;
  BareMachine<Small> b;
  set_up_both(a);
  set_up_both(b);
  while (!a.cpu.s.halted) {
    a.run(997);
    b.run(997);
    REQUIRE(a.clock.count() == b.clock.count());
    REQUIRE(a.cpu.s == b.cpu.s);
  }
  const bool same_ram = a.ram == b.ram;  // not in CHECK, which would print megabytes
  CHECK(same_ram);
  return b.interp.counters().cache_flushes;
}

}  // namespace

TEST_CASE("a code cache that holds a part of the guest's code is emptied again and again") {
  CHECK(flushes_of_a_run<SmallJit>([](auto& m) { set_up(m); }) > 10);
}

TEST_CASE("code is evicted between a call and its return") {
  CHECK(flushes_of_a_run<SmallJit>([](auto& m) { set_up_chain(m); }) > 10);
}

TEST_CASE("a code cache that holds no block leaves everything to the interpreter") {
  CHECK(flushes_of_a_run<TinyJit>([](auto& m) { set_up(m); }) > 0);
}

TEST_CASE("counters: translations, links, fills and flushes of the TLB, writes to code, evictions") {
  BareMachine<SmallJit> m;
  set_up(m);
  const auto now = [&](const char* name) { return number_after(m.interp.statistics(), name); };
  CHECK(now("translated blocks") == 0);
  m.run(50'000);
  CHECK(now("translated blocks") > 100);
  CHECK(now("chained exits") > 10);
  CHECK(now("code cache flushes (evictions)") > 1);
  CHECK(now("TLB misses filled") > 1);
  const u64 flushes = now("TLB flushes"), writes = now("writes that hit code (SMC)");
  m.cpu.flush_tlb();
  CHECK(now("TLB flushes") == flushes + 1);
  m.put(kCode, {0x90});
  CHECK(now("writes that hit code (SMC)") == writes + 1);
  CHECK(now("blocks dropped by them") > 0);
  const u64 pages = now("TLB pages flushed alone");
  m.cpu.invalidate_page(0x1000);
  CHECK(now("TLB pages flushed alone") == pages + 1);
}
