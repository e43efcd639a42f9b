// A disk with a thread of its own: order, who waits for whom, and what a failure leaves behind.
#include "devices/block/disk.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>

using namespace xlat;

namespace {

// An image whose reads and writes stand still until they are let go, and whose flushes fail as they are told to.
class SlowImage final : public BlockImage {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool held = false;
    std::atomic<unsigned> flushes = 0;
    std::atomic<bool> flush_fails = false;

    void hold(bool on) {
      const std::lock_guard lock(mutex);
      held = on;
      changed.notify_all();
    }
  };
  explicit SlowImage(State& state) : state_(state) {}
  u64 size() const override { return below_->size(); }
  Status read(u64 at, std::span<u8> to) override {
    wait();
    return below_->read(at, to);
  }
  Status write(u64 at, std::span<const u8> from) override {
    wait();
    return below_->write(at, from);
  }
  Status flush() override {
    ++state_.flushes;
    return state_.flush_fails ? Status(error("no room")) : Status();
  }
  bool read_only() const override { return false; }
  const std::string& path() const override { return below_->path(); }

 private:
  void wait() {
    std::unique_lock lock(state_.mutex);
    state_.changed.wait(lock, [this] { return !state_.held; });
  }
  State& state_;
  std::unique_ptr<BlockImage> below_ = make_memory_image(1 << 20);
};

// The machine: what is finished waits here until it is taken.
struct Host final : DiskHost {
  explicit Host(bool by_time) : timed(by_time) {}
  u16 add(Disk&) override { return 0; }
  void remove(u16) override {}
  bool by_time() const override { return timed; }
  void finished(u16, u64 number) override {
    const std::lock_guard lock(mutex);
    numbers.push_back(number);
    changed.notify_all();
  }
  // Waits for the next one.
  u64 take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !numbers.empty(); });
    const u64 number = numbers.front();
    numbers.pop_front();
    return number;
  }
  bool empty() {
    const std::lock_guard lock(mutex);
    return numbers.empty();
  }
  const bool timed;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<u64> numbers;
};

struct Over {
  u32 tag;
  bool good;
  std::vector<u8> data;
};

struct Rig {
  explicit Rig(bool by_time, DiskPolicy policy = {}) : host(by_time) {
    disk.emplace(clock, std::make_unique<SlowImage>(image), DiskSetup{.host = &host, .policy = policy},
                 [this](DiskRequest& r) {
                   over.push_back({r.tag, static_cast<bool>(r.status), r.data});
                 });
  }
  void later(u64 count) {
    clock.set_count(clock.count() + count);
    clock.run_due();
  }
  SlowImage::State image;
  Clock clock;
  Host host;
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
