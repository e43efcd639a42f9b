// -object filter-dump: a file that tcpdump and Wireshark read, of all frames at a back end.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <span>

#include "frontend/net/net_spec.h"

namespace xlat {

class FrameDump {
 public:
  static Result<std::unique_ptr<FrameDump>> open(const NetDumpSpec& spec);
  ~FrameDump() { std::fclose(file_); }
  FrameDump(const FrameDump&) = delete;
  FrameDump& operator=(const FrameDump&) = delete;

  const std::string& netdev() const { return spec_.netdev; }
  // From any thread.
  void frame(std::span<const u8> frame);

 private:
  FrameDump(NetDumpSpec spec, std::FILE* file) : spec_(std::move(spec)), file_(file) {}
  NetDumpSpec spec_;
  std::FILE* file_;
  std::mutex mutex_;
  bool failed_ = false;
};

}  // namespace xlat
