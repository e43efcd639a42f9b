// Open-file-description locks on single bytes (fcntl(2)).
#include "block/image_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <string_view>

namespace xlat {

namespace {

// By their bit numbers in QEMU's protocol.
enum Permission : unsigned { kConsistentRead, kWrite, kWriteUnchanged, kResize, kPermissions };
constexpr std::string_view kNames[] = {"consistent read", "write", "write unchanged", "resize"};
constexpr off_t kUsed = 100, kNotShared = 200;

struct flock byte_lock(short type, off_t at) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return lock;
}

// Returns an errno.
int take(int fd, off_t at) {
  struct flock lock = byte_lock(F_RDLCK, at);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

bool taken_by_others(int fd, off_t at) {
  struct flock lock = byte_lock(F_WRLCK, at);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

Status lock_image(int fd, const std::string& path, bool writes) {
  const unsigned used = 1u << kConsistentRead | (writes ? 1u << kWrite : 0);
  const unsigned not_shared = 1u << kWrite | (writes ? 0 : 1u << kResize);
  const auto in_use = [&](const char* how, unsigned n) {
    return error(
        "image '{}' is in use by another program, or by another drive: Failed to get {}\"{}\" lock; stop that first, "
        "or use "
        "-snapshot or readonly=on on both",
        path, how, kNames[n]);
  };
  for (unsigned n = 0; n < kPermissions; ++n) {
    for (const auto& [set, base] : {std::pair{used, kUsed}, std::pair{not_shared, kNotShared}}) {
      if (!(set >> n & 1)) continue;
      const int e = take(fd, base + static_cast<off_t>(n));
      if (e == EAGAIN || e == EACCES) return in_use("", n);  // somebody has locked it for writing
      if (e) return {};
    }
  }
  for (unsigned n = 0; n < kPermissions; ++n) {
    const off_t bit = static_cast<off_t>(n);
    if ((used >> n & 1) && taken_by_others(fd, kNotShared + bit)) return in_use("", n);
    if ((not_shared >> n & 1) && taken_by_others(fd, kUsed + bit)) return in_use("shared ", n);
  }
  return {};
}

}  // namespace xlat
