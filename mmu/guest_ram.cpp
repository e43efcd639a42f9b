// memfd-backed guest RAM. Linux hosts only: memfd_create.
#include "mmu/guest_ram.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bits.h"

namespace xlat {

Result<std::unique_ptr<GuestRam>> GuestRam::create(u64 bytes) {
  const u64 size = align_up(bytes, 4096);
  int fd = memfd_create("xlat-ram", MFD_CLOEXEC);
  if (fd < 0) return error("cannot create {} bytes of guest RAM: {}", size, std::strerror(errno));
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) {
    const int why = errno;
    close(fd);
    if (why != EFBIG) return error("cannot size guest RAM to {} bytes: {}", size, std::strerror(why));
    fd = -1;  // a limit on the size of files (ulimit -f), which is none on shared memory without a file
  }
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  if (data == MAP_FAILED) {
    const int why = errno;
    if (fd >= 0) close(fd);
    return error("cannot map {} bytes of guest RAM: {}", size, std::strerror(why));
  }
  return std::unique_ptr<GuestRam>(new GuestRam(fd, static_cast<u8*>(data), size));
}

void GuestRam::keep_out_of_cores() {
  // Where the host cannot, there is still the limit on core files.
  if (madvise(data_, size_, MADV_DONTDUMP) != 0) errno = 0;
}

GuestRam::~GuestRam() {
  munmap(data_, size_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace xlat
