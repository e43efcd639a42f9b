// Port F0h: the latch between the processor's FERR#, IRQ13 and IGNNE# (PIIX3 data sheet, 2.5.10 COPROC_ERR and 5.8).
#pragma once

#include "base/irq_line.h"
#include "devices/device.h"
#include "devices/isa/port_range.h"

namespace xlat {

class CoprocessorError : public Device, public IoHandler {
 public:
  CoprocessorError(PortBus& ports, IrqLine irq13, IrqLine ignne)
      : irq13_(irq13), ignne_(ignne), range_(ports, 0xf0, 1, *this) {}

  // FERR# of the processor: raises IRQ13; when it ends, so do IRQ13 and IGNNE#.
  void set_ferr(bool active) {
    ferr_ = active;
    drive(active, false);
  }

  std::string_view name() const override { return "coprocessor_error"; }
  void reset() override {
    ferr_ = false;
    drive(false, false);
  }
  void serialize(Archive& ar) override {
    ar.section("coprocessor_error", 1);
    ar(ferr_)(irq13_active_)(ignne_active_);
  }

  u32 read(u64, unsigned) override { return 0xff; }
  // Any write ends IRQ13 and, while FERR# is active, tells the processor to ignore the error.
  void write(u64, unsigned, u32) override { drive(false, ferr_); }

 private:
  void drive(bool irq13, bool ignne) {
    irq13_active_ = irq13;
    ignne_active_ = ignne;
    irq13_.set(irq13);
    ignne_.set(ignne);
  }

  IrqLine irq13_, ignne_;
  bool ferr_ = false, irq13_active_ = false, ignne_active_ = false;
  PortRange range_;
};

}  // namespace xlat
