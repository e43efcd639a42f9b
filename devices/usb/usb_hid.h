// Keyboard, mouse and tablet of the USB's human interface class.
#pragma once

#include <array>
#include <deque>

#include "base/clock.h"
#include "devices/input/input_hub.h"
#include "devices/usb/usb_device.h"

namespace xlat {

// Device Class Definition for Human Interface Devices 1.11: one interface, one interrupt endpoint (1, IN), reports of a
// fixed size. Requests of the class: GET_REPORT, SET_REPORT, GET_IDLE, SET_IDLE, GET_PROTOCOL, SET_PROTOCOL.
class UsbHid : public UsbDevice {
 protected:
  UsbHid(std::string name, u16 product, const std::string& shown, u8 boot_protocol,
         std::span<const u8> report_descriptor, u8 report_bytes, u8 interval, Clock& clock);

  // The next report; false if there is nothing that the host has not seen.
  virtual bool next_report(std::vector<u8>& report) = 0;
  virtual std::vector<u8> current_report() const = 0;
  virtual void set_report(std::span<const u8>) {}

  bool request(const UsbSetup& setup, std::vector<u8>& data) override;
  UsbStatus in(u8 endpoint, std::span<u8> data, std::size_t& done) override;
  void reset_function() override;
  void serialize_function(Archive& ar) override;

  u8 protocol_ = 1;  // 0 while the host wants boot reports

 private:
  std::span<const u8> report_descriptor_;
  Clock& clock_;
  u8 idle_ = 0;  // in 4 ms; 0: reports only when something has changed
  u64 last_report_ = 0;
};

class UsbKeyboard final : public UsbHid, public KeyboardInput {
 public:
  UsbKeyboard(Clock& clock, InputHub& hub);
  ~UsbKeyboard() override;

  bool active() const override { return is_configured(); }
  void key(KeyCode key, bool down) override;
  u8 leds() const { return leds_; }  // Num, Caps, Scroll Lock from bit 0

 private:
  static constexpr std::size_t kMostWaiting = 128;
  bool next_report(std::vector<u8>& report) override;
  std::vector<u8> current_report() const override;
  void set_report(std::span<const u8> data) override { leds_ = data.empty() ? leds_ : data[0]; }
  void reset_function() override;
  void serialize_function(Archive& ar) override;
  void apply(u8 usage, bool down);

  InputHub& hub_;
  std::deque<u16> waiting_;  // usage, bit 8: pressed
  u8 modifiers_ = 0, leds_ = 0;
  std::vector<u8> pressed_;  // usages in the order they were pressed
};

class UsbMouse final : public UsbHid, public RelativePointer {
 public:
  UsbMouse(Clock& clock, InputHub& hub);
  ~UsbMouse() override;

  bool active() const override { return is_configured(); }
  void move(i32 dx, i32 dy, i32 dz, u8 buttons) override;

 private:
  bool next_report(std::vector<u8>& report) override;
  std::vector<u8> current_report() const override;
  void reset_function() override;
  void serialize_function(Archive& ar) override;

  InputHub& hub_;
  i32 dx_ = 0, dy_ = 0, dz_ = 0;
  u8 buttons_ = 0;
  bool changed_ = false;
};

class UsbTablet final : public UsbHid, public AbsolutePointer {
 public:
  UsbTablet(Clock& clock, InputHub& hub);
  ~UsbTablet() override;

  bool active() const override { return is_configured(); }
  void move(u16 x, u16 y, i32 wheel, u8 buttons) override;

 private:
  struct Point {
    u16 x = 0, y = 0;
    i8 wheel = 0;
    u8 buttons = 0;
  };
  static constexpr std::size_t kMostWaiting = 64;
  bool next_report(std::vector<u8>& report) override;
  std::vector<u8> current_report() const override;
  void configured() override { hub_.note_pointers(); }
  void reset_function() override;
  void serialize_function(Archive& ar) override;

  InputHub& hub_;
  std::deque<Point> waiting_;
  Point now_;
};

}  // namespace xlat
