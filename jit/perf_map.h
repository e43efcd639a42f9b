// Names for translated code in the file that `perf` looks for: /tmp/perf-PID.map.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace xlat::jit {

class PerfMap {
 public:
  // The file is made anew; it stays when the process ends, as perf reads it after that.
  static Result<std::shared_ptr<PerfMap>> open();
  ~PerfMap() { std::fclose(file_); }
  PerfMap(const PerfMap&) = delete;
  PerfMap& operator=(const PerfMap&) = delete;

  // A later range takes the place of earlier ones it overlaps.
  void add(const u8* code, std::size_t bytes, const std::string& name);

 private:
  explicit PerfMap(std::FILE* file) : file_(file) {}
  std::FILE* file_;
};

}  // namespace xlat::jit
