// A character back end as a device sees it: bytes go to the host at once and come in through the gate.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "base/archive.h"

namespace xlat {

// What is behind a channel on the guest's side.
class CharDevice {
 public:
  virtual ~CharDevice() = default;
  // How many bytes receive() takes now without losing any.
  virtual unsigned can_receive() const = 0;
  virtual void receive(u8 value) = 0;
};

class CharChannel {
 public:
  CharChannel(std::string id, std::function<void(u8)> output) : id_(std::move(id)), output_(std::move(output)) {}

  const std::string& id() const { return id_; }

  // ---- The device ----
  void attach(CharDevice& device) { device_ = &device; }
  bool taken() const { return taken_; }
  void take() { taken_ = true; }
  void write(u8 value) {
    if (output_) output_(value);
  }
  // A serial port's outputs, for what hangs on its line.
  void modem_control(bool dtr, bool rts) {
    if (modem_control_) modem_control_(dtr, rts);
  }
  // can_receive() has grown.
  void feed() {
    while (device_ && !waiting_.empty() && device_->can_receive() > 0) {
      const u8 value = waiting_.front();
      waiting_.pop_front();
      if (passed_) passed_(1);
      device_->receive(value);
    }
  }

  // ---- The machine ----
  std::size_t waiting() const { return waiting_.size(); }
  // A byte that came in through the gate. It waits while the device is full; a channel without one drops it.
  void enter(u8 value) {
    if (!device_) {
      if (passed_) passed_(1);
      return;
    }
    waiting_.push_back(value);
    feed();
  }
  // For a device of the machine's at the other end.
  void on_modem_control(std::function<void(bool dtr, bool rts)> hook) { modem_control_ = std::move(hook); }
  // Told how many bytes have left the queue; less than none after a load.
  void on_passed(std::function<void(i64)> passed) { passed_ = std::move(passed); }
  void serialize(Archive& ar) {
    std::vector<u8> bytes(waiting_.begin(), waiting_.end());
    ar.blob(bytes, std::size_t{1} << 24);
    if (!ar.loading()) return;
    if (!device_) bytes.clear();
    if (passed_) passed_(static_cast<i64>(waiting_.size()) - static_cast<i64>(bytes.size()));
    waiting_.assign(bytes.begin(), bytes.end());
  }

 private:
  std::string id_;
  std::function<void(u8)> output_;
  std::function<void(i64)> passed_;
  std::function<void(bool, bool)> modem_control_;
  CharDevice* device_ = nullptr;
  bool taken_ = false;
  std::deque<u8> waiting_;
};

}  // namespace xlat
