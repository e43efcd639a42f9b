// A listening socket of the display's servers. Each caller is met in a thread of its own, so that one who says nothing,
// or one letter a minute, keeps no other waiting.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "base/result.h"
#include "frontend/channels/reader_thread.h"
#include "frontend/options/display_settings.h"

namespace xlat {

class Listener {
 public:
  // More who are being met at a time are turned away.
  static constexpr std::size_t kMostAtOnce = 32;
  static constexpr int kPatienceSeconds = 5;

  Listener() = default;
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `option` is named in errors.
  Status open(const ListenAddress& address, std::string_view option);
  // `meet` owns the descriptor; `peer` is who calls, "127.0.0.1:41234". What it does not finish within kPatienceSeconds
  // finds the connection shut down.
  void start(std::function<void(int fd, const std::string& peer)> meet);
  void stop();

  // "127.0.0.1:5900", or the path of the socket.
  const std::string& where() const { return where_; }
  // "ipv4", "ipv6" or "unix".
  std::string_view family() const { return family_; }

 private:
  struct Meeting {
    std::thread thread;
    int fd;  // a duplicate, to shut the connection down by
    std::chrono::steady_clock::time_point until;
    std::atomic<bool> over = false;
  };

  Status open_tcp(const ListenAddress& address, std::string_view option);
  Status open_unix(const std::string& path, std::string_view option);
  void run();
  void accept_one();
  void look_after(bool all);

  int fd_ = -1;
  std::string where_, unlink_;
  std::string_view family_ = "ipv4";
  std::function<void(int, const std::string&)> meet_;
  std::list<Meeting> meetings_;  // the thread's, and stop()'s once that has ended
  ReaderThread thread_;
};

}  // namespace xlat
