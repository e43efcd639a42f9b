// Reading and writing of non-blocking descriptors.
#include "frontend/channels/stream_backend.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace xlat {

void StreamBackend::set_stream(int fd) {
  const std::lock_guard lock(mutex_);
  fd_ = fd;
  waiting_.clear();
  if (!speaks_telnet_ || fd < 0) return;
  telnet_ = {};
  waiting_.assign(TelnetFilter::kGreeting.begin(), TelnetFilter::kGreeting.end());
  send_waiting();
}

// With the lock held.
void StreamBackend::send_waiting() {
  std::size_t sent = 0;
  while (sent < waiting_.size()) {
    const ssize_t n = ::write(fd_, waiting_.data() + sent, waiting_.size() - sent);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      if (errno != EAGAIN) sent = waiting_.size();  // gone; the reader will see it
      break;
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(sent));
}

void StreamBackend::write(std::span<const u8> data) {
  const std::vector<u8> escaped = speaks_telnet_ ? TelnetFilter::escaped(data) : std::vector<u8>();
  const std::span<const u8> bytes = speaks_telnet_ ? std::span<const u8>(escaped) : data;
  const std::lock_guard lock(mutex_);
  if (fd_ < 0) return;
  const bool idle = waiting_.empty();
  const std::size_t room = kMostWaiting - waiting_.size();
  const auto taken = bytes.first(std::min(bytes.size(), room));
  waiting_.insert(waiting_.end(), taken.begin(), taken.end());
  if (!idle) return;  // the reader is waiting for room already
  send_waiting();
  if (!waiting_.empty()) reader_.wake();
}

bool StreamBackend::serve() {
  std::array<u8, 512> buffer;
  while (!reader_.stopping()) {
    const bool ready = handlers_.ready();
    short events = ready ? POLLIN : 0;
    {
      const std::lock_guard lock(mutex_);
      if (!waiting_.empty()) events |= POLLOUT;
    }
    const short got = reader_.wait(fd_, events, ready ? -1 : 10);
    if (got & POLLOUT) {
      const std::lock_guard lock(mutex_);
      send_waiting();
    }
    if (!ready) {
      if (got & (POLLERR | POLLHUP)) reader_.wait(-1, 0, 10);
      continue;
    }
    if (!(got & (POLLIN | POLLHUP | POLLERR))) continue;
    const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
    if (n > 0) {
      const auto got_bytes = std::span(buffer).first(static_cast<std::size_t>(n));
      speaks_telnet_ ? handlers_.input(telnet_.data(got_bytes)) : handlers_.input(got_bytes);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      return true;
    }
  }
  return false;
}

}  // namespace xlat
