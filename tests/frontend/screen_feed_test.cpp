// The feed of displays: what sinks get, when, and what a thread of theirs takes.
#include "frontend/display/screen_feed.h"

#include <catch2/catch.hpp>
#include <thread>

#include "frontend/options/command_line.h"

namespace xlat {

namespace {

struct Sink final : ScreenSink {
  unsigned shown = 0, width = 0, height = 0;
  std::vector<u32> pixels;
  bool looks = true;
  bool watched() const override { return looks; }
  void show(const Surface& surface, std::span<const Rect> changed) override {
    ++shown;
    CHECK(!changed.empty());
    if (surface.width() != width || surface.height() != height) {
      width = surface.width(), height = surface.height();
      pixels.assign(surface.pixels().begin(), surface.pixels().end());
    }
    for (const Rect& r : changed) {
      REQUIRE(r.x + r.width <= width);
      REQUIRE(r.y + r.height <= height);
      for (unsigned y = r.y; y < r.y + r.height; ++y) {
        for (unsigned x = r.x; x < r.x + r.width; ++x) pixels[std::size_t{y} * width + x] = surface.row(y)[x];
      }
    }
  }
};

std::unique_ptr<Machine> machine_of(std::vector<std::string> args) {
  args.insert(args.end(), {"-display", "none", "-m", "8", "-icount", "shift=4,sleep=off", "-serial", "none"});
  auto settings = parse_command_line(args);
  if (!settings) FAIL(settings.error().message);
  for (const ChannelSettings& c : settings->channels) settings->machine.channels.push_back({c.id, nullptr});
  auto machine = Machine::create(settings->machine);
  if (!machine) FAIL(machine.error().message);
  return std::move(*machine);
}

// Runs for so many milliseconds of virtual time, in pieces with time of the host's between them.
void run_for(Machine& machine, unsigned ms) {
  for (unsigned n = 0; n < ms; n += 20) {
    machine.run_until(machine.pc().clock.count_at(machine.pc().clock.now() + 20'000'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(9));
  }
}

}  // namespace

TEST_CASE("sinks follow the screen, its size, and a machine that stands still", "[display]") {
  auto machine = machine_of({});
  ScreenFeed feed(*machine);
  Sink early;
  feed.attach(early);
  CHECK(early.shown == 1);
  const unsigned first_width = early.width;
  run_for(*machine, 1500);
  CHECK(early.shown > 1);
  CHECK(early.width == 720);  // the firmware's text mode
  CHECK(first_width != 0);
  const Surface& now = feed.look();
  CHECK(std::equal(now.pixels().begin(), now.pixels().end(), early.pixels.begin(), early.pixels.end()));
  Sink late;
  feed.attach(late);
  CHECK(late.pixels == early.pixels);

  machine->stop();
  const unsigned shown = late.shown;
  feed.look();
  CHECK(late.shown == shown);  // nothing has changed
  feed.detach(late);
  machine->cont();
  run_for(*machine, 700);  // the cursor blinks
  CHECK(early.shown > shown);
  CHECK(late.shown == shown);
  feed.detach(early);
  CHECK(late.pixels.size() == std::size_t{720} * 400);
}

TEST_CASE("a machine without an adapter has a black screen", "[display]") {
  auto machine = machine_of({"-vga", "none"});
  ScreenFeed feed(*machine);
  Sink sink;
  feed.attach(sink);
  CHECK(sink.shown == 1);
  CHECK(sink.width == ScreenFeed::kBlankWidth);
  CHECK(std::count(sink.pixels.begin(), sink.pixels.end(), 0) == std::ssize(sink.pixels));
}

TEST_CASE("a thread takes what has changed since it last did", "[display]") {
  unsigned woken = 0;
  SharedPicture shared([&] { ++woken; });
  CHECK_FALSE(shared.take([](const SharedPicture::View&) { FAIL("nothing was shown"); }));
  Surface surface;
  surface.resize(100, 50);
  const auto show = [&](Rect r) {
    surface.row(r.y)[r.x] = 0xff0000 + r.x;
    shared.show(surface, {&r, 1});
  };
  show({0, 0, 100, 50});
  CHECK(woken == 1);
  CHECK(shared.take([](const SharedPicture::View& v) { CHECK((v.width == 100 && v.changed.size() == 1)); }));
  show({3, 4, 10, 1});
  show({50, 4, 1, 1});
  CHECK(shared.take([&](const SharedPicture::View& v) {
    REQUIRE(v.changed.size() == 2);
    CHECK(v.changed[0] == Rect{3, 4, 10, 1});
    CHECK(v.pixels[403] == 0xff0003);
    CHECK(std::equal(v.pixels.begin(), v.pixels.end(), surface.pixels().begin()));
  }));
  for (unsigned n = 0; n < 1000; ++n) show({20 + n % 30, 10 + n % 7, 1, 1});  // too many to keep
  CHECK(shared.take([&](const SharedPicture::View& v) {
    CHECK(v.changed.size() <= 64);
    CHECK(std::equal(v.pixels.begin(), v.pixels.end(), surface.pixels().begin()));
  }));
  CHECK_FALSE(shared.take([](const SharedPicture::View&) {}));
  surface.resize(10, 10);
  const Rect all{0, 0, 10, 10};
  shared.show(surface, {&all, 1});
  CHECK(shared.take([](const SharedPicture::View& v) { CHECK((v.width == 10 && v.changed[0].width == 10)); }));
}

}  // namespace xlat
