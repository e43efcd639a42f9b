// A hub: what comes in at one port goes out at all others.
#pragma once

#include <mutex>
#include <vector>

#include "frontend/net/net_backend.h"

namespace xlat {

class Hub;

// The socket of a hub as the back end of what is plugged into it.
class HubPort final : public NetBackend {
 public:
  HubPort(Hub& hub, unsigned number) : hub_(hub), number_(number) {}
  Status open() override { return {}; }
  Status start(NetHandlers handlers) override;
  void stop() override;
  void send(std::span<const u8> frame) override;
  std::string info() const override { return {}; }

  unsigned number() const { return number_; }
  // For what is plugged in and can wait.
  bool anybody_ready() const;

 private:
  friend class Hub;
  Hub& hub_;
  unsigned number_;
  NetHandlers handlers_;  // of what is plugged in
  bool started_ = false;
};

class Hub {
 public:
  explicit Hub(unsigned number) : number_(number) {}
  unsigned number() const { return number_; }

 private:
  friend class HubPort;
  unsigned number_;
  mutable std::mutex mutex_;
  std::vector<HubPort*> ports_;
};

inline Status HubPort::start(NetHandlers handlers) {
  const std::lock_guard lock(hub_.mutex_);
  handlers_ = std::move(handlers);
  if (!started_) hub_.ports_.push_back(this);
  started_ = true;
  return {};
}

inline void HubPort::stop() {
  const std::lock_guard lock(hub_.mutex_);
  std::erase(hub_.ports_, this);
  started_ = false;
}

inline void HubPort::send(std::span<const u8> frame) {
  const std::lock_guard lock(hub_.mutex_);
  for (HubPort* port : hub_.ports_) {
    if (port != this) port->handlers_.frame(frame);
  }
}

// One machine that does not listen must not keep frames from the others.
inline bool HubPort::anybody_ready() const {
  const std::lock_guard lock(hub_.mutex_);
  for (const HubPort* port : hub_.ports_) {
    if (port != this && port->handlers_.ready()) return true;
  }
  return hub_.ports_.size() <= 1;
}

}  // namespace xlat
