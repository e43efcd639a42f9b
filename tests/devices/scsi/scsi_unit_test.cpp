// SCSI disks and CD-ROM drives command by command, without a bus.
#include <random>

#include "devices/scsi/scsi_bus.h"
#include "devices/scsi/scsi_cdrom.h"
#include "devices/scsi/scsi_disk.h"
#include "tests/devices/scsi/scsi_rig.h"

using namespace xlat;

namespace {

constexpr ScsiStatus kGood = ScsiStatus::kGood, kCheck = ScsiStatus::kCheckCondition;
using Bytes = std::vector<u8>;

ScsiDisk disk_of(std::unique_ptr<BlockImage> image, bool removable = false, DiskSetup setup = {}) {
  return {scsi_clock(),    "d", std::move(image), removable, {.product = "DISK", .serial = "S1", .device_id = "id"},
          std::move(setup)};
}

Bytes part(const Bytes& all, std::size_t from, std::size_t bytes) {
  return {all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(from + bytes)};
}

// Fails as it is told to.
struct Fragile final : BlockImage {
  std::unique_ptr<BlockImage> below = make_memory_image(1 << 20);
  bool fails = false;
  Status check() const { return fails ? Status(Error{"no room", ENOSPC}) : Status(); }
  u64 size() const override { return below->size(); }
  Status read(u64 at, std::span<u8> to) override { return fails ? check() : below->read(at, to); }
  Status write(u64 at, std::span<const u8> from) override { return fails ? check() : below->write(at, from); }
  Status flush() override { return check(); }
  bool read_only() const override { return false; }
  const std::string& path() const override { return below->path(); }
};

}  // namespace

