// A disk with a thread of its own: order, who waits for whom, and what a failure leaves behind.
#include "devices/block/disk.h"

#include <catch2/catch.hpp>
#include <optional>

#include "tests/support/slow_image.h"

using namespace xlat;

namespace {

struct Over {
  u32 tag;
  bool good;
  std::vector<u8> data;
};

struct Rig {
  explicit Rig(bool by_time, DiskPolicy policy = {}, IoErrorHook on_error = {}) : host(by_time) {
    disk.emplace(clock, image.open(), DiskSetup{.name = "d", .host = &host, .on_error = on_error, .policy = policy},
                 [this](DiskRequest& r) {
                   over.push_back({r.tag, static_cast<bool>(r.status), r.data});
                 });
  }
  // A write at 1024 that fails.
  void write_in_vain(u32 tag, u8 byte) {
    image.write_fails = true;
    disk->write(tag, 1024, std::vector<u8>(512, byte));
    disk->deliver(host.take());
    image.write_fails = false;
  }
  void later(u64 count) {
    clock.set_count(clock.count() + count);
    clock.run_due();
  }
  SlowImage::State image{1 << 20};
  Clock clock;
  SlowHost host;
  std::vector<Over> over;
  std::optional<Disk> disk;
};

}  // namespace

TEST_CASE("disk: a slow one holds nobody up, and what is over is told in order", "[disk]") {
  Rig rig(false);
  rig.image.hold(true);
  rig.disk->write(1, 512, std::vector<u8>(512, 0xab));
  rig.disk->read(2, 0, 1024);
  rig.disk->flush(3);
  // The machine goes on meanwhile, as long as it likes.
  for (int n = 0; n < 100; ++n) rig.later(1'000'000);
  CHECK(rig.over.empty());
  CHECK(rig.host.empty());
  CHECK(rig.disk->in_flight());
  rig.image.hold(false);
  for (int n = 0; n < 3; ++n) {
    const u64 number = rig.host.take();
    CHECK(rig.over.size() == static_cast<std::size_t>(n));
    rig.disk->deliver(number);
  }
  REQUIRE(rig.over.size() == 3);
  for (u32 n = 0; n < 3; ++n) CHECK((rig.over[n].tag == n + 1 && rig.over[n].good));
  REQUIRE(rig.over[1].data.size() == 1024);
  CHECK((rig.over[1].data[511] == 0 && rig.over[1].data[512] == 0xab));
  CHECK_FALSE(rig.disk->in_flight());
}

TEST_CASE("disk: where time rules, a request is over at its time, for which the machine waits", "[disk]") {
  for (const bool slow : {false, true}) {
    Rig rig(true);
    rig.image.hold(slow);
    rig.disk->submit({.tag = 1, .bytes = 512}, 1'000'000);
    u64 before = 0;
    std::thread lets_go([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(slow ? 20 : 0));
      rig.image.hold(false);
    });
    while (rig.over.empty()) {
      before = rig.clock.now();
      rig.later(100'000);
    }
    lets_go.join();
    CHECK((before < 1'000'000 && rig.clock.now() >= 1'000'000));
    CHECK(rig.over[0].good);
  }
}

TEST_CASE("disk: what was dropped is done, and told to nobody", "[disk]") {
  Rig rig(false);
  rig.image.hold(true);
  rig.disk->write(1, 0, std::vector<u8>(512, 0x5a));
  rig.disk->drop();
  CHECK_FALSE(rig.disk->in_flight());
  rig.image.hold(false);
  rig.disk->deliver(rig.host.take());
  CHECK(rig.over.empty());
  std::vector<u8> first(1);
  REQUIRE(rig.disk->image()->read(0, first));
  CHECK(first[0] == 0x5a);
}

TEST_CASE("disk: a flush that failed is made up for when the medium goes", "[disk]") {
  for (const bool through : {false, true}) {
    Rig rig(false);
    rig.image.flush_fails = true;
    rig.disk->write(1, 0, std::vector<u8>(512, 1), through);
    rig.disk->deliver(rig.host.take());
    if (!through) {
      rig.disk->flush(2);
      rig.disk->deliver(rig.host.take());
    }
    CHECK_FALSE(rig.over.back().good);
    CHECK(rig.image.flushes == 1);
    rig.image.flush_fails = false;
    rig.disk->exchange(nullptr);
    CHECK(rig.image.flushes == 2);
  }
}

TEST_CASE("disk: nothing need be safe where the user says so", "[disk]") {
  Rig rig(false, {.ignore_flush = true});
  rig.disk->write(1, 0, std::vector<u8>(512, 1), true);
  rig.disk->flush(2);
  for (int n = 0; n < 2; ++n) rig.disk->deliver(rig.host.take());
  CHECK((rig.over.size() == 2 && rig.over[0].good && rig.over[1].good));
  rig.disk.reset();
  CHECK(rig.image.flushes == 0);
}

TEST_CASE("disk: what waits for the user is tried once more at the end, and its loss is told", "[disk]") {
  for (const bool in_vain : {false, true}) {
    Rig rig(false, {}, [](bool, const Error&) { return IoErrorAction::kRetry; });
    rig.write_in_vain(1, 0x11);
    // One behind it has not failed, and is done again, as it comes later.
    rig.disk->write(2, 1024, std::vector<u8>(512, 0x22));
    rig.host.take();
    rig.image.write_fails = in_vain;
    rig.disk.reset();
    CHECK(rig.over.empty());
    CHECK(rig.image.content[1024] == 0x22);
    if (in_vain) {
      REQUIRE(rig.host.losses.size() == 2);
      CHECK(rig.host.losses[0] == "drive 'd': no room: 512 bytes at offset 1024 are lost");
    } else {
      CHECK(rig.host.losses.empty());
      CHECK(rig.image.flushes == 1);
    }
  }
}

TEST_CASE("disk: a request that is tried again comes before those behind it", "[disk]") {
  Rig rig(false, {}, [](bool, const Error&) { return IoErrorAction::kRetry; });
  rig.write_in_vain(1, 0x11);
  rig.disk->write(2, 1024, std::vector<u8>(512, 0x22));
  rig.disk->deliver(rig.host.take());
  rig.later(1'000'000);
  while (rig.over.size() < 2) rig.disk->deliver(rig.host.take());
  CHECK((rig.over[0].tag == 1 && rig.over[1].tag == 2));
  CHECK(rig.image.content[1024] == 0x22);
}

TEST_CASE("disk: a machine that stands still has what was written made safe, and says if it cannot be", "[disk]") {
  Rig rig(false);
  rig.disk->write(1, 0, std::vector<u8>(512, 1));
  rig.image.flush_fails = true;
  rig.disk->make_all_safe();
  CHECK(rig.host.losses == std::vector<std::string>{"drive 'd': no room: what was written last may be lost"});
  rig.image.flush_fails = false;
  rig.disk->make_all_safe();
  CHECK(rig.image.flushes == 2);
  rig.disk->make_all_safe();
  CHECK(rig.image.flushes == 2);
}
