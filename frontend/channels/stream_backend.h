// What sockets and pseudo-terminals share: a descriptor read by a thread, and a bounded buffer in front of it.
#pragma once

#include <mutex>
#include <vector>

#include "frontend/channels/char_backend.h"
#include "frontend/channels/reader_thread.h"
#include "frontend/channels/telnet.h"

namespace xlat {

class StreamBackend : public CharBackend {
 public:
  ~StreamBackend() override { stop(); }
  void stop() override { reader_.stop(); }
  // What the other end does not take soon enough waits here, up to 1 MiB; the rest is lost.
  void write(std::span<const u8> bytes) override;

 protected:
  static constexpr std::size_t kMostWaiting = 1 << 20;

  // Takes `fd`, which is non-blocking, as the other end; negative for none.
  void set_stream(int fd);
  int stream() const { return fd_; }
  // From the next set_stream() on.
  void speak_telnet() { speaks_telnet_ = true; }
  // In the reader: serves the stream until the other end closes it (true) or the thread is to stop.
  bool serve();

  CharHandlers handlers_;
  ReaderThread reader_;

 private:
  void send_waiting();

  std::mutex mutex_;
  bool speaks_telnet_ = false;
  TelnetFilter telnet_;
  int fd_ = -1;
  std::vector<u8> waiting_;
};

}  // namespace xlat
