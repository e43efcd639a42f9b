// What the back ends on sockets share: finding addresses, and a thread that reads and writes.
#pragma once

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string>

#include "frontend/channels/reader_thread.h"
#include "frontend/net/frame_queue.h"
#include "frontend/net/net_backend.h"

namespace xlat {

struct FreeAddresses {
  void operator()(addrinfo* a) const { freeaddrinfo(a); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// IPv4 as with QEMU, unless the host is written as an address of IPv6.
Result<Addresses> find_addresses(const NetEndpoint& at, int type, bool passive, std::string_view who);
sockaddr_un unix_address(const std::string& path);
std::string describe(const NetEndpoint& at);

// A back end with a descriptor, which a thread serves.
class SocketNet : public NetBackend {
 public:
  ~SocketNet() override;
  Status start(NetHandlers handlers) override;
  void stop() override { thread_.stop(); }
  void send(std::span<const u8> frame) override {
    if (outgoing_.push(frame)) thread_.wake();
  }

 protected:
  static constexpr unsigned kAtOnce = 64;  // frames in one direction before the other has its turn
  explicit SocketNet(std::string who) : who_(std::move(who)) {}
  // In the thread, until it is to stop.
  virtual void run() = 0;
  // Sleeps until there is something to read, to write, or to send; while the card is behind, nothing is read.
  short wait(bool writable);
  // Hands out frames that are to be sent, where each goes by itself.
  template <typename Send>
  void send_some(Send send) {
    for (unsigned n = 0; n < kAtOnce; ++n) {
      const auto frame = outgoing_.pop();
      if (!frame) break;
      send(*frame);
      if (n + 1 == kAtOnce) thread_.wake();
    }
  }
  Error failed(const char* doing, const std::string& what, int e) const;

  std::string who_;
  int fd_ = -1;
  NetHandlers handlers_;
  FrameQueue outgoing_;
  ReaderThread thread_;
};

}  // namespace xlat
