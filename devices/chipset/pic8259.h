// The two cascaded 8259A interrupt controllers of an AT, with the ELCR of the PIIX3.
#pragma once

#include <array>
#include <string>

#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

// Inputs are IRQ0..IRQ15 (IRQ2 is the cascade and cannot be driven). Data sheet: Intel 8259A, 231468-003.
class Pic8259 : public Device, public IoHandler, public IrqSink {
 public:
  // `intr` is the CPU's INTR pin.
  Pic8259(PortBus& ports, IrqLine intr);

  void set_irq(unsigned line, bool level) override;

  // The CPU's two INTA cycles: the vector of the request with the highest priority, or of IRQ7/IRQ15 if it is gone.
  u8 acknowledge();
  bool intr() const { return intr_level_; }

  // How often input `line` has gone up since power-on, for `info irq`; no part of the chip's state.
  u64 count(unsigned line) const { return line < 16 ? counts_[line] : 0; }

  // One line a chip, for `info pic`.
  std::string dump() const;

  std::string_view name() const override { return "i8259"; }
  void reset() override;
  void serialize(Archive& ar) override;

  u32 read(u64 port, unsigned width) override;
  void write(u64 port, unsigned width, u32 value) override;

 private:
  struct Chip {
    u8 irr = 0, isr = 0, imr = 0;
    u8 lines = 0;   // levels at IR0..7
    u8 elcr = 0;    // 1: level-triggered
    u8 base = 0;    // ICW2 bits 7:3
    u8 lowest = 7;  // IR with the lowest priority
    u8 step = 0;    // ICW expected next (2..4), 0 when initialized
    bool icw4 = false, single = false;
    bool read_isr = false, poll = false;
    bool special_mask = false, special_fully_nested = false;
    bool auto_eoi = false, rotate_on_auto_eoi = false;

    void set_line(unsigned ir, bool level);
    // The set bit of `set` with the highest priority as a rank 0..7, 8 if none.
    unsigned rank(u8 set) const;
    // The IR to be served now, or -1.
    int request(bool master) const;
    void take(unsigned ir);
    void end_of_interrupt(unsigned ir, bool rotate);
    void command(u8 value);
    void data(u8 value);
    void serialize(Archive& ar);
  };

  u8 read_chip(Chip& chip, bool a0);
  void update();

  Chip master_, slave_;
  bool intr_level_ = false;
  std::array<u64, 16> counts_{};
  IrqLine intr_;
  PortRange master_ports_, slave_ports_, elcr_ports_;
};

}  // namespace xlat
