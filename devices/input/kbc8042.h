// The 8042 keyboard controller of a PC with its keyboard and mouse, ports 0x60 and 0x64.
#pragma once

#include <functional>

#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/input/ps2.h"
#include "devices/isa/port_range.h"

namespace xlat {

// IRQ1 and IRQ12 follow the output buffer; a byte from a device takes kByteNs to arrive, so that a handler may read the
// same byte twice.
class Kbc8042 : public Device, public IoHandler {
 public:
  static constexpr u64 kByteNs = 50'000;

  Kbc8042(PortBus& ports, Clock& clock, IrqLine irq1, IrqLine irq12);

  // Output port bit 1, and a low pulse of bit 0.
  void on_a20(std::function<void(bool)> hook) { a20_ = std::move(hook); }
  void on_reset_request(std::function<void()> hook) { reset_request_ = std::move(hook); }

  Ps2Keyboard& keyboard() { return keyboard_; }
  Ps2Mouse& mouse() { return mouse_; }
  void key(KeyCode key, bool down) { keyboard_.key(key, down); }
  void mouse_move(int dx, int dy, int dz) { mouse_.move(dx, dy, dz); }
  void mouse_buttons(unsigned mask) { mouse_.buttons(mask); }

  std::string_view name() const override { return "i8042"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  enum class Source : u8 { kKeyboard, kAux, kController };
  void command(u8 value);
  void data(u8 value);
  void respond(u8 value);
  void fill(u8 value, Source source);
  void write_output_port(u8 value);
  void device_has_data();
  void deliver();
  void update_irqs();

  u8 status_ = 0;
  u8 ram_[32] = {};  // ram_[0] is the command byte
  u8 output_port_ = 0;
  u8 output_ = 0;
  u8 pending_ = 0;  // command that waits for its data byte
  bool break_prefix_ = false;
  Ps2Queue responses_;  // the controller's own, waiting for the output buffer
  IrqLine irq1_, irq12_;
  std::function<void(bool)> a20_;
  std::function<void()> reset_request_;
  Clock& clock_;
  Ps2Keyboard keyboard_;
  Ps2Mouse mouse_;
  Timer arrival_;
  PortRange data_port_, command_port_;
};

}  // namespace xlat
