// The page walk against the rules of SDM vol. 3, chapter 4, one table format at a time.
#include "mmu/page_walk.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {

struct Tables {
  AddressSpace space;
  std::vector<u8> ram = std::vector<u8>(64 * 4096);
  PagingContext context;

  Tables() {
    space.map_ram(0, ram.size(), ram.data());
    context.cr0 = 0x80000001;
    context.cr3 = 0x1000;
  }
  void put(u64 at, u64 value, unsigned size = 4) { space.write(at, size, value); }
  u64 get(u64 at, unsigned size = 4) { return space.read(at, size); }
  WalkResult go(u32 linear, Access access, bool user) { return walk(context, space, linear, access, user); }
};

constexpr u32 kLinear = 0x00403123;  // PDE 1, PTE 3

}  // namespace

TEST_CASE("without paging linear is physical") {
  Tables t;
  t.context.cr0 = 1;
  CHECK(t.go(0xdeadbeef, Access::kWrite, true).phys == 0xdeadbeef);
}

TEST_CASE("32-bit paging: translation, accessed and dirty") {
  Tables t;
  t.put(0x1004, 0x2007);
  t.put(0x200c, 0x5007);
  auto r = t.go(kLinear, Access::kRead, true);
  REQUIRE(r.ok);
  CHECK(r.phys == 0x5123);
  CHECK_FALSE(r.writable);
  CHECK(t.get(0x1004) == 0x2027);
  CHECK(t.get(0x200c) == 0x5027);
  r = t.go(kLinear, Access::kWrite, true);
  CHECK(r.writable);
  CHECK(t.get(0x200c) == 0x5067);
  CHECK(t.get(0x1004) == 0x2027);
}

TEST_CASE("32-bit paging: error codes, and no A or D bit set by an access that faults") {
  Tables t;
  CHECK(t.go(kLinear, Access::kRead, false).error_code == 0);
  CHECK(t.go(kLinear, Access::kWrite, true).error_code == (kPfWrite | kPfUser));
  t.put(0x1004, 0x2007);
  CHECK(t.go(kLinear, Access::kRead, true).error_code == kPfUser);
  t.put(0x200c, 0x5003);  // supervisor page
  CHECK(t.go(kLinear, Access::kRead, true).error_code == (kPfPresent | kPfUser));
  CHECK(t.get(0x1004) == 0x2007);
  CHECK(t.get(0x200c) == 0x5003);
  t.put(0x200c, 0x5005);  // read-only
  CHECK(t.go(kLinear, Access::kWrite, true).error_code == (kPfPresent | kPfWrite | kPfUser));
  CHECK(t.go(kLinear, Access::kWrite, false).ok);  // CR0.WP = 0
  t.context.cr0 |= 1 << 16;
  CHECK(t.go(kLinear, Access::kWrite, false).error_code == (kPfPresent | kPfWrite));
}

TEST_CASE("rights are the AND of both levels") {
  Tables t;
  t.put(0x1004, 0x2005);
  t.put(0x200c, 0x5007);
  CHECK_FALSE(t.go(kLinear, Access::kWrite, true).ok);
  t.put(0x1004, 0x2003);
  CHECK_FALSE(t.go(kLinear, Access::kRead, true).ok);
}

TEST_CASE("4 MiB pages need CR4.PSE; reserved bits fault") {
  Tables t;
  t.put(0x1004, 0x00c00087);
  t.context.cr4 = 1 << 4;
  auto r = t.go(kLinear, Access::kWrite, true);
  REQUIRE(r.ok);
  CHECK(r.phys == 0x00c03123);
  CHECK(t.get(0x1004) == 0x00c000e7);
  t.put(0x1004, 0x00c00087 | 1 << 13);
  CHECK(t.go(kLinear, Access::kRead, true).error_code == (kPfPresent | kPfReserved | kPfUser));
  t.context.pse36 = true;
  CHECK(t.go(kLinear, Access::kRead, true).phys == 0x100c03123);
  t.put(0x1004, 0x00c00087 | 1 << 21);
  CHECK_FALSE(t.go(kLinear, Access::kRead, true).ok);
}

TEST_CASE("PAE: three levels, NX, reserved bits") {
  Tables t;
  t.context.cr4 = 1 << 5;
  t.context.pdpte[0] = 0x2001;
  t.put(0x2010, 0x3007, 8);  // 0x00403123: directory 2
  t.put(0x3018, 0x6007, 8);  // table entry 3
  CHECK(t.go(kLinear, Access::kExecute, true).phys == 0x6123);
  t.put(0x3018, 0x6007 | u64{1} << 63, 8);
  CHECK(t.go(kLinear, Access::kRead, true).error_code == (kPfPresent | kPfReserved | kPfUser));  // NXE = 0
  t.context.efer = 1 << 11;
  CHECK(t.go(kLinear, Access::kRead, true).ok);
  CHECK(t.go(kLinear, Access::kExecute, true).error_code == (kPfPresent | kPfUser | kPfFetch));
  t.put(0x3018, 0x6007 | u64{1} << 36, 8);
  CHECK(t.go(kLinear, Access::kWrite, false).error_code == (kPfPresent | kPfReserved | kPfWrite));
  t.put(0x2010, 0x400087, 8);
  CHECK(t.go(kLinear, Access::kRead, true).phys == 0x403123);
  t.context.pdpte[0] = 0;
  CHECK(t.go(kLinear, Access::kRead, true).error_code == kPfUser);
}

TEST_CASE("a probe leaves the tables alone") {
  Tables t;
  t.put(0x1004, 0x2007);
  t.put(0x200c, 0x5007);
  CHECK(walk(t.context, t.space, kLinear, Access::kWrite, true, true).ok);
  CHECK(t.get(0x1004) == 0x2007);
  CHECK(t.get(0x200c) == 0x5007);
}
