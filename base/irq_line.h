// A wire from a device to an interrupt controller or to any other level-sensitive input.
#pragma once

#include "base/types.h"

namespace xlat {

// The receiving end of numbered lines.
class IrqSink {
 public:
  virtual ~IrqSink() = default;
  // Level of input `line` is now `level`. Called for every set, changed or not.
  virtual void set_irq(unsigned line, bool level) = 0;
};

// A value object: copy it into the device that drives the line. A default-made line goes nowhere.
class IrqLine {
 public:
  IrqLine() = default;
  IrqLine(IrqSink& sink, unsigned line) : sink_(&sink), line_(line) {}

  void set(bool level) const {
    if (sink_) sink_->set_irq(line_, level);
  }
  void raise() const { set(true); }
  void lower() const { set(false); }

 private:
  IrqSink* sink_ = nullptr;
  unsigned line_ = 0;
};

}  // namespace xlat
