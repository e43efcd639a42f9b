// The file format of libpcap, pcap-savefile(5), with the host's time of day.
#include "frontend/net/frame_dump.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "base/bits.h"

namespace xlat {

Result<std::unique_ptr<FrameDump>> FrameDump::open(const NetDumpSpec& spec) {
  std::FILE* const file = std::fopen(spec.file.c_str(), "wbe");
  if (!file) return error("-object filter-dump: cannot write '{}': {}", spec.file, std::strerror(errno));
  std::array<u8, 24> head{};
  store_le<u32>(&head[0], 0xa1b2'c3d4);
  store_le<u16>(&head[4], 2);
  store_le<u16>(&head[6], 4);
  store_le<u32>(&head[16], spec.most_bytes);
  store_le<u32>(&head[20], 1);  // Ethernet
  std::unique_ptr<FrameDump> dump(new FrameDump(spec, file));
  if (std::fwrite(head.data(), head.size(), 1, file) != 1 || std::fflush(file) != 0) {
    return error("-object filter-dump: cannot write '{}': {}", spec.file, std::strerror(errno));
  }
  return dump;
}

void FrameDump::frame(std::span<const u8> frame) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto us = static_cast<u64>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  const auto kept = frame.first(std::min<std::size_t>(frame.size(), spec_.most_bytes));
  std::array<u8, 16> head{};
  store_le<u32>(&head[0], static_cast<u32>(us / 1'000'000));
  store_le<u32>(&head[4], static_cast<u32>(us % 1'000'000));
  store_le<u32>(&head[8], static_cast<u32>(kept.size()));
  store_le<u32>(&head[12], static_cast<u32>(frame.size()));
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  // Whole records, so that the file can be read while the machine runs and after any end.
  if (std::fwrite(head.data(), head.size(), 1, file_) == 1 &&
      (kept.empty() || std::fwrite(kept.data(), kept.size(), 1, file_) == 1) && std::fflush(file_) == 0) {
    return;
  }
  failed_ = true;
  fmt::print(stderr, "xlat: warning: -object filter-dump: {}: {}; no more is written\n", spec_.file,
             std::strerror(errno));
}

}  // namespace xlat
