// Tlb: fills, flushes and the removal of write access to one host page.
#include "mmu/tlb.h"

#include <catch2/catch.hpp>

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
