// What every kind of drive does with a disk that takes its time: the same stories for each.
#pragma once

#include <catch2/catch.hpp>

#include "tests/support/run_clock.h"
#include "tests/support/slow_image.h"

namespace xlat {

// A drive and its driver. It comes before what has the drive, as that goes first.
struct SlowDrive {
  explicit SlowDrive(std::size_t bytes) : image(bytes) {
    for (std::size_t n = 0; n < bytes; ++n) image.content[n] = static_cast<u8>(n / 512 + n * 7);
  }
  virtual ~SlowDrive() = default;

  DiskSetup setup() { return {.host = &host}; }
  virtual u32 block() const { return 512; }
  // Begins to read a block, or to write one that is full of 77h, and returns when the guest has nothing to do but wait.
  virtual void read(u8 lba) = 0;
  virtual void write(u8 lba) = 0;
  // The command has ended well; asked until it has.
  virtual bool over() = 0;
  virtual std::vector<u8> data() = 0;  // what was read
  // As a driver does it with a drive that does not answer, until the drive takes commands again.
  virtual void reset() = 0;
  virtual void serialize(Archive& ar) = 0;
  virtual std::span<u8> memory_bytes() = 0;  // the guest's
  virtual Clock& time() = 0;

  void pass(u64 ns) { run_clock(time(), time().now() + ns); }
  std::vector<u8> content(u8 lba) const {
    const auto from = image.content.begin() + static_cast<std::ptrdiff_t>(lba * block());
    return {from, from + block()};
  }
  void finish() {
    for (int n = 0; n < 2000 && !over(); ++n) {
      host.deliver_one();
      pass(1'000'000);
    }
    REQUIRE(over_);
  }

  SlowHost host{false};
  SlowImage::State image;

 protected:
  bool over_ = false;  // kept by over()
};

template <class Drive>
void check_slow_drive(bool writes = true) {
  SECTION("the guest goes on, and gets what is right in the end") {
    Drive drive;
    drive.image.hold(true);
    drive.read(3);
    drive.pass(200'000'000);
    CHECK_FALSE(drive.over());
    CHECK(drive.host.empty());
    drive.image.hold(false);
    drive.finish();
    CHECK((drive.data() == drive.content(3)));
    if (writes) {
      drive.image.hold(true);
      drive.write(5);
      drive.pass(200'000'000);
      CHECK_FALSE(drive.over());
      drive.image.hold(false);
      drive.finish();
      CHECK((drive.content(5) == std::vector<u8>(drive.block(), 0x77)));
    }
  }
  SECTION("a reset in the middle forgets the command, and what was written is on its way") {
    Drive drive;
    for (const bool write : {false, true}) {
      if (write && !writes) continue;
      drive.image.hold(true);
      write ? drive.write(6) : drive.read(3);
      drive.pass(1'000'000);
      drive.reset();
      drive.image.hold(false);
      drive.read(7);
      drive.finish();
      CHECK((drive.data() == drive.content(7)));
    }
    if (writes) CHECK((drive.content(6) == std::vector<u8>(drive.block(), 0x77)));
  }
  SECTION("saved in the middle, it ends the same where it was loaded") {
    for (const bool write : {false, true}) {
      if (write && !writes) continue;
      Drive one, two;
      one.image.hold(true);
      write ? one.write(5) : one.read(3);
      one.pass(1'000'000);
      Archive saver = Archive::saver();
      one.serialize(saver);
      std::copy(one.memory_bytes().begin(), one.memory_bytes().end(), two.memory_bytes().begin());
      Archive loader = Archive::loader(saver.bytes());
      two.serialize(loader);
      REQUIRE(loader.ok());
      two.host.resume();
      one.image.hold(false);
      for (Drive* each : {&one, &two}) {
        each->finish();
        if (write) CHECK((each->content(5) == std::vector<u8>(each->block(), 0x77)));
        if (!write) CHECK((each->data() == each->content(3)));
      }
    }
  }
}

}  // namespace xlat
