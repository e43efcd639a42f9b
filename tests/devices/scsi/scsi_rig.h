// Images of a known content and a unit driven without any bus, for the tests of SCSI.
#pragma once

#include <catch2/catch.hpp>
#include <cerrno>

#include "devices/scsi/scsi_unit.h"
#include "tests/support/run_clock.h"

namespace xlat {

inline std::vector<u8> pattern_bytes(u64 bytes) {
  std::vector<u8> content(bytes);
  for (u64 n = 0; n < bytes; ++n) content[n] = static_cast<u8>(n / 512 + n * 7);
  return content;
}

inline std::unique_ptr<BlockImage> pattern_image(u64 bytes, ImageAccess access = ImageAccess::kReadWrite) {
  auto image = make_memory_image(bytes);
  REQUIRE(image->write(0, pattern_bytes(bytes)));
  if (access == ImageAccess::kReadWrite) return image;
  auto copy = make_memory_image(bytes, access);
  return copy;
}

// Of the units that are driven without a bus.
inline Clock& scsi_clock() {
  static Clock clock;
  return clock;
}

// Runs a command to its end; returns what came in.
struct ScsiRun {
  ScsiStatus status;
  std::vector<u8> data;
};

inline ScsiRun scsi_run(ScsiUnit& unit, std::initializer_list<u8> cdb, std::vector<u8> out = {}) {
  ScsiTask task;
  unit.on_medium_done([&] { unit.step(task); });
  unit.begin(task, std::vector<u8>(cdb));
  ScsiRun run{};
  std::size_t at = 0;
  while (task.phase() != ScsiTask::Phase::kDone) {
    if (task.phase() == ScsiTask::Phase::kWaits) {
      if (!task.at_medium()) REQUIRE(unit.step(task));
      run_clock(scsi_clock(), scsi_clock().now() + 10'000);
    } else if (task.phase() == ScsiTask::Phase::kDataIn) {
      // In odd pieces.
      const std::size_t bytes = std::min<std::size_t>(task.bytes().size(), 1000);
      run.data.insert(run.data.end(), task.bytes().begin(), task.bytes().begin() + static_cast<std::ptrdiff_t>(bytes));
      task.moved(bytes);
    } else {
      REQUIRE(at < out.size());
      const std::size_t bytes = std::min({task.room().size(), out.size() - at, std::size_t{700}});
      std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(at), bytes, task.room().begin());
      at += bytes;
      task.moved(bytes);
    }
  }
  CHECK(at == out.size());
  run.status = task.status();
  return run;
}

inline ScsiSense scsi_sense(ScsiUnit& unit) {
  const auto data = scsi_run(unit, {0x03, 0, 0, 0, 18, 0}).data;
  REQUIRE(data.size() == 18);
  return {data[2], data[12], data[13]};
}

}  // namespace xlat
