// Which blocks a write hits, and which lines are watched for it.
#include "cpu/interp/code_pages.h"

#include <catch2/catch.hpp>

#include "cpu/interp/block_cache.h"

using namespace xlat;

namespace {

Block block_at(u64 phys, u32 bytes, u64 phys2 = 0) {
  Block block;
  block.phys = phys;
  block.phys2 = phys2;
  block.bytes = bytes;
  return block;
}

// What stores to watched lines are told.
struct Told : CodeListener {
  unsigned writes = 0;
  void page_watched(u64) override {}
  void code_written(u64, unsigned) override { ++writes; }
};

struct Scene {
  CodeWatch watch;
  Told told;
  CodePages pages{watch};
  Scene() { watch.add_listener(told); }
  bool watched(u64 phys) {
    const unsigned before = told.writes;
    watch.before_store(phys, 1);
    return told.writes != before;
  }
};

}  // namespace

TEST_CASE("a write hits the blocks that have bytes where it goes, each once") {
  Scene s;
  Block a = block_at(0x1030, 0x20), b = block_at(0x1040, 4), c = block_at(0x1044, 0x100);
  for (Block* block : {&a, &b, &c}) s.pages.add(*block);
  CHECK(s.pages.written(0x102f, 1).empty());
  CHECK(s.pages.written(0x1030, 1) == std::vector{&a});
  CHECK(s.pages.written(0x1043, 1).size() == 2);
  CHECK(s.pages.written(0x1043, 2).size() == 3);
  CHECK(s.pages.written(0x1143, 1) == std::vector{&c});
  CHECK(s.pages.written(0x1144, 8).empty());
  CHECK(s.pages.written(0x1000, 0x1000).size() == 3);
  CHECK(s.pages.written(0x2040, 4).empty());
}

TEST_CASE("a block over two pages is hit in both, even if they are the same") {
  Scene s;
  Block apart = block_at(0x1ffd, 6, 0x5000), same = block_at(0x7ffe, 5, 0x7000);
  s.pages.add(apart);
  s.pages.add(same);
  CHECK(s.pages.written(0x1fff, 1) == std::vector{&apart});
  CHECK(s.pages.written(0x5002, 1) == std::vector{&apart});
  CHECK(s.pages.written(0x5003, 1).empty());
  CHECK(s.pages.written(0x2000, 1).empty());
  CHECK(s.pages.written(0x7000, 0x1000) == std::vector{&same});
  s.pages.remove(same);
  CHECK(s.pages.written(0x7000, 0x1000).empty());
  CHECK_FALSE(s.watched(0x7000));
}

TEST_CASE("lines are watched while they have blocks") {
  Scene s;
  Block a = block_at(0x1030, 0x20), b = block_at(0x1044, 4);
  s.pages.add(a);
  s.pages.add(b);
  CHECK(s.watched(0x1000));
  CHECK(s.watched(0x1050));
  CHECK_FALSE(s.watched(0x1080));
  s.pages.remove(a);
  CHECK_FALSE(s.watched(0x1030));
  CHECK(s.watched(0x1050));
  s.pages.clear();
  CHECK_FALSE(s.watched(0x1050));
}

TEST_CASE("blocks know how often code of their page had been written before") {
  Scene s;
  for (unsigned n = 0; n < 300; ++n) {
    Block block = block_at(0x3000, 4);
    s.pages.add(block);
    REQUIRE(block.rewritten == std::min(n, unsigned{CodePages::kMostWrites}));
    s.pages.written(0x3004, 4);  // beside it
    s.pages.written(0x3001, 1);
    s.pages.remove(block);
  }
}
