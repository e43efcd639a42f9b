// The PIIX4's power management function: ACPI registers, SMI command port, GPE block, an SMBus without devices.
#pragma once

#include <functional>

#include "base/clock.h"
#include "devices/isa/port_range.h"
#include "devices/pci/pci.h"

namespace xlat {

// Function 3 of the ISA bridge's device. Data sheet: Intel 82371AB (PIIX4), 290562; the GPE block at 0xAFE0 and the
// meaning of 0xF1/0xF0 at the SMI command port (ACPI on and off without an SMI handler) are QEMU's.
class Piix4Pm : public Device, public PciFunction {
 public:
  static constexpr u64 kTimerHz = 3579545;
  static constexpr u16 kGpeBase = 0xafe0;
  static constexpr u8 kAcpiEnable = 0xf1, kAcpiDisable = 0xf0;

  // `sci` is IRQ9.
  Piix4Pm(PortBus& ports, Clock& clock, IrqLine sci);
  ~Piix4Pm() override;

  // What SLP_EN asks for by SLP_TYP. Our ACPI tables name the values as QEMU's do: 0 off, 1 to sleep with the RAM kept
  // (S3), 2 off after the system has saved itself (S4).
  void on_power_off(std::function<void()> hook) { power_off_ = std::move(hook); }
  void on_suspend(std::function<void()> hook) { suspend_ = std::move(hook); }
  void press_power_button();
  // What the status register says of the end of a sleep; after the reset that comes with it.
  void wake(bool by_clock);
  // General-purpose event `n` 0..15 has happened.
  void raise_gpe(unsigned n);

  bool sci_enabled() const { return pmcntrl_ & 1; }
  u16 status() const { return pmsts_; }
  // PMBASE when its ports answer, else 0.
  u16 pm_base() const { return pm_base_; }
  u16 smbus_base() const { return smbus_base_; }

  std::string_view name() const override { return "piix4-pm"; }
  void reset() override;
  void serialize(Archive& ar) override;

 protected:
  void config_changed(unsigned offset, unsigned width) override;

 private:
  // One block of ports, bytes counted from its start.
  struct Block : IoHandler {
    Piix4Pm& pm;
    u8 (Piix4Pm::*get)(unsigned);
    void (Piix4Pm::*put)(unsigned, u8);
    Block(Piix4Pm& p, u8 (Piix4Pm::*g)(unsigned), void (Piix4Pm::*s)(unsigned, u8)) : pm(p), get(g), put(s) {}
    u32 read(u64 offset, unsigned) override { return (pm.*get)(static_cast<unsigned>(offset)); }
    void write(u64 offset, unsigned, u32 value) override {
      (pm.*put)(static_cast<unsigned>(offset), static_cast<u8>(value));
    }
  };

  u8 read_pm(unsigned offset);
  void write_pm(unsigned offset, u8 value);
  u8 read_gpe(unsigned offset);
  void write_gpe(unsigned offset, u8 value);
  u8 read_apm(unsigned offset);
  void write_apm(unsigned offset, u8 value);
  u8 read_smbus(unsigned offset);
  void write_smbus(unsigned offset, u8 value);

  void map_blocks();
  u64 timer_ticks() const;
  // Latches TMROF_STS for every toggle of the timer's bit 23 up to now.
  void settle();
  void update();

  PortBus& ports_;
  Clock& clock_;
  IrqLine sci_;
  std::function<void()> power_off_, suspend_;

  u16 pmsts_ = 0, pmen_ = 0, pmcntrl_ = 0;
  u8 other_[64] = {};   // registers of the PM block without a function here
  u64 half_turns_ = 0;  // toggles of timer bit 23 already seen
  u8 gpe_[4] = {};      // GPE0_STS, GPE0_EN
  u8 apmc_ = 0, apms_ = 0;
  u8 smbus_[16] = {};
  u16 pm_base_ = 0, smbus_base_ = 0;
  Timer overflow_;
  Block pm_block_, gpe_block_, apm_block_, smbus_block_;
};

}  // namespace xlat
