// Pacer on simulated hosts: engines of any speed, which changes as it likes. Virtual time stays beside the host's.
#include "machine/pacer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <random>

#include "base/clock.h"

using namespace xlat;

namespace {

constexpr u64 kMs = 1'000'000, kSecond = 1'000'000'000;

// What a run looked like: differences of virtual and host time in ns, at every look at the host's clock.
struct Seen {
  double most_ahead = 0, most_behind = 0, at_end = 0;
  u64 looks = 0;
  bool backwards = false;
};

// A host that executes `speed(host time)` instructions a second, is looked at when a slice ends or its ticker ticks,
// and takes `latency` to hear the ticker. `halted(host time)` says how long the guest sleeps then.
Seen simulate(
    u64 duration, const std::function<double(u64)>& speed, u64 latency = 0,
    const std::function<u64(u64)>& halted = [](u64) { return u64{0}; }) {
  constexpr u64 kTick = 2 * kMs, kStep = 10'000;
  Clock clock;
  Pacer pacer;
  Seen seen;
  u64 host = 5 * kSecond, count = 0, before = 0;
  const u64 start = host, virtual_start = clock.now();
  pacer.meet(host, clock.now());
  double part = 0;
  while (host - start < duration) {
    const u64 begin = host, count_before = count;
    const u64 end = clock.count_at(pacer.furthest(begin, clock.now()));
    // Small steps of host time, so that speed may change within a slice.
    while (count < end && host - begin < kTick + latency) {
      const double per_ns = speed(host) / 1e9;
      const double needed = std::ceil(static_cast<double>(end - count) / per_ns);
      const u64 step = std::max<u64>(1, static_cast<u64>(std::min(static_cast<double>(kStep), needed)));
      part += per_ns * static_cast<double>(step);
      const auto whole = std::min(static_cast<u64>(part), end - count);
      part -= static_cast<double>(whole);
      if (whole == end - count) part = 0;
      count += whole;
      host += step;
    }
    clock.set_count(count);
    if (const auto rate = pacer.ran(begin, host, count - count_before, clock.now())) clock.set_rate(*rate);
    const double difference = static_cast<double>(clock.now() - virtual_start) - static_cast<double>(host - start);
    seen.most_ahead = std::max(seen.most_ahead, difference);
    seen.most_behind = std::max(seen.most_behind, -difference);
    seen.at_end = difference;
    seen.backwards = seen.backwards || clock.now() < before;
    before = clock.now();
    ++seen.looks;
    if (const u64 sleep = halted(host)) {
      host += sleep;
      clock.skip_to(std::max(clock.now(), pacer.virtual_of(host)));
    }
  }
  return seen;
}

void check(const Seen& seen, u64 duration) {
  CHECK(seen.most_ahead < 5 * kMs);
  CHECK(seen.most_behind < 20 * kMs);
  CHECK(std::abs(seen.at_end) < static_cast<double>(duration) / 1000);
  CHECK_FALSE(seen.backwards);
}

}  // namespace

TEST_CASE("Virtual time follows the host's at any steady speed") {
  for (const double speed : {1e5, 1e6, 3e7, 1e9, 5e9, 4e10}) {
    INFO(speed << " instructions a second");
    check(simulate(10 * kSecond, [=](u64) { return speed; }), 10 * kSecond);
  }
}

TEST_CASE("A minute is a minute, within a thousandth") {
  for (const double speed : {1e5, 2e8, 5e9}) {
    check(simulate(60 * kSecond, [=](u64) { return speed; }), 60 * kSecond);
  }
}

TEST_CASE("Speed that jumps by tens of thousands, once or all the time, does not make the clock run away") {
  for (const u64 period : {300'000ul, 2 * kMs, 3 * kMs, 17 * kMs, 1000 * kMs}) {
    for (const double slow : {1e5, 1e7}) {
      INFO("period " << period << " ns, slow " << slow);
      const auto speed = [=](u64 host) { return host / period % 2 == 0 ? 5e9 : slow; };
      check(simulate(5 * kSecond, speed, kMs), 5 * kSecond);
    }
  }
}

TEST_CASE("Speed at random from 100 thousand to 40 thousand million") {
  std::mt19937_64 random(7);
  std::vector<double> speeds(997);
  for (double& speed : speeds) speed = std::pow(10.0, 5 + 5.6 * static_cast<double>(random() % 1000) / 1000);
  check(simulate(
            10 * kSecond, [&](u64 host) { return speeds[host / (700'000) % speeds.size()]; }, kMs),
        10 * kSecond);
}

TEST_CASE("A guest that sleeps most of the time wakes at the right time, whatever it does between") {
  for (const double speed : {1e5, 1e8, 5e9}) {
    check(simulate(
              5 * kSecond, [=](u64) { return speed; }, 0, [](u64) { return 900'000; }),
          5 * kSecond);
  }
}

TEST_CASE("An engine that is deaf for a while falls behind by that time and makes it good") {
  bool deaf = true;
  const auto speed = [&](u64 host) { return deaf && host < 5 * kSecond + 60 * kMs ? 1e3 : 1e9; };
  const Seen seen = simulate(kSecond, speed, 0);
  CHECK(seen.most_behind < 80 * kMs);
  CHECK(std::abs(seen.at_end) < kMs);
}

TEST_CASE("Catching up leaves a slow guest instructions enough for each tick of its timer") {
  Pacer pacer;
  pacer.meet(0, 0);
  // 100 thousand instructions a second, 50 ms behind.
  const auto rate = pacer.ran(0, 50 * kMs, 5000, 0);
  REQUIRE(rate);
  const double ns_each = static_cast<double>(*rate) / 4294967296.0;
  CHECK(ns_each <= 2 * 10'000);
}
