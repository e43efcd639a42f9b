// Joins several drivers of one interrupt input: ISA cards that share an IRQ, PCI pins routed to it.
#pragma once

#include <vector>

#include "base/irq_line.h"
#include "devices/device.h"

namespace xlat {

// An input of `target` is high while any of its drivers is. Order of input() calls is part of the machine.
class IrqMixer : public Device, public IrqSink {
 public:
  explicit IrqMixer(IrqSink& target) : target_(target) {}

  // A new driver for input `irq` of the target.
  IrqLine input(unsigned irq) {
    drivers_.push_back({irq, false});
    return IrqLine(*this, static_cast<unsigned>(drivers_.size() - 1));
  }

  void set_irq(unsigned driver, bool level) override {
    if (driver >= drivers_.size()) return;
    drivers_[driver].level = level;
    bool any = false;
    for (const Driver& d : drivers_) any |= d.level && d.irq == drivers_[driver].irq;
    target_.set_irq(drivers_[driver].irq, any);
  }

  std::string_view name() const override { return "irq-mixer"; }
  void reset() override {}  // the levels are the drivers' business
  void serialize(Archive& ar) override {
    ar.section("irq-mixer", 1);
    for (Driver& d : drivers_) ar(d.level);
  }

 private:
  struct Driver {
    unsigned irq;
    bool level;
  };
  IrqSink& target_;
  std::vector<Driver> drivers_;
};

}  // namespace xlat
