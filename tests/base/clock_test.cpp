// Clock and Timer: virtual time follows the instruction count, events fire in order.
#include "base/clock.h"

#include <catch2/catch.hpp>

using namespace xlat;

TEST_CASE("time is the instruction count times the rate") {
  Clock clock;
  clock.set_rate(u64{8} << 32);
  clock.set_count(1000);
  CHECK(clock.now() == 8000);
  clock.set_rate(u64{2} << 32);
  CHECK(clock.now() == 8000);
  clock.set_count(1500);
  CHECK(clock.now() == 9000);
  CHECK(clock.count_at(9001) == 1501);
  CHECK(clock.count_at(9002) == 1501);
  CHECK(clock.count_at(Clock::kNever) == Clock::kNever);
  clock.skip_to(20000);
  CHECK(clock.now() == 20000);
  CHECK(clock.count() == 1500);
}

TEST_CASE("events fire by deadline, ties in the order they were scheduled") {
  Clock clock;
  std::string fired;
  Timer a(clock, [&] { fired += 'a'; });
  Timer b(clock, [&] { fired += 'b'; });
  Timer c(clock, [&] { fired += 'c'; });
  c.schedule(100);
  b.schedule(50);
  a.schedule(100);
  CHECK(clock.next_deadline() == 50);
  clock.skip_to(99);
  clock.run_due();
  CHECK(fired == "b");
  clock.skip_to(100);
  clock.run_due();
  CHECK(fired == "bca");
  CHECK(clock.next_deadline() == Clock::kNever);
}

TEST_CASE("a timer may reschedule itself, and a cancelled one does not fire") {
  Clock clock;
  int ticks = 0;
  Timer* self = nullptr;
  Timer periodic(clock, [&] {
    ++ticks;
    self->schedule(self->deadline() + 10);
  });
  self = &periodic;
  Timer never(clock, [&] { FAIL("cancelled timer fired"); });
  never.schedule(25);
  never.cancel();
  periodic.schedule(10);
  clock.skip_to(55);
  clock.run_due();
  CHECK(ticks == 5);
  CHECK(periodic.deadline() == 60);
}

TEST_CASE("an earlier deadline is announced, a later one is not") {
  Clock clock;
  int announced = 0;
  clock.on_earlier_deadline([&] { ++announced; });
  Timer a(clock, [] {}), b(clock, [] {});
  a.schedule(100);
  b.schedule(200);
  CHECK(announced == 1);
  b.schedule(50);
  CHECK(announced == 2);
}

TEST_CASE("clock and timers survive a snapshot") {
  Clock clock;
  Timer a(clock, [] {});
  clock.set_count(77);
  a.schedule(12345);
  Archive out = Archive::saver();
  clock.serialize(out);
  a.serialize(out);

  Clock other;
  int fired = 0;
  Timer b(other, [&] { ++fired; });
  Archive in = Archive::loader(out.bytes());
  other.serialize(in);
  b.serialize(in);
  REQUIRE(in.ok());
  CHECK(other.now() == clock.now());
  CHECK(b.deadline() == 12345);
  other.skip_to(12345);
  other.run_due();
  CHECK(fired == 1);
}

TEST_CASE("a loaded timer saves to the same bytes, pending or not, and keeps its place among others") {
  const auto save = [](Clock& clock, std::initializer_list<Timer*> timers) {
    Archive out = Archive::saver();
    clock.serialize(out);
    for (Timer* t : timers) t->serialize(out);
    return out.bytes();
  };
  std::string fired;
  Clock clock;
  Timer a(clock, [&] { fired += 'a'; }), b(clock, [&] { fired += 'b'; }), c(clock, [&] { fired += 'c'; });
  c.schedule(50);
  b.schedule(100);
  a.schedule(100);
  c.cancel();
  const std::vector<u8> saved = save(clock, {&a, &b, &c});

  Clock other;
  Timer x(other, [&] { fired += 'x'; }), y(other, [&] { fired += 'y'; }), z(other, [&] { fired += 'z'; });
  z.schedule(7);
  for (int n = 0; n < 9; ++n) x.schedule(30);
  for (int round = 0; round < 3; ++round) {
    Archive in = Archive::loader(saved);
    other.serialize(in);
    for (Timer* t : {&x, &y, &z}) t->serialize(in);
    REQUIRE((in.ok() && in.at_end()));
    CHECK(save(other, {&x, &y, &z}) == saved);
  }
  Timer later(other, [&] { fired += 'l'; });
  later.schedule(100);
  other.skip_to(100);
  other.run_due();
  CHECK(fired == "yxl");
}
