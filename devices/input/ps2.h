// What hangs on a PS/2 connector: the byte protocol between the 8042 and a keyboard or mouse.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "devices/input/input_hub.h"

namespace xlat {

// A bounded FIFO of bytes.
class Ps2Queue {
 public:
  static constexpr unsigned kCapacity = 32;
  bool empty() const { return size_ == 0; }
  unsigned size() const { return size_; }
  void clear() { size_ = first_ = 0; }
  void push(u8 value) {
    if (size_ < kCapacity) bytes_[(first_ + size_++) % kCapacity] = value;
  }
  u8 pop() {
    if (size_ == 0) return 0;
    const u8 value = bytes_[first_];
    first_ = (first_ + 1) % kCapacity;
    --size_;
    return value;
  }
  void serialize(Archive& ar) { ar(bytes_).range(first_, 0u, kCapacity - 1).range(size_, 0u, kCapacity); }

 private:
  u8 bytes_[kCapacity] = {};
  unsigned first_ = 0, size_ = 0;
};

class Ps2Device {
 public:
  virtual ~Ps2Device() = default;
  // Called when a byte for the host appears.
  void on_data(std::function<void()> hook) { data_ = std::move(hook); }
  bool has_data() const { return !replies_.empty() || (!waiting() && !reports_.empty()); }
  u8 take() { return last_sent_ = !replies_.empty() ? replies_.pop() : reports_.pop(); }
  // A byte from the host.
  virtual void command(u8 value) = 0;

 protected:
  // A parameter of a command is still to come: nothing but replies is sent.
  virtual bool waiting() const = 0;
  void reply(std::initializer_list<u8> bytes) { reply(std::span(bytes.begin(), bytes.size())); }
  void reply(std::span<const u8> bytes) {
    for (u8 b : bytes) replies_.push(b);
    notify();
  }
  void notify() {
    if (data_) data_();
  }
  void serialize_queues(Archive& ar) {
    replies_.serialize(ar);
    reports_.serialize(ar);
    ar(last_sent_);
  }

  Ps2Queue replies_, reports_;
  u8 last_sent_ = 0;

 private:
  std::function<void()> data_;
};

// An IBM-compatible 101/102-key keyboard: scan code sets 1 to 3, typematic repeat by itself in virtual time. Host
// auto-repeat (a second key(k, true)) is ignored.
class Ps2Keyboard : public Ps2Device, public KeyboardInput {
 public:
  static constexpr unsigned kBuffer = 16;  // bytes of scan codes; a 17th place says that there was no room

  explicit Ps2Keyboard(Clock& clock);
  bool active() const override { return true; }
  void key(KeyCode key, bool down) override;
  // Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock.
  u8 leds() const { return leds_; }
  // For people: LEDs, scan code set, typematic rate.
  std::string dump() const;

  void command(u8 value) override;
  void reset();
  void serialize(Archive& ar);

 protected:
  bool waiting() const override { return pending_ != 0; }

 private:
  // What a key does in scan code set 3.
  enum KeyType : u8 { kMakeOnly = 0, kBreaks = 1, kRepeats = 2 };
  static u8 default_type(u8 code);

  void defaults();
  void send(KeyCode key, bool down);
  void send_set3(KeyCode key, bool down);
  void queue(std::span<const u8> bytes);
  bool repeats(KeyCode key) const;
  void repeat();
  u64 delay_ns() const;
  u64 period_ns() const;
  void parameter(u8 command, u8 value);
  void all_types(u8 type);

  std::array<bool, 256> held_{};
  std::array<u8, 256> types_{};  // by scan code of set 3
  u8 pending_ = 0;               // command that waits for its parameter
  u8 scan_set_ = 2;
  u8 leds_ = 0;
  u8 rate_ = 0x2b;  // typematic byte: 10.9 a second after 500 ms
  bool enabled_ = true, overrun_ = false;
  KeyCode repeating_ = KeyCode::kEsc;
  Clock& clock_;
  Timer typematic_;
};

// A PS/2 mouse with wheel (IntelliMouse) and five buttons (Explorer) once the driver knocks.
class Ps2Mouse : public Ps2Device, public RelativePointer {
 public:
  explicit Ps2Mouse(Clock& clock);
  // Counts: x to the right, y down, z towards the user (wheel down).
  void move(int dx, int dy, int dz);
  // PointerButton.
  void buttons(unsigned mask);
  bool active() const override { return true; }
  void move(i32 dx, i32 dy, i32 dz, u8 pressed) override {
    move(dx, dy, dz);
    buttons(pressed);
  }

  void command(u8 value) override;
  void reset();
  void serialize(Archive& ar);

 protected:
  bool waiting() const override { return pending_ != 0; }

 private:
  void defaults();
  void try_report();
  void report(Ps2Queue& to, bool scaled);
  void answer(std::initializer_list<u8> bytes);
  bool something_to_report() const { return dx_ || dy_ || dz_ || buttons_ != reported_buttons_; }

  u8 pending_ = 0;
  u8 id_ = 0;
  u8 sample_rate_ = 100;
  u8 resolution_ = 2;
  u8 knock_ = 0;  // sample rates of the IntelliMouse sequence seen so far
  bool scaling21_ = false, remote_ = false, wrap_ = false, enabled_ = false;
  i32 dx_ = 0, dy_ = 0, dz_ = 0;
  bool lost_x_ = false, lost_y_ = false;  // counts that were too many to keep: the overflow bits
  std::vector<u8> last_;                  // answer or packet, which a resend gives again
  u8 buttons_ = 0, reported_buttons_ = 0;
  Clock& clock_;
  Timer sample_;
};

}  // namespace xlat
