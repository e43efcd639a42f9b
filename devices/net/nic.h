// A network card's port: its frames go to the host at once, and others come in through the gate.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"

namespace xlat {

using MacAddress = std::array<u8, 6>;
// Ethernet's, without preamble and checksum: addresses, type, data.
using NetFrame = std::vector<u8>;

// "52:54:00:12:34:56", or with dashes.
std::optional<MacAddress> parse_mac(std::string_view text);
std::string mac_text(const MacAddress& mac);

inline constexpr std::size_t kMacHeader = 14, kLeastFrame = 60, kMostPlainFrame = 1514;
// The longest that is let in or out.
inline constexpr std::size_t kMostFrame = 65536 + 64;

// Set while a card works on its transmit descriptors: what it writes to memory may be its own registers, and must not
// make it begin again.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

// The card behind a port.
class NetCard {
 public:
  virtual ~NetCard() = default;
  // Whether receive() takes a frame now; the card calls NetPort::feed() when that has changed. A card that is switched
  // off does: it drops it, as nobody would hear it later.
  virtual bool can_receive() = 0;
  virtual void receive(std::span<const u8> frame) = 0;
  // The port's link() has changed.
  virtual void link_changed() = 0;
};

class NetPort {
 public:
  using Output = std::function<void(std::span<const u8>)>;
  // Without an output the cable ends nowhere.
  NetPort(std::string id, Output output) : id_(std::move(id)), output_(std::move(output)) {}

  const std::string& id() const { return id_; }

  // ---- The card ----
  // `model` and `mac` are what info network says of it.
  void attach(NetCard& card, std::string model, const MacAddress& mac) {
    card_ = &card;
    model_ = std::move(model);
    mac_ = mac;
  }
  void send(std::span<const u8> frame) {
    if (link_ && output_ && frame.size() >= kMacHeader && frame.size() <= kMostFrame) output_(frame);
  }
  bool link() const { return link_; }
  // can_receive() may have become true.
  void feed() {
    if (feeding_) return;
    feeding_ = true;
    while (card_ && !waiting_.empty() && card_->can_receive()) {
      const auto frame = std::move(waiting_.front());
      waiting_.pop_front();
      if (passed_) passed_(1);
      card_->receive(*frame);
    }
    feeding_ = false;
  }

  // ---- The machine ----
  // A frame that came in through the gate. It waits while the card is full.
  void enter(std::shared_ptr<const NetFrame> frame) {
    const std::size_t bytes = frame->size();
    if (!card_ || !link_ || waiting_.size() >= kMostWaiting || bytes < kMacHeader || bytes > kMostFrame) {
      if (passed_) passed_(1);
      return;
    }
    waiting_.push_back(std::move(frame));
    feed();
  }
  void set_link(bool up) {
    if (up == link_) return;
    link_ = up;
    if (!up) drop_waiting();
    if (card_) card_->link_changed();
  }
  // A card is plugged in, or will be.
  bool taken() const { return taken_; }
  void take() { taken_ = true; }
  // The card's, as the monitor knows it: "e1000.0", or its id.
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  const std::string& model() const { return model_; }
  const MacAddress& mac() const { return mac_; }
  // Told how many frames have left the queue; less than none after a load.
  void on_passed(std::function<void(i64)> passed) { passed_ = std::move(passed); }
  void serialize(Archive& ar) {
    ar(link_);
    u32 count = static_cast<u32>(waiting_.size());
    ar.range(count, u32{0}, static_cast<u32>(kMostWaiting));
    if (ar.loading()) drop_waiting();
    for (u32 n = 0; n < count && ar.ok(); ++n) {
      NetFrame frame = ar.loading() ? NetFrame() : *waiting_[n];
      ar.blob(frame, kMostFrame);
      if (!ar.loading()) continue;
      if (frame.size() < kMacHeader) return ar.fail("a frame is too short");
      waiting_.push_back(std::make_shared<const NetFrame>(std::move(frame)));
      if (passed_) passed_(-1);
    }
  }

 private:
  static constexpr std::size_t kMostWaiting = 1024;

  void drop_waiting() {
    if (passed_) passed_(static_cast<i64>(waiting_.size()));
    waiting_.clear();
  }

  std::string id_;
  Output output_;
  std::function<void(i64)> passed_;
  NetCard* card_ = nullptr;
  std::string name_, model_;
  MacAddress mac_{};
  bool taken_ = false, link_ = true, feeding_ = false;
  std::deque<std::shared_ptr<const NetFrame>> waiting_;
};

}  // namespace xlat
