// Tlb: fills, flushes and the removal of write access to one host page.
#include "mmu/tlb.h"

#include <array>
#include <catch2/catch.hpp>
#include <random>

using namespace xlat;

TEST_CASE("an entry is the host address minus the linear address") {
  Tlb tlb;
  alignas(4096) static u8 page[4096];
  tlb.fill(Tlb::kUserRead, 0xfffff123, page);
  const auto addend = tlb.addends(Tlb::kUserRead)[0xfffff];
  CHECK(reinterpret_cast<u8*>(addend + 0xfffff123u) == page + 0x123);
  CHECK(tlb.addends(Tlb::kUserWrite)[0xfffff] == 0);
  tlb.flush_page(0xfffff000);
  CHECK(tlb.addends(Tlb::kUserRead)[0xfffff] == 0);
}

TEST_CASE("a flush empties every table, dropping writes empties only those to the page") {
  Tlb tlb;
  alignas(4096) static u8 pages[8192];
  tlb.fill(Tlb::kSupervisorWrite, 0x1000, pages);
  tlb.fill(Tlb::kUserWrite, 0x5000, pages);
  tlb.fill(Tlb::kUserWrite, 0x6000, pages + 4096);
  tlb.fill(Tlb::kUserRead, 0x5000, pages);
  tlb.drop_writes_to(pages);
  CHECK(tlb.addends(Tlb::kSupervisorWrite)[1] == 0);
  CHECK(tlb.addends(Tlb::kUserWrite)[5] == 0);
  CHECK(tlb.addends(Tlb::kUserWrite)[6] != 0);
  CHECK(tlb.addends(Tlb::kUserRead)[5] != 0);
  tlb.flush();
  CHECK(tlb.addends(Tlb::kUserWrite)[6] == 0);
  CHECK(tlb.addends(Tlb::kUserRead)[5] == 0);
}

TEST_CASE("after dropping writes to a page nothing writes to it, whatever was filled and flushed before") {
  Tlb tlb;
  constexpr unsigned kPages = 64, kLinear = 40;
  static u8 memory[(kPages + 1) * 4096];
  u8* const pages = memory + (4096 - reinterpret_cast<std::uintptr_t>(memory) % 4096);
  std::mt19937 random(1);
  const auto host_of = [&](unsigned table, u32 page) {
    const auto addend = tlb.addends(static_cast<Tlb::Table>(table))[page];
    return addend == 0 ? nullptr : reinterpret_cast<u8*>(addend + (std::uintptr_t{page} << 12));
  };
  std::array<std::array<u8*, kLinear>, Tlb::kTables> model{};
  for (unsigned round = 0; round < 20'000; ++round) {
    const u32 linear = random() % kLinear;
    u8* const page = pages + random() % kPages * 4096;
    const unsigned table = random() % Tlb::kTables;
    switch (random() % 16) {
      case 0:
        tlb.flush_page(linear << 12);
        for (auto& entries : model) entries[linear] = nullptr;
        break;
      case 1:
      case 2:
      case 3:
        tlb.drop_writes_to(page);
        for (unsigned t = 0; t < Tlb::kTables; ++t) {
          for (u8*& entry : model[t]) {
            if (t % 2 == 1 && entry == page) entry = nullptr;
          }
        }
        break;
      case 4:
        if (random() % 50 != 0) break;
        tlb.flush();
        model = {};
        break;
      default:
        tlb.fill(static_cast<Tlb::Table>(table), linear << 12, page, random() % 2);
        for (auto& entries : model) entries[linear] = entries[linear] == page ? page : nullptr;
        model[table][linear] = page;
    }
    bool same = true;
    for (unsigned t = 0; t < Tlb::kTables; ++t) {
      for (u32 n = 0; n < kLinear; ++n) same = same && host_of(t, n) == model[t][n];
    }
    REQUIRE(same);
  }
}
