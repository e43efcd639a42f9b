// The PIIX3's PCI-to-ISA bridge: interrupt routing and the reset control register.
#pragma once

#include <functional>

#include "devices/pci/pci.h"

namespace xlat {

// Function 0 of device 1. Data sheet: Intel 82371SB (PIIX3), 290550. Its IrqSink inputs 0..3 are PIRQA#..PIRQD#.
class Piix3 : public Device, public PciFunction, public IrqSink, public IoHandler {
 public:
  // `isa_irqs[n]` drives ISA interrupt n; PIRQs that share one are ored here, ISA cards by whoever made the line.
  explicit Piix3(const std::array<IrqLine, 16>& isa_irqs);

  // Wires the PIRQs and port 0xCF9 to this bridge.
  void connect(PciBus& bus);
  // Asked for by port 0xCF9; `hard` is bit 1, a reset of everything rather than of the CPU.
  void on_reset_request(std::function<void(bool hard)> hook) { reset_request_ = std::move(hook); }

  // The ISA interrupt PIRQ `n` goes to, or -1.
  int route(unsigned n) const;

  void set_irq(unsigned pirq, bool level) override;

  std::string_view name() const override { return "piix3"; }
  void reset() override;
  void serialize(Archive& ar) override;

  // Port 0xCF9, RC.
  u32 read(u64 offset, unsigned width) override;
  void write(u64 offset, unsigned width, u32 value) override;

 protected:
  void config_changed(unsigned offset, unsigned width) override;

 private:
  void update();

  std::array<IrqLine, 16> isa_irqs_;
  std::function<void(bool)> reset_request_;
  u8 pirq_levels_ = 0;
  u16 driven_ = 0;  // ISA interrupts held high by PIRQs
  u8 reset_control_ = 0;
};

}  // namespace xlat
