// Linux hosts: memfd_create and two shared mappings.
#include "jit/code_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace xlat::jit {

namespace {
constexpr std::size_t kAlign = 16;
}

Result<CodeCache> CodeCache::make(std::size_t bytes) {
  const auto failed = [bytes](const char* what) {
    return error("code cache: {} of {} MiB failed: {}; give less with -accel jit,tb-size=MIB or use -engine interp",
                 what, bytes >> 20, std::strerror(errno));
  };
  const int fd = memfd_create("xlat-code", MFD_CLOEXEC);
  if (fd < 0) return failed("memfd_create");
  const bool sized = ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  if (!sized && errno != EFBIG) {
    const auto why = failed("making a file");
    close(fd);
    return why;
  }
  // A limit on the size of files (ulimit -f) is none on shared memory without a file, which mremap maps a second time.
  void* writable = sized ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                         : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void* executable = MAP_FAILED;
  if (sized) {
    executable = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  } else if (writable != MAP_FAILED) {
    executable = mremap(writable, 0, bytes, MREMAP_MAYMOVE);
    if (executable != MAP_FAILED && mprotect(executable, bytes, PROT_READ | PROT_EXEC) != 0) {
      munmap(executable, bytes);
      executable = MAP_FAILED;
    }
  }
  const auto why = failed("a mapping");
  close(fd);
  if (writable == MAP_FAILED || executable == MAP_FAILED) {
    if (writable != MAP_FAILED) munmap(writable, bytes);
    if (executable != MAP_FAILED) munmap(executable, bytes);
    return why;
  }
  return CodeCache(static_cast<u8*>(writable), static_cast<u8*>(executable), bytes);
}

CodeCache::CodeCache(CodeCache&& other) noexcept
    : writable_(std::exchange(other.writable_, nullptr)),
      executable_(other.executable_),
      size_(other.size_),
      used_(other.used_),
      cold_(other.cold_) {}

CodeCache::~CodeCache() {
  if (!writable_) return;
  munmap(writable_, size_);
  munmap(executable_, size_);
}

const u8* CodeCache::add(std::span<const u8> code) {
  const u8* const at = next();
  ASSERT(code.size() <= left());
  std::memcpy(writable_ + used_, code.data(), code.size());
  used_ = std::min(size_ - cold_, (used_ + code.size() + kAlign - 1) & ~(kAlign - 1));
  return at;
}

const u8* CodeCache::add_cold(std::span<const u8> code) {
  ASSERT(code.size() <= left());
  cold_ += code.size();
  std::memcpy(writable(cold_end()), code.data(), code.size());
  return cold_end();
}

}  // namespace xlat::jit
