// A line a range: start, size (both hexadecimal), name (Linux, tools/perf/Documentation/jit-interface.txt).
#include "jit/perf_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xlat::jit {

Result<std::shared_ptr<PerfMap>> PerfMap::open() {
  const std::string path = fmt::format("/tmp/perf-{}.map", getpid());
  // Anyone may put a link into /tmp: a file that is there already is taken away, never written to.
  unlink(path.c_str());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  std::FILE* file = fd < 0 ? nullptr : fdopen(fd, "w");
  if (!file) return error("-perfmap: cannot write '{}': {}", path, std::strerror(errno));
  setvbuf(file, nullptr, _IOLBF, 0);
  return std::shared_ptr<PerfMap>(new PerfMap(file));
}

void PerfMap::add(const u8* code, std::size_t bytes, const std::string& name) {
  fmt::print(file_, "{:x} {:x} {}\n", reinterpret_cast<std::uintptr_t>(code), bytes, name);
}

}  // namespace xlat::jit
