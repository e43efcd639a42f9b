// poll() and an eventfd.
#include "frontend/channels/reader_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/types.h"

namespace xlat {

ReaderThread::ReaderThread() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ReaderThread::~ReaderThread() {
  stop();
  if (wake_fd_ >= 0) close(wake_fd_);
}

void ReaderThread::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void ReaderThread::wake() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is about to wake anyway.
  if (write(wake_fd_, &one, sizeof one) < 0) return;
}

short ReaderThread::wait(int fd, short events, int timeout_ms) {
  if (stopping_) return 0;
  pollfd fds[2] = {{wake_fd_, POLLIN, 0}, {fd, events, 0}};
  if (poll(fds, fd >= 0 ? 2 : 1, timeout_ms) <= 0) return 0;
  if (fds[0].revents) {
    std::uint64_t count;
    if (read(wake_fd_, &count, sizeof count) < 0) count = 0;
  }
  return fd >= 0 ? fds[1].revents : short{0};
}

}  // namespace xlat
