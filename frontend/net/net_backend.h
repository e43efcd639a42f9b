// Where a network card's frames go to and come from on the host.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "frontend/net/net_spec.h"

namespace xlat {

// What a back end tells the other end of its cable, from any thread.
struct NetHandlers {
  std::function<void(std::span<const u8>)> frame = [](std::span<const u8>) {};
  // Whether frames are welcome now; if not, the back end reads later where it can.
  std::function<bool()> ready = [] { return true; };
};

class NetBackend {
 public:
  virtual ~NetBackend() = default;
  // Takes what it needs of the host.
  virtual Status open() = 0;
  // Frames come from now on.
  virtual Status start(NetHandlers handlers) = 0;
  // No frame comes from now on.
  virtual void stop() = 0;
  // From any thread; never waits. What the other side does not take soon is lost.
  virtual void send(std::span<const u8> frame) = 0;
  // As info network says it: "net=10.0.2.0,restrict=off".
  virtual std::string info() const = 0;
};

// Why there is no -netdev user in this build; empty if there is.
std::string_view user_net_missing();
std::unique_ptr<NetBackend> make_user_net(const NetSpec& spec);
std::unique_ptr<NetBackend> make_stream_net(const NetSpec& spec);
std::unique_ptr<NetBackend> make_datagram_net(const NetSpec& spec);
std::unique_ptr<NetBackend> make_tap_net(const NetSpec& spec);

// What the monitor asks of a user network, which is one of those back ends. On the machine's thread.
class UserNetControl {
 public:
  virtual ~UserNetControl() = default;
  virtual bool add_forward(const HostForward& forward) = 0;
  virtual bool remove_forward(const HostForward& forward) = 0;
  virtual std::string connections() = 0;
};

}  // namespace xlat
