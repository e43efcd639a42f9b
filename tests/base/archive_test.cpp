// Archive: what is saved loads equal; a hostile stream fails cleanly.
#include "base/archive.h"

#include <catch2/catch.hpp>

using namespace xlat;

namespace {
enum class Colour : u8 { kRed, kBlue };

struct State {
  u8 a = 1;
  u16 b = 0x203;
  u64 c = 0x0405060708090a0bull;
  bool d = true;
  Colour colour = Colour::kBlue;
  std::array<u32, 3> e{1, 2, 3};
  std::vector<u8> f{9, 8, 7};
  std::string g = "text";

  void serialize(Archive& ar) {
    ar.section("state", 2);
    ar(a)(b)(c)(d)(colour)(e).blob(f, 16).text(g, 16);
  }
};
}  // namespace

TEST_CASE("a saved state loads equal") {
  State from;
  from.a = 200;
  from.e[2] = 77;
  from.g = "other";
  Archive out = Archive::saver();
  from.serialize(out);

  State to;
  to.f.clear();
  Archive in = Archive::loader(out.bytes());
  to.serialize(in);
  REQUIRE(in.ok());
  CHECK(in.at_end());
  CHECK(to.a == 200);
  CHECK(to.b == 0x203);
  CHECK(to.c == from.c);
  CHECK(to.colour == Colour::kBlue);
  CHECK(to.e[2] == 77);
  CHECK(to.f == from.f);
  CHECK(to.g == "other");
}

TEST_CASE("every truncation of a stream fails and reads zeros") {
  State from;
  Archive out = Archive::saver();
  from.serialize(out);
  for (std::size_t size = 0; size < out.bytes().size(); ++size) {
    State to;
    Archive in = Archive::loader({out.bytes().begin(), out.bytes().begin() + static_cast<std::ptrdiff_t>(size)});
    to.serialize(in);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("wrong section, unknown version and values out of range are errors") {
  Archive out = Archive::saver();
  out.section("one", 3);
  u8 value = 9;
  out(value);

  Archive other = Archive::loader(out.bytes());
  other.section("two", 3);
  CHECK_FALSE(other.ok());

  Archive older = Archive::loader(out.bytes());
  older.section("one", 2);
  CHECK_FALSE(older.ok());

  Archive ranged = Archive::loader(out.bytes());
  CHECK(ranged.section("one", 3) == 3);
  ranged.range(value, u8{1}, u8{4});
  CHECK_FALSE(ranged.ok());
  CHECK(value == 1);
}
