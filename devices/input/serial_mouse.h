// A Microsoft mouse at the other end of a serial line.
#pragma once

#include <deque>

#include "base/clock.h"
#include "devices/char_channel.h"
#include "devices/device.h"
#include "devices/input/input_hub.h"

namespace xlat {

// 1200 baud, seven bits. The port's DTR and RTS feed it: when they rise it says "M3" (Microsoft's protocol, a third
// button as Logitech added it) and who it is ("Plug and Play External COM Device Specification", 1.0). Three bytes a
// packet: buttons with the high bits of the motion, x, y; a fourth one while the middle button changes or is held.
class SerialMouse final : public Device, public RelativePointer {
 public:
  static constexpr u64 kByteNs = 7'500'000;  // start bit, seven bits, stop bit

  SerialMouse(Clock& clock, CharChannel& line, InputHub& hub);
  ~SerialMouse() override;

  std::string_view name() const override { return "msmouse"; }
  void reset() override;
  void serialize(Archive& ar) override;

  bool active() const override { return powered_; }
  void move(i32 dx, i32 dy, i32 dz, u8 buttons) override;

 private:
  void modem_control(bool dtr, bool rts);
  void send();
  void packet();

  CharChannel& line_;
  InputHub& hub_;
  Clock& clock_;
  Timer byte_;
  std::deque<u8> waiting_;
  bool powered_ = false;
  i32 dx_ = 0, dy_ = 0;  // counts not sent yet
  u8 buttons_ = 0, sent_buttons_ = 0;
};

}  // namespace xlat