TEST_CASE("SCSI disk: what it is, and what it says after power-on", "[scsi]") {
  ScsiDisk disk = disk_of(pattern_image(4 << 20));
  disk.reset();
  // INQUIRY is answered whatever has happened; then the reset is told of, once.
  const Bytes inquiry = scsi_run(disk, {0x12, 0, 0, 0, 96, 0}).data;
  REQUIRE(inquiry.size() == 36);
  CHECK((inquiry[0] == 0 && inquiry[1] == 0 && inquiry[2] == 5 && inquiry[7] == 0x12));
  CHECK(std::string(inquiry.begin() + 8, inquiry.end()) == "XLAT    DISK            1.0 ");
  CHECK(scsi_run(disk, {0x00, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kPowerOn);
  CHECK(scsi_sense(disk) == scsi::kNoSense);
  CHECK(scsi_run(disk, {0x00, 0, 0, 0, 0, 0}).status == kGood);
  // REQUEST SENSE itself can be what tells of it, in either form.
  disk.reset();
  CHECK(scsi_run(disk, {0x03, 1, 0, 0, 18, 0}).data == Bytes{0x72, 6, 0x29, 0, 0, 0, 0, 0});
  CHECK(scsi_run(disk, {0x12, 1, 0x00, 0, 96, 0}).data == Bytes{0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2});
  CHECK(scsi_run(disk, {0x12, 1, 0x80, 0, 96, 0}).data == Bytes{0, 0x80, 0, 2, 'S', '1'});
  CHECK(scsi_run(disk, {0x12, 1, 0x83, 0, 96, 0}).data == Bytes{0, 0x83, 0, 6, 2, 0, 0, 2, 'i', 'd'});
  CHECK(scsi_run(disk, {0x12, 1, 0xb0, 0, 96, 0}).data.size() == 64);
  CHECK(scsi_run(disk, {0x12, 1, 0x55, 0, 96, 0}).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kInvalidField);
  CHECK(scsi_run(disk, {0x12, 0, 0x80, 0, 96, 0}).status == kCheck);
  CHECK(scsi_run(disk, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).data == Bytes{0, 0, 0x1f, 0xff, 0, 0, 2, 0});
  const Bytes capacity = scsi_run(disk, {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}).data;
  CHECK(part(capacity, 0, 12) == Bytes{0, 0, 0, 0, 0, 0, 0x1f, 0xff, 0, 0, 2, 0});
  CHECK(scsi_run(disk, {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}).data.size() == 16);
  CHECK(scsi_run(disk, {0xff, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kInvalidCommand);
}

TEST_CASE("SCSI disk: blocks by every command that moves them", "[scsi]") {
  ScsiDisk disk = disk_of(pattern_image(4 << 20));
  Bytes content = pattern_bytes(4 << 20);
  CHECK(scsi_run(disk, {0x08, 0, 0, 3, 2, 0}).data == part(content, 3 * 512, 1024));
  CHECK(scsi_run(disk, {0x08, 0, 0, 0, 0, 0}).data == part(content, 0, 256 * 512));  // zero means 256
  CHECK(scsi_run(disk, {0x28, 0, 0, 0, 1, 0, 0, 1, 0x2c, 0}).data == part(content, 256 * 512, 300 * 512));
  CHECK(scsi_run(disk, {0xa8, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0}).data == part(content, 9 * 512, 512));
  CHECK(scsi_run(disk, {0x88, 0, 0, 0, 0, 0, 0, 0, 0x1f, 0xff, 0, 0, 0, 1, 0, 0}).data ==
        part(content, 8191 * 512, 512));
  const auto zero = scsi_run(disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK((zero.status == kGood && zero.data.empty()));
  const Bytes news(200 * 512, 0x5a);
  CHECK(scsi_run(disk, {0x2a, 0, 0, 0, 0, 10, 0, 0, 200, 0}, news).status == kGood);
  CHECK(scsi_run(disk, {0x0a, 0, 1, 0, 1, 0}, Bytes(512, 1)).status == kGood);
  CHECK(scsi_run(disk, {0xaa, 8, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0}, Bytes(512, 2)).status == kGood);  // FUA
  CHECK(scsi_run(disk, {0x8a, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0}, Bytes(512, 3)).status == kGood);
  std::copy(news.begin(), news.end(), content.begin() + 10 * 512);
  for (u8 n = 1; n <= 3; ++n) std::fill_n(content.begin() + n * 256 * 512, 512, n);
  Bytes now(content.size());
  REQUIRE(disk.image()->read(0, now));
  CHECK(now == content);
  // VERIFY looks at the range, and with BYTCHK at the bytes.
  CHECK(scsi_run(disk, {0x2f, 0, 0, 0, 0, 10, 0, 0, 200, 0}).status == kGood);
  CHECK(scsi_run(disk, {0x2f, 2, 0, 0, 0, 10, 0, 0, 200, 0}, news).status == kGood);
  CHECK(scsi_run(disk, {0x2f, 2, 0, 0, 0, 9, 0, 0, 1, 0}, Bytes(512, 9)).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kMiscompare);
  for (const auto& past : {std::initializer_list<u8>{0x28, 0, 0, 0, 0x1f, 0xff, 0, 0, 2, 0},
                           {0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0},
                           {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0},
                           {0x35, 0, 0, 0, 0x1f, 0xff, 0, 0, 2, 0},
                           {0x2f, 0, 0, 0, 0x20, 0, 0, 0, 1, 0}}) {
    CHECK(scsi_run(disk, past).status == kCheck);
    CHECK(scsi_sense(disk) == scsi::kOutOfRange);
  }
  CHECK(scsi_run(disk, {0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kGood);
}

TEST_CASE("SCSI disk: ranges are filled and given back", "[scsi]") {
  ScsiDisk disk = disk_of(pattern_image(4 << 20));
  Bytes content = pattern_bytes(4 << 20), now(content.size());
  const auto look = [&] {
    REQUIRE(disk.image()->read(0, now));
    return now == content;
  };
  // WRITE SAME with a pattern, with zeros, without data; over more than goes at once.
  Bytes block(512);
  for (std::size_t n = 0; n < 512; ++n) block[n] = static_cast<u8>(n * 3);
  CHECK(scsi_run(disk, {0x41, 0, 0, 0, 0, 100, 0, 1, 0x2c, 0}, block).status == kGood);
  for (unsigned n = 100; n < 400; ++n) std::copy(block.begin(), block.end(), content.begin() + n * 512);
  CHECK(look());
  CHECK(scsi_run(disk, {0x93, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0}, Bytes(512)).status == kGood);
  CHECK(scsi_run(disk, {0x93, 1, 0, 0, 0, 0, 0, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0}).status == kGood);  // to the end
  std::fill_n(content.begin() + 5 * 512, 6 * 512, u8{0});
  std::fill(content.begin() + 0x1f00 * 512, content.end(), u8{0});
  CHECK(look());
  // UNMAP: two ranges; lists that are cut short or reach too far are refused before anything is done.
  Bytes list{0, 38, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 50, 0, 0, 0, 2,
             0, 0,  0, 0,  0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 1,  0, 0, 0, 0};
  CHECK(scsi_run(disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, list).status == kGood);
  list[12] = 1;
  CHECK(scsi_run(disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, list).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kOutOfRange);
  CHECK(scsi_run(disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 30, 0}, part(list, 0, 30)).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kParameterLength);
  // FORMAT UNIT takes a list of defects in.
  CHECK(scsi_run(disk, {0x04, 0, 0, 0, 0, 0}).status == kGood);
  CHECK(scsi_run(disk, {0x04, 0x10, 0, 0, 0, 0}, {0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}).status == kGood);
}

TEST_CASE("SCSI disk: mode pages are shown, and set where they can be", "[scsi]") {
  ScsiDisk disk = disk_of(pattern_image(4 << 20));
  const Bytes caching = scsi_run(disk, {0x1a, 0, 0x08, 0, 255, 0}).data;
  REQUIRE(caching.size() == 4 + 8 + 20);
  CHECK(part(caching, 0, 15) == Bytes{31, 0, 0x10, 8, 0, 0, 0x20, 0, 0, 0, 2, 0, 8, 18, 4});
  CHECK(scsi_run(disk, {0x5a, 8, 0x3f, 0, 0, 0, 0, 1, 0, 0}).data.size() == 8 + 12 + 24 + 24 + 20 + 12);
  CHECK(scsi_run(disk, {0x1a, 8, 0x48, 0, 255, 0}).data[6] == 4);  // what can be changed
  CHECK(scsi_run(disk, {0x1a, 8, 0xc8, 0, 255, 0}).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kNoSaving);
  CHECK(scsi_run(disk, {0x1a, 8, 0x2a, 0, 255, 0}).status == kCheck);
  Bytes page = part(caching, 12, 20);
  page[2] = 0;
  Bytes list{0, 0, 0, 0};
  list.insert(list.end(), page.begin(), page.end());
  CHECK(scsi_run(disk, {0x15, 0x10, 0, 0, 24, 0}, list).status == kGood);
  CHECK(scsi_run(disk, {0x1a, 8, 0x08, 0, 255, 0}).data[6] == 0);
  list[4 + 5] = 1;  // what cannot be changed
  CHECK(scsi_run(disk, {0x15, 0x10, 0, 0, 24, 0}, list).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kInvalidParameter);
  CHECK(scsi_run(disk, {0x15, 0x10, 0, 0, 3, 0}, {0, 0, 0}).status == kCheck);
  CHECK(scsi_run(disk, {0x15, 0x10, 0, 0, 5, 0}, {0, 0, 0, 8, 0}).status == kCheck);
  CHECK(scsi_run(disk, {0x15, 0x10, 0, 0, 0, 0}).status == kGood);
  disk.reset();
  scsi_sense(disk);
  CHECK(scsi_run(disk, {0x1a, 8, 0x08, 0, 255, 0}).data[6] == 4);
}

TEST_CASE("SCSI disk: write protection, stopping, changing the medium", "[scsi]") {
  ScsiDisk fixed = disk_of(make_memory_image(1 << 20, ImageAccess::kReadOnly));
  CHECK(scsi_run(fixed, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_sense(fixed) == scsi::kWriteProtected);
  CHECK(scsi_run(fixed, {0x1a, 8, 0x3f, 0, 4, 0}).data[2] == 0x90);
  CHECK(scsi_run(fixed, {0x1b, 0, 0, 0, 0, 0}).status == kGood);
  CHECK(scsi_run(fixed, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_sense(fixed) == scsi::kNotReady);
  CHECK(scsi_run(fixed, {0x1b, 0, 0, 0, 1, 0}).status == kGood);
  CHECK(scsi_run(fixed, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kGood);

  ScsiDisk stick = disk_of(pattern_image(1 << 20), true);
  CHECK(scsi_run(stick, {0x1e, 0, 0, 0, 1, 0}).status == kGood);
  CHECK(stick.locked());
  CHECK_FALSE(stick.eject(false));
  CHECK(scsi_run(stick, {0x1b, 0, 0, 0, 2, 0}).status == kCheck);
  CHECK(scsi_sense(stick) == scsi::kRemovalPrevented);
  CHECK(stick.eject(true));
  CHECK(scsi_run(stick, {0x00, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(stick) == scsi::kNoMedium);
  REQUIRE(stick.insert(pattern_image(2 << 20)));
  CHECK(scsi_run(stick, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(stick) == scsi::kChanged);
  CHECK(scsi_run(stick, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).data[2] == 0x0f);
}

TEST_CASE("SCSI disk: what the host cannot do is told, hidden or tried again", "[scsi]") {
  auto image = std::make_unique<Fragile>();
  Fragile& fragile = *image;
  IoErrorAction action = IoErrorAction::kReport;
  unsigned asked = 0;
  const auto hook = [&](bool, const Error&) {
    ++asked;
    return action;
  };
  ScsiDisk disk = disk_of(std::move(image), false, {.on_error = hook});
  fragile.fails = true;
  CHECK(scsi_run(disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kReadError);
  CHECK(scsi_run(disk, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0}, Bytes(512, 1)).status == kCheck);
  CHECK(scsi_sense(disk) == scsi::kWriteError);
  action = IoErrorAction::kIgnore;
  CHECK(scsi_run(disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).data == Bytes(512, 0));
  CHECK(scsi_run(disk, {0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kGood);
  action = IoErrorAction::kRetry;
  ScsiTask task;
  disk.begin(task, Bytes{0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0});
  std::fill(task.room().begin(), task.room().end(), u8{7});
  task.moved(512);
  asked = 0;
  disk.on_medium_done([&] { disk.step(task); });
  const auto later = [] { run_clock(scsi_clock(), scsi_clock().now() + 1'500'000); };
  CHECK(disk.step(task));
  later();
  CHECK((asked >= 1 && task.phase() == ScsiTask::Phase::kWaits && task.at_medium()));
  const unsigned before = asked;
  later();
  CHECK((asked > before && task.phase() == ScsiTask::Phase::kWaits));
  fragile.fails = false;
  later();
  CHECK((task.phase() == ScsiTask::Phase::kDone && task.status() == kGood));
  CHECK(scsi_run(disk, {0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0}).data == Bytes(512, 7));
}

TEST_CASE("SCSI CD-ROM: the disc, its table of contents and its sectors", "[scsi]") {
  ScsiCdrom drive(scsi_clock(), "c", pattern_image(300 * 2048 + 512), {.product = "CD-ROM"});
  const Bytes content = pattern_bytes(300 * 2048 + 512);
  CHECK(scsi_run(drive, {0x12, 0, 0, 0, 2, 0}).data == Bytes{5, 0x80});
  CHECK(scsi_run(drive, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}).data == Bytes{0, 0, 1, 44, 0, 0, 8, 0});
  CHECK(scsi_run(drive, {0x28, 0, 0, 0, 0, 7, 0, 0, 60, 0}).data == part(content, 7 * 2048, 60 * 2048));
  // The last sector is filled up.
  Bytes last = part(content, 300 * 2048, 512);
  last.resize(2048);
  CHECK(scsi_run(drive, {0xa8, 0, 0, 0, 1, 44, 0, 0, 0, 1, 0, 0}).data == last);
  const Bytes raw = scsi_run(drive, {0xbe, 0, 0, 0, 0, 16, 0, 0, 40, 0xf8, 0, 0}).data;
  REQUIRE(raw.size() == 40 * 2352);
  CHECK(part(raw, 0, 16) == Bytes{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 2, 0x16, 1});
  CHECK(part(raw, 39 * 2352 + 16, 2048) == part(content, 55 * 2048, 2048));
  CHECK(scsi_run(drive, {0xb9, 0, 0, 0, 2, 16, 0, 2, 17, 0x10, 0, 0}).data == part(content, 16 * 2048, 2048));
  CHECK(scsi_run(drive, {0xbe, 4, 0, 0, 0, 16, 0, 0, 1, 0x10, 0, 0}).status == kCheck);  // audio
  CHECK(scsi_sense(drive) == scsi::kWrongTrackMode);
  CHECK(scsi_run(drive, {0x28, 0, 0, 0, 1, 44, 0, 0, 2, 0}).status == kCheck);
  CHECK(scsi_run(drive, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_run(drive, {0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0}).data ==
        Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1, 45});
  CHECK(scsi_run(drive, {0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12, 0}).data ==
        Bytes{0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 6, 1});
  CHECK(scsi_run(drive, {0x43, 0, 2, 0, 0, 0, 0, 1, 0, 0}).data.size() == 48);
  CHECK(scsi_run(drive, {0x46, 0, 0, 0, 0, 0, 0, 0, 8, 0}).data[7] == 8);
  CHECK(scsi_run(drive, {0x51, 0, 0, 0, 0, 0, 0, 0, 2, 0}).data == Bytes{0, 32});
  CHECK(scsi_run(drive, {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 100, 0}).data.size() == 28);
  // The tray.
  CHECK(scsi_run(drive, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0}).data == Bytes{0, 6, 4, 0x10, 0, 2, 0, 0});
  CHECK(scsi_run(drive, {0x1b, 0, 0, 0, 2, 0}).status == kGood);
  CHECK(drive.tray_open());
  CHECK(scsi_run(drive, {0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kNoMediumOpen);
  CHECK(scsi_run(drive, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0}).data == Bytes{0, 6, 4, 0x10, 3, 1, 0, 0});
  CHECK(scsi_run(drive, {0x1b, 0, 0, 0, 3, 0}).status == kGood);
  CHECK(scsi_run(drive, {0x00, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kChanged);
  CHECK(drive.eject(false));
  CHECK(scsi_run(drive, {0x00, 0, 0, 0, 0, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kNoMediumClosed);
}

TEST_CASE("SCSI CD-ROM: audio is silence that takes its time", "[scsi]") {
  ScsiCdrom drive(scsi_clock(), "c", pattern_image(3000 * 2048), {.product = "CD-ROM"});
  const auto later = [](u64 ms) { run_clock(scsi_clock(), scsi_clock().now() + ms * 1'000'000); };
  const auto status = [&] { return scsi_run(drive, {0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0}).data; };
  const auto at = [&] { return load_be<u32>(&status()[8]); };
  CHECK(status() == Bytes{0, 0x15, 0, 12, 1, 0x14, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  // Ten seconds from block 300 on.
  CHECK(scsi_run(drive, {0x45, 0, 0, 0, 1, 0x2c, 0, 0x02, 0xee, 0}).status == kGood);
  CHECK(status()[1] == 0x11);
  later(2000);
  CHECK((at() >= 450 && at() <= 451));
  CHECK(scsi_run(drive, {0x4b, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kGood);  // pause
  const u32 paused = at();
  later(5000);
  CHECK((status()[1] == 0x12 && at() == paused));
  // It goes on elsewhere as it was saved.
  Archive saver = Archive::saver();
  drive.serialize(saver);
  ScsiCdrom other(scsi_clock(), "c", pattern_image(3000 * 2048), {.product = "CD-ROM"});
  Archive loader = Archive::loader(saver.bytes());
  other.serialize(loader);
  REQUIRE(loader.ok());
  CHECK(scsi_run(other, {0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0}).data == status());
  CHECK(scsi_run(drive, {0x4b, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kGood);  // resume
  later(9000);
  CHECK(status()[1] == 0x13);  // has ended, which is said once
  CHECK((status()[1] == 0x15 && at() == 1050));
  CHECK(scsi_run(drive, {0x4b, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kSequence);
  // By minutes and seconds: from 0:04 to 0:06, which is block 150 to 300; from here; stop.
  CHECK(scsi_run(drive, {0x47, 0, 0, 0, 4, 0, 0, 6, 0, 0}).status == kGood);
  later(1000);
  const Bytes msf = scsi_run(drive, {0x42, 2, 0x40, 1, 0, 0, 0, 0, 16, 0}).data;
  CHECK((msf[1] == 0x11 && msf[10] == 5 && msf[14] == 3));
  CHECK(scsi_run(drive, {0xa5, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0}).status == kGood);
  CHECK((at() >= 225 && at() < 230));
  CHECK(scsi_run(drive, {0x4e, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kGood);
  CHECK(status()[1] == 0x15);
  // What cannot be, and what is nothing.
  CHECK(scsi_run(drive, {0x47, 0, 0, 0, 6, 0, 0, 4, 0, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kInvalidField);
  CHECK(scsi_run(drive, {0x45, 0, 0, 0, 0x0b, 0xb8, 0, 0, 1, 0}).status == kCheck);
  CHECK(scsi_sense(drive) == scsi::kOutOfRange);
  CHECK(scsi_run(drive, {0x45, 0, 0, 0, 0, 0, 0, 0, 0, 0}).status == kGood);
  CHECK(status()[1] == 0x15);
  // Reading needs the pickup.
  CHECK(scsi_run(drive, {0x45, 0, 0, 0, 0, 0, 0, 1, 0, 0}).status == kGood);
  CHECK(scsi_run(drive, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status == kGood);
  CHECK(status()[1] == 0x15);
  // Volumes are kept until a reset.
  Bytes page = scsi_run(drive, {0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 24, 0}).data;
  REQUIRE(page.size() == 24);
  CHECK((page[17] == 255 && page[19] == 255));
  page[0] = page[1] = page[2] = 0, page[17] = 40, page[18] = 0;
  CHECK(scsi_run(drive, {0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, page).status == kGood);
  CHECK(part(scsi_run(drive, {0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 24, 0}).data, 8, 16) == part(page, 8, 16));
  drive.reset();
  CHECK(scsi_run(drive, {0x03, 0, 0, 0, 18, 0}).data[2] == 6);
  CHECK(scsi_run(drive, {0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 24, 0}).data[17] == 255);
}

// A saved state is not trusted: whatever it says of a command, the command ends or is refused.
TEST_CASE("SCSI units: commands of states that nobody saved", "[scsi]") {
  constexpr u8 kOperations[] = {0x00, 0x03, 0x04, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x25, 0x28, 0x2a, 0x2f,
                                0x41, 0x42, 0x43, 0x46, 0x51, 0x55, 0x88, 0x8a, 0x93, 0xa8, 0xbe, 0xff};
  constexpr std::size_t kSizes[] = {0, 1, 3, 4, 7, 8, 15, 24, 511, 512, 2048, ScsiTask::kMostBytes};
  ScsiDisk disk = disk_of(pattern_image(4 << 20));
  ScsiCdrom cdrom(scsi_clock(), "c", pattern_image(4 << 20), {.product = "CD"});
  std::mt19937 random(1);
  unsigned loaded = 0;
  for (unsigned n = 0; n < 40'000; ++n) {
    std::array<u8, 16> cdb{};
    cdb[0] = kOperations[random() % std::size(kOperations)];
    for (std::size_t at = 1; at < cdb.size(); ++at) cdb[at] = static_cast<u8>(random() % 3 ? 0 : random());
    u8 phase = static_cast<u8>(1 + random() % 3), status = 0, work = static_cast<u8>(random() % 10);
    Bytes buffer(kSizes[random() % std::size(kSizes)], static_cast<u8>(random() % 2 ? 0 : random()));
    u32 at = static_cast<u32>(random() % 2 ? 0 : random() % (buffer.size() + 1)), request = 0;
    bool begun = true;
    u64 lba = random() % 4 ? random() % 9000 : ~u64{0} >> random() % 64;
    u64 blocks = random() % 4 ? random() % 300 : ~u64{0} >> random() % 64;
    Archive saver = Archive::saver();
    saver(cdb)(phase)(status)(work).blob(buffer, ScsiTask::kMostBytes)(at)(request)(begun)(lba)(blocks);
    Archive loader = Archive::loader(saver.bytes());
    ScsiTask task;
    task.serialize(loader);
    if (!loader.ok()) continue;
    ++loaded;
    ScsiUnit& unit = random() % 2 ? static_cast<ScsiUnit&>(disk) : cdrom;
    scsi_run(unit, {0x03, 0, 0, 0, 18, 0});
    unit.on_medium_done([&] { unit.step(task); });
    for (int steps = 0; steps < 20 && task.phase() != ScsiTask::Phase::kDone; ++steps) {
      if (task.phase() == ScsiTask::Phase::kWaits) {
        if (!task.at_medium()) unit.step(task);
        run_clock(scsi_clock(), scsi_clock().now() + 10'000);
      } else {
        const std::size_t moves = task.bytes().size();
        REQUIRE(moves > 0);
        task.moved(moves);
      }
    }
  }
  CHECK(loaded > 20'000);
}

TEST_CASE("SCSI bus: units that a target has, and those that it has not", "[scsi]") {
  ScsiDisk zero = disk_of(pattern_image(1 << 20)), three = disk_of(pattern_image(1 << 20));
  ScsiBus bus;
  bus.plug(2, 0, zero);
  bus.plug(2, 3, three);
  CHECK(bus.has_target(2));
  CHECK_FALSE(bus.has_target(1));
  CHECK_FALSE(bus.has_target(15));
  const auto ask = [&bus](unsigned lun, Bytes cdb) {
    ScsiTask task;
    bus.begin(task, 2, lun, cdb);
    return std::pair(task.status(), Bytes(task.bytes().begin(), task.bytes().end()));
  };
  const Bytes luns{0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0};
  CHECK(ask(0, {0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}).second == luns);
  CHECK(ask(5, {0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}).second == luns);
  CHECK(ask(5, {0x12, 0, 0, 0, 36, 0}).second[0] == 0x7f);
  CHECK(ask(5, {0x00, 0, 0, 0, 0, 0}).first == kCheck);
  CHECK(ask(5, {0x03, 0, 0, 0, 18, 0}).second[12] == 0x25);
  CHECK(ask(3, {0x12, 0, 0, 0, 36, 0}).second[0] == 0);
}
