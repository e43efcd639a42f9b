// Ports of a USB: those of a host controller and, behind them, of hubs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/types.h"

namespace xlat {

class UsbDevice;

// A socket. Its owner is told when something was plugged in or asks to be looked at.
class UsbPort {
 public:
  UsbPort(std::string path, std::function<void()> attached, std::function<void()> woken)
      : path_(std::move(path)), attached_(std::move(attached)), woken_(std::move(woken)) {}
  ~UsbPort();
  UsbPort(const UsbPort&) = delete;
  UsbPort& operator=(const UsbPort&) = delete;

  const std::string& path() const { return path_; }  // "1", "1.4"
  UsbDevice* device() const { return device_; }
  void plug(UsbDevice& device);
  void unplug();
  void wake() {
    if (woken_) woken_();
  }

 private:
  std::string path_;
  std::function<void()> attached_, woken_;
  UsbDevice* device_ = nullptr;
};

class UsbBus {
 public:
  void add(UsbPort& port) { ports_.push_back(&port); }
  void remove(UsbPort& port) { std::erase(ports_, &port); }
  // The port with this path, or for an empty one the first that is free; null if there is none or it is taken.
  UsbPort* free_port(const std::string& path) const {
    for (UsbPort* port : ports_) {
      if (!port->device() && (path.empty() || port->path() == path)) return port;
    }
    return nullptr;
  }

 private:
  std::vector<UsbPort*> ports_;
};

}  // namespace xlat
